"""The call nearest in time to a message, among those of its flow and its direction.

This is how pcapng-utils 1.1 chose. It needs the two clocks to agree to within the time between two calls, cannot see
when they do not, and is kept for those who compare; alignment is what to trust. Times are whole microseconds, so that
calls at the end of a window and calls equally near are decided the same way everywhere.
"""

from __future__ import annotations

import ipaddress
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from pcapng_utils.attribution.operations import NEITHER, NO_FLOW, FlowKey, OperationLog, direction_of
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.net.community import community_id

Operations = Literal["all", "seed"]

#: The calls that pcapng-utils 1.1 knew; each counts, even where two of them are one call that was logged twice.
SEED_EVENTS: Final = frozenset({"write", "sendto", "read", "recvfrom"})

_PROTOCOLS: Final = {"tcp": 6, "udp": 17}


class Window(NamedTuple):
    """How far a call may be from its message, in µs, call minus message; both ends are inside."""

    earliest: int
    latest: int

    @classmethod
    def of_seconds(cls, window: tuple[float, float]) -> Window:
        return cls(round(window[0] * 1e6), round(window[1] * 1e6))


REQUEST_WINDOW: Final = Window(-5_000_000, 2_000_000)
RESPONSE_WINDOW: Final = Window(-2_000_000, 5_000_000)


class _Calls:
    """Calls of one flow and direction: rows of the log, and when each was entered (µs, phone's clock), by time."""

    __slots__ = ("rows", "times")

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.times: list[int] = []


class NearestCalls:
    """Finds calls by the Community ID of their flow (seed 0), their direction and their time."""

    def __init__(self, log: OperationLog, operations: Operations = "all") -> None:
        """`operations`: "seed" restricts the calls to `SEED_EVENTS`."""
        self._log = log
        ids = [_community_id(flow) for flow in log.flows]
        self._calls: dict[tuple[str, int], _Calls] = {}
        by_time = sorted(_moving(log, operations), key=lambda call: call[0])
        for time, row, direction in by_time:
            flow = ids[log.flow_ids[row]]
            calls = self._calls.setdefault((flow, direction), _Calls())
            calls.rows.append(row)
            calls.times.append(time)

    def has_calls(self, flow: str, direction: int) -> bool:
        """Whether there is any call of the direction (CLIENT: written by the app, SERVER: read by it)."""
        return (flow, direction) in self._calls

    def find(self, flow: str, direction: int, moment: int, window: Window | None = None) -> int | None:
        """Row of the call nearest to `moment` (µs, phone's clock) inside the window; None if there is none.

        Of two equally near it is the earlier one; of several at the same time the last in the file if they are at or
        before the moment, else the first. `window` None is the direction's own.
        """
        calls = self._calls.get((flow, direction))
        if calls is None:
            return None
        if window is None:
            window = REQUEST_WINDOW if direction == CLIENT else RESPONSE_WINDOW
        times = calls.times
        low = bisect_left(times, moment + window.earliest)
        high = bisect_right(times, moment + window.latest)
        if low >= high:
            return None
        after = bisect_right(times, moment, low, high)
        if after == high or (after > low and moment - times[after - 1] <= times[after] - moment):
            return calls.rows[after - 1]
        return calls.rows[after]

    def delta(self, row: int, moment: int) -> int:
        """Call minus moment, in µs."""
        return microseconds(self._log.times[row]) - moment


def microseconds(milliseconds: float) -> int:
    return round(milliseconds * 1000)


def _moving(log: OperationLog, operations: Operations) -> Iterator[tuple[int, int, int]]:
    """Time in µs, row and direction of each call that counts."""
    seed = [event in SEED_EVENTS for event in log.events]
    directions = [direction_of(event) for event in log.events]
    for row, (direction, event) in enumerate(zip(log.directions, log.event_ids, strict=True)):
        if operations == "seed":
            direction = directions[event] if seed[event] and log.flow_ids[row] != NO_FLOW else NEITHER
        if direction in (CLIENT, SERVER):
            yield microseconds(log.times[row]), row, direction


def _community_id(flow: FlowKey) -> str:
    """Empty where an end is none that can be: no message has that ID."""
    try:
        local, remote = (ipaddress.ip_address(address).packed for address, _ in (flow.local, flow.remote))
        return community_id(_PROTOCOLS[flow.transport], local, flow.local[1], remote, flow.remote[1])
    except (ValueError, struct.error):
        return ""
