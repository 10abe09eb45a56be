"""Bytes in, frames out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.quic.frames import (
    Ack,
    ConnectionClose,
    Crypto,
    Datagram,
    Frame,
    Malformed,
    NewConnectionId,
    ResetStream,
    Stream,
    parse_frames,
    parse_google_frames,
)
from tests.quic.making import ack, crypto, stream, varint

TOKEN = bytes(16)


@pytest.mark.parametrize(
    ("payload", "frames"),
    [
        ("", []),
        ("00 00 00", []),
        ("01", []),
        ("08 04 61 62", [Stream(4, 0, b"ab", False)]),
        ("09 04", [Stream(4, 0, b"", True)]),
        ("0a 04 01 61 01", [Stream(4, 0, b"a", False)]),
        ("0c 04 4100 61", [Stream(4, 256, b"a", False)]),
        ("0f 7fff 80010000 02 61 62 00 01", [Stream(0x3FFF, 0x10000, b"ab", True)]),
        ("0e 04 c000000100000000 01 61", [Stream(4, 1 << 32, b"a", False)]),
        ("06 05 02 61 62", [Crypto(5, b"ab")]),
        ("02 0a 00 00 03", [Ack(((7, 10),))]),
        ("02 0a 00 01 03 00 01", [Ack(((7, 10), (4, 5)))]),
        ("03 0a 00 00 03 01 02 03 01", [Ack(((7, 10),))]),
        ("04 08 410c 4400", [ResetStream(8, 0x10C, 0x400)]),
        ("24 08 410c 4400 05", [ResetStream(8, 0x10C, 0x400)]),
        ("18 01 00 04 61626364" + TOKEN.hex(), [NewConnectionId(b"abcd", TOKEN)]),
        ("1c 4128 06 02 6f6b", [ConnectionClose(0x128, False, b"ok")]),
        ("1d 4100 02 6f6b", [ConnectionClose(0x100, True, b"ok")]),
        ("30 61 62", [Datagram(b"ab")]),
        ("31 01 61 01", [Datagram(b"a")]),
        ("10 01 11 01 02 12 01 13 01 14 01 15 01 02 16 01 17 01 19 01 05 01 02 1e 1f 40af 01 02 03 04", []),
        ("1a 0001020304050607 1b 0001020304050607 07 01 ff", []),
        ("42f5 05 01", []),
        ("01 3f", [Malformed(0x3F)]),
        ("7fff", [Malformed(0x3FFF)]),
        ("40", [Malformed(0x40)]),
        ("0a 04 05 61", [Malformed(0x0A)]),
        ("06 00 05 61", [Malformed(0x06)]),
        ("02 03 00 00 05", [Malformed(0x02)]),
        ("02 0a 00 01 03 09 01", [Malformed(0x02)]),
        ("02 0a 00 40ff 03", [Malformed(0x02)]),
        ("18 01 00 04 61626364 0000", [Malformed(0x18)]),
        ("08 04 61", [Stream(4, 0, b"a", False)]),
        ("01 0a 04 01 61 3f 0a 04 01 61", [Stream(4, 0, b"a", False), Malformed(0x3F)]),
    ],
)
def test_payloads(payload: str, frames: list[Frame]) -> None:
    assert parse_frames(bytes.fromhex(payload)) == frames


def test_google_payloads() -> None:
    payload = b"\x00\x07\x08\x00\x02ab\x60\x08\x00\x02cd"
    assert parse_google_frames(payload) == [Crypto(0, b"ab")]
    assert parse_google_frames(payload[:6]) == [Malformed(8)]


@given(st.integers(0, (1 << 62) - 1), st.binary(max_size=40), st.booleans())
def test_what_was_written_is_read(number: int, data: bytes, fin: bool) -> None:
    payload = stream(number, number, data, fin) + crypto(number, data) + ack((number // 2, number))
    assert parse_frames(payload) == [
        Stream(number, number, data, fin),
        Crypto(number, data),
        Ack(((number // 2, number),)),
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_malformed(payload: bytes) -> None:
    frames = parse_frames(payload)
    assert sum(isinstance(frame, Malformed) for frame in frames[:-1]) == 0
    parse_google_frames(payload)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_cut_frame_is_malformed(data: bytes, drawn: st.DataObject) -> None:
    whole = crypto(70, data)
    size = drawn.draw(st.integers(1, len(whole) - 1))
    assert parse_frames(whole[:size]) == [Malformed(6)]
    assert varint(70) in whole
