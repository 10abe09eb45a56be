"""The forward and backward passes over one direction of a flow: see `align`.

A unit looks only at the calls near it in time (its band), and of these only at the places that the units before it
may have led to, so the work is linear in the number of units. This is the inner loop of attribution: plain lists, one
pass over what is left of the band a unit. `_forward_backward.c` does the same, number by number, and is used where it
could be compiled.
"""

from __future__ import annotations

from math import log
from operator import mul
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pcapng_utils.attribution.align import Band, Weights

#: Calls one unit is compared with, at most.
WIDEST: Final = 320
#: Below this a row of probabilities is about to vanish: it is started anew.
_VANISHING: Final = 1e-250
#: What is left of mass that vanished while many calls were skipped.
_LEFT: Final = 1e-200
#: Units between two looks at the scale of the rows.
_RESCALE: Final = 4
#: Mass that is let go at the ends of a row, as a share of it.
_FAINT: Final = 1e-14
_SMALL: Final = 1e-60


Row = list[float]


def forward_backward(band: Band, weights: Weights, learning: bool) -> tuple[list[Row], list[Row], list[Row], float]:
    """What makes a `Posterior`: its rows (without `learning` only the first are made), and the log-likelihood."""
    count = len(band.lows)
    forward = _forward(band, weights)
    rows: list[list[float]] = [[]] * count
    fresh: list[list[float]] = [[]] * count
    direct: list[list[float]] = [[]] * count
    after_attached = after_loose = _tail(band, weights) if count else []
    if learning:
        forward.log_likelihood += _log_of_tail(band, weights, forward, after_loose)
    for unit in range(count - 1, -1, -1):
        if unit < count - 1:
            after_attached, after_loose = _backward(
                band, weights, forward.match[unit + 1], unit, after_attached, after_loose
            )
        row = list(map(mul, forward.attached[unit], after_attached))
        total = sum(row) + sum(map(mul, forward.loose[unit], after_loose))
        scale = 1.0 / total if total > _VANISHING else 0.0
        rows[unit] = [value * scale for value in row]
        if learning:
            fresh[unit] = [a * b * scale for a, b in zip(forward.fresh[unit], after_attached, strict=True)]
            direct[unit] = [a * b * scale for a, b in zip(forward.direct[unit], after_attached, strict=True)]
    return rows, fresh, direct, forward.log_likelihood


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

    __slots__ = ("attached", "direct", "fresh", "log_likelihood", "loose", "match")

    def __init__(self) -> None:
        self.attached: list[list[float]] = []
        """The unit is of the call of the position."""
        self.loose: list[list[float]] = []
        """It is of a call that was not logged."""
        self.fresh: list[list[float]] = []
        """The part of `attached` in which it is the first of the call."""
        self.direct: list[list[float]] = []
        """The part of `fresh` in which the call before began a unit."""
        self.match: list[list[float]] = []
        """The likelihoods of the calls, from `low` on."""
        self.log_likelihood = 0.0


def _forward(band: Band, weights: Weights) -> _Forward:
    skip, skip_again = weights.skip, weights.skip_again
    attached, loose = [0.0], [1.0]
    forward = _Forward()
    base = 0
    for unit, low in enumerate(band.lows):
        if low > base:
            attached, loose, passed = _rebase(attached, loose, base, low, skip, skip_again)
            forward.log_likelihood += passed
            base = low
        end = _reached(base + len(attached) - 1, min(band.highs[unit], base + WIDEST), skip_again)
        missing = end - base + 1 - len(attached)
        if missing > 0:
            attached = attached + [0.0] * missing
            loose = loose + [0.0] * missing
        match = weights.match(unit, base, end)
        fresh, direct, attached, loose = _passed(weights, unit, base, match, attached, loose)
        total = sum(attached) + sum(loose)
        first, last = _kept(attached, loose, total * _FAINT)
        if first > 0 or last < len(attached):
            attached, loose = attached[first:last], loose[first:last]
            fresh, direct, match = fresh[first:last], direct[first:last], match[first : last - 1]
            base += first
        band.lows[unit], band.highs[unit] = base, base + len(attached) - 1
        forward.fresh.append(fresh)
        forward.direct.append(direct)
        forward.attached.append(attached)
        forward.loose.append(loose)
        forward.match.append(match)
        if not unit % _RESCALE or total < _SMALL:
            attached, loose = _rescaled(forward)
    if forward.attached:
        _rescaled(forward)
    return forward


def _reached(end: int, high: int, skip_again: list[float]) -> int:
    """How far a unit may lead: to the band's end, unless too many calls would have to be skipped."""
    share = 1.0
    while end < high and share > _FAINT:
        share *= skip_again[end]
        end += 1
    return end


def _kept(attached: list[float], loose: list[float], least: float) -> tuple[int, int]:
    """The part of a row that is worth going on with, and one place before it."""
    first, last = 0, len(attached)
    while last > 1 and attached[last - 1] + loose[last - 1] < least:
        last -= 1
    while first < last - 1 and attached[first] + loose[first] < least:
        first += 1
    return max(first - 1, 0), last


def _passed(
    weights: Weights, unit: int, low: int, match: list[float], attached: list[float], loose: list[float]
) -> tuple[list[float], list[float], list[float], list[float]]:
    """The rows of `_Forward` for a unit (fresh, direct, attached, loose), from the last two of the unit before it."""
    end = low + len(match)
    loss = weights.loss[unit]
    ons, loose_on, factors = _joint(weights, unit, low, end)
    fresh, direct = [0.0], [0.0]
    now_attached, now_loose = [], []
    begun = far = 0.0
    for near, other, on, weight, factor, once, twice, again in zip(
        attached, loose, ons, match, factors, weights.skip[low:end], weights.skip_again[low:end],
        weights.again[low:end],
        strict=False,
    ):  # fmt: skip
        stay = near * on
        left = near - stay
        now_attached.append(begun + stay)
        now_loose.append(left * loss + other * loose_on)
        straight = (left * factor + other) * weight
        begun = straight + far * again * weight
        direct.append(straight)
        fresh.append(begun)
        # Of paths on which the last of the calls that are used up began nothing.
        far = far * twice + (left + other) * once
    stay = attached[-1] * ons[-1]
    now_attached.append(begun + stay)
    now_loose.append((attached[-1] - stay) * loss + loose[-1] * loose_on)
    return fresh, direct, now_attached, now_loose


def _joint(weights: Weights, unit: int, low: int, end: int) -> tuple[list[float], float, list[float]]:
    """How a unit may follow the one before: the probability that it goes on with its call, for each position of a row;
    that it is of a call that was not logged if that one was; and for each call, what `Weights.follows` says."""
    on, on_after = weights.going_on[unit]
    count = end - low + 1
    turn = min(max(weights.turns[unit] - low + 1, 0), count)
    ons = [on] * turn + [on_after] * (count - turn)
    return ons, on + (1.0 - on) * weights.loss[unit], weights.follows[unit][low:end]


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
    band: Band, weights: Weights, match: list[float], unit: int, after_attached: list[float], after_loose: list[float]
) -> tuple[list[float], list[float]]:
    """Likelihood of all behind `unit`, for each position of its row, from that of the unit that follows it, whose
    `match` is given."""
    skip, skip_again, loss = weights.skip, weights.skip_again, weights.loss[unit + 1]
    low, high = band.lows[unit], band.highs[unit]
    next_low = band.lows[unit + 1]
    next_high = next_low + len(match)
    ons, loose_on, factors = _joint(weights, unit + 1, next_low, next_high)
    later, other = after_attached[-1], after_loose[-1]
    on_attached = [ons[-1] * later + (1.0 - ons[-1]) * (loss * other)]
    on_loose = [loose_on * other]
    far = 0.0
    for near, other, on, weight, factor, once, twice, again in zip(
        after_attached[-2::-1], after_loose[-2::-1], ons[-2::-1], match[::-1], factors[::-1],
        skip[next_low:next_high][::-1], skip_again[next_low:next_high][::-1], weights.again[next_low:next_high][::-1],
        strict=False,
    ):  # fmt: skip
        # From a call that began a unit, or whose unit was of a lost call; `far`: from one that began nothing.
        begun = weight * later
        straight = begun + once * far
        on_loose.append(straight + loose_on * other)
        on_attached.append(on * near + (1.0 - on) * (straight + begun * (factor - 1.0) + loss * other))
        far = begun * again + twice * far
        later = near
    on_attached.reverse()
    on_loose.reverse()
    if not unit % _RESCALE:
        top = max(max(on_attached), max(on_loose))
        if top < _VANISHING:
            on_attached = on_loose = [1.0] * len(on_loose)
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
    size = high - low + 1
    if len(on_loose) < size:
        nothing = [0.0] * (size - len(on_loose))
        on_attached, on_loose = on_attached + nothing, on_loose + nothing
    return on_attached[:size], on_loose[:size]
