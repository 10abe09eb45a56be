"""From the datagrams between two sockets to connections.

A connection is found in three ways, the cheapest first: it is the one that the flow carried last; one of its packets
bears a known Destination Connection ID, on whatever flow (so a client that changed its address is followed); or a
client's Initial packet opens with the keys that its own Destination Connection ID gives, which begins a new one.
"""

from __future__ import annotations

from collections.abc import Callable

from pcapng_utils.layers import CLIENT, Report, Stamp, UnitLog
from pcapng_utils.net.flow import Flow
from pcapng_utils.quic.connection import OpenStreams, QuicConnection
from pcapng_utils.quic.crypto import initial_protection
from pcapng_utils.quic.facts import QuicFacts
from pcapng_utils.quic.keys import open_long
from pcapng_utils.quic.packet import (
    Invariants,
    LongHeader,
    google_version,
    offered_versions,
    read_invariants,
    read_long_header,
)
from pcapng_utils.quic.router import QuicRouter
from pcapng_utils.quic.versions import VERSION_NEGOTIATION, PacketType, candidates, version_name
from pcapng_utils.tls.facts import TlsFacts

Carries = Callable[[TlsFacts, QuicFacts], None]
"""Told of each connection that the flow carries, as its first packet is seen: as it begins, in its middle, or as it
comes from another flow. Both are filled in later on, and settled when the last flow that carries it closes."""


class QuicFlow:
    """The QUIC datagrams between two sockets (a `DatagramLayer`)."""

    __slots__ = ("_carries", "_current", "_flow", "_open", "_open_streams", "_report", "_router", "_units")

    def __init__(
        self,
        router: QuicRouter,
        flow: Flow,
        units: UnitLog,
        report: Report,
        open_streams: OpenStreams,
        carries: Carries,
    ) -> None:
        """`units` takes the datagrams of the connections that begin on this flow, whatever flow carries them later."""
        self._router = router
        self._flow = flow
        self._units = units
        self._report = report
        self._open_streams = open_streams
        self._carries = carries
        self._current: QuicConnection | None = None
        self._open: dict[QuicConnection, None] = {}

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        """One datagram's payload."""
        connection = self._current
        if connection is not None and data and data[0] < 0x80:
            behind = connection.id_lengths[direction] + 1
            if data[1:behind] in connection.ids[direction]:
                unit = connection.units.add(direction, time, frame, len(data))
                connection.read_short(direction, data, 0, behind, Stamp(time, time, (frame,), unit))
                return
        if not data:
            return
        if data[0] < 0x80:
            self._short_first(direction, data, time, frame)
        else:
            self._long_first(direction, data, time, frame)

    def close(self) -> None:
        """Nothing more will come on this flow; connections that no other flow carries end."""
        for connection in list(self._open):
            self._leave(connection)
        self._current = None

    # Which connection

    def _short_first(self, direction: int, data: bytes, time: int, frame: int) -> None:
        """A datagram of a connection or with a connection ID that the flow did not carry last."""
        found = self._router.find_short(data)
        if found is not None and self._orient(direction, found[1]):
            connection, direction, size = found
            self._carry(connection, time)
        else:
            connection = self._current or self._make(time)
            size = connection.id_lengths[direction]
        stamp = Stamp(time, time, (frame,), connection.units.add(direction, time, frame, len(data)))
        if not connection.begun:
            version = google_version(data)
            if version is not None:
                connection.quic.version = version
            connection.unreadable(direction, data[0], stamp)
        elif connection.read_short(direction, data, 0, 1 + size, stamp):
            connection.learn(direction, data[1 : 1 + size])

    def _long_first(self, direction: int, data: bytes, time: int, frame: int) -> None:
        head = read_invariants(data)
        found = None if head is None else self._router.find(head.destination)
        connection = self._current if found is None else found[0]
        begins = None if head is None else self._initial_of_new(data, head, connection)
        if begins is not None and self._orient(direction, CLIENT):
            direction = CLIENT
            connection = self._begin(begins, connection, time)
        elif found is not None and self._orient(direction, found[1]):
            connection, direction = found
            self._carry(connection, time)
        else:
            connection = self._current or self._make(time)
        stamp = Stamp(time, time, (frame,), connection.units.add(direction, time, frame, len(data)))
        if head is not None and head.version == VERSION_NEGOTIATION:
            connection.negotiate(offered_versions(data, head))
            return
        if connection.quic.version is None:
            connection.quic.version = google_version(data) or (version_name(head.version) if head else None)
        self._read(connection, direction, data, stamp)

    def _read(self, connection: QuicConnection, direction: int, data: bytes, stamp: Stamp) -> None:
        """Read the packets of a datagram one after the other; what follows them without being one is padding.

        All of them have one Destination Connection ID (RFC 9000, section 12.2)."""
        at, size, destination = 0, len(data), b""
        while at < size:
            if data[at] < 0x80:
                number_at = at + 1 + len(destination)
                if data[at + 1 : number_at] == destination and data[at]:
                    connection.read_short(direction, data, at, number_at, stamp)
                return
            header = read_long_header(data, at, connection.version)
            if header is None:
                if not at:
                    connection.unreadable(direction, data[at], stamp)
                return
            if header.type is PacketType.RETRY:
                connection.retry(header, data[at:])
                return
            if not connection.read_long(direction, data, at, header, stamp) and header.type is PacketType.INITIAL:
                connection.set_aside(direction, data, at, header, stamp)
            at, destination = header.end, header.destination

    def _initial_of_new(self, data: bytes, head: Invariants, current: QuicConnection | None) -> LongHeader | None:
        """The header of a client's Initial packet that begins a connection, or begins one again; else None."""
        if current is not None and current.began_with(head.destination, head.version):
            return None
        for version in candidates(head.version):
            header = read_long_header(data, 0, version)
            if header is None or header.type is not PacketType.INITIAL:
                continue
            keys = initial_protection(version, header.destination)[CLIENT]
            if open_long(keys, data, 0, header.number_at, header.end, -1) is not None:
                return header
        return None

    # Connections that come and go

    def _orient(self, direction: int, way: int) -> bool:
        """Take it that a packet seen in `direction` goes `way`: where they differ, turn client and server round. False
        if that cannot be, because the flow carries a connection that shows who is who."""
        if direction == way:
            return True
        if any(connection.begun for connection in self._open):
            return False
        for connection in self._open:
            connection.turn()
        self._open.clear()
        self._current = None
        self._flow.swap()
        self._units.swap()
        return True

    def _begin(self, header: LongHeader, current: QuicConnection | None, time: int) -> QuicConnection:
        if current is not None and current in self._open and not current.closed:
            if not current.begun and not any(current.quic.unread):
                current.begin(header)
                return current
            if current.may_begin_again(header):
                current.begin_again(header)
                return current
        connection = self._make(time)
        connection.begin(header)
        return connection

    def _make(self, time: int) -> QuicConnection:
        router = self._router
        connection = QuicConnection(
            self._units, self._report, self._open_streams, router.secrets, router, router.limits
        )
        connection.last = time
        router.opened(connection)
        self._carry(connection, time)
        return connection

    def _carry(self, connection: QuicConnection, time: int) -> None:
        """The flow carries the connection, from now on."""
        self._current = connection
        if connection in self._open:
            return
        self._open[connection] = None
        connection.join(self._flow.client, self._flow.server, time)
        self._carries(connection.tls, connection.quic)
        if len(self._open) > self._router.limits.connections_per_flow:
            self._leave(next(iter(self._open)))

    def _leave(self, connection: QuicConnection) -> None:
        del self._open[connection]
        connection.leave()
