"""One direction of HTTP/1.x: from bytes to messages (RFC 9112), whatever the bytes are.

Strategy: a state says what comes next (the start of a message, more of a head, a body, or anything at all, when the
place is lost), and has one function for data, one for a hole and one for the end; `_State` puts the three side by side.

How long a body is may depend on the other direction, and so may whether HTTP goes on at all. The reader asks its
owner; where the owner does not know yet, the reader waits, and holds what comes in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple

from msgspec import Struct

from pcapng_utils.http._http1_body import NO_BODY, TRAILERS_LEFT_OUT, BodyReader, Status, body_reader
from pcapng_utils.http._http1_expectation import UNCONDITIONAL, Verdict
from pcapng_utils.http._http1_kinds import Kind, M
from pcapng_utils.http._http1_problems import AT_START, OF_NO_ACCOUNT, TEXTS
from pcapng_utils.http._http1_resync import CHUNKS, START_LINES, Scanner
from pcapng_utils.http._http1_waiting import Input, InputKind, WaitingReader
from pcapng_utils.http.body import BodyFactory
from pcapng_utils.http.detect import looks_like_http1
from pcapng_utils.http.fields import parse_fields
from pcapng_utils.http.sse import EventStreamReader
from pcapng_utils.layers import Problem, Report, Stamp, UnitKind, UnitLog

SWITCHED: Final = -3
"""Instead of a body's length: the bytes that follow the head are no longer HTTP/1."""

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_NOT_BLANK: Final = re.compile(rb"[^\r\n]")


class Limits(Struct, frozen=True):
    head: int = 1 << 18
    """Bytes of one message's start line and headers."""
    held: int = 1 << 22
    """Bytes of one direction held while the other must be read first; each piece counts 256 more."""
    outstanding: int = 512
    """Requests that wait for their response."""
    interim: int = 32
    """Interim responses (1xx) that are kept of one exchange."""


DEFAULT_LIMITS: Final = Limits()


Begin = Callable[[M], int | None]
"""Called with a message whose head was read. How long is the body (`BodyLength.size`, or `SWITCHED`)? None: that is not
known yet, so wait; asked again at the next `retry`."""

Complete = Callable[[M], bool]
"""Called with a complete message. True: wait, before going on, for `retry`."""


class MessageReader(WaitingReader, Generic[M]):
    """Reads the messages of one direction."""

    __slots__ = (
        "_begun",
        "_body",
        "_cut",
        "_direction",
        "_fault",
        "_fault_frames",
        "_head_waits",
        "_kind",
        "_limits",
        "_message",
        "_new_body",
        "_owner_begin",
        "_owner_complete",
        "_partial",
        "_plausible",
        "_report",
        "_scanner",
        "_skipped",
        "_state",
        "_units",
        "events",
        "expectation",
        "heads_lost",
    )

    def __init__(
        self,
        kind: Kind[M],
        begin: Begin[M],
        complete: Complete[M],
        report: Report,
        new_body: BodyFactory,
        units: UnitLog,
        limits: Limits,
    ) -> None:
        super().__init__()
        self._kind = kind
        self._direction = kind.direction
        self._owner_begin = begin
        self._owner_complete = complete
        self._report = report
        self._new_body = new_body
        self._units = units
        self._limits = limits
        self.heads_lost = False
        """A hole may have hidden whole messages, since this was last set to False."""
        self.events: EventStreamReader | None = None
        """Reads the body of the message too; whoever answers `begin` may set it."""
        self.expectation = UNCONDITIONAL
        """Says whether the body comes at all; whoever answers `begin` may set it."""
        self._state = _BETWEEN
        self._begun = False
        self._message = kind.new(new_body())
        self._body: BodyReader = NO_BODY
        self._head_waits = False
        self._cut = False
        self._partial = bytearray()
        self._plausible = False
        self._scanner = Scanner(START_LINES[kind.direction], self._let_pass)
        self._fault = ""
        self._fault_frames: tuple[int, ...] = ()
        self._skipped = 0

    @property
    def between_messages(self) -> bool:
        return self._state is _BETWEEN

    def retry(self) -> None:
        """Ask the owner again, if it did not know, and go on."""
        if self._head_waits:
            self._head_waits = self.waiting = False
            self._begin()
        else:
            self.waiting = False
        if not self.waiting:
            self.go_on()

    def _read(self, data: bytes, position: int, stamp: Stamp) -> int:
        return self._state.read(self, data, position, stamp)

    def _read_gap(self, size: int, stamp: Stamp) -> None:
        self._state.gap(self, size, stamp)

    def _read_end(self, *, clean: bool) -> None:
        self._state.end(self, clean)

    # Between messages, and in a head

    def _read_between(self, data: bytes, position: int, stamp: Stamp) -> int:
        if data[position] in b"\r\n":
            begin = _NOT_BLANK.search(data, position)
            if begin is None:
                return len(data)
            position = begin.start()
        message = self._message = self._kind.new(self._new_body())
        found = _HEAD_END.search(data, position)
        if found is not None and found.end() - position <= self._limits.head:
            message.carried(stamp)
            end = found.end()
            if self._take_head(data[position:end]):
                return end
            self._lose("http1-bad-start-line", stamp, skipped=1)
            return position + 1
        self._partial.clear()
        self._plausible = False
        self._state = _HEAD
        return position

    def _read_head(self, data: bytes, position: int, stamp: Stamp) -> int:
        partial, limit = self._partial, self._limits.head
        before = len(partial)
        partial += data[position:] if position else data
        self._message.carried(stamp)
        found = _HEAD_END.search(partial, max(before - 2, 0))
        if found is not None and found.end() <= limit:
            head = bytes(partial[: found.end()])
            if self._take_head(head):
                return position + len(head) - before
            return self._search_head(data, stamp)
        if not self._plausible:
            plausible = looks_like_http1(bytes(partial), self._direction)
            if plausible is False:
                return self._search_head(data, stamp)
            self._plausible = plausible is True
        if len(partial) <= limit:
            return len(data)
        self._lose("http1-head-too-long", stamp, skipped=limit)
        return position + limit - before

    def _search_head(self, data: bytes, stamp: Stamp) -> int:
        """What was taken for a head (`data` is the last of it) is none: look for one in it, from its second byte on."""
        partial = bytes(self._partial[1:])
        self._lose("http1-bad-start-line", stamp, skipped=1)
        self.read_before_held([Input(InputKind.DATA, partial, 0, stamp)])
        return len(data)

    def _take_head(self, head: bytes) -> bool:
        """Read a whole head, the empty line included; False: it does not begin with a start line."""
        line, _, lines = head.partition(b"\n")
        message = self._message
        if not self._kind.read_start_line(message, line.rstrip(b"\r")):
            return False
        message.headers, unreadable = parse_fields(lines)
        message.headers_size = len(head)
        for line in unreadable:
            self._problem("http1-bad-field", message.frames[-1:], detail=repr(line[:80]))
        self._begin()
        return True

    def _cut_head(self, reason: str) -> None:
        """The rest of the head will not come: make do with the lines there are."""
        message = self._message
        lines = bytes(self._partial[: self._partial.rfind(b"\n") + 1])
        line, _, lines = lines.partition(b"\n")
        if self._kind.read_start_line(message, line.rstrip(b"\r")):
            message.headers = parse_fields(lines).headers
        message.headers_size = len(self._partial)
        message.lacks("headers-unknown")
        message.lacks(reason)
        self._cut = True
        self._begin()

    def _begin(self) -> None:
        message = self._message
        for unit in message.units:
            self._units.mark(self._direction, unit, UnitKind.HEADERS)
        self._begun = True
        self._state = _BETWEEN
        length = self._owner_begin(message)
        if length is None:
            self._head_waits = self.waiting = True
        elif length == SWITCHED:
            self.waiting = True
        elif length == 0 or self._cut:
            self._complete()
        else:
            self._body = body_reader(length, message, self._direction, self._units, self.events)
            self._state = _BODY if self.expectation is UNCONDITIONAL else _EXPECTED

    def _complete(self) -> None:
        message = self._message
        if self.events is not None:
            if self.events.problem:
                self._problem("http1-bad-event-stream", message.frames[-1:], detail=self.events.problem)
                message.lacks("events-left-out")
            self.events = None
        self.expectation = UNCONDITIONAL
        if TRAILERS_LEFT_OUT in message.incomplete:
            self._problem("http1-trailers-too-long", message.frames[-1:])
        self._cut = False
        self._body = NO_BODY
        self._state = _BETWEEN
        self.waiting = self._owner_complete(message)

    # Before a body that may not come

    def _read_expected(self, data: bytes, position: int, stamp: Stamp) -> int:
        self._leave_expected(self.expectation.add(data[position:], stamp))
        return len(data)

    def _gap_expected(self, size: int, stamp: Stamp) -> None:
        self._leave_expected(Verdict.BODY)
        self.read_before_held([Input(InputKind.GAP, b"", size, stamp)])

    def _end_expected(self, clean: bool) -> None:
        self._leave_expected(self.expectation.end() if clean else Verdict.BODY)
        if not self.waiting:
            self._state.end(self, clean)

    def _leave_expected(self, verdict: Verdict) -> None:
        if verdict is Verdict.MORE:
            return
        pieces = self.expectation.take()
        if verdict is Verdict.WAIT:
            self.waiting = True
        elif verdict is Verdict.NO_BODY:
            self._complete()
        else:
            self._state = _BODY
        self.read_before_held(pieces)

    # In a body

    def _read_body(self, data: bytes, position: int, stamp: Stamp) -> int:
        body = self._body
        position = body.read(data, position, stamp)
        if body.status is not Status.OPEN:
            self._leave_body(stamp, "http1-bad-chunk")
        return position

    def _gap_body(self, size: int, stamp: Stamp) -> None:
        self._body.gap(size)
        if self._body.status is not Status.OPEN:
            self._leave_body(stamp, "http1-gap")

    def _end_body(self, clean: bool) -> None:
        self._body.end(clean=clean)
        self._complete()

    def _leave_body(self, stamp: Stamp, fault: str) -> None:
        """The body is complete, or its place is lost by a `fault`."""
        body = self._body
        if body.status is Status.DONE:
            self._complete()
        elif body.status is Status.PAST_END:
            self._complete()
            self._gap_before_start(stamp)
        else:
            if fault == "http1-bad-chunk":
                self._message.lacks("bad-chunk")
            chunks = body.status is Status.ASTRAY
            self._lose(fault if chunks or fault == "http1-gap" else "http1-not-chunked", stamp, chunks=chunks)
            if body.unread:
                self._scanner.feed(body.unread, stamp)

    # Place lost

    def _lose(self, fault: str, stamp: Stamp, *, chunks: bool = False, skipped: int = 0) -> None:
        """Search for the next start line, or the next chunk too."""
        self._fault = fault if self._begun or fault not in AT_START else "http1-not-at-start"
        self._fault_frames = stamp.frames[:1]
        self._skipped = skipped
        self._scanner = Scanner((CHUNKS if chunks else START_LINES)[self._direction], self._let_pass)
        self._state = _LOST

    def _let_pass(self, data: bytes, stamp: Stamp) -> None:
        self._skipped += self._body.keep(data, stamp)

    def _read_lost(self, data: bytes, position: int, stamp: Stamp) -> int:
        scanner = self._scanner
        found = scanner.feed(data[position:] if position else data, stamp)
        if found is None:
            return len(data)
        self._tell_lost()
        start = b"".join(piece for piece, _ in scanner.head)
        if scanner.found_chunk:
            self._body.resume(start)
            self._state = _BODY
            return position + found
        self._complete_lost()
        if start:
            self._message = self._kind.new(self._new_body())
            for _, earlier in scanner.head:
                self._message.carried(earlier)
            self._partial[:] = start
            self._plausible = False
            self._state = _HEAD
        return position + found

    def _gap_lost(self, size: int, stamp: Stamp) -> None:
        self._scanner.flush()
        self._body.gap(0)
        self.heads_lost = True

    def _end_lost(self, clean: bool) -> None:
        self._scanner.flush()
        self._tell_lost()
        self._body.end(clean=clean)
        self._complete_lost()

    def _complete_lost(self) -> None:
        self._state = _BETWEEN
        if self._body is not NO_BODY:
            self._complete()
            # A start line was found, so it is still HTTP: there is nothing to wait for.
            self.waiting = False

    def _tell_lost(self) -> None:
        if self._skipped or self._fault not in OF_NO_ACCOUNT:
            self._problem(self._fault, self._fault_frames, lost=self._skipped)

    # Holes and ends outside of bodies

    def _gap_before_start(self, stamp: Stamp) -> None:
        """Of a hole it is known only that the next start may be in it."""
        if self.waiting:
            self._put_back(Input(InputKind.GAP, b"", 0, stamp))
        else:
            self._gap_between(0, stamp)

    def _gap_between(self, size: int, stamp: Stamp) -> None:
        self.heads_lost = True
        self._lose("http1-gap", stamp)

    def _gap_head(self, size: int, stamp: Stamp) -> None:
        self._cut_head("lost-bytes")
        self._gap_before_start(stamp)

    def _end_head(self, clean: bool) -> None:
        self._cut_head("truncated")

    def _end_between(self, clean: bool) -> None:
        """Nothing is missing."""

    def _problem(self, kind: str, frames: Sequence[int], detail: str = "", lost: int = 0) -> None:
        self._report(Problem(kind, TEXTS[kind], frames[0] if frames else None, detail, lost))


class _State(NamedTuple):
    """What a reader does with data, with a hole, and at the end of the stream."""

    read: Callable[[MessageReader[Any], bytes, int, Stamp], int]
    gap: Callable[[MessageReader[Any], int, Stamp], None]
    end: Callable[[MessageReader[Any], bool], None]


_BETWEEN: Final = _State(MessageReader._read_between, MessageReader._gap_between, MessageReader._end_between)
_HEAD: Final = _State(MessageReader._read_head, MessageReader._gap_head, MessageReader._end_head)
_BODY: Final = _State(MessageReader._read_body, MessageReader._gap_body, MessageReader._end_body)
_EXPECTED: Final = _State(MessageReader._read_expected, MessageReader._gap_expected, MessageReader._end_expected)
_LOST: Final = _State(MessageReader._read_lost, MessageReader._gap_lost, MessageReader._end_lost)
