"""Bodies of HTTP/1.x messages as they come in (RFC 9112, section 6): counted, chunked, or up to the end of the stream.

Strategy: one small class for each way in which a body is delimited. After each call its `status` says whether there is
more to come, and, after a hole or a lie in the framing, where reading can go on.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from enum import Enum, auto
from typing import Final

from pcapng_utils.http.exchange import Message
from pcapng_utils.http.fields import parse_fields
from pcapng_utils.http.framing import CHUNKED, UNTIL_CLOSE
from pcapng_utils.http.sse import EventStreamReader
from pcapng_utils.layers import Stamp, UnitKind, UnitLog

_CHUNK_SIZE: Final = re.compile(rb"[ \t]*0*([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_MAX_CHUNK_LINE: Final = 1 << 14
_MAX_TRAILERS: Final = 1 << 18

#: Why a message is not whole: its trailers are longer than is kept.
TRAILERS_LEFT_OUT: Final = "trailers-left-out"


class Status(Enum):
    """What is to be read after a piece of a body."""

    OPEN = auto()
    """More of it."""
    DONE = auto()
    """The next message."""
    PAST_END = auto()
    """The next message, whose first bytes were lost."""
    UNSURE = auto()
    """Bytes of the body (to be `keep`-ed) up to a start line, wherever one comes."""
    ASTRAY = auto()
    """The next chunk (then `resume`) or the next message, whichever is found."""


class BodyReader(ABC):
    """Takes the bytes of one body."""

    __slots__ = ("_direction", "_events", "_message", "_noted", "_units", "status", "unread")

    def __init__(self, message: Message, direction: int, units: UnitLog, events: EventStreamReader | None) -> None:
        self.status = Status.OPEN
        self.unread = b""
        """Part of a line that came with earlier pieces. When the place is lost, the search begins with it."""
        self._message = message
        self._direction = direction
        self._units = units
        self._events = events
        self._noted: Stamp | None = None

    @abstractmethod
    def read(self, data: bytes, position: int, stamp: Stamp) -> int:
        """Take bytes of `data` from `position` on; returns where it stopped, with a `status` that says why."""

    @abstractmethod
    def gap(self, size: int) -> None:
        """`size` bytes are missing (0: an unknown number)."""

    def keep(self, data: bytes, stamp: Stamp) -> int:
        """Take bytes that were passed over in search of a place; returns how many of them are of no use."""
        return len(data)

    def resume(self, line: bytes) -> None:
        """A chunk was found; `line`: the part of its first line that came with earlier pieces."""
        self.status = Status.OPEN
        self.unread = line

    def end(self, *, clean: bool) -> None:
        """The stream ended before the body did."""
        self._message.lacks("truncated")

    def _append(self, data: bytes, stamp: Stamp) -> None:
        self._message.body.append(data)
        if stamp is not self._noted:
            self._note(stamp)
        if self._events is not None:
            self._events.feed(data, stamp.last)

    def _note(self, stamp: Stamp) -> None:
        self._noted = stamp
        self._message.carried(stamp)
        self._units.mark(self._direction, stamp.unit, UnitKind.BODY)

    def _lose(self) -> None:
        self._message.lacks("lost-bytes")
        if self._events is not None:
            self._events.gap()


class _NoBody(BodyReader):
    """Stands where there is none."""

    __slots__ = ()

    def __init__(self) -> None:
        self.status = Status.DONE
        self.unread = b""

    def read(self, data: bytes, position: int, stamp: Stamp) -> int:
        return position

    def gap(self, size: int) -> None:
        """Nothing is lost."""

    def end(self, *, clean: bool) -> None:
        """Nothing is missing."""


NO_BODY: Final = _NoBody()


class CountedBody(BodyReader):
    """Content-Length says how long it is."""

    __slots__ = ("_left",)

    def __init__(
        self, message: Message, direction: int, units: UnitLog, events: EventStreamReader | None, size: int
    ) -> None:
        super().__init__(message, direction, units, events)
        self._left = size

    def read(self, data: bytes, position: int, stamp: Stamp) -> int:
        left = self._left
        size = len(data) - position
        if size < left:
            self._append(data[position:] if position else data, stamp)
            self._left = left - size
            return position + size
        self._append(data[position : position + left], stamp)
        self._left = 0
        self.status = Status.DONE
        return position + left

    def gap(self, size: int) -> None:
        self._lose()
        if not size:
            self.status = Status.UNSURE
        elif size <= self._left:
            self._left -= size
            self.status = Status.OPEN if self._left else Status.DONE
        else:
            self.status = Status.PAST_END

    def keep(self, data: bytes, stamp: Stamp) -> int:
        kept = data[: self._left]
        if kept:
            self._left -= len(kept)
            self._append(kept, stamp)
        return len(data) - len(kept)


class RestBody(BodyReader):
    """All that comes until the stream ends."""

    __slots__ = ()

    def read(self, data: bytes, position: int, stamp: Stamp) -> int:
        self._append(data[position:] if position else data, stamp)
        return len(data)

    def gap(self, size: int) -> None:
        self._lose()

    def end(self, *, clean: bool) -> None:
        if not clean:
            super().end(clean=clean)


class _Part(Enum):
    """What comes next in a chunked body (RFC 9112, section 7.1)."""

    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()


class ChunkedBody(BodyReader):
    """Chunks, each after its size; extensions are left out; then trailers."""

    __slots__ = ("_any", "_left", "_part", "_trailers")

    def __init__(self, message: Message, direction: int, units: UnitLog, events: EventStreamReader | None) -> None:
        super().__init__(message, direction, units, events)
        self._part = _Part.SIZE
        self._left = 0
        self._any = False
        self._trailers = bytearray()

    def read(self, data: bytes, position: int, stamp: Stamp) -> int:
        if self._part is _Part.DATA:
            return self._read_data(data, position, stamp)
        end = data.find(b"\n", position) + 1
        line = self.unread + data[position : end or len(data)]
        if len(line) > _MAX_CHUNK_LINE or (end and not _LINES[self._part](self, line)):
            self.status = Status.ASTRAY if self._any else Status.UNSURE
            return position
        if stamp is not self._noted:
            self._note(stamp)
        self.unread = b"" if end else line
        return end or len(data)

    def gap(self, size: int) -> None:
        self._lose()
        if self._part is _Part.DATA and 0 < size <= self._left:
            self._left -= size
            if not self._left:
                self._part = _Part.DATA_END
        elif self.status is Status.OPEN:
            self.unread = b""
            self.status = Status.PAST_END if self._part is _Part.TRAILERS else Status.ASTRAY

    def keep(self, data: bytes, stamp: Stamp) -> int:
        if self.status is Status.ASTRAY:
            return len(data)
        self._append(data, stamp)
        return 0

    def resume(self, line: bytes) -> None:
        super().resume(line)
        self._part = _Part.SIZE
        self._any = True

    def end(self, *, clean: bool) -> None:
        whole = self._part is _Part.TRAILERS and not self.unread and not self._trailers
        if not whole and not (clean and self.status is Status.UNSURE):
            super().end(clean=clean)

    def _read_data(self, data: bytes, position: int, stamp: Stamp) -> int:
        left = self._left
        size = len(data) - position
        if size < left:
            self._append(data[position:] if position else data, stamp)
            self._left = left - size
            return position + size
        end = position + left
        self._append(data[position:end], stamp)
        if data.startswith(b"\r\n", end):
            self._part = _Part.SIZE
            return end + 2
        self._part = _Part.DATA_END
        return end

    def _size_line(self, line: bytes) -> bool:
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            return False
        self._any = True
        self._left = int(match[1], 16)
        self._part = _Part.DATA if self._left else _Part.TRAILERS
        return True

    def _data_end_line(self, line: bytes) -> bool:
        self._part = _Part.SIZE
        return line in (b"\r\n", b"\n")

    def _trailer_line(self, line: bytes) -> bool:
        if line in (b"\r\n", b"\n"):
            self._message.trailers = parse_fields(bytes(self._trailers)).headers
            self.status = Status.DONE
        elif len(self._trailers) < _MAX_TRAILERS:
            self._trailers += line
        else:
            self._message.lacks(TRAILERS_LEFT_OUT)
        return True


_LINES: Final = {
    _Part.SIZE: ChunkedBody._size_line,
    _Part.DATA_END: ChunkedBody._data_end_line,
    _Part.TRAILERS: ChunkedBody._trailer_line,
}


def body_reader(
    length: int, message: Message, direction: int, units: UnitLog, events: EventStreamReader | None
) -> BodyReader:
    """The reader of a body of that length (`BodyLength.size`; not 0)."""
    if length == CHUNKED:
        return ChunkedBody(message, direction, units, events)
    if length == UNTIL_CLOSE:
        return RestBody(message, direction, units, events)
    return CountedBody(message, direction, units, events, length)
