"""How long a call takes to the wire: a distribution learnt from pairings."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Final, NamedTuple

from pcapng_utils.layers import CLIENT

#: Largest delay told apart, in ms.
REACH: Final = 3000
SIZE: Final = 2 * REACH + 1
#: First guess of how far calls seem to be on the wrong side of a unit, in ms: as far as the clock is wrong.
_WRONG_SIDE: Final = 3.0


class Delays:
    """The distribution of unit time minus call time, in ms, from weighted observations.

    Calls on one socket keep their order, so a delay may be hidden behind another: of calls logged in one millisecond
    only the one that held the others up (the last written, the first read) shows its own delay, the others show that
    theirs was no longer. That is censoring, and the estimate is the product-limit one (Kaplan and Meier, 1958).
    """

    __slots__ = ("counts", "hidden", "later", "reads", "table")

    def __init__(self, *, reads: bool) -> None:
        self.reads = reads
        self.counts: dict[int, float] = {}
        """Weight of the delays that were seen, by their place in `table`."""
        self.hidden: dict[int, float] = {}
        """The same of those that are only known to be no longer."""
        self.table: list[float] = []
        """Density of a delay, per ms; index `REACH` is 0."""
        self.later: list[float] = []
        """Probability that a delay is no longer than this (for reads: that the call was no later)."""

    def note(self, place: int, mass: float, *, hidden: bool) -> None:
        """Count a delay."""
        counts = self.hidden if hidden else self.counts
        counts[place] = counts.get(place, 0.0) + mass

    def learn(self, density: Sequence[float], cumulative: Sequence[float], weight: float) -> None:
        """Estimate `table` and `later` from what was seen and a prior that counts as `weight` observations."""
        total = sum(self.counts.values())
        if total <= 0.0:
            self.table, self.later = list(density), list(cumulative)
            return
        share = total / (total + weight)
        rest = 1.0 - share
        window = _product_limit(self.counts, self.hidden) if not self.reads else self._mirrored()
        first, end = window.first, window.first + len(window.density)
        self.table = [rest * value for value in density]
        self.table[first:end] = [share * a + b for a, b in zip(window.density, self.table[first:end], strict=True)]
        below, above = share * window.below, share * window.above
        self.later = [below + rest * value for value in cumulative[:first]]
        self.later += [share * a + rest * b for a, b in zip(window.cumulative, cumulative[first:end], strict=True)]
        self.later += [above + rest * value for value in cumulative[end:]]

    def move(self, later: int) -> None:
        """Calls are now taken to be later, by so many ms."""
        for table in (self.table, self.later):
            if later > 0:
                table[:] = table[later:] + [table[-1]] * later
            elif later < 0:
                table[:] = [table[0]] * -later + table[:later]

    def _mirrored(self) -> _Window:
        """For reads, early and late change places."""
        window = _product_limit(_mirror(self.counts), _mirror(self.hidden))
        first = SIZE - window.first - len(window.density)
        return _Window(first, window.density[::-1], window.cumulative[::-1], window.above, window.below)

    def reach(self) -> tuple[float, float]:
        """How far before a unit, and behind it, calls must be looked for, in ms."""
        places = sorted(self.counts.keys() | self.hidden.keys())
        sums = list(accumulate(self.counts.get(place, 0.0) + self.hidden.get(place, 0.0) for place in places))
        if not sums or sums[-1] < 20:
            return 400.0, 400.0
        low, middle, high = (_quantile(places, sums, share) for share in (0.001, 0.5, 0.999))
        early = 1.25 * (high - middle) + 12 + max(middle - REACH, 0)
        late = 1.25 * (middle - low) + 12 + max(REACH - middle, 0)
        return min(early, REACH - 2.0), min(late, REACH - 2.0)


class _Window(NamedTuple):
    """The part of a distribution in which anything was seen."""

    first: int
    density: list[float]
    cumulative: list[float]
    below: float
    """Cumulative probability before the window."""
    above: float
    """And behind it."""


def place_of(origin: float, time: float) -> int:
    """Where in a table the delay is counted that lies between a call and a moment: whole ms, cut off towards 0."""
    return min(max(int(origin - time) + REACH, 0), SIZE - 1)


def places_of(origin: float, times: Sequence[float]) -> list[int]:
    """Where in a table the delays of calls, in the order of their times, are looked up."""
    offset = origin + REACH
    places = [int(offset - time) for time in times]
    if places and (places[0] >= SIZE or places[-1] < 0):
        return [min(max(place, 0), SIZE - 1) for place in places]
    return places


def _mirror(counts: dict[int, float]) -> dict[int, float]:
    return {SIZE - 1 - place: mass for place, mass in counts.items()}


def _product_limit(shown: dict[int, float], hidden: dict[int, float]) -> _Window:
    """Density and cumulative probability from observations, some of which only say "no more than this"."""
    places = sorted(shown)
    total = sum(shown.values())
    middle = _quantile(places, list(accumulate(shown[place] for place in places)), 0.5)
    least = 2 if total < 200 else 1 if total < 600 else 0
    first, last = places[0], places[-1]
    margin = int(max(middle - first, last - middle) * 0.25) + 3
    first, last = max(first - margin, 0), min(last + margin, SIZE - 1)
    sums = [0.0, *accumulate(shown.get(place, 0.0) for place in range(first, last + 1))]
    risk = sum(mass for place, mass in hidden.items() if place < first)
    at_risk = list(accumulate((shown.get(p, 0.0) + hidden.get(p, 0.0) for p in range(first, last + 1)), initial=risk))
    size = last + 1 - first
    cumulative, density = [1.0] * size, [0.0] * size
    reached = 1.0
    for index in range(size - 1, -1, -1):
        width = max(int(abs(index + first - middle) * 0.2), least)
        smooth = sums[min(index + width + 1, size)] - sums[max(index - width, 0)]
        # Widths are cut where the table ends, not where the window does: beyond that nothing was seen.
        smooth /= min(index + first + width + 1, SIZE) - max(index + first - width, 0)
        exposed = max(at_risk[index + 1], smooth)
        cumulative[index] = reached
        if exposed > 1e-9 and smooth > 0.0:
            hazard = min(smooth / exposed, 1.0)
            density[index] = reached * hazard
            reached *= 1.0 - hazard
    return _Window(first, density, cumulative, reached, 1.0)


def _quantile(places: Sequence[int], sums: Sequence[float], share: float) -> int:
    """The place at which a share of the whole is reached, from running sums of what is at each place."""
    return places[min(bisect_left(sums, share * sums[-1]), len(places) - 1)]


@cache
def wide(scale: float, direction: int) -> tuple[list[float], list[float]]:
    """A distribution with heavy tails from 0 on: density, and cumulative probability (see `Delays.later`)."""
    if direction == CLIENT:
        sides = [_WRONG_SIDE] * REACH + [scale] * (REACH + 1)
        density = [
            0.63662 / (scale + _WRONG_SIDE) / (1 + ((index - REACH) / side) ** 2) for index, side in enumerate(sides)
        ]
    else:
        density = [0.31831 / (scale * (1 + ((index - REACH) / scale) ** 2)) for index in range(SIZE)]
    sums = list(accumulate(density))
    return density, sums if direction == CLIENT else [
        1.0 - value + own for value, own in zip(sums, density, strict=True)
    ]
