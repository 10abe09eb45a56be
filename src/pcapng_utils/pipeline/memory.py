"""How much memory what a capture holds may take, and who gets how much of it.

What is in memory at a time are the bodies of messages that are still coming, the events and messages of exchanges that
go on, bytes behind holes of TCP streams, and what is known of flows that are open. The shares below were measured: a
connection with TLS and HTTP takes 25 kB, one without data 4. Beside it there are the program (40 MB), the key log (some
500 bytes a connection), and about a hundred bytes for each connection and exchange that is spooled.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from pcapng_utils.net.limits import Limits as NetLimits
from pcapng_utils.pipeline.limits import Asked, Limits

DEFAULT: Final = 512_000_000
LEAST: Final = 32_000_000

_BODIES: Final = 1 / 16
_MESSAGES: Final = 1 / 12
"""Several times as much is needed when an exchange with all of them is written."""
_HELD_BACK: Final = 1 / 8
_OPEN_FLOW: Final = 48_000
"""Bytes of the whole for each open flow: half of it is what that may take."""
_CLOSED_FLOW: Final = 250_000


class Budget(NamedTuple):
    bodies: int
    """Bytes of bodies in memory; those that do not fit go to files."""
    messages: int
    """Bytes of events and of WebSockets' messages, which wait in memory for the end of their exchange."""
    limits: Limits

    @classmethod
    def of(cls, memory: int, asked: Asked = ()) -> Self:
        """Share out so many bytes; `asked`: limits that are to be others."""
        flows = memory // _OPEN_FLOW
        held_back = int(memory * _HELD_BACK)
        network = NetLimits(
            buffer=min(NetLimits().buffer, held_back // 4),
            buffers=held_back,
            open_flows=flows,
            udp_flows=flows,
            closed_flows=memory // _CLOSED_FLOW,
        )
        return cls(int(memory * _BODIES), int(memory * _MESSAGES), Limits(net=network).but(asked))
