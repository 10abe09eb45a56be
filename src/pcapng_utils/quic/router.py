"""What the QUIC flows of a capture share: which connection IDs belong to which connection."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from pcapng_utils.quic.connection import QuicConnection
from pcapng_utils.quic.detect import looks_like_short_header
from pcapng_utils.quic.limits import Limits
from pcapng_utils.quic.packet import read_invariants
from pcapng_utils.tls.keylog import SecretStore

_FEW: Final = 64
"""Entries of ended connections that are not worth clearing away."""


class QuicRouter:
    """What the flows of a capture share: secrets, and which connection IDs belong to which connection."""

    MIN_ID: Final = 4
    """Shorter connection IDs lead nowhere: too many packets would bear them by chance."""

    __slots__ = ("_connections", "_idle", "_lengths", "_open", "_serial", "limits", "secrets")

    def __init__(self, secrets: SecretStore, limits: Limits | None = None) -> None:
        self.secrets = secrets
        self.limits = limits or Limits()
        self._connections: dict[bytes, tuple[QuicConnection, int]] = {}
        self._lengths: dict[int, int] = {}
        self._open = 0
        self._serial = 0
        self._idle: list[tuple[int, int, QuicConnection]] = []
        """A heap of the open connections by when they were active, as known when that was last looked at."""

    def add(self, connection: QuicConnection, direction: int, connection_id: bytes) -> None:
        """Packets that bear this Destination Connection ID go in `direction` of the connection."""
        size = len(connection_id)
        if size >= self.MIN_ID and connection_id not in self._connections:
            self._connections[connection_id] = (connection, direction)
            self._lengths[size] = self._lengths.get(size, 0) + 1

    def remove(self, connection: QuicConnection, connection_id: bytes) -> None:
        known = self._connections.get(connection_id)
        if known is None or known[0] is not connection:
            return
        del self._connections[connection_id]
        size = len(connection_id)
        self._lengths[size] -= 1
        if not self._lengths[size]:
            del self._lengths[size]

    def opened(self, connection: QuicConnection) -> None:
        """A connection begins; if too many are open, the one idle for longest ends."""
        idle = self._idle
        while self._open >= self.limits.connections:
            seen, serial, oldest = heappop(idle)
            if oldest.closed:
                continue
            if oldest.last > seen:
                heappush(idle, (oldest.last, serial, oldest))
            else:
                oldest.close()
        self._open += 1
        self._serial += 1
        heappush(idle, (connection.last, self._serial, connection))

    def closed(self, connection: QuicConnection) -> None:
        """A connection has ended."""
        self._open -= 1
        if len(self._idle) > 2 * self._open + _FEW:
            self._idle = [entry for entry in self._idle if not entry[2].closed]
            heapify(self._idle)

    def find(self, connection_id: bytes) -> tuple[QuicConnection, int] | None:
        """The connection that packets with this Destination Connection ID belong to, and their direction."""
        return self._connections.get(connection_id)

    def find_short(self, data: bytes, at: int = 0) -> tuple[QuicConnection, int, int] | None:
        """The connection of a packet with a short header, its direction, and the length of its connection ID."""
        for size in self._lengths:
            found = self._connections.get(data[at + 1 : at + 1 + size])
            if found is not None:
                return *found, size
        return None

    def knows(self, data: bytes) -> bool:
        """Whether a datagram bears a connection ID of an open connection: a client that changed its address."""
        if not data:
            return False
        if data[0] & 0x80:
            head = read_invariants(data)
            return head is not None and head.destination in self._connections
        return looks_like_short_header(data) and self.find_short(data) is not None
