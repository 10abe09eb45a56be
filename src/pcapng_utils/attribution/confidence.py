"""From the model's probability of a pairing to the share of such pairings that are right.

The posterior is right as far as the model is. What the model does not know is added here: that the order of calls
logged in one millisecond is not known where the file is out of order, and that of reads that look alike, some of which
fetched nothing, any may have been the one that did. What is left is measured (benchmarks/attribution) and mapped.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from pcapng_utils.attribution.operations import NEITHER, OperationLog
from pcapng_utils.attribution.tracks import RESOLUTION, Track
from pcapng_utils.layers import SERVER

_NEAR: Final = 5.0
"""Calls so near to each other, in ms, show whether the file keeps their order."""

_ALIKE: Final = 0.55
"""By so much a read that is like the chosen one, right beside it, takes from its probability: measured in the bench."""
_FEW: Final = 8
"""Of fewer pairs, one that is not in order says less."""

_MAP: Final = ((0.0, 0.0), (0.5, 0.5), (0.9, 0.9), (1.0, 0.998))
"""Probability in the model, and what it was worth in the bench."""


def calibrated(probability: float) -> float:
    """What a probability in the model is worth."""
    for (low, low_worth), (high, high_worth) in pairwise(_MAP):
        if probability <= high:
            return low_worth + (probability - low) / (high - low) * (high_worth - low_worth)
    return _MAP[-1][1]


def disorder(log: OperationLog) -> float:
    """Probability that two calls of one socket and direction are not in the file in their order.

    Seen from pairs that lie a few ms apart: for those of one ms, nothing else is to be had.
    """
    last: dict[tuple[int, int], float] = {}
    pairs = wrong = 0
    for flow, direction, time in zip(log.flow_ids, log.directions, log.times, strict=True):
        if direction == NEITHER:
            continue
        gap = time - last.get((flow, direction), time)
        last[flow, direction] = time
        if 1.0 <= abs(gap) <= _NEAR:
            pairs += 1
            wrong += gap < 0
    return min(1.0, 2.0 * wrong / max(pairs, _FEW))


def order_known(track: Track, call: int, unordered: float) -> float:
    """Probability that a call is not confused with one of the same site that was logged in the same millisecond."""
    if not unordered:
        return 1.0
    times, site = track.call_times, track.sites[call]
    first = bisect_left(times, times[call] - RESOLUTION / 2)
    end = bisect_right(times, times[call] + RESOLUTION / 2)
    alike = sum(1 for other in range(first, end) if track.sites[other] == site)
    return 1.0 - unordered * (1.0 - 1.0 / alike)


def alike_but_idle(track: Track, call: int, busy: set[int | None], idle: Sequence[float]) -> float:
    """Reads right before and behind a read, of its thread and site, that seem to have fetched nothing.

    `idle` says of each state of a call how often those in it fetch nothing: a neighbour in a state in which that is
    usual counts for less than one.
    """
    if track.direction != SERVER:
        return 0.0
    neighbours = (
        (call - 1, call > 0 and track.same_thread[call]),
        (call + 1, call + 1 < len(track.calls) and track.same_thread[call + 1]),
    )
    own = 1.0 - idle[track.states[call]]
    return sum(
        _ALIKE * min(1.0, (1.0 - idle[track.states[other]]) / own)
        for other, same in neighbours
        if same and track.sites[other] == track.sites[call] and other not in busy
    )
