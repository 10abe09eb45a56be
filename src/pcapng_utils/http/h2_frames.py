"""HTTP/2 frames (RFC 9113, section 4): cutting the bytes of one direction into frames.

Strategy: a frame's header says how long it is, so the reader counts. The payload of DATA is passed on piece by piece as
it comes; frames whose payload must be whole to be understood are collected; all others are stepped over. A hole
inside a payload is counted like the bytes it stands for. When the count is lost (a hole that swallowed a header, a
capture that began late, a header that cannot be one) the frames are searched for (`FrameSearch`).

Whatever the chunks the bytes come in, the same frames come out, each with the stamps of all the chunks it was in.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final, Protocol

from pcapng_utils.http.h2_search import HEADER_SIZE, FrameSearch, Run
from pcapng_utils.layers import CLIENT, Stamp, UnitKind, UnitLog

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (RFC 9113, section 3.4)."""

MAX_COLLECTED: Final = 1 << 18
"""Largest payload that is collected; of a longer one (16 KiB is usual) it is only known that it was there."""

MAX_FAULTS: Final = 256
"""How often something else may stand where a frame was expected, before a direction is given up."""

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY_FIELDS: Final = 0x20


class FrameType(IntEnum):
    """RFC 9113, section 6."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


_DATA: Final = int(FrameType.DATA)
_DEFAULT_MAX_FRAME_SIZE: Final = 1 << 14

_FIELD_BLOCKS: Final[frozenset[int]] = frozenset((FrameType.HEADERS, FrameType.PUSH_PROMISE, FrameType.CONTINUATION))
_COLLECTED: Final = _FIELD_BLOCKS | {FrameType.RST_STREAM, FrameType.SETTINGS, FrameType.GOAWAY}
_OF_A_STREAM: Final = _FIELD_BLOCKS | {FrameType.DATA, FrameType.PRIORITY, FrameType.RST_STREAM}
_FIXED_LENGTH: Final[dict[int, int]] = {
    FrameType.PRIORITY: 5,
    FrameType.RST_STREAM: 4,
    FrameType.PING: 8,
    FrameType.WINDOW_UPDATE: 4,
}

#: What a unit is marked with, as plain integers: flags are slow to combine.
_CONTROL: Final = int(UnitKind.CONTROL)
_MARKS: Final = {_DATA: int(UnitKind.BODY), **dict.fromkeys(_FIELD_BLOCKS, int(UnitKind.HEADERS))}

_HEADER: Final = Struct(">BHBBI")


class FrameSink(Protocol):
    """What a `FrameReader` tells, in the order of its direction's bytes."""

    def frame(self, direction: int, kind: int, flags: int, stream: int, payload: bytes, stamps: list[Stamp]) -> None:
        """A whole HEADERS, PUSH_PROMISE, CONTINUATION, RST_STREAM, SETTINGS or GOAWAY; CONTINUATION is not joined."""

    def content(self, direction: int, stream: int, data: bytes, stamp: Stamp) -> None:
        """A piece of DATA; empty where a chunk carried nothing of the frame but its header or padding."""

    def content_lost(self, direction: int, stream: int, size: int, stamp: Stamp) -> None:
        """`size` bytes of DATA were lost before those that this is the stamp of."""

    def content_end(self, direction: int, stream: int, flags: int, stamp: Stamp) -> None:
        """The end of a DATA frame."""

    def damaged(self, direction: int, kind: int, flags: int, stream: int, stamp: Stamp) -> None:
        """A frame that `frame` would have told, but for bytes that were lost."""

    def lost_place(self, direction: int, reason: str, stamp: Stamp) -> None:
        """Any frames may have been lost here ("gap", "not-a-frame", "late-start"); more are being searched for."""

    def found_place(self, direction: int, skipped: int, stamp: Stamp | None) -> None:
        """Frames follow (None: none do), after `skipped` bytes that could not be read."""


def _possible(length: int, kind: int, stream: int, longest: int) -> bool:
    """Whether this can be a frame's header, as far as sections 4 and 6 leave no choice; any type may be (5.5)."""
    if kind > FrameType.CONTINUATION:
        return length <= longest
    if kind in _OF_A_STREAM:
        return stream != 0 and length == _FIXED_LENGTH.get(kind, length)
    if kind == FrameType.SETTINGS:
        return stream == 0 and length % 6 == 0
    return length == _FIXED_LENGTH.get(kind, length) and (stream == 0 or kind == FrameType.WINDOW_UPDATE)


class FrameReader:
    """Reads one direction of an HTTP/2 connection."""

    __slots__ = (
        "_content",
        "_damaged",
        "_direction",
        "_faults",
        "_first",
        "_flags",
        "_head_size",
        "_kind",
        "_left",
        "_mark",
        "_padded",
        "_parts",
        "_pieces",
        "_search",
        "_sink",
        "_stamps",
        "_stream",
        "_units",
        "longest",
    )

    def __init__(self, direction: int, sink: FrameSink, units: UnitLog) -> None:
        self._direction = direction
        self._sink = sink
        self._units = units
        self.longest = _DEFAULT_MAX_FRAME_SIZE
        """Payload that the other side takes: its SETTINGS_MAX_FRAME_SIZE. Only believed in, not enforced."""
        self._head_size = len(PREFACE) if direction == CLIENT else HEADER_SIZE
        """Bytes that must be at hand before what comes next can be read: a frame's header, or the preface."""
        self._pieces: list[Run] = []
        """Those of them that came so far, where they did not come at once."""
        self._first = True
        """No frame was read yet: the first must be SETTINGS."""
        self._search: FrameSearch | None = None
        self._faults = 0
        # The frame that is being read:
        self._kind = self._flags = self._stream = 0
        self._left = 0
        """Bytes of its payload that are still to come."""
        self._content = 0
        """DATA: those of them that are no padding."""
        self._padded = False
        """DATA: the Pad Length field is still to come."""
        self._mark = _CONTROL
        self._parts: list[bytes] | None = None
        """Its payload, where it is collected."""
        self._damaged = False
        self._stamps: list[Stamp] = []

    def data(self, data: bytes, stamp: Stamp) -> None:
        """The next bytes."""
        if self._search is None:
            self._read(data, stamp)
            if self._search is None:
                return
        else:
            self._search.add(data, stamp)
        self._look_for_frames()

    def gap(self, size: int, stamp: Stamp) -> None:
        """`size` bytes (0: unknown) were lost before those that follow, whose stamp this is."""
        self._look_for_frames(final=True)
        inside = 0 < size <= self._left
        if self._left:
            self._lose_payload(size if inside else self._left, stamp)
        if not inside:
            self._lose("gap", stamp)

    def end(self) -> int:
        """Nothing follows. Returns the number of bytes that the last frame lacks."""
        self._look_for_frames(final=True)
        return self._left or (self._head_size - sum(len(piece) for piece, _ in self._pieces) if self._pieces else 0)

    def _read(self, data: bytes, stamp: Stamp) -> None:
        position, end = 0, len(data)
        while position < end:
            if self._left:
                position = self._payload(data, position, end, stamp)
            elif self._pieces or end - position < self._head_size:
                position = self._gather(data, position, end, stamp)
            elif size := self._head(data, position, (stamp,)):
                position += size
            else:
                self._lose("not-a-frame", stamp, (data[position:], stamp))
                return

    # Headers

    def _gather(self, data: bytes, position: int, end: int, stamp: Stamp) -> int:
        """Take in a piece of a header (or of the preface), and read it once it is whole."""
        pieces = self._pieces
        stop = min(end, position + self._head_size - sum(len(piece) for piece, _ in pieces))
        pieces.append((data[position:stop], stamp))
        head = b"".join(piece for piece, _ in pieces)
        if len(head) < self._head_size:
            bad = self._head_size > HEADER_SIZE and not PREFACE.startswith(head)
        else:
            self._pieces = []
            bad = not self._head(head, 0, tuple(place for _, place in pieces))
        if bad:
            self._lose("not-a-frame", stamp, *pieces, (data[stop:], stamp))
            return end
        return stop

    def _head(self, data: bytes, position: int, stamps: tuple[Stamp, ...]) -> int:
        """Read the header (or the preface) that begins at `position`; returns its size, or 0 if it is none."""
        if self._head_size > HEADER_SIZE:
            return self._preface(data, position, stamps)
        high, low, kind, flags, stream = _HEADER.unpack_from(data, position)
        length = high << 16 | low
        stream &= 0x7FFF_FFFF
        if not _possible(length, kind, stream, self.longest) or (
            self._first and (kind != FrameType.SETTINGS or flags & ACK)
        ):
            return 0
        self._first = False
        self._kind, self._flags, self._stream, self._left = kind, flags, stream, length
        self._mark = _MARKS.get(kind, _CONTROL)
        for stamp in stamps:
            self._units.mark(self._direction, stamp.unit, self._mark)
        if kind == _DATA:
            self._padded = bool(flags & PADDED)
            self._content = length
            if not length or position + HEADER_SIZE == len(data):
                for stamp in stamps:
                    self._sink.content(self._direction, stream, b"", stamp)
        else:
            self._damaged = length > MAX_COLLECTED and kind in _COLLECTED
            self._parts = [] if kind in _COLLECTED and not self._damaged else None
            self._stamps = list(stamps)
        if not length:
            self._complete(stamps[-1])
        return HEADER_SIZE

    def _preface(self, data: bytes, position: int, stamps: tuple[Stamp, ...]) -> int:
        if not data.startswith(PREFACE, position):
            return 0
        self._head_size = HEADER_SIZE
        self._first = False
        for stamp in stamps:
            self._units.mark(self._direction, stamp.unit, _CONTROL)
        return len(PREFACE)

    # Payloads

    def _payload(self, data: bytes, position: int, end: int, stamp: Stamp) -> int:
        """Read what `data` has of the payload; returns where that ends."""
        stop = min(end, position + self._left)
        self._left -= stop - position
        self._units.mark(self._direction, stamp.unit, self._mark)
        if self._kind == _DATA:
            if self._padded:
                self._padded = False
                self._content = max(self._left + stop - position - 1 - data[position], 0)
                position += 1
            size = min(stop - position, self._content)
            self._content -= size
            self._sink.content(self._direction, self._stream, data[position : position + size], stamp)
        elif self._parts is not None:
            self._parts.append(data[position:stop])
            if self._stamps[-1] is not stamp:
                self._stamps.append(stamp)
        if not self._left:
            self._complete(stamp)
        return stop

    def _lose_payload(self, size: int, stamp: Stamp) -> None:
        """Count off `size` bytes of the payload that were lost."""
        self._left -= size
        if self._kind == _DATA:
            # A Pad Length that was lost makes padding look like content: the body is known to be wrong anyway.
            self._padded = False
            self._content = min(max(self._content - size, 0), self._left)
            self._sink.content_lost(self._direction, self._stream, size, stamp)
        else:
            self._damaged = True
        if not self._left:
            self._complete(stamp)

    def _complete(self, stamp: Stamp) -> None:
        """The frame that is being read is at its end."""
        direction, kind, stream = self._direction, self._kind, self._stream
        if kind == _DATA:
            self._sink.content_end(direction, stream, self._flags, stamp)
        elif self._damaged:
            self._sink.damaged(direction, kind, self._flags, stream, stamp)
        elif self._parts is not None:
            parts = self._parts
            payload = parts[0] if len(parts) == 1 else b"".join(parts)
            self._parts = None
            self._sink.frame(direction, kind, self._flags, stream, payload, self._stamps)

    # Losing the place, and finding it again

    def _lose(self, reason: str, stamp: Stamp, *runs: Run) -> None:
        """Frames cannot be counted off any more; `runs` are bytes that may be frames again."""
        self._pieces = []
        self._faults += reason == "not-a-frame"
        search = self._search = FrameSearch(hopeless=self._faults > MAX_FAULTS)
        for run in runs:
            search.add(*run)
        if self._first:
            self._first = False
            reason = "late-start"
        self._head_size = HEADER_SIZE
        self._sink.lost_place(self._direction, reason, stamp)

    def _look_for_frames(self, *, final: bool = False) -> None:
        while self._search is not None:
            search = self._search
            runs = search.find(final=final)
            if runs is None:
                if final:
                    self._sink.found_place(self._direction, search.skipped, None)
                    self._search = None
                return
            self._sink.found_place(self._direction, search.skipped, runs[0][1])
            self._search = None
            for data, stamp in runs:
                if self._search is None:
                    self._read(data, stamp)
                else:
                    self._search.add(data, stamp)
