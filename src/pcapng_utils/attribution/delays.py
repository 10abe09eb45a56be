"""How long a call takes to the wire: a distribution learnt from pairings."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from pcapng_utils.layers import CLIENT

#: Largest delay told apart, in ms.
REACH: Final = 3000
SIZE: Final = 2 * REACH + 1


class Delays:
    """The distribution of unit time minus call time, in ms, from weighted observations.

    Calls on one socket keep their order, so a delay may be hidden behind another: of calls logged in one millisecond
    only the one that held the others up (the last written, the first read) shows its own delay, the others show that
    theirs was no longer. That is censoring, and the estimate is the product-limit one (Kaplan and Meier, 1958).
    """

    __slots__ = ("counts", "hidden", "later", "reads", "table")

    def __init__(self, *, reads: bool) -> None:
        self.reads = reads
        self.counts = [0.0] * SIZE
        self.hidden = [0.0] * SIZE
        self.table: list[float] = []
        """Density of a delay, per ms; index `REACH` is 0."""
        self.later: list[float] = []
        """Probability that a delay is no longer than this (for reads: that the call was no later)."""

    def learn(self, density: Sequence[float], cumulative: Sequence[float], weight: float) -> None:
        """Estimate `table` and `later` from what was seen and a prior that counts as `weight` observations."""
        shown, hidden = self.counts, self.hidden
        if self.reads:
            shown, hidden, density, cumulative = shown[::-1], hidden[::-1], density[::-1], cumulative[::-1]
        table, later = _product_limit(shown, hidden)
        total = sum(shown)
        share = total / (total + weight)
        rest = 1.0 - share
        table = [share * a + rest * b for a, b in zip(table, density, strict=True)]
        later = [share * a + rest * b for a, b in zip(later, cumulative, strict=True)]
        self.table, self.later = (table[::-1], later[::-1]) if self.reads else (table, later)

    def reach(self) -> tuple[float, float]:
        """How far before a unit, and behind it, calls must be looked for, in ms."""
        sums = [0.0, *accumulate(a + b for a, b in zip(self.counts, self.hidden, strict=True))]
        if sums[-1] < 20:
            return 400.0, 400.0
        middle = _quantile(sums, 0.5)
        low, high = _quantile(sums, 0.001), _quantile(sums, 0.999)
        early = 1.25 * (high - middle) + 12 + max(middle - REACH, 0)
        late = 1.25 * (middle - low) + 12 + max(REACH - middle, 0)
        return min(early, REACH - 2.0), min(late, REACH - 2.0)


def _product_limit(shown: Sequence[float], hidden: Sequence[float]) -> tuple[list[float], list[float]]:
    """Density and cumulative probability from observations, some of which only say "no more than this"."""
    sums = [0.0, *accumulate(shown)]
    all_sums = [0.0, *accumulate(a + b for a, b in zip(shown, hidden, strict=True))]
    if sums[-1] <= 0.0:
        return [0.0] * SIZE, [1.0] * SIZE
    middle = _quantile(sums, 0.5)
    least = 2 if sums[-1] < 200 else 1 if sums[-1] < 600 else 0
    seen = [index for index, count in enumerate(shown) if count > 0.0]
    first, last = seen[0], seen[-1]
    margin = int(max(abs(first - middle), abs(last - middle)) * 0.25) + 3
    first, last = max(first - margin, 0), min(last + margin, SIZE - 1)
    cumulative, density = [1.0] * SIZE, [0.0] * SIZE
    reached = 1.0
    for index in range(last, first - 1, -1):
        width = max(int(abs(index - middle) * 0.2), least)
        low, high = max(index - width, 0), min(index + width + 1, SIZE)
        smooth = (sums[high] - sums[low]) / (high - low)
        at_risk = max(all_sums[min(index + 1, SIZE)], smooth)
        cumulative[index] = reached
        if at_risk > 1e-9 and smooth > 0.0:
            hazard = min(smooth / at_risk, 1.0)
            density[index] = reached * hazard
            reached *= 1.0 - hazard
    cumulative[:first] = [reached] * first
    return density, cumulative


def _quantile(sums: Sequence[float], share: float) -> int:
    return min(bisect_left(sums, share * sums[-1], 1), len(sums) - 1) - 1


def wide(scale: float, direction: int) -> tuple[list[float], list[float]]:
    """A distribution with heavy tails from 0 on: density, and cumulative probability (see `Delays.later`)."""
    density = [0.31831 / (scale * (1 + ((index - REACH) / scale) ** 2)) for index in range(SIZE)]
    sums = list(accumulate(density))
    return density, sums if direction == CLIENT else [
        1.0 - value + own for value, own in zip(sums, density, strict=True)
    ]
