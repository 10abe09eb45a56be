"""How much the network layer holds back, and for how long."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True):
    hold: int = 20
    """Packets of a connection without a SYN that are looked at before its streams are taken to begin with the lowest
    sequence number among them. Packets may be out of order by a few less."""
    patience: int = 32
    """Packets of a connection that may pass before a hole which the receiver acknowledged is given up, or before a
    reset is final."""
    patience_time: int = 1_000_000_000
    """Time after which the same happens however few packets come, in ns."""
    window: int = 1 << 24
    """Bytes by which a sequence number may be ahead of or behind its stream and be believed."""
    strays: int = 8
    """Successive segments outside of that window, each behind the other, that move the stream to where they are."""
    buffer: int = 4 << 20
    """Bytes of memory that may wait for a hole to be filled in one direction of a connection."""
    buffers: int = 64 << 20
    """The same for all connections together."""
    open_flows: int = 65536
    """TCP connections that are followed at the same time; beyond, the least recently active one is ended."""
    closed_flows: int = 8192
    """TCP connections that are over but may get late packets."""
    udp_flows: int = 65536
    """UDP conversations that are followed at the same time."""
