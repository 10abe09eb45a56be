"""Which datagrams are QUIC."""

from __future__ import annotations

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.quic.detect import looks_like_quic, looks_like_short_header, quic_version
from tests.quic import vectors
from tests.quic.making import INITIAL, Talk

VERSION_NEGOTIATION = bytes.fromhex("c0 00000000 04 61626364 04 65666768 00000001 6b3343cf")


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (vectors.V1_CLIENT_INITIAL, "QUIC v1"),
        (vectors.V2_CLIENT_INITIAL, "QUIC v2"),
        (vectors.V1_RETRY, "QUIC v1"),
        (Talk(version=0x1A2A3A4A).long(INITIAL, CLIENT, bytes(1100)), "greased 0x1a2a3a4a"),
        (VERSION_NEGOTIATION, "version negotiation"),
        (bytes.fromhex("09 0102030405060708 51303339 01") + bytes(20), "Q039"),
        (bytes.fromhex("c3 51303436 50 0102030405060708") + bytes(20), "Q046"),
        (bytes.fromhex("c3 51303530 08 0102030405060708 00") + bytes(20), "Q050"),
    ],
)
def test_versions_are_told(data: bytes, version: str) -> None:
    assert quic_version(data) == version


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        bytes(40),
        b"\xff" * 40,
        vectors.V1_CLIENT_INITIAL[:200],
        VERSION_NEGOTIATION[:15] + b"\xff\xff\xff\xff",
        bytes.fromhex("80 00 0001 00000000 00000001") + bytes(160),  # RTP
        bytes.fromhex("1234 0100 0001 0000 0000 0000 03777777 00 0001 0001"),  # DNS
        bytes.fromhex("16 feff 0000 0000 0000 0000 0030") + bytes(48),  # DTLS
        Talk().short(SERVER, bytes(40)),
    ],
)
def test_other_datagrams_are_not_quic(data: bytes) -> None:
    assert not looks_like_quic(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(Talk().short(SERVER, bytes(40)), True), (b"\x40" * 20, False), (b"\x00" * 40, False), (b"\xc0" * 40, False)],
)
def test_short_headers_are_guessed(data: bytes, expected: bool) -> None:
    assert looks_like_short_header(data) == expected
