"""Several readers of one capture, each of which follows a part of the flows.

All of them read all packets, for it takes little to see whose a packet is. TCP connections are shared out by their
ports, the same in both directions. All of UDP is the first reader's: QUIC connections move from one flow to another.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Shard(NamedTuple):
    """One of the readers."""

    number: int = 0
    total: int = 1

    def has_tcp(self, key: bytes) -> bool:
        """Whether a connection is its own: `key` is both addresses, then both ports."""
        return (key[-1] ^ key[-3]) % self.total == self.number

    @property
    def has_udp(self) -> bool:
        return self.number == 0


WHOLE: Final = Shard()
"""The only reader."""
