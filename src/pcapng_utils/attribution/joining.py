"""Which socket of the phone is which flow of the capture.

Usually both name the same four addresses and ports. Where addresses were translated in between, the remote end and the
time are left to go by. Ports are used again: calls on one pair of ends are split between the flows that had them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pcapng_utils.attribution.operations import FlowKey, plain_address
from pcapng_utils.attribution.views import FlowView

Calls = tuple[list[int], list[int]]
"""Rows of the log by direction, ascending in time."""


@dataclass(slots=True)
class Joined:
    direct: dict[FlowKey, list[int]] = field(default_factory=dict)
    """For each socket, the flows of the same ends (places in the list of flows), by time."""
    strays: list[FlowKey] = field(default_factory=list)
    """Sockets without such a flow."""
    lonely: list[int] = field(default_factory=list)
    """Flows without such a socket."""

    def possible(self, flows: Sequence[FlowView]) -> list[tuple[FlowKey, int]]:
        """Strays and lonely flows that have the remote end in common."""
        by_remote: dict[tuple[str, tuple[str, int]], list[int]] = {}
        for place in self.lonely:
            flow = flows[place]
            by_remote.setdefault((flow.transport, flow.remote), []).append(place)
        return [(key, place) for key in self.strays for place in by_remote.get((key.transport, key.remote), ())[:_MANY]]


_MANY = 64


def join(flows: Sequence[FlowView], calls: dict[FlowKey, Calls]) -> Joined:
    joined = Joined()
    for place, flow in enumerate(flows):
        key = FlowKey(flow.transport, _plain(flow.local), _plain(flow.remote))
        if key in calls:
            joined.direct.setdefault(key, []).append(place)
        else:
            joined.lonely.append(place)
    for places in joined.direct.values():
        places.sort(key=lambda place: flows[place].first)
    joined.strays = [key for key, rows in calls.items() if key not in joined.direct and (rows[0] or rows[1])]
    return joined


def _plain(end: tuple[str, int]) -> tuple[str, int]:
    return plain_address(end[0]), end[1]


def split(times: Sequence[float], spans: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """Ranges of calls for each of several flows of the same ends, halfway between one's end and the next's begin."""
    bounds = [0]
    for (_, end), (begin, _) in pairwise(spans):
        bounds.append(max(bounds[-1], bisect_left(times, (end + begin) / 2)))
    bounds.append(len(times))
    return list(pairwise(bounds))


def translated(
    possible: Sequence[tuple[FlowKey, int]], flows: Sequence[FlowView], begins: dict[FlowKey, float], epoch: int
) -> dict[FlowKey, int]:
    """Pair strays with lonely flows by when they begin (ms from the epoch), the same local port first."""
    ranked = []
    for key, place in possible:
        apart = abs(begins[key] - (flows[place].first - epoch) / 1e6)
        if apart <= _APART:
            ranked.append((key.local[1] != flows[place].local[1], apart, key, place))
    ranked.sort(key=lambda item: (item[0], item[1], item[3]))
    found: dict[FlowKey, int] = {}
    taken: set[int] = set()
    for _, _, key, place in ranked:
        if key not in found and place not in taken:
            found[key] = place
            taken.add(place)
    return found


_APART = 3_000.0
"""A translated flow begins within so many ms of its first call."""
