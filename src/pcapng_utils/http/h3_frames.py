"""HTTP/3 frames (RFC 9114, section 7): cutting the bytes that one endpoint sent on one stream into frames.

Strategy: as for HTTP/2, DATA is passed on piece by piece, what must be whole to be understood is collected, the rest
is stepped over. A hole inside a payload is counted like the bytes it stands for. One that swallows a frame's header
ends the reading: unlike HTTP/2's, a frame's header here is as little as two bytes, and nothing tells it from content.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Protocol

from pcapng_utils.layers import Stamp, UnitKind, UnitLog


class FrameType(IntEnum):
    """RFC 9114, section 7.2, and the WebTransport draft's mark of a stream that is none of HTTP's."""

    DATA = 0x00
    HEADERS = 0x01
    CANCEL_PUSH = 0x03
    SETTINGS = 0x04
    PUSH_PROMISE = 0x05
    GOAWAY = 0x07
    MAX_PUSH_ID = 0x0D
    WEBTRANSPORT_STREAM = 0x41


_DATA: Final = int(FrameType.DATA)
_CONTROL: Final = int(UnitKind.CONTROL)
_MARKS: Final[dict[int, int]] = {
    _DATA: int(UnitKind.BODY),
    FrameType.HEADERS: int(UnitKind.HEADERS),
    FrameType.PUSH_PROMISE: int(UnitKind.HEADERS),
}
_COLLECTED: Final = frozenset((FrameType.HEADERS, FrameType.PUSH_PROMISE, FrameType.SETTINGS, FrameType.GOAWAY))
_ENDLESS: Final = 1 << 62


class FrameSink(Protocol):
    """What a `FrameReader` tells, in the order of its bytes."""

    def frame(self, kind: int, payload: bytes, stamps: list[Stamp]) -> None:
        """A whole HEADERS, PUSH_PROMISE, SETTINGS or GOAWAY."""

    def damaged(self, kind: int, stamps: list[Stamp]) -> None:
        """A frame that `frame` would have told, but for bytes that were lost, or for its size."""

    def content(self, data: bytes, stamp: Stamp) -> None:
        """A piece of DATA; empty where a packet carried nothing but its header."""

    def content_lost(self, size: int, stamp: Stamp) -> None:
        """`size` bytes of DATA were lost before those that this is the stamp of."""


def read_varint(data: bytes | bytearray, position: int) -> tuple[int, int] | None:
    """A variable-length integer (RFC 9000, section 16) and the position behind it; None if it is cut short."""
    if position >= len(data):
        return None
    size = 1 << (data[position] >> 6)
    end = position + size
    if end > len(data):
        return None
    value = int.from_bytes(data[position:end], "big")
    return value & (1 << 8 * size - 2) - 1, end


class FrameReader:
    """Reads the frames of one direction of one stream."""

    __slots__ = (
        "_damaged",
        "_direction",
        "_head",
        "_head_stamps",
        "_kind",
        "_left",
        "_lost_place",
        "_mark",
        "_max_collected",
        "_parts",
        "_sink",
        "_stamps",
        "_units",
        "skipped",
    )

    def __init__(self, direction: int, sink: FrameSink, units: UnitLog, max_collected: int) -> None:
        self._direction = direction
        self._sink = sink
        self._units = units
        self._max_collected = max_collected
        self._head = b""
        """The beginning of a frame's header that is not whole yet."""
        self._head_stamps: list[Stamp] = []
        self._lost_place = False
        self.skipped = 0
        """Bytes that could not be read because the place of the next frame was lost."""
        # The frame that is being read:
        self._kind = 0
        self._left = 0
        """Bytes of its payload that are still to come."""
        self._mark = 0
        self._parts: list[bytes] | None = None
        """Its payload, where it is collected."""
        self._damaged = False
        self._stamps: list[Stamp] = []

    @property
    def inside(self) -> bool:
        """Whether what came so far ends inside a frame."""
        return bool(self._left or self._head)

    def data(self, data: bytes, stamp: Stamp) -> None:
        """The next bytes."""
        if self._lost_place:
            self.skipped += len(data)
            return
        position, end = 0, len(data)
        while position < end:
            if self._left:
                position = self._payload(data, position, end, stamp)
            else:
                position = self._header(data, position, end, stamp)

    def gap(self, size: int, stamp: Stamp) -> bool:
        """`size` bytes (0: unknown) were lost before those that follow. Returns whether these can still be read."""
        if self._lost_place:
            return False
        inside = 0 < size <= self._left
        if self._left:
            self._lose_payload(size if inside else self._left, stamp)
        self._lost_place = not inside
        self._head = b""
        return inside

    def _header(self, data: bytes, position: int, end: int, stamp: Stamp) -> int:
        """Read a frame's type and length, or keep the piece of them that is there."""
        known = len(self._head)
        head = self._head + data[position : position + 16 - known]
        self._head_stamps.append(stamp)
        kind = read_varint(head, 0)
        length = read_varint(head, kind[1]) if kind is not None else None
        if kind is None or length is None:
            self._head = head
            return end
        stamps, self._head, self._head_stamps = self._head_stamps, b"", []
        position += length[1] - known
        self._begin(kind[0], length[0], stamps, more=position < end)
        return position

    def _begin(self, kind: int, length: int, stamps: list[Stamp], *, more: bool) -> None:
        self._kind, self._left = kind, length
        self._mark = _MARKS.get(kind, _CONTROL)
        for stamp in stamps:
            self._units.mark(self._direction, stamp.unit, self._mark)
        self._stamps = stamps
        self._damaged = False
        self._parts = None
        if kind == _DATA:
            if not (more and length):
                for stamp in stamps:
                    self._sink.content(b"", stamp)
        elif kind in _COLLECTED:
            self._damaged = length > self._max_collected
            self._parts = []
        elif kind == FrameType.WEBTRANSPORT_STREAM:
            # What stands where a length would is a session: all that follows is that session's.
            self._left = _ENDLESS
        if not self._left:
            self._complete()

    def _payload(self, data: bytes, position: int, end: int, stamp: Stamp) -> int:
        """Read what `data` has of the payload; returns where that ends."""
        stop = min(end, position + self._left)
        self._left -= stop - position
        self._units.mark(self._direction, stamp.unit, self._mark)
        if self._kind == _DATA:
            self._sink.content(data[position:stop], stamp)
        elif self._parts is not None and not self._damaged:
            self._parts.append(data[position:stop])
            if self._stamps[-1] is not stamp:
                self._stamps.append(stamp)
        if not self._left:
            self._complete()
        return stop

    def _lose_payload(self, size: int, stamp: Stamp) -> None:
        self._left -= size
        if self._kind == _DATA:
            self._sink.content_lost(size, stamp)
        self._damaged = True
        if not self._left:
            self._complete()

    def _complete(self) -> None:
        """The frame that is being read is at its end."""
        if self._parts is None:
            return
        parts, self._parts = self._parts, None
        if self._damaged:
            self._sink.damaged(self._kind, self._stamps)
        else:
            self._sink.frame(self._kind, parts[0] if len(parts) == 1 else b"".join(parts), self._stamps)
