"""Server-sent events (WHATWG HTML, section 9.2): the events of a `text/event-stream` body, with their times.

Strategy: lines are cut wherever CR, LF or CRLF stands, as soon as it is there; so an event is dispatched by the packet
that carried its blank line. `EventStreamParser` reads clear text, `EventStreamReader` a body as it comes off the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from pcapng_utils.http.codings import Decoder, parse_codings
from pcapng_utils.http.exchange import Response, ServerSentEvent

MAX_RETAINED: Final = 1 << 26
"""Bytes of memory for events of one stream."""

MAX_EVENT: Final = 1 << 24
"""Bytes of one event, and of one line."""

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n?|\n")


class EventStreamParser:
    """Reads an event stream; `events` grows. Never raises: `problem` says what was left out."""

    __slots__ = (
        "_after_cr",
        "_broken",
        "_data",
        "_event",
        "_id",
        "_keep",
        "_line",
        "_retained",
        "_size",
        "_start",
        "events",
        "problem",
    )

    def __init__(
        self, events: list[ServerSentEvent] | None = None, keep: Callable[[int], bool] = lambda size: True
    ) -> None:
        """`events`: the list to append to, if there is one already; `keep`: asked for the memory of each event."""
        self.events: list[ServerSentEvent] = [] if events is None else events
        self.problem = ""
        self._keep = keep
        self._retained = 0
        self._start: bytes | None = b""
        self._after_cr = False
        self._broken = False
        self._line = bytearray()
        self._data: list[str] = []
        self._size = 0
        self._event = ""
        self._id = ""

    def feed(self, data: bytes, time: int) -> None:
        """The next bytes of the stream, and the time of their packet in ns."""
        if self._start is not None:
            data = self._skip_mark(self._start + data)
        if not data:
            return
        if self._after_cr:
            self._after_cr = False
            if data[0] == 0x0A:
                data = data[1:]
        position = 0
        for end in _LINE_END.finditer(data):
            self._line += data[position : end.start()]
            position = end.end()
            self._end_line(time)
        self._after_cr = data.endswith(b"\r")
        if len(self._line) + len(data) - position <= MAX_EVENT:
            self._line += data[position:]
        else:
            self.problem = f"a line of more than {MAX_EVENT} bytes"

    def gap(self) -> None:
        """Bytes were lost: what follows is given up until the next blank line."""
        self._line[:] = b":"
        self._after_cr = False
        self._start = None
        self._broken = True

    def _skip_mark(self, start: bytes) -> bytes:
        """Leave out the byte order mark, once it is known whether there is one."""
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BOM)

    def _end_line(self, time: int) -> None:
        line = self._line.decode("utf-8", "replace")
        self._line.clear()
        if not line:
            self._dispatch(time)
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._size += len(value) + 1
            if self._size <= MAX_EVENT:
                self._data.append(value)
            else:
                self.problem = f"an event of more than {MAX_EVENT} bytes"
        elif field == "event":
            self._event = value
        elif field == "id" and "\0" not in value:
            self._id = value

    def _dispatch(self, time: int) -> None:
        if self._data and not self._broken:
            event = ServerSentEvent(time, self._event or "message", self._id, "\n".join(self._data))
            self._retained += event.cost
            if self._retained <= MAX_RETAINED and self._keep(event.cost):
                self.events.append(event)
            else:
                self.problem = "more events than are kept"
        self._broken = False
        self._data.clear()
        self._size = 0
        self._event = ""


class EventStreamReader:
    """Reads the events of a response's body as it comes off the wire, its content coding undone on the way."""

    __slots__ = ("_decoder", "_lost", "_parser")

    def __init__(self, events: list[ServerSentEvent], codings: list[str], keep: Callable[[int], bool]) -> None:
        """`events`: the list to append to; `codings` as `parse_codings` yields them; `keep` as for the parser."""
        self._parser = EventStreamParser(events, keep)
        self._decoder = Decoder(codings) if codings else None
        self._lost = False

    @property
    def problem(self) -> str:
        """What was left out and why; empty if nothing."""
        if self._lost and self._decoder is not None:
            return "bytes of a compressed stream were lost"
        return self._parser.problem or (self._decoder.problem if self._decoder is not None else "")

    def feed(self, data: bytes, time: int) -> None:
        if self._decoder is not None:
            if self._lost:
                return
            for piece in self._decoder.feed(data):
                self._parser.feed(piece, time)
        else:
            self._parser.feed(data, time)

    def gap(self) -> None:
        """Bytes were lost: an event, or all that follow if they are compressed."""
        self._lost = True
        self._parser.gap()


def is_event_stream(response: Response) -> bool:
    """Whether the body is of the type `text/event-stream`."""
    content_type = response.header(b"content-type")
    return content_type is not None and content_type.partition(b";")[0].strip().lower() == b"text/event-stream"


def event_stream_reader(response: Response, events: list[ServerSentEvent]) -> EventStreamReader:
    """A reader for the body of that response."""
    return EventStreamReader(events, parse_codings(response.header(b"content-encoding")), response.body.memory.keep)
