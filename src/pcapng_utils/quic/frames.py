"""The frames of a packet's payload (RFC 9000, section 19; RFC 9221), those that matter to a reader who only listens.

`parse_frames` gives the frames that carry bytes or change what is known of the connection; flow control, padding, pings
and the like are read over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pcapng_utils.quic.packet import read_varint


class Stream(NamedTuple):
    stream_id: int
    offset: int
    data: bytes
    fin: bool


class Crypto(NamedTuple):
    offset: int
    data: bytes


class Ack(NamedTuple):
    ranges: tuple[tuple[int, int], ...]
    """First and last packet number of each range, highest first."""


class ResetStream(NamedTuple):
    stream_id: int
    error_code: int
    final_size: int


class NewConnectionId(NamedTuple):
    connection_id: bytes
    reset_token: bytes
    """What ends a Stateless Reset of a path with this ID (RFC 9000, section 10.3)."""


class ConnectionClose(NamedTuple):
    error_code: int
    application: bool
    """The error is one of the application protocol (frame type 0x1d), not of QUIC itself."""
    reason: bytes


class Datagram(NamedTuple):
    """An unreliable datagram of the application (RFC 9221)."""

    data: bytes


class Malformed(NamedTuple):
    """The payload does not go on as a frame of the kind it began; nothing behind it can be read."""

    frame_type: int


Frame = Stream | Crypto | Ack | ResetStream | NewConnectionId | ConnectionClose | Datagram | Malformed

MAX_ACK_RANGES: Final = 256
"""Ranges of one ACK frame that are looked at; a packet has room for some hundreds."""

RESET_TOKEN: Final = 16
"""Bytes of a Stateless Reset Token."""

_Reader = Callable[[bytes, int, int, list[Frame]], int]
"""Reads the frame whose type ended at a position; returns the position behind it. IndexError if it ends too early."""


def parse_frames(payload: bytes) -> list[Frame]:
    """The frames of a decrypted payload, in order; the last is `Malformed` if it could not be read to its end."""
    frames: list[Frame] = []
    at, size, kind = 0, len(payload), 0
    try:
        while at < size:
            kind = payload[at]
            at += 1
            if kind & 0xF8 == 0x08:
                at = _stream(payload, at, kind, frames)
            elif kind == 0:
                at = size - len(payload[at:].lstrip(b"\x00"))
            else:
                if kind >= 0x40:
                    kind, at = read_varint(payload, at - 1)
                at = _READERS[kind](payload, at, kind, frames)
    except (IndexError, KeyError):
        frames.append(Malformed(kind))
    return frames


def parse_google_frames(payload: bytes) -> list[Frame]:
    """The CRYPTO frames of a payload of T050 or T051, which number their frames as Google QUIC did; read as far as the
    first frame that is neither of these nor PADDING or PING."""
    frames: list[Frame] = []
    at, size = 0, len(payload)
    try:
        while at < size and payload[at] in _GOOGLE_READERS:
            at = _GOOGLE_READERS[payload[at]](payload, at + 1, payload[at], frames)
    except IndexError:
        frames.append(Malformed(payload[at]))
    return frames


def _take(payload: bytes, at: int, size: int) -> bytes:
    data = payload[at : at + size]
    if len(data) < size:
        raise IndexError(at + size)
    return data


def _stream(payload: bytes, at: int, kind: int, frames: list[Frame]) -> int:
    stream_id = payload[at]
    if stream_id < 0x40:
        at += 1
    else:
        stream_id, at = read_varint(payload, at)
    offset = 0
    if kind & 4:
        offset, at = read_varint(payload, at)
    if kind & 2:
        size, at = read_varint(payload, at)
        data = payload[at : at + size]
        if len(data) < size:
            raise IndexError(at + size)
    else:
        data = payload[at:]
    frames.append(Stream(stream_id, offset, data, kind & 1 == 1))
    return at + len(data)


def _crypto(payload: bytes, at: int, _kind: int, frames: list[Frame]) -> int:
    offset, at = read_varint(payload, at)
    size, at = read_varint(payload, at)
    frames.append(Crypto(offset, _take(payload, at, size)))
    return at + size


def _ack(payload: bytes, at: int, kind: int, frames: list[Frame]) -> int:
    last, at = read_varint(payload, at)
    _, at = read_varint(payload, at)
    count, at = read_varint(payload, at)
    length, at = read_varint(payload, at)
    ranges = [(last - length, last)]
    for _ in range(count):
        gap, at = read_varint(payload, at)
        length, at = read_varint(payload, at)
        last = ranges[-1][0] - gap - 2
        ranges.append((last - length, last))
    if ranges[-1][0] < 0:
        raise IndexError(at)
    if kind == 3:
        at = _read_ecn_counts(payload, at, kind, frames)
    frames.append(Ack(tuple(ranges[:MAX_ACK_RANGES])))
    return at


def _reset_stream(payload: bytes, at: int, kind: int, frames: list[Frame]) -> int:
    stream_id, at = read_varint(payload, at)
    error_code, at = read_varint(payload, at)
    final_size, at = read_varint(payload, at)
    if kind == 0x24:
        _, at = read_varint(payload, at)
    frames.append(ResetStream(stream_id, error_code, final_size))
    return at


def _new_token(payload: bytes, at: int, _kind: int, _frames: list[Frame]) -> int:
    size, at = read_varint(payload, at)
    _take(payload, at, size)
    return at + size


def _new_connection_id(payload: bytes, at: int, _kind: int, frames: list[Frame]) -> int:
    _, at = read_varint(payload, at)
    _, at = read_varint(payload, at)
    size = payload[at]
    token_at = at + 1 + size
    token = _take(payload, token_at, RESET_TOKEN)
    frames.append(NewConnectionId(payload[at + 1 : token_at], token))
    return token_at + RESET_TOKEN


def _connection_close(payload: bytes, at: int, kind: int, frames: list[Frame]) -> int:
    error_code, at = read_varint(payload, at)
    if kind == 0x1C:
        _, at = read_varint(payload, at)
    size, at = read_varint(payload, at)
    frames.append(ConnectionClose(error_code, kind == 0x1D, _take(payload, at, size)))
    return at + size


def _datagram(payload: bytes, at: int, kind: int, frames: list[Frame]) -> int:
    size = len(payload) - at
    if kind & 1:
        size, at = read_varint(payload, at)
    frames.append(Datagram(_take(payload, at, size)))
    return at + size


def _path(payload: bytes, at: int, _kind: int, _frames: list[Frame]) -> int:
    _take(payload, at, 8)
    return at + 8


def _varints(count: int) -> _Reader:
    """A frame of so many integers that say nothing to us."""

    def read(payload: bytes, at: int, _kind: int, _frames: list[Frame]) -> int:
        for _ in range(count):
            _, at = read_varint(payload, at)
        return at

    return read


_read_ecn_counts: Final = _varints(3)

_READERS: Final[dict[int, _Reader]] = {
    0x01: _varints(0),  # PING
    0x02: _ack,
    0x03: _ack,
    0x04: _reset_stream,
    0x05: _varints(2),  # STOP_SENDING
    0x06: _crypto,
    0x07: _new_token,
    0x10: _varints(1),  # MAX_DATA
    0x11: _varints(2),  # MAX_STREAM_DATA
    0x12: _varints(1),  # MAX_STREAMS
    0x13: _varints(1),
    0x14: _varints(1),  # DATA_BLOCKED
    0x15: _varints(2),  # STREAM_DATA_BLOCKED
    0x16: _varints(1),  # STREAMS_BLOCKED
    0x17: _varints(1),
    0x18: _new_connection_id,
    0x19: _varints(1),  # RETIRE_CONNECTION_ID
    0x1A: _path,  # PATH_CHALLENGE
    0x1B: _path,  # PATH_RESPONSE
    0x1C: _connection_close,
    0x1D: _connection_close,
    0x1E: _varints(0),  # HANDSHAKE_DONE
    0x1F: _varints(0),  # IMMEDIATE_ACK (draft-ietf-quic-ack-frequency)
    0x24: _reset_stream,  # RESET_STREAM_AT (draft-ietf-quic-reliable-stream-reset)
    0x30: _datagram,
    0x31: _datagram,
    0xAF: _varints(4),  # ACK_FREQUENCY (draft-ietf-quic-ack-frequency)
    0x2F5: _varints(1),  # TIME_STAMP (draft-huitema-quic-ts)
}

_GOOGLE_READERS: Final[dict[int, _Reader]] = {0x00: _varints(0), 0x07: _varints(0), 0x08: _crypto}
