"""Aligning one direction of a flow: the units seen on the wire against the socket calls logged on the phone.

Both are sequences in the same order, so this is a hidden Markov model whose path runs through both at once. A unit
(record, segment, datagram) is either the first that a call carried, or goes on with the call of the unit before, or is
of a call that was not logged; a call may begin no unit at all (it failed, or went on with a unit begun before). The
forward and backward passes give each pairing's posterior probability.

What is done with that, unit by unit, is in `forward_backward`; here is what goes in and comes out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

try:
    from pcapng_utils.attribution._forward_backward import forward_backward
except ImportError:  # it could not be compiled where this was installed
    from pcapng_utils.attribution.forward_backward import forward_backward


class Band:
    """For each unit, the half-open range of calls that may have begun it. Neither end ever falls.

    Aligning narrows the ranges to where anything is left of the probability."""

    __slots__ = ("highs", "lows")

    @classmethod
    def empty(cls) -> Band:
        return cls((), (), 0.0, 0.0)

    def __init__(
        self,
        unit_times: Sequence[float],
        call_times: Sequence[float],
        early: float,
        late: float,
        since: Sequence[float] = (),
    ) -> None:
        """Calls from `early` ms before a unit to `late` ms after it, both on one clock, call times ascending; `since`:
        for each unit, a moment before it which counts as its beginning."""
        self.lows: list[int] = []
        self.highs: list[int] = []
        low = high = 0
        for time, begin in zip(unit_times, since or unit_times, strict=True):
            first = bisect_left(call_times, begin - early, low)
            end = bisect_left(call_times, time + late, first)
            low = max(low, first)
            high = max(high, end, low)
            self.lows.append(low)
            self.highs.append(high)


@dataclass(slots=True)
class Weights:
    """What the model says about one direction of one flow. Likelihoods of a call are against its having nothing to do
    with any unit."""

    match: Callable[[int, int, int], list[float]]
    """Of a unit, and a half-open range of calls: for each call, the likelihood that they belong together and that the
    unit is the first of the call."""
    going_on: list[tuple[float, float]]
    """For each unit, the probability that it goes on with the call of the unit before: if that call was logged before
    the unit was seen, and if after."""
    turns: list[int]
    """For each unit, the first call that was logged when it was seen, or after."""
    skip: list[float]
    """For each call, the probability that it begins no unit, the call before having begun one."""
    skip_again: list[float]
    """The same where the call before began none either."""
    again: list[float]
    """For each call, by what it becomes likelier that it begins a unit if the call before began none."""
    loss: list[float]
    """For each unit, the probability that its call was not logged."""
    follows: list[list[float]]
    """For each unit, by what it becomes likelier that it begins with each call if the unit before is of the call
    before."""


@dataclass(slots=True)
class Posterior:
    """Probabilities after alignment. `rows[i][k]` is of unit `i` and call `band.lows[i] - 1 + k`; at `k` 0 stands a
    call that lies before the band and can only be gone on with."""

    rows: list[list[float]]
    fresh: list[list[float]]
    """The part of `rows` in which the unit is the first of the call."""
    direct: list[list[float]]
    """The part of `fresh` in which the call before began a unit too."""
    log_likelihood: float

    @classmethod
    def empty(cls) -> Posterior:
        return cls([], [], [], 0.0)


def align(band: Band, weights: Weights, *, learning: bool = True) -> Posterior:
    """The posterior of every pairing within the band, which is narrowed. Without `learning`, only `rows` are made."""
    return Posterior(*forward_backward(band, weights, learning))
