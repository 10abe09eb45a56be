"""Aligning one direction of a flow: the units seen on the wire against the socket calls logged on the phone.

Both are sequences in the same order, so this is a hidden Markov model whose path runs through both at once. A unit
(record, segment, datagram) is either the first that a call carried, or goes on with the call of the unit before, or is
of a call that was not logged; a call may begin no unit at all (it failed, or went on with a unit begun before). The
forward and backward passes give each pairing's posterior probability.

A unit looks only at the calls near it in time (its band), so the work is linear in the number of units. This is the
inner loop of attribution: plain lists, one pass over the band a unit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from operator import mul
from typing import Final

#: Calls one unit is compared with, at most.
WIDEST: Final = 160
#: Below this a row of probabilities is about to vanish: it is started anew.
_VANISHING: Final = 1e-250
#: What is left of mass that vanished while many calls were skipped.
_LEFT: Final = 1e-200
#: Units between two looks at the scale of the rows.
_RESCALE: Final = 4


class Band:
    """For each unit, the half-open range of calls that may have begun it. Neither end ever falls."""

    __slots__ = ("highs", "lows")

    @classmethod
    def empty(cls) -> Band:
        return cls((), (), 0.0, 0.0)

    def __init__(self, unit_times: Sequence[float], call_times: Sequence[float], early: float, late: float) -> None:
        """Calls from `early` ms before a unit to `late` ms after it, both on one clock, call times ascending."""
        self.lows: list[int] = []
        self.highs: list[int] = []
        low = high = 0
        for time in unit_times:
            first = bisect_left(call_times, time - early, low)
            end = bisect_left(call_times, time + late, first)
            if end - first > WIDEST:
                middle = bisect_left(call_times, time, first, end)
                first = max(first, min(middle - WIDEST // 2, end - WIDEST))
                end = min(end, first + WIDEST)
            low = max(low, first)
            high = max(high, end, low)
            self.lows.append(low)
            self.highs.append(high)


@dataclass(slots=True)
class Weights:
    """What the model says about one direction of one flow."""

    match: list[list[float]]
    """For each unit, for each call of its band: likelihood that they belong together and that the unit is the first of
    the call, against nothing being known of the call."""
    going_on: list[tuple[float, float]]
    """For each unit, the probability that it goes on with the call of the unit before: if that call was logged before
    the unit was seen, and if after."""
    turns: list[int]
    """For each unit, the first call that was logged when it was seen, or after."""
    skip: list[float]
    """For each call, the likelihood that it begins no unit, the call before having begun one."""
    skip_again: list[float]
    """The same where the call before began none either."""
    again: list[float]
    """For each call, by what it becomes likelier that it begins a unit if the call before began none."""
    loss: float
    """Probability that a call was not logged."""
    follows: list[tuple[float, float] | None]
    """For each unit, by what it becomes likelier that it begins with a call if the unit before is of the call before:
    if the two calls are of different threads, and if they are of the same."""
    same_thread: list[bool]
    """For each call, whether the call before is of the same thread."""


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
    """The posterior of every pairing within the band. Without `learning`, only `rows` of it are made."""
    count = len(band.lows)
    forward = _forward(band, weights, learning=learning)
    rows: list[list[float]] = [[]] * count
    fresh: list[list[float]] = [[]] * count
    direct: list[list[float]] = [[]] * count
    after_attached = after_loose = _tail(band, weights) if count else []
    if learning:
        forward.log_likelihood += _log_of_tail(band, weights, forward, after_loose)
    for unit in range(count - 1, -1, -1):
        if unit < count - 1:
            after_attached, after_loose = _backward(band, weights, unit, after_attached, after_loose)
        row = list(map(mul, forward.attached[unit], after_attached))
        total = sum(row) + sum(map(mul, forward.loose[unit], after_loose))
        scale = 1.0 / total if total > _VANISHING else 0.0
        rows[unit] = [value * scale for value in row]
        if learning:
            fresh[unit] = [a * b * scale for a, b in zip(forward.fresh[unit], after_attached, strict=True)]
            direct[unit] = [a * b * scale for a, b in zip(forward.direct[unit], after_attached, strict=True)]
    return Posterior(rows, fresh, direct, forward.log_likelihood)


def _tail(band: Band, weights: Weights) -> list[float]:
    """Likelihood of what is behind the last unit: every call of the band is skipped."""
    low, high = band.lows[-1], band.highs[-1]
    tail = [1.0] * (high - low + 1)
    value = 1.0
    for k in range(high - low - 1, -1, -1):
        tail[k] = value * weights.skip[low + k]
        value *= weights.skip_again[low + k]
    return tail


def _log_of_tail(band: Band, weights: Weights, forward: _Forward, tail: list[float]) -> float:
    """What the calls behind the last unit add to the likelihood: those of its band, and those behind that."""
    if not band.lows:
        return sum(map(log, weights.skip_again))
    inside = sum((a + b) * after for a, b, after in zip(forward.attached[-1], forward.loose[-1], tail, strict=True))
    return log(max(inside, _VANISHING)) + sum(map(log, weights.skip_again[band.highs[-1] :]))


class _Forward:
    """For each unit, mass by position: `k` means that the calls up to `low - 1 + k` are used up. The rows of one unit
    have one scale."""

    __slots__ = ("attached", "direct", "fresh", "log_likelihood", "loose")

    def __init__(self) -> None:
        self.attached: list[list[float]] = []
        """The unit is of the call of the position."""
        self.loose: list[list[float]] = []
        """It is of a call that was not logged."""
        self.fresh: list[list[float]] = []
        """The part of `attached` in which it is the first of the call."""
        self.direct: list[list[float]] = []
        """The part of `fresh` in which the call before began a unit."""
        self.log_likelihood = 0.0


def _forward(band: Band, weights: Weights, *, learning: bool) -> _Forward:
    skip, loss, going_on, match = weights.skip, weights.loss, weights.going_on, weights.match
    follows, same_thread, turns = weights.follows, weights.same_thread, weights.turns
    skip_again, again = weights.skip_again, weights.again
    attached, loose = [0.0], [1.0]
    forward = _Forward()
    base = 0
    for unit, (low, high) in enumerate(zip(band.lows, band.highs, strict=True)):
        if low > base:
            attached, loose, passed = _rebase(attached, loose, base, low, skip, skip_again)
            forward.log_likelihood += passed
            base = low
        missing = high - low + 1 - len(attached)
        if missing > 0:
            attached = attached + [0.0] * missing
            loose = loose + [0.0] * missing
        on, on_after = going_on[unit]
        turn = turns[unit]
        off = 1.0 - on
        loose_on = on + off * loss
        if low > turn:
            on, off = on_after, 1.0 - on_after
        a, b = attached[0], loose[0]
        left = a * off
        near, far = left + b, 0.0
        fresh, direct = [0.0], [0.0]
        now_attached = [a * on]
        now_loose = [left * loss + b * loose_on]
        call = low
        follow = follows[unit]
        for k, weight in enumerate(match[unit], 1):
            if follow is not None:
                left *= follow[same_thread[call]]
            straight = (left + b) * weight
            begun = straight + far * again[call] * weight
            if call == turn:
                on, off = on_after, 1.0 - on_after
            a, b = attached[k], loose[k]
            left = a * off
            if learning:
                fresh.append(begun)
                direct.append(straight)
            now_attached.append(begun + a * on)
            now_loose.append(left * loss + b * loose_on)
            far = far * skip_again[call] + near * skip[call]
            near = left + b
            call += 1
        forward.fresh.append(fresh)
        forward.direct.append(direct)
        forward.attached.append(now_attached)
        forward.loose.append(now_loose)
        attached, loose = now_attached, now_loose
        if not unit % _RESCALE:
            attached, loose = _rescaled(forward)
    if forward.attached:
        _rescaled(forward)
    return forward


def _rescaled(forward: _Forward) -> tuple[list[float], list[float]]:
    """The last rows with a sum of 1; what that took goes into the likelihood."""
    attached, loose = forward.attached[-1], forward.loose[-1]
    total = sum(attached) + sum(loose)
    if total < _VANISHING:
        loose[-1] = total = 1.0
        forward.log_likelihood += log(_VANISHING)
    forward.log_likelihood += log(total)
    scale = 1.0 / total
    rows = [[value * scale for value in row] for row in (attached, loose, forward.fresh[-1], forward.direct[-1])]
    forward.attached[-1], forward.loose[-1], forward.fresh[-1], forward.direct[-1] = rows
    return rows[0], rows[1]


def _rebase(
    attached: list[float], loose: list[float], base: int, low: int, skip: list[float], skip_again: list[float]
) -> tuple[list[float], list[float], float]:
    """Move the row's start from `base` to `low`: the calls between are used up. Where that leaves nothing of the row,
    the likelihood of the calls behind its end comes as a logarithm."""
    shift = low - base
    reach = 0.0
    for k, (a, b) in enumerate(zip(attached[:shift], loose[:shift], strict=True)):
        reach = reach * skip_again[base + k] + (a + b) * skip[base + k]
    if shift >= len(attached):
        return [0.0], [reach or _LEFT], sum(map(log, skip_again[base + len(attached) : low]))
    attached, loose = attached[shift:], loose[shift:]
    loose[0] += reach or _LEFT
    return attached, loose, 0.0


def _backward(
    band: Band, weights: Weights, unit: int, after_attached: list[float], after_loose: list[float]
) -> tuple[list[float], list[float]]:
    """Likelihood of all behind `unit`, for each position of its row, from that of the unit that follows it."""
    skip, loss = weights.skip, weights.loss
    low, high = band.lows[unit], band.highs[unit]
    next_low, next_high = band.lows[unit + 1], band.highs[unit + 1]
    on, on_after = weights.going_on[unit + 1]
    loose_on = on + (1.0 - on) * loss
    turn = weights.turns[unit + 1] - next_low + 1
    match = weights.match[unit + 1]
    follow, same_thread = weights.follows[unit + 1], weights.same_thread
    size = next_high - next_low
    skip_again, again = weights.skip_again, weights.again
    a, b = after_attached[size], after_loose[size]
    ons = [on] * min(max(turn, 0), size + 1)
    ons += [on_after] * (size + 1 - len(ons))
    on_attached = [0.0] * (size + 1)
    on_loose = on_attached[:]
    on = ons[size]
    on_attached[size] = on * a + (1.0 - on) * loss * b
    on_loose[size] = loose_on * b
    near = far = 0.0
    for k in range(size - 1, -1, -1):
        call = next_low + k
        begun = match[k] * a
        # `far`: from a call that began nothing; `near`: from one that did, or whose unit was of a lost call.
        near = begun + skip[call] * far
        far = begun * again[call] + skip_again[call] * far
        a, b = after_attached[k], after_loose[k]
        on = ons[k]
        straight = near if follow is None else near + begun * (follow[same_thread[call]] - 1.0)
        on_attached[k] = on * a + (1.0 - on) * (straight + loss * b)
        on_loose[k] = near + loose_on * b
    if not unit % _RESCALE:
        top = max(max(on_attached), max(on_loose))
        if top < _VANISHING:
            on_attached = on_loose = [1.0] * (size + 1)
        else:
            scale = 1.0 / top
            on_attached = [value * scale for value in on_attached]
            on_loose = [value * scale for value in on_loose]
    if next_low > low:
        # Calls between the two bands' starts are skipped, whatever the unit was attached to.
        value, passed = on_loose[0], []
        for call in range(next_low - 1, low - 1, -1):
            passed.append(value * skip[call])
            value *= skip_again[call]
        passed.reverse()
        on_attached = passed + on_attached
        on_loose = passed + on_loose
    del on_attached[high - low + 1 :], on_loose[high - low + 1 :]
    return on_attached, on_loose
