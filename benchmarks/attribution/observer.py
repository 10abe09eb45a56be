"""What could be known of requests at all: the answers of an observer who is told all but what the distortion left out.

It knows every call that the client made and its true time, the clock, the law and the mean of the delays, and how many
calls are lost; not how late each was logged, nor which were lost. Its posterior is exact, to the millisecond in which
the log counts: no attribution that rests on order and times can be right more often, and one has to find out for itself
what this observer is told.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from benchmarks.attribution.tally import Answer, Tally
from lab.experiment import Distortion, Operation, Recording, Trace
from lab.experiment.distortion import PARETO_SHAPE, SIGMA

_MS: Final = 1_000_000
_GIVEN: Final = 0.5
_REQUEST: Final = "request headers"
_FAINT: Final = 1e-15
#: ms by which arithmetic may be wrong.
_ROUNDING: Final = 1e-7


def can_tell(distortion: Distortion) -> bool:
    """Whether nothing happens to the writes but a clock, delays, and losses, of which there are some."""
    rest = (distortion.steps, distortion.failed, distortion.twice, distortion.jumble, distortion.capture_loss)
    return distortion.loss > 0 and not any(rest) and not distortion.silent_library and not distortion.reorder


def observe(recording: Recording, trace: Trace, distortion: Distortion) -> Tally:
    """The observer's answers for the requests of a recording, as it was distorted."""
    sockets: dict[tuple[Any, ...], list[Operation]] = defaultdict(list)
    for call in recording.operations:
        if call.direction == "out":
            sockets[call.local, call.remote].append(call)
    rows = {index: row for row, index in enumerate(trace.source)}
    law = law_of(distortion)
    tally = Tally()
    for calls in sockets.values():
        logged = sorted(rows[call.index] for call in calls if call.index in rows)
        times = [_to_router(trace.records[row]["timestamp"], recording.started, distortion) for row in logged]
        entered = [(call.entered - recording.started) / _MS for call in calls]
        for call, likely in zip(calls, posterior(entered, times, law, distortion.loss), strict=True):
            best, mass = max(likely.items(), key=lambda item: item[1], default=(-1, 0.0))
            right = best >= 0 and trace.source[logged[best]] == call.index
            for _ in range(sum(label.part == _REQUEST for label in call.labels)):
                tally.add(Answer(call.index in rows, right, mass >= _GIVEN, mass))
    return tally


def posterior(
    entered: Sequence[float], times: Sequence[float], law: Callable[[float], float], loss: float
) -> list[dict[int, float]]:
    """For each call (entered at a time, in ms), the probability that it is each of the logged ones, whose `times` are
    known to the ms they begin. `law(t)`: the probability that a delay is at most `t`.

    A call is logged a delay before it was entered, but no later than the call behind it: so the least of several times
    is seen, and how those of the calls that were lost bear on it is known.
    """
    calls, count = len(entered), len(times)
    slack = calls - count
    ways = [_ways(entered, times, row, slack, law, loss) for row in range(count)]
    # From behind: likelihood of the rows from `row` on, where `row` is of a call.
    behind: list[dict[int, float]] = [{} for _ in range(count)]
    for row in range(count - 1, -1, -1):
        for call, following in ways[row].items():
            behind[row][call] = sum(
                weight * (1.0 if row == count - 1 else behind[row + 1].get(later, 0.0))
                for later, weight in following.items()
            )
        _scale(behind[row])
    found: list[dict[int, float]] = [{} for _ in range(calls)]
    ahead = {call: loss**call for call in range(slack + 1)}
    for row in range(count):
        masses = {call: ahead.get(call, 0.0) * mass for call, mass in behind[row].items()}
        _scale(masses)
        for call, mass in masses.items():
            if mass > _FAINT:
                found[call][row] = mass
        beyond: dict[int, float] = defaultdict(float)
        for call, following in ways[row].items():
            for later, weight in following.items():
                beyond[later] += ahead.get(call, 0.0) * weight
        ahead = dict(beyond)
        _scale(ahead)
    return found


def _ways(
    entered: Sequence[float], times: Sequence[float], row: int, slack: int, law: Callable[[float], float], loss: float
) -> dict[int, dict[int, float]]:
    """For each call that a row may be, and each that the next row may then be (`len(entered)`: there is no next row),
    the likelihood of that, and of the row's time given the next one's."""
    last = row == len(times) - 1
    time = times[row]
    held_up = not last and times[row + 1] - time < 1
    ways: dict[int, dict[int, float]] = {}
    for call in range(row, row + slack + 1):
        following: dict[int, float] = {}
        from_here, from_later, lost = 1.0, 1.0, 1.0 - loss
        for other in range(call, row + slack + 1):
            # No call up to `other` may be logged before the row's time; all of them after it, it was not theirs.
            from_here *= law(entered[other] - time)
            from_later *= law(entered[other] - time - 1)
            share = lost * (from_here - (0.0 if held_up else from_later))
            if not last or other == len(entered) - 1:
                following[other + 1] = share
            lost *= loss
        ways[call] = following
    return ways


def _scale(masses: dict[int, float]) -> None:
    total = sum(masses.values())
    for key in masses if total > 0.0 else ():
        masses[key] /= total


def _to_router(timestamp: int, started: int, distortion: Distortion) -> float:
    """ms after the start, on the router's clock, at which the phone's shows a timestamp for the first time."""
    elapsed = timestamp * _MS - started - distortion.offset * 1e9
    return elapsed / (1 + distortion.drift * 1e-6) / _MS


def law_of(distortion: Distortion) -> Callable[[float], float]:
    """The probability that a delay is at most so many ms."""
    mean = distortion.delay * 1000
    if mean <= 0:
        return lambda delay: 1.0 if delay > -_ROUNDING else 0.0

    def exponential(delay: float) -> float:
        return 1.0 - math.exp(-delay / mean)

    def lognormal(delay: float) -> float:
        return 0.5 * math.erfc(-(math.log(delay / mean) + SIGMA * SIGMA / 2) / SIGMA / math.sqrt(2))

    def pareto(delay: float) -> float:
        return 1.0 - math.pow(1.0 + delay / mean / (PARETO_SHAPE - 1), -PARETO_SHAPE)

    laws = {"exponential": exponential, "lognormal": lognormal, "pareto": pareto}
    chosen = laws[distortion.tail]
    return lambda delay: chosen(delay) if delay > 0.0 else 0.0
