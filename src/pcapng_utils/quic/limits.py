"""How much one capture may make QUIC connections remember."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True):
    """Reaching one costs bytes or packets of the connection at hand, never more, and is reported."""

    held_per_stream: int = 16 << 20
    """Bytes that may wait behind one stream's hole."""
    held_per_connection: int = 32 << 20
    """Bytes that may wait behind all holes of a connection."""
    crypto: int = 1 << 18
    """Bytes of one TLS message or behind a hole in a CRYPTO stream."""
    streams: int = 4096
    """Streams of a connection that are open at once, by direction."""
    connection_ids: int = 256
    """Connection IDs remembered by connection and direction; the oldest are forgotten."""
    addresses: int = 256
    """Pairs of addresses that a connection is known to have gone over."""
    connections: int = 4096
    """Connections that are open at once; beyond, the one idle for longest ends."""
    connections_per_flow: int = 64
    """Connections of one pair of sockets that are open at once; the oldest are closed."""
    pending: int = 32
    """Packets of a connection that wait for keys."""
    pending_unknown: int = 4
    """The same before the client's first Initial packet was seen, which may never come."""
    hole_patience: int = 3_000_000_000
    """How long, in ns, a hole stays open after the receiver acknowledged packets that the capture does not hold."""
