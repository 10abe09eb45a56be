"""WebSocket frames (RFC 6455, section 5): from the bytes of one direction to whole frames, unmasked.

Strategy: two states, in a frame's header and in its payload. The pieces of a payload are kept as they come, joined
and unmasked once, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from pcapng_utils.layers import Stamp

CONTINUATION: Final = 0
CLOSE: Final = 8
_OPCODES: Final = frozenset((0, 1, 2, 8, 9, 10))

_MASKED: Final = 0x80
_MAX_CONTROL: Final = 125
_LENGTH_16: Final = Struct(">H")
_LENGTH_64: Final = Struct(">Q")
_HEADER_SIZES: Final = tuple(
    2 + {126: 2, 127: 8}.get(second & 0x7F, 0) + (4 if second & _MASKED else 0) for second in range(256)
)
"""Size of a frame's header, by its second byte (section 5.2)."""


class Trace:
    """Where the bytes of something were: the stamps of its pieces, joined."""

    __slots__ = ("first", "frames", "last", "units")

    def __init__(self) -> None:
        self.first = 0
        self.last = 0
        self.frames: list[int] = []
        self.units: list[int] = []

    def carried(self, stamp: Stamp) -> None:
        """Note that (some of) the bytes stamped so belong to it."""
        if not self.units:
            self.first = stamp.first
        self.last = max(self.last, stamp.last)
        for frame in stamp.frames:
            if not self.frames or self.frames[-1] != frame:
                self.frames.append(frame)
        if not self.units or self.units[-1] != stamp.unit:
            self.units.append(stamp.unit)

    def extend(self, later: Trace) -> None:
        """Join what came after it, in the same direction."""
        if not self.units:
            self.first = later.first
        self.last = max(self.last, later.last)
        self.frames += later.frames[self.frames[-1:] == later.frames[:1] :]
        self.units += later.units[self.units[-1:] == later.units[:1] :]

    def stamp(self) -> Stamp:
        return Stamp(self.first, self.last, tuple(self.frames), self.units[0])


class Frame:
    """One frame; `left` bytes of its payload are still to come."""

    __slots__ = ("_kept", "_key", "_limit", "_place", "_runs", "fault", "fin", "left", "opcode", "rsv1", "trace")

    def __init__(self, first: int, length: int, key: bytes, limit: int) -> None:
        """`first`: the first byte of the header; `key`: masking key, empty for none; `limit`: bytes kept of it."""
        self.fin = first & 0x80 != 0
        self.rsv1 = first & 0x40 != 0
        self.opcode = first & 0x0F
        self.left = length
        self.fault = ""
        """Why the payload is not whole: "lost-bytes", "too-long", "truncated"; empty if it is."""
        self.trace = Trace()
        self._key = key
        self._limit = limit
        self._kept = 0
        self._place = 0
        self._runs: list[tuple[int, list[bytes]]] = [(0, [])]

    def append(self, data: bytes) -> None:
        """The next bytes of the payload."""
        size = len(data)
        self.left -= size
        self._place += size
        self._kept += size
        if self._kept <= self._limit:
            self._runs[-1][1].append(data)
        else:
            self.fault = self.fault or "too-long"

    def skip(self, size: int) -> None:
        """The next bytes of the payload were lost."""
        self.left -= size
        self._place += size
        self._runs.append((self._place, []))
        self.fault = "lost-bytes"

    def payload(self) -> bytes:
        """What there is of the payload, unmasked."""
        return b"".join(unmask(b"".join(pieces), self._key, place) for place, pieces in self._runs)

    def intact(self) -> bytes:
        """The payload up to the first byte that is missing, unmasked."""
        return unmask(b"".join(self._runs[0][1]), self._key)


def unmask(data: bytes, key: bytes, place: int = 0) -> bytes:
    """Undo the masking (section 5.3) of bytes that are `place` bytes into the payload; an empty key stands for none."""
    size = len(data)
    if not key or not size:
        return data
    turn = place & 3
    mask = (key[turn:] + key[:turn]) * (size // 4 + 1)
    return (int.from_bytes(data, "little") ^ int.from_bytes(mask[:size], "little")).to_bytes(size, "little")


class FrameReader:
    """Reads the frames of one direction until its place in the stream is lost."""

    __slots__ = ("_header", "_limit", "_stamps", "_take", "frame", "lost_place")

    def __init__(self, take: Callable[[Frame], None], limit: int) -> None:
        """`take` is called with each whole frame; `limit`: bytes kept of a frame's payload."""
        self._take = take
        self._limit = limit
        self._header = b""
        self._stamps: list[Stamp] = []
        self.frame: Frame | None = None
        """The frame whose payload is coming in."""
        self.lost_place = False

    def feed(self, data: bytes, stamp: Stamp) -> int:
        """The next bytes; returns how many of them could be used: all, unless the place is lost."""
        position, size = 0, len(data)
        while position < size:
            frame = self.frame
            if frame is None:
                position = self._read_header(data, position, stamp)
                if self.lost_place:
                    return position
                continue
            frame.trace.carried(stamp)
            if frame.left >= size - position:
                frame.append(data[position:] if position else data)
                position = size
            else:
                end = position + frame.left
                frame.append(data[position:end])
                position = end
            if not frame.left:
                self._end_frame(frame)
        return position

    def gap(self, size: int) -> None:
        """`size` bytes are missing (0: an unknown number): only a payload that goes on behind them keeps the place."""
        frame = self.frame
        if frame is None or not 0 < size <= frame.left:
            self.lost_place = True
            if frame is not None:
                frame.fault = "lost-bytes"
            return
        frame.skip(size)
        if not frame.left:
            self._end_frame(frame)

    def _end_frame(self, frame: Frame) -> None:
        self.frame = None
        self._take(frame)

    def _read_header(self, data: bytes, position: int, stamp: Stamp) -> int:
        header = self._header
        if header:
            start = position - len(header)
            data = header + data[position : position + 14]
            at = 0
        else:
            start, at = 0, position
        available = len(data) - at
        needed = _HEADER_SIZES[data[at + 1]] if available > 1 else 2
        if available < needed:
            self._header = data[at:]
            self._stamps.append(stamp)
            return start + len(data)
        self._header = b""
        frame = _parse_header(data, at, needed, self._limit)
        if frame is None:
            self.lost_place = True
            return position
        for earlier in self._stamps:
            frame.trace.carried(earlier)
        self._stamps.clear()
        frame.trace.carried(stamp)
        if frame.left:
            self.frame = frame
        else:
            self._end_frame(frame)
        return start + at + needed


def _parse_header(data: bytes, at: int, size: int, limit: int) -> Frame | None:
    """None: no header that RFC 6455 or RFC 7692 allow, so the place in the stream is not what it was taken for."""
    first, second = data[at], data[at + 1]
    length = second & 0x7F
    opcode = first & 0x0F
    if opcode not in _OPCODES or first & 0x30:
        return None
    if opcode >= CLOSE and (length > _MAX_CONTROL or first & 0xC0 != 0x80):
        return None
    if length == 126:
        length = _LENGTH_16.unpack_from(data, at + 2)[0]
    elif length == 127:
        length = _LENGTH_64.unpack_from(data, at + 2)[0]
        if length >> 63:
            return None
    key = data[at + size - 4 : at + size] if second & _MASKED else b""
    return Frame(first, length, key, limit)
