"""One TLS connection: segments in, clear bytes, facts and units out.

Records come from a `RecordReader` for each direction; what protects them is the `Side`'s business, what they settle
that of the `Negotiation`. The way of application data is kept short: one nonce, one decryption, one stamp, one unit.
Everything that is not plain sailing (the first record, handshakes, alerts, losses) takes the long way.

A connection that cannot be decrypted still gives its facts, its units, and counts of what was not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from pcapng_utils.layers import CLIENT, SERVER, ByteLayer, Problem, Report, Stamp, UnitKind, UnitLog
from pcapng_utils.tls import codes
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.handshake import parse_sslv2_client_hello
from pcapng_utils.tls.keylog import SecretStore
from pcapng_utils.tls.limits import DEFAULT_LIMITS, Limits
from pcapng_utils.tls.negotiation import Negotiation
from pcapng_utils.tls.records import HEADER_SIZE, RecordReader
from pcapng_utils.tls.side import Side

_APPLICATION_DATA: Final = codes.APPLICATION_DATA
_NAMES: Final = ("client", "server")

# Plain numbers: joining flags of an enumeration takes as long as opening a short record.
_FINISHED: Final = int(UnitKind.FINISHED | UnitKind.HANDSHAKE)
_UNREADABLE: Final = int(UnitKind.UNREADABLE)
_MESSAGE_KINDS: Final = {
    codes.CLIENT_HELLO: int(UnitKind.CLIENT_HELLO | UnitKind.HANDSHAKE),
    codes.FINISHED: _FINISHED,
}
_UNIT_KINDS: Final = {
    codes.HANDSHAKE: int(UnitKind.HANDSHAKE),
    codes.ALERT: int(UnitKind.ALERT),
    codes.CHANGE_CIPHER_SPEC: int(UnitKind.CHANGE_CIPHER_SPEC),
}


class TlsConnection:
    """The TLS layer of one connection: a `SegmentLayer` on top of TCP, a `ByteLayer` on top of a clear stream."""

    def __init__(
        self,
        secrets: SecretStore,
        open_upper: Callable[[TlsFacts], ByteLayer],
        report: Report,
        units: UnitLog,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.facts = TlsFacts()
        self._open_upper = open_upper
        self._report = report
        self._units = units
        self._limits = limits
        self._upper: ByteLayer | None = None
        self._sides = (Side(limits), Side(limits))
        self._readers = tuple(RecordReader(direction, self, report, limits) for direction in (CLIENT, SERVER))
        self._negotiation = Negotiation(secrets, self.facts, self._sides, report)
        self._held: list[tuple[bytes, bytes, Stamp]] = []
        self._held_size = 0
        self._early: list[tuple[bytes, bytes, Stamp]] | None = []
        """Records of the server that the capture has before any of the client; None once the client was heard."""
        self._ended = [False, False]
        self._early_ends: list[tuple[int, Stamp | None]] = []
        self._handshaken = [False, False]

    # What comes in.

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        """The next bytes of a TCP direction."""
        reader = self._readers[direction]
        reader.parts.append((data, time, frame))
        reader.have = have = reader.have + len(data)
        if have >= reader.need:
            reader.cut()

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        """The next bytes of a clear stream's direction."""
        parts = [(b"", stamp.last, frame) for frame in stamp.frames] or [(b"", stamp.last, 0)]
        parts[0] = (data, stamp.first, parts[0][2])
        self._readers[direction].feed(parts)

    def gap(self, direction: int, size: int, time: int | Stamp, frame: int = 0) -> None:
        """`size` bytes were lost (0: unknown); from TCP with time and frame, from a clear stream with a stamp."""
        self._negotiation.lossy |= not all(side.application for side in self._sides)
        self._readers[direction].gap(size)

    def end(self, direction: int, time: int | Stamp | None, frame: int = 0) -> None:
        """The direction was closed in good order; from TCP with time and frame, from a clear stream with a stamp."""
        self._finish(direction)
        if isinstance(time, int):
            time = Stamp(time, time, (frame,), max(0, len(self._units.times[direction]) - 1))
        self._end(direction, time)

    def close(self) -> None:
        """Nothing more will come."""
        for direction in (CLIENT, SERVER):
            self._finish(direction)
        if self._upper:
            self._upper.close()

    def _finish(self, direction: int) -> None:
        left = self._readers[direction].finish()
        if left:
            self._report(
                Problem("tls-truncated", "A direction ends within a TLS record, whose bytes cannot be read", lost=left)
            )
        if direction == CLIENT:
            self._read_early()
        self._release()
        while self._held:  # a second ClientHello among them made the rest wait again
            self._release()

    # Records, as the readers cut them.

    def record(
        self, direction: int, header: bytes, fragment: bytes, first: int, last: int, frames: tuple[int, ...]
    ) -> None:
        """A whole record."""
        side = self._sides[direction]
        if not side.ready or header[0] != _APPLICATION_DATA:
            stamp = Stamp(first, last, frames, len(self._units.times[direction]))
            self._record(direction, side, header, fragment, stamp)
            return
        content = side.opener.open(side.sequence, header, fragment)  # type: ignore[union-attr]  # `ready` says so
        if content:
            side.sequence += 1
            if not side.tls13:
                clear, kind = content, _APPLICATION_DATA
            else:
                clear, kind = content[:-1], content[-1]
            if kind == _APPLICATION_DATA and clear:
                unit = self._units.add(direction, first, frames[0], HEADER_SIZE + len(fragment))
                self.facts.read[direction] += 1
                self._upper.data(direction, clear, Stamp(first, last, frames, unit))  # type: ignore[union-attr]
                return
        elif content is None:
            content = side.recover(header, fragment)
        else:
            side.sequence += 1
        stamp = Stamp(first, last, frames, len(self._units.times[direction]))
        self._protected(direction, side, header, content, HEADER_SIZE + len(fragment), stamp)

    def _record(self, direction: int, side: Side, header: bytes, fragment: bytes, stamp: Stamp) -> None:
        """The long way of a record. `stamp` names the unit that is still to be added."""
        if self._early is not None:
            if direction == SERVER and self._hold_early(header, fragment, stamp):
                return
            self._hear(direction, side, header, fragment, stamp)
            return
        if direction == CLIENT and self._negotiation.waiting:
            self._hold(header, fragment, stamp)
            return
        kind, size = header[0], len(header) + len(fragment)
        if len(header) != HEADER_SIZE:
            self._sslv2_hello(fragment, size, stamp)
            return
        if not side.protected:
            self._settle_protection(direction, side, header, fragment)
        if side.protected and (kind == _APPLICATION_DATA or not side.tls13):
            content = side.open(header, fragment)
            self._protected(direction, side, header, content, size, stamp)
        elif kind == _APPLICATION_DATA:
            self._unreadable(direction, side, header, size, stamp)
        else:
            self._add_unit(direction, size, _UNIT_KINDS.get(kind, 0), stamp)
            if not side.protected or kind == codes.ALERT:
                self._content(direction, kind, fragment, stamp)

    def _settle_protection(self, direction: int, side: Side, header: bytes, fragment: bytes) -> None:
        """Bytes lost, or a capture begun late, may have swallowed the ChangeCipherSpec."""
        negotiation, kind = self._negotiation, header[0]
        if negotiation.settled_tls13 or (direction == CLIENT and self.facts.early_data):
            return
        drift = side.drift
        if kind == codes.HANDSHAKE and drift is not None:
            epoch = negotiation.epoch(direction)
            if epoch is None or epoch.opener.find(0, range(2), None, header, fragment) is None:
                return
        elif kind != _APPLICATION_DATA:
            return
        negotiation.change_cipher_spec(direction)
        side.drift = drift

    def damaged(self, direction: int, header: bytes, size: int, first: int, frames: tuple[int, ...]) -> None:
        """A record of which bytes are missing."""
        self.facts.reason = self.facts.reason or "lost-packets"
        kind = _UNIT_KINDS.get(header[0], 0)
        if header[0] == _APPLICATION_DATA:
            self._count_unread(direction)
            kind = _UNREADABLE
        self._units.add(direction, first, frames[0], size, kind)

    def resumed(self, direction: int, lost: int | None, records: int | None, before: bytes) -> None:
        """The next record comes after lost ones."""
        self._read_early()
        self._release()
        side = self._sides[direction]
        side.lose(lost, records)
        if side.opener is not None:
            side.opener.skip(before)

    # Records that came before what tells how to read them.

    def _hold_early(self, header: bytes, fragment: bytes, stamp: Stamp) -> bool:
        """Whether a record of the server waits for the ClientHello, which some captures have behind the ServerHello."""
        early = self._early
        if early is None or len(early) >= self._limits.early or not (early or header[0] == codes.HANDSHAKE):
            return False
        early.append((header, fragment, stamp))
        return True

    def _hear(self, direction: int, side: Side, header: bytes, fragment: bytes, stamp: Stamp) -> None:
        """The client's first record, or one of the server that shall not wait: then those that waited are read."""
        early, self._early = self._early or [], None
        if direction == CLIENT:
            self._record(direction, side, header, fragment, stamp)
        for early_header, early_fragment, (first, last, frames, _) in early:
            self.record(SERVER, early_header, early_fragment, first, last, frames)
        if direction == SERVER:
            self.record(SERVER, header, fragment, stamp.first, stamp.last, stamp.frames)

    def _read_early(self) -> None:
        """The client will not be heard first any more."""
        early, self._early = self._early or [], None
        for header, fragment, (first, last, frames, _) in early:
            self.record(SERVER, header, fragment, first, last, frames)

    def _hold(self, header: bytes, fragment: bytes, stamp: Stamp) -> None:
        self._held.append((header, fragment, stamp))
        self._held_size += len(fragment)
        if self._held_size > self._limits.held:
            self._release()

    def _release(self) -> None:
        """Read what was held, as far as it can be read now."""
        self._negotiation.waiting = False
        held, self._held, self._held_size = self._held, [], 0
        for header, fragment, stamp in held:
            self.record(CLIENT, header, fragment, stamp.first, stamp.last, stamp.frames)

    # What records hold.

    def _protected(
        self, direction: int, side: Side, header: bytes, content: bytes | None, size: int, stamp: Stamp
    ) -> None:
        if content is None:
            self._unreadable(direction, side, header, size, stamp)
            return
        kind = header[0]
        if side.tls13:
            content = content.rstrip(b"\0")  # padding (RFC 8446, section 5.4)
            kind, content = (content[-1], content[:-1]) if content else (0, b"")
        self._add_unit(direction, size, _UNIT_KINDS.get(kind, 0), stamp)
        self._content(direction, kind, content, stamp)

    def _add_unit(self, direction: int, size: int, kind: int, stamp: Stamp) -> None:
        self._units.add(direction, stamp.first, stamp.frames[0], size, kind)

    def _content(self, direction: int, kind: int, content: bytes, stamp: Stamp) -> None:
        handler = self._CONTENTS.get(kind)
        if handler:
            handler(self, direction, content, stamp)
        if self._held and not self._negotiation.waiting:
            self._release()

    def _application_data(self, direction: int, content: bytes, stamp: Stamp) -> None:
        facts, side = self.facts, self._sides[direction]
        facts.read[direction] += 1
        facts.decrypted[direction] = not facts.unread[direction]
        if direction == SERVER:
            self._release()
        else:
            facts.ech = False  # the key log knows this random, so the server did not take another
        if self._ended[direction]:
            return
        upper = self._upper or self._open()
        if side.hole is not None:
            upper.gap(direction, side.hole, stamp)
            side.hole = None
        side.flowing = side.ready = True
        if content:
            upper.data(direction, content, stamp)

    def _open(self) -> ByteLayer:
        self._upper = upper = self._open_upper(self.facts)
        for direction, stamp in self._early_ends:
            upper.end(direction, stamp)
        return upper

    def _handshake(self, direction: int, content: bytes, stamp: Stamp) -> None:
        reader, facts = self._sides[direction].messages, self.facts
        if content and not reader:
            if content[0] in _MESSAGE_KINDS:
                self._units.mark(direction, stamp.unit, _MESSAGE_KINDS[content[0]])
            if content[0] == codes.CLIENT_HELLO and facts.hello_time is None:
                facts.hello_time = stamp.first
        for kind, body in reader.feed(content):
            if kind in _MESSAGE_KINDS:
                self._units.mark(direction, stamp.unit, _MESSAGE_KINDS[kind])
            if kind == codes.FINISHED:
                self._handshaken[direction] = True
                if direction == CLIENT and facts.finished_time is None:
                    facts.finished_time = stamp.last
            self._negotiation.message(direction, kind, body)
        if reader.oversized:
            reader.oversized = 0
            self._report(
                Problem(
                    "tls-long-message",
                    f"A handshake message is longer than {reader.limit} bytes; it was passed over",
                    stamp.frames[-1],
                )
            )

    def _sslv2_hello(self, message: bytes, size: int, stamp: Stamp) -> None:
        self._add_unit(CLIENT, size, _MESSAGE_KINDS[codes.CLIENT_HELLO], stamp)
        self.facts.hello_time = stamp.first
        hello = parse_sslv2_client_hello(message)
        if hello:
            self._negotiation.begin(hello)

    def _change_cipher_spec(self, direction: int, content: bytes, stamp: Stamp) -> None:
        if not self._negotiation.settled_tls13:
            self._negotiation.change_cipher_spec(direction)

    def _alert(self, direction: int, content: bytes, stamp: Stamp) -> None:
        if len(content) != 2:
            return
        level, description = content
        alerts = self.facts.alerts
        if len(alerts) < self._limits.alerts:
            alerts.append(
                f"{_NAMES[direction]} {codes.ALERT_LEVELS.get(level, level)} "
                f"{codes.ALERT_NAMES.get(description, description)}"
            )
        if description == codes.CLOSE_NOTIFY:
            self._end(direction, stamp)

    def _end(self, direction: int, stamp: Stamp | None) -> None:
        if self._ended[direction]:
            return
        self._ended[direction] = True
        side, upper = self._sides[direction], self._upper
        side.ready = False
        if upper is None:
            self._early_ends.append((direction, stamp))
            return
        if stamp is not None and (side.hole is not None or side.drift is not None):
            upper.gap(direction, 0 if side.drift is not None else side.hole or 0, stamp)
        upper.end(direction, stamp)

    # What cannot be read.

    def _unreadable(self, direction: int, side: Side, header: bytes, size: int, stamp: Stamp) -> None:
        facts, kind = self.facts, self._kind_unread(direction, side, header[0])
        self._add_unit(direction, size, kind, stamp)
        if kind == _FINISHED and direction == CLIENT and facts.finished_time is None:
            facts.finished_time = stamp.last
        if kind == _UNREADABLE:
            self._count_unread(direction)
        elif not kind:
            return
        if side.opener is None and side.upcoming:  # keys that are at hand come later
            if kind == _UNREADABLE:
                facts.reason = facts.reason or "no-secret"
            return
        if side.opener is not None or side.gave_up:
            self._report(
                Problem(
                    "tls-bad-record",
                    "A TLS record does not authenticate under the keys at hand; it was not used",
                    stamp.frames[0],
                    f"{_NAMES[direction]}'s record {stamp.unit}" + (", the last one tried" if side.gave_up else ""),
                    lost=size,
                )
            )
            side.gave_up = False
        if not facts.reason:
            unopened = "bad-record" if side.opener is not None else self._negotiation.why_no_keys()
            facts.reason = side.reason or ("lost-packets" if side.drift else unopened)

    def _kind_unread(self, direction: int, side: Side, kind: int) -> int:
        """What an encrypted record most likely holds.

        TLS 1.3 calls all of them application data. But what the server sends before the client's first one is its
        part of the handshake, and that one is the client's Finished, unless it sent early data."""
        if kind != _APPLICATION_DATA:
            first = kind == codes.HANDSHAKE and not self._handshaken[direction]
            self._handshaken[direction] |= first
            return _FINISHED if first else _UNIT_KINDS.get(kind, 0)
        early = direction == CLIENT and self.facts.early_data
        if early and self._negotiation.early_data_refused and side.opener is None and (side.upcoming or not side.tls13):
            return 0
        if not side.tls13 or side.opener is not None:
            return _UNREADABLE
        if side.upcoming:
            return _UNREADABLE if early else _UNIT_KINDS[codes.HANDSHAKE]
        if any(self._handshaken) or side.reason == "bad-record":
            return _UNREADABLE
        if direction == SERVER:
            return _UNIT_KINDS[codes.HANDSHAKE]
        self._handshaken[CLIENT] = True
        return _UNREADABLE if early else _FINISHED

    def _count_unread(self, direction: int) -> None:
        self.facts.unread[direction] += 1
        self.facts.decrypted[direction] = False

    _CONTENTS: ClassVar[dict[int, Callable[[TlsConnection, int, bytes, Stamp], None]]] = {
        codes.HANDSHAKE: _handshake,
        codes.ALERT: _alert,
        codes.APPLICATION_DATA: _application_data,
        codes.CHANGE_CIPHER_SPEC: _change_cipher_spec,
    }
