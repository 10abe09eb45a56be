"""The phone's clock against the router's, found by a vote.

Every difference between a write logged on the phone and a unit seen on the same flow is a vote for an offset. The
right one gets the votes of all true pairings, within the spread of their delays; the others are scattered. Drift
smears a peak, so it is looked for on a grid around each. Peaks that come from a flow's own rhythm can be as high as the
true one: the best few are kept, and the likelihood after aligning decides between them.

A clock that was set while the trace was taken shows as several peaks, each with the calls of its own part of the file:
the best courses through them (Viterbi) are hypotheses too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final, NamedTuple

#: Pairs that vote, at most, over all flows.
_PAIRS: Final = 200_000
_FEWEST: Final = 50
"""Units, or calls, of a flow that are left where not all of them may vote."""
_HYPOTHESES: Final = 8
_DRIFT: Final = 250.0
"""Largest drift looked for, in ppm."""
_FINE: Final = 6.0
"""Width of the fine bins, in ms; five neighbours count together."""
_SHARED: Final = 0.5
"""Share of the units that make a difference sharp."""
_AROUND: Final = 15
"""Bins of a ms on either side that two of them are held against."""
_SAMPLE: Final = 2_000
_PART: Final = 50
"""Calls that decide together which clock was in force."""
_AGREES: Final = 15.0
_SNAP: Final = 300
"""Calls around a step's estimated place among which the leap itself is looked for."""
STEPS: Final = 3
"""Times that a clock may have been set."""
_CLEAR: Final = 0.85
"""A clock that explains such a share of the calls is clear of others."""
_WORTH: Final = 0.01
"""Share of the calls that a clock that was set must explain beyond what the best of the others does."""
APART: Final = 25.0
"""Clocks nearer to each other, in ms, lead to one alignment."""
SET: Final = 200.0
"""By less, in ms, a clock is not set."""


class Voters(NamedTuple):
    """One flow: when its client's units were seen and when its writes were logged, in ms from one epoch."""

    units: Sequence[float]
    """Ascending."""
    calls: Sequence[float]
    """Ascending."""
    rows: Sequence[int]
    """The calls' rows in the log."""


@dataclass(frozen=True, slots=True)
class Clock:
    """phone = router + offset + drift. Times in ms from the tracks' epoch, drift in ppm."""

    offset: float = 0.0
    drift: float = 0.0
    steps: tuple[tuple[int, float], ...] = ()
    """(row, ms): from this row of the trace on, the phone's clock is ahead by so much more."""
    votes: float = 0.0

    def to_router(self, rows: Iterable[int], times: Sequence[float], epoch: float) -> list[float]:
        """The router's time of each row, in ms from the epoch; `times` are those of the whole log."""
        offset, rate = self.offset + epoch, 1.0 - self.drift * 1e-6
        if not self.steps:
            return [(times[row] - offset) * rate for row in rows]
        return [(times[row] - offset - self._set_forward(row)) * rate for row in rows]

    def snapped(self, times: Sequence[float]) -> Clock:
        """With each step where the log itself shows it: times of successive calls that leap by about as much."""
        if not self.steps:
            return self
        return replace(self, steps=tuple((_leap(times, row, size), size) for row, size in self.steps))

    def _set_forward(self, row: int) -> float:
        return sum(size for first, size in self.steps if row >= first)


def _leap(times: Sequence[float], row: int, size: float) -> int:
    """The row nearest to `row` before which the times leap by most of `size`; `row` where there is none."""
    low, high = max(row - _SNAP, 1), min(row + _SNAP, len(times))
    leaps = [near for near in range(low, high) if 0.7 < (times[near] - times[near - 1]) / size < 1.6]
    return min(leaps, key=lambda near: abs(near - row), default=row)


def hypotheses(flows: Sequence[Voters], told: Clock | None = None) -> list[Clock]:
    """The likeliest clocks, by votes; and `told`, one that somebody else proposes, unless the votes refuse it."""
    votes, units = _votes(flows)
    if not votes:
        return [told] if told else []
    times = [unit for unit, _, _ in votes]
    span = max(times) - min(times)
    width = max(20.0, span * 2 * _DRIFT * 1e-6)
    found = [_refine(votes, peak, width, span, units) for peak in _peaks(votes, width)]
    found.sort(key=lambda clock: -clock.votes)
    kept: list[Clock] = []
    for clock in [*found, *([told] if told else [])]:
        if all(abs(clock.offset - other.offset) > APART for other in kept):
            kept.append(clock)
    return _eligible(flows, kept) if len(kept) > 1 else kept


def _eligible(flows: Sequence[Voters], clocks: Sequence[Clock]) -> list[Clock]:
    """The clocks, and courses through them, that may be the true one: where one explains nearly every call, those that
    explain far less, and those that are set without explaining more, are not worth a closer look."""
    calls = sorted((row, call, flow) for flow in flows for row, call in zip(flow.rows, flow.calls, strict=True))
    support = [[_support(flow.units, call, clock) for _, call, flow in calls] for clock in clocks]
    far: list[int] = []
    for index, clock in enumerate(clocks):
        if all(abs(clock.offset - clocks[other].offset) > SET for other in far):
            far.append(index)
    explained = [sum(map(bool, votes)) for votes in support]
    best = max(explained)
    clear = best > _CLEAR * len(calls)
    rows = [row for row, _, _ in calls]
    courses = _courses(rows, [support[index] for index in far], [clocks[index] for index in far])
    if not clear:
        return [*clocks, *(clock for clock, _ in courses)]
    least = best + _WORTH * len(calls)
    return [
        *(clock for clock, count in zip(clocks, explained, strict=True) if 2 * count > best),
        *(clock for clock, count in courses if count > least),
    ]


def _courses(rows: Sequence[int], support: Sequence[Sequence[int]], clocks: Sequence[Clock]) -> list[tuple[Clock, int]]:
    """Clocks that are set once, twice, ...: for each part of the file, the best of `clocks`. With each, the number of
    calls that it explains. `rows` and `support` are of the calls in the file's order."""
    parts = [range(first, min(first + _PART, len(rows))) for first in range(0, len(rows), _PART)]
    sums = [[sum(votes[place] for place in part) for votes in support] for part in parts]
    found = []
    for course in _best_courses(sums) if len(parts) > 1 and len(clocks) > 1 else ():
        steps = []
        for index in range(1, len(parts)):
            before, after = course[index - 1], course[index]
            if before != after:
                turn = _turn(support[before], support[after], parts[index - 1].start, parts[index].stop)
                steps.append((rows[turn], clocks[after].offset - clocks[before].offset))
        first = clocks[course[0]]
        votes = sum(row[place] for row, place in zip(sums, course, strict=True))
        explained = sum(
            bool(support[clock][place]) for part, clock in zip(parts, course, strict=True) for place in part
        )
        found.append((Clock(first.offset, first.drift, tuple(steps), votes), explained))
    return found


def _support(units: Sequence[float], call: float, clock: Clock) -> int:
    """Units at about the time the clock says of a call."""
    time = (call - clock.offset) * (1.0 - clock.drift * 1e-6)
    return bisect_right(units, time + _AGREES) - bisect_left(units, time - _AGREES)


def _best_courses(sums: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each number of changes from 1 on, the clock in force in each part of the best course."""
    clocks = range(len(sums[0]))
    none = float("-inf")
    scores = [[float(votes) for votes in sums[0]]] + [[none for _ in clocks] for _ in range(STEPS)]
    origins: list[list[list[int]]] = []
    for votes in sums[1:]:
        best = [max(clocks, key=row.__getitem__) for row in scores]
        origin = [list(clocks) for _ in scores]
        following = [[score + vote for score, vote in zip(row, votes, strict=True)] for row in scores]
        for changes in range(1, len(scores)):
            other = best[changes - 1]
            for clock in clocks:
                changed = scores[changes - 1][other] + votes[clock]
                if clock != other and changed > following[changes][clock]:
                    following[changes][clock] = changed
                    origin[changes][clock] = other
        scores = following
        origins.append(origin)
    courses = []
    for changes in range(1, len(scores)):
        clock = max(clocks, key=scores[changes].__getitem__)
        if scores[changes][clock] > none:
            courses.append(_trace_back(origins, changes, clock))
    return courses


def _trace_back(origins: Sequence[Sequence[Sequence[int]]], changes: int, clock: int) -> list[int]:
    course = [clock]
    for origin in reversed(origins):
        before = origin[changes][clock]
        changes -= before != clock
        clock = before
        course.append(clock)
    return course[::-1]


def _turn(before: Sequence[int], after: Sequence[int], start: int, stop: int) -> int:
    """Where in a range of calls the second clock takes over."""
    gain = best = 0
    turn = start
    for place in range(stop - 1, start - 1, -1):
        gain += after[place] - before[place]
        if gain > best:
            best, turn = gain, place
    return turn


def _votes(flows: Sequence[Voters]) -> tuple[list[tuple[float, float, float]], float]:
    """(unit's time, difference, weight): of each flow, every unit with every call, for capture and trace may begin and
    end at different times; and how many of the units' own calls are expected to be among them.

    Where these are too many: the beginning and the end of the flow, and what is thinned out of the whole."""
    flows = [flow for flow in flows if flow.units and flow.calls]
    votes: list[tuple[float, float, float]] = []
    expected = 0.0
    for flow in flows:
        units, calls = _apart(flow.units), _apart(flow.calls)
        votes.append((units[0], calls[0] - units[0], 3.0))
        room = max(_PAIRS // len(flows), 16)
        for some_units, some_calls, share in _windows(units, calls, room):
            expected += share * len(some_units)
            for unit in some_units:
                votes += [(unit, call - unit, 1.0) for call in some_calls]
    return votes, expected


def _windows(units: list[float], calls: list[float], room: int) -> list[tuple[list[float], list[float], float]]:
    """Parts of two sequences, of which no more than `room` pairs come, and the share of the calls that is left."""
    if len(units) * len(calls) <= room:
        return [(units, calls, 1.0)]
    side = max(2, int((room / 4) ** 0.5))
    few, many = (units, calls) if len(units) <= len(calls) else (calls, units)
    few = few[:: 1 + len(few) * _FEWEST * 2 // room]
    many = many[:: 1 + len(many) * len(few) * 2 // room]
    some_units, some_calls = (few, many) if len(units) <= len(calls) else (many, few)
    return [
        (units[:side], calls[:side], 1.0),
        (units[side:][-side:], calls[side:][-side:], 1.0),
        (some_units, some_calls, len(some_calls) / len(calls)),
    ]


def _apart(times: Sequence[float]) -> list[float]:
    """Times without those that follow closely: a large body is one event, not a hundred."""
    kept: list[float] = []
    latest = float("-inf")
    for time in times:
        if time - latest >= 1.0:
            kept.append(time)
        latest = time
    return kept


def _peaks(votes: list[tuple[float, float, float]], width: float) -> list[float]:
    """Lower ends of intervals of twice `width` with the most votes, the best first."""
    bins: defaultdict[int, float] = defaultdict(float)
    for _, difference, weight in votes:
        bins[int(difference // width)] += weight
    scores = {place: count + bins.get(place + 1, 0.0) for place, count in bins.items()}
    ranked = sorted(scores, key=lambda place: (-scores[place], place))
    near = _first_apart(ranked, 1)
    far = _first_apart(ranked, int(SET // width) + 1)
    return [place * width for place in dict.fromkeys([*near, *far])]


def _first_apart(places: Sequence[int], distance: int) -> list[int]:
    """The first few places, without those no farther than a distance from one before."""
    kept: list[int] = []
    for place in places:
        if all(abs(place - other) > distance for other in kept):
            kept.append(place)
            if len(kept) == _HYPOTHESES:
                break
    return kept


def _refine(votes: list[tuple[float, float, float]], low: float, width: float, span: float, units: float) -> Clock:
    near = [vote for vote in votes if low <= vote[1] < low + 2 * width]
    sharp = _sharpest(near, units)
    if len(near) > _SAMPLE:
        near = near[:: len(near) // _SAMPLE + 1]
    smear = span * _DRIFT * 1e-6
    steps = int(smear / 5.0) if smear > 5.0 else 0
    best = Clock()
    for step in sorted(range(-steps, steps + 1), key=abs):  # of those that are as good, the least
        drift = step * _DRIFT / steps if steps else 0.0
        bins: dict[int, float] = {}
        for unit, difference, weight in near:
            place = int((difference - unit * drift * 1e-6) // _FINE)
            bins[place] = bins.get(place, 0.0) + weight
        for place in bins:
            score = sum(bins.get(place + k, 0.0) for k in range(-2, 3))
            if score > best.votes:
                best = Clock((place + 0.5) * _FINE, drift, (), score)
    return best if sharp is None or best.drift else sharp


def _sharpest(votes: list[tuple[float, float, float]], units: float) -> Clock | None:
    """The difference that most of so many units share to the millisecond with one call more than is usual near it, if
    there is one: in a dense and regular sequence the wrong neighbours agree nearly as well, but not as exactly."""
    bins: dict[int, float] = {}
    for _, difference, weight in votes:
        place = int(difference // 1.0)
        bins[place] = bins.get(place, 0.0) + weight
    best, most = None, _SHARED * units
    for place, count in bins.items():
        both = count + bins.get(place + 1, 0.0)
        if both <= most:
            continue
        around = sum(bins.get(place + k, 0.0) for k in range(-_AROUND, _AROUND + 2)) - both
        excess = both - around / _AROUND
        if excess > most:
            best, most = Clock(place + 1.0, 0.0, (), both), excess
    return best


@dataclass(slots=True)
class Residuals:
    """What pairings say of a clock: unit time less call time, both on the router's clock, in ms."""

    times: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    """The calls, by their rows in the log."""

    def spread(self) -> float:
        """Half of the range in which the middle half of the delays lies."""
        if len(self.delays) < 2:
            return 0.0
        ordered = sorted(self.delays)
        return (ordered[len(ordered) * 3 // 4] - ordered[len(ordered) // 4]) / 2

    def part(self, first: int, end: float) -> Residuals:
        """Those of the calls whose rows are in a range."""
        inside = [index for index, row in enumerate(self.rows) if first <= row < end]
        return Residuals(
            [self.times[index] for index in inside],
            [self.delays[index] for index in inside],
            [self.rows[index] for index in inside],
        )

    def without(self, drift: float, middle: float) -> Residuals:
        """As they are once a drift, in ppm, is taken out: those at `middle` stay."""
        pairs = zip(self.times, self.delays, strict=True)
        return Residuals(self.times, [delay - drift * 1e-6 * (time - middle) for time, delay in pairs], self.rows)

    def zero(self) -> float:
        """Delay of the quickest calls: a write is logged before its bytes are seen, so this is the clock's error."""
        if not self.delays:
            return 0.0
        middle = median(self.delays)
        reach = 4.0 * median(abs(delay - middle) for delay in self.delays) + 2.0
        ordered = sorted(delay for delay in self.delays if abs(delay - middle) <= reach)
        return ordered[len(ordered) // 20]

    def drift(self) -> float:
        """Slope of the delays over time, in ppm, from medians of successive parts (Theil and Sen)."""
        count = len(self.times)
        if count < 60:
            return 0.0
        pairs = sorted(zip(self.times, self.delays, strict=True))
        parts = min(12, count // 20)
        points = []
        for part in range(parts):
            chunk = pairs[part * count // parts : (part + 1) * count // parts]
            points.append((median(time for time, _ in chunk), median(delay for _, delay in chunk)))
        slopes = [
            (late[1] - early[1]) / (late[0] - early[0])
            for index, early in enumerate(points)
            for late in points[index + 1 :]
            if late[0] > early[0]
        ]
        return median(slopes) * 1e6 if slopes else 0.0
