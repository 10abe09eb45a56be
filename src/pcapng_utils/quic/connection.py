"""One QUIC connection, both directions, from its packets to its streams.

The Initial packets' keys are public, so the ClientHello can always be read. All other keys come from the key log, by
way of the handshake. Packets that come before their keys wait, a few of them; packets seen twice are read once. The
connection knows nothing of addresses: whoever finds a packet of it (by flow or by connection ID) feeds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from pcapng_utils.layers import CLIENT, SERVER, Problem, Report, Stamp, StreamsLayer, UnitKind, UnitLog
from pcapng_utils.net.flow import Endpoint
from pcapng_utils.quic.crypto import retry_tag_fits
from pcapng_utils.quic.facts import QuicFacts
from pcapng_utils.quic.frames import (
    RESET_TOKEN,
    Ack,
    ConnectionClose,
    Crypto,
    Datagram,
    Malformed,
    NewConnectionId,
    ResetStream,
    Stream,
    parse_frames,
    parse_google_frames,
)
from pcapng_utils.quic.handshake import Handshake, Level
from pcapng_utils.quic.keyring import KeyRing
from pcapng_utils.quic.keys import Opened
from pcapng_utils.quic.limits import Limits
from pcapng_utils.quic.numbers import NumberSet
from pcapng_utils.quic.packet import LongHeader
from pcapng_utils.quic.streams import StreamTable
from pcapng_utils.quic.versions import READABLE_NAMES, PacketType, Version, version_name
from pcapng_utils.tls.codes import ALERT_NAMES
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.keylog import SecretStore

OpenStreams = Callable[[TlsFacts, QuicFacts], StreamsLayer | None]
"""Asked once a connection, before its first stream bytes: the layer that reads the streams, or None if none can.

`TlsFacts.alpn` says which; it is None where the server's choice was not seen (0-RTT data, lost packets):
`alpn_offered` is then all there is."""

_SIDES: Final = ("client", "server")
_SPACES: Final = (0, 2, 1, 2)
"""Packet number space by level (RFC 9000, section 12.3)."""
_APPLICATION: Final = 2
_CRYPTO_ERRORS: Final = range(0x100, 0x200)
"""CONNECTION_CLOSE codes that are TLS alerts (RFC 9001, section 4.8)."""

_MALFORMED: Final = "A QUIC packet holds a frame of an unknown kind or a cut one: the rest of the packet was not read"
_BAD_PACKETS: Final = "QUIC packets could not be decrypted though their keys are at hand"


class ConnectionIds(Protocol):
    """Where a connection says by which IDs its packets are known."""

    def add(self, connection: QuicConnection, direction: int, connection_id: bytes) -> None:
        """Packets that bear this Destination Connection ID go in `direction` of the connection."""

    def remove(self, connection: QuicConnection, connection_id: bytes) -> None:
        """No longer so."""

    def closed(self, connection: QuicConnection) -> None:
        """The connection has ended."""


class _Waiting(NamedTuple):
    """A packet that could not be read when it came."""

    direction: int
    data: bytes
    """The whole datagram."""
    at: int
    """Position of the packet in it."""
    header: LongHeader | None
    """None: it is a 1-RTT packet."""
    stamp: Stamp


class QuicConnection:
    """Fed packets by `QuicFlow`; `begin` makes the Initial packets readable."""

    def __init__(
        self,
        units: UnitLog,
        report: Report,
        open_streams: OpenStreams,
        secrets: SecretStore,
        table: ConnectionIds,
        limits: Limits,
    ) -> None:
        self.tls = TlsFacts()
        self.quic = QuicFacts()
        self.units = units
        self.last = 0
        """Time of the last packet, in ns."""
        self.closed = False
        self.version: Version | None = None
        self.ids: tuple[dict[bytes, None], dict[bytes, None]] = ({}, {})
        """Destination Connection IDs by direction of the packets, oldest first."""
        self.id_lengths = [0, 0]
        """Length of the Destination Connection ID in packets with a short header, by direction."""
        self.handshake = Handshake(self.tls, secrets, units, report, limits)
        self.streams = StreamTable(lambda: open_streams(self.tls, self.quic), report, limits)
        self._report = report
        self._table = table
        self._limits = limits
        self._numbers = tuple(tuple(NumberSet() for _ in range(3)) for _ in range(2))
        self._parse = parse_frames
        self._keys = KeyRing(self.handshake)
        self._answered = False
        self._reset_tokens: set[bytes] = set()
        self._pending: list[_Waiting] = []
        self._handshake_moved = False
        self._bad_packets = 0
        self._first_version: str | None = None
        self._flows = 0
        self._addresses: set[tuple[Endpoint, Endpoint]] = set()

    # The flows that carry it

    def join(self, client: Endpoint, server: Endpoint, time: int) -> None:
        """A flow carries the connection from now on. A second pair of addresses is a migration (RFC 9000, 9)."""
        self._flows += 1
        if (client, server) in self._addresses or len(self._addresses) >= self._limits.addresses:
            return
        if self._addresses:
            self.quic.migrations.append((time, client, server))
        self._addresses.add((client, server))

    def leave(self) -> None:
        """A flow that carried the connection is closed; with the last one, the connection ends.

        What is told of a flow that is closed before is what is known by then."""
        self._flows -= 1
        if not self._flows:
            self.close()
        elif not self.closed:
            self._give_up_waiting()
            self._settle()

    def turn(self) -> None:
        """Client and server are the other way round: what was counted of a connection that never began is turned."""
        self.close()
        for pair in (self.quic.unread, self.tls.unread, self.tls.decrypted):
            pair.reverse()

    # What opens the connection

    @property
    def begun(self) -> bool:
        """Whether the client's first Initial packet was read: without it nothing can be."""
        return bool(self._keys.initial_ids)

    def began_with(self, connection_id: bytes, version: int) -> bool:
        """Whether Initial packets of the client with this Destination Connection ID have keys. After Version
        Negotiation the client may use it again, with another version."""
        if self.quic.version_negotiation and self.version is not None and version != self.version.number:
            return False
        return connection_id in self._keys.initial_ids

    def may_begin_again(self, header: LongHeader) -> bool:
        """Whether an Initial with new keys is of this client: its first one was refused, or not answered."""
        quic = self.quic
        if self._answered or quic.client_id != header.source.hex():
            return False
        return bool(header.source or header.token or quic.version_negotiation)

    def begin(self, header: LongHeader) -> None:
        """The client's first Initial packet was found: its Destination Connection ID gives the Initial keys."""
        self._first_version = header.version.name
        self._settle_on(header.version)
        self._keys.initial_ids = [header.destination]
        self.quic.original_id = header.destination.hex()

    def retry(self, header: LongHeader, packet: bytes) -> None:
        """A Retry packet: the client's next Initial packet is protected anew (RFC 9001, section 5.2)."""
        if self.quic.retry or self._answered or not self.begun:
            return
        if retry_tag_fits(header.version, self._keys.initial_ids[0], packet):
            self.quic.retry = True
            self._keys.initial_ids.insert(0, header.source)
            self._forget()
            self.learn(CLIENT, header.source)

    def negotiate(self, versions: tuple[int, ...]) -> None:
        """A Version Negotiation packet: the client begins again with one of these versions."""
        if self._answered:
            return
        self.quic.version_negotiation = True
        self.quic.offered_versions = tuple(map(version_name, versions))

    def begin_again(self, header: LongHeader) -> None:
        """The client's first Initial packet after Version Negotiation, or after a Retry that was not captured."""
        self._forget()
        self._settle_on(header.version)
        self._keys.initial_ids = [header.destination]

    def _settle_on(self, version: Version) -> None:
        self.version = version
        self.quic.version = version.name
        self.quic.first_version = None if self._first_version == version.name else self._first_version
        self._parse = parse_google_frames if version.google_frames else parse_frames

    def _forget(self) -> None:
        """The client sends its ClientHello again, which may be another one."""
        self.handshake.restart()
        self._numbers = tuple(tuple(NumberSet() for _ in range(3)) for _ in range(2))
        self._keys.forget()

    def learn(self, direction: int, connection_id: bytes) -> None:
        """Packets in `direction` may bear this Destination Connection ID."""
        known = self.ids[direction]
        if connection_id in known or self.closed:
            return
        known[connection_id] = None
        self._table.add(self, direction, connection_id)
        if len(known) > self._limits.connection_ids:
            oldest = next(iter(known))
            del known[oldest]
            self._table.remove(self, oldest)

    # Packets

    def read_long(self, direction: int, data: bytes, at: int, header: LongHeader, stamp: Stamp) -> bool:
        """Read the Initial, 0-RTT or Handshake packet at a position of a datagram; False if it could not be read (yet).

        What becomes of an Initial packet that cannot be read is left to the caller: another connection may begin."""
        self.last = stamp.last
        level = Level(header.type)
        numbers = self._numbers[direction][_SPACES[level]]
        opened = self._keys.open_long(level, direction, data, at, header, numbers.largest)
        if opened is None:
            if level is not Level.INITIAL:
                self.set_aside(direction, data, at, header, stamp)
            return False
        self._learn_from(header, direction)
        if numbers.add(opened[0]):
            self._take(direction, level, opened[1], stamp)
        else:
            self.quic.duplicates[direction] += 1
        return True

    def read_short(self, direction: int, data: bytes, at: int, number_at: int, stamp: Stamp) -> bool:
        """Read the 1-RTT packet that fills a datagram from `at` on, with its packet number at `number_at`; False if it
        could not be read (yet)."""
        self.last = stamp.last
        keys = self._keys.one_rtt[direction]
        numbers = self._numbers[direction][_APPLICATION]
        if keys is not None:
            opened = keys.open(data, at, number_at, numbers.largest)
        else:
            opened = self._open_first(direction, data, at, number_at, numbers.largest)
        if opened is None:
            if data[-RESET_TOKEN:] in self._reset_tokens:
                self.quic.close = self.quic.close or f"{_SIDES[direction]} stateless reset"
            else:
                self.set_aside(direction, data, at, None, stamp)
            return False
        number, payload = opened
        if numbers.add(number):
            self._take(direction, Level.ONE_RTT, payload, stamp)
        else:
            self.quic.duplicates[direction] += 1
        return True

    def _open_first(self, direction: int, data: bytes, at: int, number_at: int, largest: int) -> Opened | None:
        """The first 1-RTT packet of a direction."""
        if direction == CLIENT and self.tls.finished_time is None and self.tls.hello_time is not None:
            # A client sends 1-RTT packets once it has finished its handshake, so this is when, at the latest.
            self.tls.finished_time = self.last
        if self.version is None or self.closed:
            return None
        return self._keys.open_first_short(direction, data, at, number_at, self.version, largest)

    def _learn_from(self, header: LongHeader, direction: int) -> None:
        """An authentic long header tells the sender's connection ID, and the version that the server settled on."""
        quic = self.quic
        if direction == SERVER:
            if header.version is not self.version:
                self._settle_on(header.version)
            self._answered = True
            quic.server_id = header.source.hex()
        else:
            quic.client_id = header.source.hex()
        self.id_lengths[1 - direction] = len(header.source)
        self.learn(1 - direction, header.source)
        self.learn(direction, header.destination)

    def _take(self, direction: int, level: Level, payload: bytes, stamp: Stamp) -> None:
        """Go through the frames of a packet that was opened."""
        self.quic.packets[direction] += 1
        if level & 1:
            self.tls.read[direction] += 1
        add, bare = self.streams.data, True
        for frame in self._parse(payload):
            if frame.__class__ is Stream:
                stream_id, offset, data, fin = frame
                add(stream_id, direction, offset, data, fin, stamp)
                bare = False
            else:
                _HANDLERS[frame.__class__](self, direction, level, frame, stamp)
        if bare and level & 1:
            self.units.mark(direction, stamp.unit, UnitKind.CONTROL)
        if self._handshake_moved:
            self._handshake_moved = False
            self._retry_pending()

    # Packets that cannot be read

    def set_aside(self, direction: int, data: bytes, at: int, header: LongHeader | None, stamp: Stamp) -> None:
        """Keep a packet that may be read once more of the handshake is known, count one that never will be.

        `header` None: it is a 1-RTT packet."""
        if self.handshake.client_random is None:
            may_be_read = self.begun or header is not None
        else:
            # Without a packet from the server, the length of the connection ID it chose is not known either.
            may_be_read = header is None and not self._answered
        room = self._limits.pending if self.begun else self._limits.pending_unknown
        if may_be_read and len(self._pending) < room:
            self._pending.append(_Waiting(direction, data, at, header, stamp))
        else:
            self._count_unread(direction, header, stamp)

    def _count_unread(self, direction: int, header: LongHeader | None, stamp: Stamp) -> None:
        self.quic.unread[direction] += 1
        if header is None or header.type is PacketType.ZERO_RTT:
            self.tls.unread[direction] += 1
            self._bad_packets += self._keys.one_rtt[direction] is not None
        self.units.mark(direction, stamp.unit, UnitKind.UNREADABLE)

    def unreadable(self, direction: int, first: int, stamp: Stamp) -> None:
        """Count a packet that nothing can read: of a version unknown, of a connection whose beginning is missing.

        `first` is its first byte."""
        self.last = stamp.last
        self.quic.unread[direction] += 1
        if first < 0x80:
            self.tls.unread[direction] += 1
        self.units.mark(direction, stamp.unit, UnitKind.UNREADABLE)

    def _retry_pending(self) -> None:
        waiting, self._pending = self._pending, []
        for direction, data, at, header, stamp in waiting:
            if header is None:
                self.read_short(direction, data, at, at + 1 + self.id_lengths[direction], stamp)
            else:
                self.read_long(direction, data, at, header, stamp)

    # Frames

    def _on_crypto(self, direction: int, level: Level, frame: Crypto, stamp: Stamp) -> None:
        self.handshake.crypto(direction, level, frame.offset, frame.data, stamp)
        preferred_id, reset_tokens = self.handshake.server_ids
        if preferred_id:
            self.learn(CLIENT, preferred_id)
        self._reset_tokens |= reset_tokens
        self._handshake_moved = bool(self._pending)

    def _on_ack(self, direction: int, level: Level, frame: Ack, stamp: Stamp) -> None:
        if level is Level.ONE_RTT:
            sender = 1 - direction
            self.streams.acknowledged(sender, frame.ranges, self._numbers[sender][_APPLICATION], stamp.last)

    def _on_reset(self, direction: int, _level: Level, frame: ResetStream, stamp: Stamp) -> None:
        self.streams.reset(frame.stream_id, direction, frame.error_code, stamp)

    def _on_new_id(self, direction: int, _level: Level, frame: NewConnectionId, _stamp: Stamp) -> None:
        self.learn(1 - direction, frame.connection_id)
        if len(self._reset_tokens) < self._limits.connection_ids:
            self._reset_tokens.add(frame.reset_token)

    def _on_close(self, direction: int, _level: Level, frame: ConnectionClose, _stamp: Stamp) -> None:
        side = _SIDES[direction]
        if not self.quic.close:
            kind = "application" if frame.application else "transport"
            reason = frame.reason.decode("utf-8", "backslashreplace")
            self.quic.close = f"{side} {kind} 0x{frame.error_code:x} {reason}".rstrip()
        if not frame.application and frame.error_code in _CRYPTO_ERRORS:
            number = frame.error_code & 0xFF
            alert = f"{side} fatal {ALERT_NAMES.get(number, number)}"
            if alert not in self.tls.alerts:
                self.tls.alerts.append(alert)

    def _on_datagram(self, direction: int, _level: Level, _frame: Datagram, _stamp: Stamp) -> None:
        self.quic.datagrams[direction] += 1

    def _on_malformed(self, _direction: int, _level: Level, frame: Malformed, stamp: Stamp) -> None:
        self._report(Problem("quic-malformed-frame", _MALFORMED, stamp.frames[0], f"frame type 0x{frame.frame_type:x}"))

    # The end

    def close(self) -> None:
        """Nothing more will come, or nothing more is read: hand on what waits, settle the facts."""
        if self.closed:
            return
        self.closed = True
        self._table.closed(self)
        self._give_up_waiting()
        self.handshake.close()
        self.streams.close()
        for known in self.ids:
            for connection_id in known:
                self._table.remove(self, connection_id)
        for direction, keys in enumerate(self._keys.one_rtt):
            if keys is not None:
                self.quic.key_updates[direction] = keys.updates
        self._settle()
        if self._bad_packets:
            self._report(Problem("quic-bad-packets", _BAD_PACKETS, detail=f"{self._bad_packets} packets"))
        self._keys.one_rtt = [None, None]
        self._keys.forget()

    def _give_up_waiting(self) -> None:
        for one in self._pending:
            self._count_unread(one.direction, one.header, one.stamp)
        self._pending.clear()

    def _settle(self) -> None:
        tls = self.tls
        for direction in (CLIENT, SERVER):
            if tls.read[direction] or tls.unread[direction]:
                tls.decrypted[direction] = not tls.unread[direction]
        if any(self.quic.unread):
            tls.reason = self._why_unread()

    def _why_unread(self) -> str:
        if self.begun and self.handshake.client_random is not None:
            if self._keys.had_some:
                return "bad-record"
            return "ech" if self.tls.ech else "no-secret"
        named = self.quic.version
        return "handshake-not-captured" if named is None or named in READABLE_NAMES else "unknown-version"


_HANDLERS: Final[dict[type, Callable[..., None]]] = {
    Crypto: QuicConnection._on_crypto,
    Ack: QuicConnection._on_ack,
    ResetStream: QuicConnection._on_reset,
    NewConnectionId: QuicConnection._on_new_id,
    ConnectionClose: QuicConnection._on_close,
    Datagram: QuicConnection._on_datagram,
    Malformed: QuicConnection._on_malformed,
}
