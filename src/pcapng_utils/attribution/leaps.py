"""Where the phone's clock was set while the trace was taken, as the trace itself shows it.

Records come into the file as they are made. If the time goes back from one to the next, or forward by more than the
router ever saw nothing at all, the clock was set in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from pcapng_utils.attribution.clock import SET, STEPS

_NEAR: Final = 40
"""Rows within which leaps are one: records of several threads overtake one another a little."""


def longest_pause(units: Iterable[float]) -> float:
    """The longest time between two units of any flow, in ms; infinite where there are fewer than two."""
    return max((after - before for before, after in pairwise(sorted(units))), default=float("inf"))


def leaps(rows: Sequence[int], times: Sequence[float], pause: float) -> tuple[tuple[int, float], ...]:
    """(row, ms): from this row of the trace on, the clock is ahead by so much more. `rows`: those of calls, in the
    file's order; `pause`: the longest that the router saw nothing, in ms."""
    found: list[tuple[int, float]] = []
    place = -_NEAR
    for index, (before, row) in enumerate(pairwise(rows)):
        leap = times[row] - times[before]
        if -SET <= leap <= pause + SET:
            continue
        if found and index - place < _NEAR:
            found[-1] = found[-1][0], found[-1][1] + leap
        else:
            found.append((row, leap))
        place = index
    found = [(row, leap) for row, leap in found if abs(leap) > SET]
    return tuple(found) if len(found) <= STEPS else ()
