"""Telling TLS from other things by its first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.tls.detect import is_client_hello, looks_like_tls
from tests.tls import vectors

HELLO = vectors.SIMPLE[0][1]
SSLV2 = bytes.fromhex("802e 01 0301 0015 0000 0010") + bytes(21) + bytes(16)


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (HELLO, True),
        (HELLO[:40], True),
        (HELLO[:7], None),
        (HELLO[:5], None),
        (HELLO[:1], None),
        (b"", None),
        (vectors.SIMPLE[1][1], True),
        (vectors.SIMPLE[1][1] + vectors.SIMPLE[2][1], True),
        (vectors.SIMPLE[5][1], True),
        (vectors.SIMPLE[5][1] + vectors.SIMPLE[7][1], True),
        (vectors.SIMPLE[5][1] + b"GET / HTTP/1.1\r\n", False),
        (SSLV2, True),
        (SSLV2[:9], None),
        (b"GET / HTTP/1.1\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False),
        (b"\x16\x03\x01\xff\xff\x01\x00\x00\x00\x03", False),
        (b"\x16\x03\x03\x00\x28\x93\xf7\x01\x00\x2d\x03\x03", True),  # an encrypted Finished
        (b"\x00" * 20, False),
    ],
)
def test_verdict(data: bytes, verdict: bool | None) -> None:
    assert looks_like_tls(data) is verdict


@pytest.mark.parametrize("flight", [*vectors.SIMPLE, *vectors.RESUMED, (0, SSLV2)])
def test_more_bytes_never_turn_yes_into_no(flight: tuple[int, bytes]) -> None:
    verdicts = [looks_like_tls(flight[1][:size]) for size in range(len(flight[1]) + 1)]
    assert verdicts[-1] is True
    assert False not in verdicts
    assert None not in verdicts[verdicts.index(True) :]


def test_who_is_the_client() -> None:
    assert is_client_hello(HELLO)
    assert is_client_hello(SSLV2)
    assert is_client_hello(vectors.SIMPLE[1][1]) is False
    assert is_client_hello(vectors.SIMPLE[5][1]) is False
    assert is_client_hello(HELLO[:3]) is None


@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    assert looks_like_tls(data) in (True, False, None)
    assert is_client_hello(data) in (True, False, None)
