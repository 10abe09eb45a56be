"""Cutting one direction of a connection into TLS records, and finding the next record after a loss.

Segments are only collected, with their stamps, until the bytes that the current record's header promised are there;
then they are joined once and all records in them are cut off by offset. What is left is the start of a record that
begins in the segment that came last.

A loss inside a record whose header was seen hurts that record alone: the hole is filled with zeros and the record is
handed on as damaged. After any other loss the stream is searched for a record's header that another header follows
where the first one says. The caller is told how many bytes went by, since the number of records among them is what
it needs to know next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import ClassVar, Final, Protocol

from pcapng_utils.layers import Problem, Report
from pcapng_utils.tls.limits import Limits

HEADER_SIZE: Final = 5
MAX_FRAGMENT: Final = (1 << 14) + 2048
"""RFC 5246, section 6.2.3; TLS 1.3 allows less."""

PREFIXES: Final = frozenset(bytes((kind, 3, minor)) for kind in range(20, 25) for minor in range(5))
"""How a record of SSL 3.0 to TLS 1.3 begins: content type and version."""
_PREFIX: Final = re.compile(rb"[\x14-\x18]\x03[\x00-\x04]")

_TELLING: Final = 128
"""Bytes a segment must have for its end to tell where a record ends: that of a shorter one may be anywhere."""

_TAIL: Final = 64
"""Bytes before a record that are shown to the caller: enough for a MAC and a cipher block."""

Part = tuple[bytes, int, int]
"""Bytes as they came in, with the time and number of the packet that carried them."""


class Receiver(Protocol):
    """What records are handed to."""

    def record(
        self, direction: int, header: bytes, fragment: bytes, first: int, last: int, frames: tuple[int, ...]
    ) -> None:
        """A whole record; `header` is its five bytes, or the two of an SSL 2.0 ClientHello."""

    def damaged(self, direction: int, header: bytes, size: int, first: int, frames: tuple[int, ...]) -> None:
        """A record of which bytes are missing; `size` on the wire as its header says. `resumed` follows."""

    def resumed(self, direction: int, lost: int | None, records: int | None, before: bytes) -> None:
        """The next record comes after lost ones.

        `lost`: bytes from the end of the last whole record to the header of the next (None: unknown); `records`: how
        many records those were, where that is known; `before`: the last of those bytes, as far as captured."""


class _State(Enum):
    """What is to be done with the bytes that come."""

    START = auto()
    """They may begin with an SSL 2.0 ClientHello."""
    PLAIN = auto()
    """Records follow one another."""
    DAMAGED = auto()
    """A record with a hole in it is being completed."""
    HUNTING = auto()
    """A header is to be found."""
    DEAD = auto()
    """None was found; nothing is read any more."""


class RecordReader:
    """One direction's records. `parts`, `have` and `need` are public for the sake of the caller's hot path: it appends
    a `Part`, adds its length to `have`, and calls `cut` once `have` has reached `need`."""

    __slots__ = (
        "_direction",
        "_intact_from",
        "_limits",
        "_lost",
        "_more",
        "_receiver",
        "_report",
        "_scanned",
        "_state",
        "have",
        "need",
        "parts",
    )

    def __init__(self, direction: int, receiver: Receiver, report: Report, limits: Limits) -> None:
        self.parts: list[Part] = []
        self.have = 0
        self.need = HEADER_SIZE
        self._direction = direction
        self._receiver = receiver
        self._report = report
        self._limits = limits
        self._more: list[Part] = []
        self._state = _State.START
        self._intact_from = 0
        self._lost: int | None = 0
        self._scanned = 0

    def feed(self, parts: list[Part]) -> None:
        """Take in bytes that came at once. All but the first of `parts` are empty, and name more packets that the
        first one's bytes were in."""
        self._more = parts[1:]
        self.parts += parts
        self.have += len(parts[0][0])
        if self.have >= self.need:
            self.cut()
        self._more = []

    def cut(self) -> None:
        """Hand on all records that are complete."""
        if self._state is not _State.PLAIN:
            self._SPECIALLY[self._state](self)
            return
        offset = self._complete() if self.need > HEADER_SIZE and len(self.parts) > 1 else 0
        buffer, first, last, frames = _join(self.parts)
        direction, record = self._direction, self._receiver.record
        end = len(buffer)
        self.need = HEADER_SIZE
        while end - offset >= HEADER_SIZE:
            body = offset + HEADER_SIZE
            header = buffer[offset:body]
            stop = body + (header[3] << 8) + header[4]
            if header[:3] not in PREFIXES or stop - body > MAX_FRAGMENT:
                self._keep(buffer, offset)
                self._lose_header()
                return
            if stop > end:
                self.need = stop - offset
                break
            record(direction, header, buffer[body:stop], first, last, frames)
            if not offset:
                _, first, last, frames = _join(self._latest())
            offset = stop
        self._keep(buffer, offset)

    def _complete(self) -> int:
        """Hand on the record that was waited for, joined from its pieces; only what came in last is kept. Returns
        where in that the next record begins."""
        joined, times, frames = zip(*self.parts, strict=True)
        pieces = list(joined)
        latest = len(pieces) - 1 - len(self._more)
        header, pieces[0] = pieces[0][:HEADER_SIZE], pieces[0][HEADER_SIZE:]
        stop = len(pieces[latest]) - (self.have - self.need)
        pieces[latest] = pieces[latest][:stop]
        self._receiver.record(
            self._direction, header, b"".join(pieces), times[0], max(times), tuple(dict.fromkeys(frames))
        )
        self.parts = self._latest()
        return stop

    def _latest(self) -> list[Part]:
        """What came in last, in which all records but the first of those joined begin."""
        more = self._more
        return [self.parts[-1 - len(more)], *more] if more else self.parts[-1:]

    def _keep(self, buffer: bytes, offset: int) -> None:
        """Only what begins at `offset` is still to be read."""
        if offset:
            rest = buffer[offset:]
            self.have = len(rest)
            if self._more:
                self.parts = [(rest, *part[1:]) if part[0] else part for part in self._latest()] if rest else []
            else:
                _, time, frame = self.parts[-1]
                self.parts = [(rest, time, frame)] if rest else []
        elif len(self.parts) > 1:  # a header that came in pieces is one from now on
            self.parts = [(buffer, *self.parts[0][1:]), *((b"", *part[1:]) for part in self.parts[1:])]

    def _drop(self) -> None:
        self.parts.clear()
        self.have = 0

    def _begin(self) -> None:
        """The first bytes: they may be an SSL 2.0 ClientHello, which has a header of its own."""
        buffer, first, last, frames = _join(self.parts)
        if not is_sslv2_hello(buffer):
            self._state = _State.PLAIN
            self.cut()
            return
        stop = 2 + ((buffer[0] & 0x7F) << 8) + buffer[1]
        self.need = stop
        if len(buffer) >= stop:
            self._state = _State.PLAIN
            self._receiver.record(self._direction, buffer[:2], buffer[2:stop], first, last, frames)
            self._keep(buffer, stop)
            self.need = HEADER_SIZE
            if self.have >= HEADER_SIZE:
                self.cut()

    def gap(self, size: int) -> None:
        """`size` bytes were lost (0: an unknown number)."""
        if self._state is _State.DEAD:
            return
        self._hunt_finally()
        if self._state is _State.HUNTING:
            self._lost = None if self._lost is None or not size else self._lost + self.have + size
            self.parts, self.have, self.need, self._scanned = [], 0, HEADER_SIZE, 0
        elif self.need > HEADER_SIZE and 0 < size <= self.need - self.have:
            self._state = _State.DAMAGED
            self._intact_from = self.have + size
            _, time, frame = self.parts[-1]
            self.feed([(bytes(size), time, frame)])
        else:
            self._abandon_record()
            self._hunt_from(None if not size else self.have + size)
            self.parts, self.have = [], 0

    def _abandon_record(self) -> None:
        """Say that the record in progress will not be completed."""
        if self.have >= HEADER_SIZE:
            buffer, first, _, frames = _join(self.parts)
            self._receiver.damaged(self._direction, buffer[:HEADER_SIZE], self.need, first, frames)

    def _hand_on_damaged(self) -> None:
        self._state = _State.PLAIN
        buffer, first, _, frames = _join(self.parts)
        size = self.need
        before = buffer[max(self._intact_from, size - _TAIL) : size]
        self._receiver.damaged(self._direction, buffer[:HEADER_SIZE], size, first, frames)
        self._receiver.resumed(self._direction, size, 1, before)
        self.need = HEADER_SIZE
        self._keep(buffer, size)
        if self.have >= HEADER_SIZE:
            self.cut()

    def _lose_header(self) -> None:
        """Search from the next bytes that come on: not at once, or a stream of ruins would nest without end."""
        buffer = self.parts[0][0]
        self._report(
            Problem(
                "tls-bad-header",
                "Something else stands where a TLS record was expected; the stream is searched for the next one",
                self.parts[0][2],
                f"found {buffer[:HEADER_SIZE].hex()}",
            )
        )
        self._hunt_from(0)
        self._scanned = 1

    def _hunt_from(self, lost: int | None) -> None:
        self._state = _State.HUNTING
        self._lost = lost
        self._scanned = 0
        self.need = HEADER_SIZE

    def _hunt(self, final: bool = False) -> None:
        """Look for a header whose record is followed by another header, or by nothing yet."""
        buffer = b"".join([part[0] for part in self.parts])
        end = len(buffer)
        while match := _PREFIX.search(buffer, self._scanned):
            start = match.start()
            body = start + HEADER_SIZE
            if body > end:
                break
            size = (buffer[start + 3] << 8) + buffer[start + 4]
            stop = body + size
            if 0 < size <= MAX_FRAGMENT:
                ends_here = stop == end and (final or not start or len(self._latest()[0][0]) >= _TELLING)
                if ends_here or buffer[stop : stop + 3] in PREFIXES:
                    self._resume(buffer, start)
                    return
                if stop + 3 > end and not final:
                    self._scanned = start
                    self.need = stop if end < stop else stop + 3
                    self._give_up_at(end)
                    return
            self._scanned = start + 1
        else:
            self._scanned = max(self._scanned, end - 2)
        # Joined once for every quarter more, so that many small segments do not cost a join each.
        self.need = end + 1 + end // 4
        self._give_up_at(end)

    def _hunt_finally(self) -> None:
        """Take what there is for all there will be."""
        left = self.have + 1
        while self._state is _State.HUNTING and self.have < left:
            left = self.have
            self._hunt(final=True)

    def _resume(self, buffer: bytes, start: int) -> None:
        lost = None if self._lost is None else self._lost + start
        parts, self.parts, self.have, self.need = self.parts, [], 0, HEADER_SIZE
        self._state = _State.PLAIN
        self._receiver.resumed(self._direction, lost, None, buffer[max(0, start - _TAIL) : start])
        for data, time, frame in parts:
            if start < len(data) and self._state is _State.PLAIN:
                self.feed([(data[start:], time, frame)])
            elif start < len(data):  # lost again: the next search has all of it
                self.parts.append((data[start:], time, frame))
                self.have += len(data) - start
            start = max(0, start - len(data))

    def _give_up_at(self, size: int) -> None:
        if size <= self._limits.scan:
            return
        self._state = _State.DEAD
        self._report(
            Problem(
                "tls-lost-framing",
                "No TLS record was found again after a loss; the rest of the direction is not read",
                self.parts[-1][2],
                f"{size} bytes searched",
                lost=size,
            )
        )
        self.parts, self.have, self.need = [], 0, 0

    def finish(self) -> int:
        """The stream ends here: hand on what can be; returns the bytes that belong to no whole record."""
        self._hunt_finally()
        left = self.have
        if self._state is not _State.HUNTING:
            self._abandon_record()
        self.parts, self.have, self.need, self._scanned = [], 0, HEADER_SIZE, 0
        return left

    _SPECIALLY: ClassVar[dict[_State, Callable[[RecordReader], None]]] = {
        _State.START: _begin,
        _State.DAMAGED: _hand_on_damaged,
        _State.HUNTING: _hunt,
        _State.DEAD: _drop,
    }


def is_sslv2_hello(data: bytes) -> bool:
    """Whether `data` (five bytes of it will do) begins like a ClientHello of SSL 2.0 that offers SSL 3.0 or TLS."""
    return len(data) >= HEADER_SIZE and data[0] & 0x80 != 0 and data[2] == 1 and data[3] == 3 and data[4] <= 4


def _join(parts: list[Part]) -> tuple[bytes, int, int, tuple[int, ...]]:
    """The bytes, the times of the first of them and of the latest, and the packets."""
    if len(parts) == 1:
        data, time, frame = parts[0]
        return data, time, time, (frame,)
    pieces, times, frames = zip(*parts, strict=True)
    return b"".join(pieces), times[0], max(times), tuple(dict.fromkeys(frames))
