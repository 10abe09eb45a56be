"""From posteriors to answers: which call carried a message, how surely, and what else it may have been."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from pcapng_utils.attribution.confidence import (
    MANY_LOST,
    OF_READS,
    OF_WRITES,
    OF_WRITES_ALIKE,
    alike_but_idle,
    as_given,
    calibrated,
    of_a_read,
    of_a_request,
    of_an_answer,
    order_known,
)
from pcapng_utils.attribution.operations import NO_STACK, OperationLog
from pcapng_utils.attribution.sites import is_system
from pcapng_utils.attribution.threads import Threads
from pcapng_utils.attribution.tracks import LATER_UNITS, Track
from pcapng_utils.attribution.views import Alternative, Attribution, FlowView
from pcapng_utils.layers import CLIENT

_LEAST: Final = 0.05
"""Alternatives less likely are not named."""
_SURE: Final = 0.5
"""A call of a message's later parts is listed above this probability."""
_LIKELY: Final = 0.5
"""What is less probable is likelier to be another."""
_SHARED: Final = 20
"""Messages named as sharing a call, at most."""
_FAINT: Final = 1e-3
"""A pairing less probable is none."""
_FEW: Final = 8
_FEW_OF: Final = 100
_NOT_MANY_OF: Final = 16
"""A stack of one call in so many is had by few, or by not many: of the calls in one direction twice that share."""


class Answers:
    def __init__(
        self,
        log: OperationLog,
        min_confidence: float,
        idle: Sequence[float],
        unordered: float,
        loss: float,
        threads: Threads,
    ) -> None:
        """`idle`: of reads in each state (`Track.states`), how often they fetch nothing; `unordered`: how far
        the file's order is none (`ordering.disorder`); `loss`: share of the calls that were not logged."""
        self._idle = idle
        self._loss = loss
        self._log = log
        self._min_confidence = min_confidence
        self._threads = threads
        self._telling = _telling(log)
        self._unordered = unordered

    def of_flow(
        self, flow: FlowView, tracks: tuple[Track, Track], sureness: float
    ) -> Iterator[tuple[int, Attribution]]:
        """Each message's place in the flow, and its answer. `sureness` scales every confidence."""
        found: dict[int, Attribution] = {}
        carried: dict[tuple[int, int], list[int]] = {}
        for track in tracks:
            busy = {track.best(unit, _SURE) for unit in range(len(track.unit_times))}
            later = _later_units(flow, track)
            for index, units in track.units_of.items():
                answer = self._answer(track, tracks[CLIENT], units[0], later.get(index, ()), busy, sureness)
                answer.operations = self._operations(track, units, answer.operation)
                found[index] = answer
                if answer.operation is not None:
                    carried.setdefault((track.direction, answer.operation), []).append(index)
        for indices in carried.values():
            for index in indices if len(indices) > 1 else ():
                others = [flow.messages[other].entry for other in indices if other != index]
                found[index].shared = others[:_SHARED]
        yield from found.items()

    def _answer(
        self,
        track: Track,
        writes: Track,
        unit: int,
        later: Sequence[int],
        busy: set[int | None],
        sureness: float,
    ) -> Attribution:
        """The answer for a message that begins with a unit, and, of a request, goes on with others."""
        masses = {call: mass for mass, call in self._groups(track, writes, unit)}
        worths = {call: self._worth(track, call, mass, busy) for call, mass in masses.items()}
        lost = 1.0 - sum(masses.values())
        inferred: Alternative | None = None
        if later and lost > _FAINT:
            worths, inferred = self._with_exchange(track, writes, later, worths, lost, sureness)
        named = sorted(((worth * sureness, call) for call, worth in worths.items()), key=itemgetter(0), reverse=True)
        is_answer = track.direction != CLIENT and track.starts[unit].http1
        if is_answer and named and self._is_telling(track.calls[named[0][1]]):
            named = _of_one_code(named)
        named = [(as_given(confidence), call) for confidence, call in named]
        alternatives = [Alternative(track.calls[call], round(mass, 4)) for mass, call in named if mass > _LEAST]
        confidence, call = named[0] if named else (0.0, None)
        if call is None or confidence < self._min_confidence:
            return Attribution(None, round(confidence, 4), None, [], [], alternatives, inferred)
        delta = track.call_times[call] - track.unit_times[unit]
        return Attribution(track.calls[call], round(confidence, 4), delta, [], [], alternatives[1:])

    def _with_exchange(
        self,
        track: Track,
        writes: Track,
        later: Sequence[int],
        worths: dict[int, float],
        lost: float,
        sureness: float,
    ) -> tuple[dict[int, float], Alternative | None]:
        """What the candidates for a request are worth with what the rest of the exchange tells. Where hardly any call
        is missing, a candidate that this alone speaks for is no answer, and comes by itself."""
        inherited = self._inherited(track, writes, later, worths, lost)
        whole = {call: of_a_request(worths.get(call, 0.0), inherited[call]) for call in inherited}
        if self._loss >= MANY_LOST:
            return whole, None
        worths = {call: whole[call] if own >= _LIKELY else own for call, own in worths.items()}
        found = max(whole, key=whole.__getitem__, default=None)
        if found is None or whole[found] < _LIKELY or worths.get(found, 0.0) >= _LIKELY:
            return worths, None
        worths.pop(found, None)
        return worths, Alternative(track.calls[found], round(whole[found] * sureness, 4))

    def _inherited(
        self, track: Track, writes: Track, later: Sequence[int], worths: dict[int, float], lost: float
    ) -> dict[int, float]:
        """If a request's first unit is of a call that was not logged, with the probability `lost`, it is of the code
        whose calls carried what comes later of the exchange: what that gives to each candidate, and to new ones."""
        inherited = dict.fromkeys(worths, 0.0)
        for unit in later:
            pairings = _pairings(track, unit)
            for mass, call in pairings:
                if self._is_telling(track.calls[call]):
                    known = (one for one in inherited if one == call or self._same_code(track, writes, one, call))
                    code = next(known, call)
                    inherited[code] = inherited.get(code, 0.0) + lost * mass
            lost *= 1.0 - sum(mass for mass, _ in pairings)
        return inherited

    def _groups(self, track: Track, writes: Track, unit: int) -> Iterator[tuple[float, int]]:
        """The probability of each code that may have carried a unit, and its likeliest call."""
        masses = sorted(_pairings(track, unit), reverse=True)
        while masses:
            best = masses[0][1]
            same = [item for item in masses if item[1] == best or self._same_code(track, writes, item[1], best)]
            yield sum(mass for mass, _ in same), best
            masses = [item for item in masses if item not in same]

    def _worth(self, track: Track, call: int, mass: float, busy: set[int | None]) -> float:
        """What the probability of a call is worth, with what the alignment cannot know."""
        known = order_known(track, call, self._log.threads, self._unordered)
        telling = self._is_telling(track.calls[call])
        if track.direction == CLIENT:
            return known * calibrated(mass, OF_WRITES if telling else OF_WRITES_ALIKE)
        if telling:
            return known * calibrated(mass, OF_READS)
        return known * of_a_read(mass, alike_but_idle(track, call, busy, self._idle))

    def _same_code(self, track: Track, writes: Track, one: int, two: int) -> bool:
        """Whether two calls near each other are of the same code at the same work: then it does not matter which."""
        log = self._log
        a, b = track.calls[one], track.calls[two]
        if log.threads[a] != log.threads[b] or not self._is_telling(a) or not self._is_telling(b):
            return False
        if log.stack_ids[a] == log.stack_ids[b]:
            return True
        if track.direction == CLIENT:
            return self._threads.of_one_request(a, b)
        # Of one answer, the headers and the body are read in different places, with no request in between.
        return bisect_right(writes.call_times, track.call_times[one]) == bisect_right(
            writes.call_times, track.call_times[two]
        )

    def _is_telling(self, row: int) -> bool:
        stack = self._log.stack_ids[row]
        return stack != NO_STACK and self._telling[stack]

    def _operations(self, track: Track, units: Sequence[int], operation: int | None) -> list[int]:
        if operation is None:
            return []
        rows = [operation]
        for unit in units:
            call = track.best(unit, _SURE)
            if call is not None:
                rows.append(track.calls[call])
                if track.seconds and track.seconds[call] >= 0:
                    rows.append(track.seconds[call])
        return list(dict.fromkeys(rows))


def _telling(log: OperationLog) -> list[bool]:
    """Whether each stack tells requests apart: few calls have it, or, where it says in which place of the app's they
    were made, not many. Of a stack that many have (an event loop's) the call itself is asked for."""
    counts = Counter(log.stack_ids)
    few, not_many = max(_FEW, len(log) // _FEW_OF), max(_FEW, len(log) // _NOT_MANY_OF)
    apps = [frame.class_ is not None and not is_system(frame.class_) for frame in log.frames]
    return [
        counts[stack] <= few or (counts[stack] <= not_many and any(apps[frame] for frame in frames))
        for stack, frames in enumerate(log.stacks)
    ]


def _pairings(track: Track, unit: int) -> list[tuple[float, int]]:
    """The calls that may have carried a unit, each with its probability, in the order of the calls."""
    if unit >= len(track.posterior.rows):
        return []
    pairings = enumerate(track.posterior.rows[unit], track.band.lows[unit] - 1)
    return [(mass, call) for call, mass in pairings if mass > _FAINT and call >= 0]


def _later_units(flow: FlowView, track: Track) -> dict[int, list[int]]:
    """Of each request, by its place in the flow: what comes of the exchange behind its first unit (its body, the
    messages of its WebSocket), as far as it is looked at."""
    later: dict[int, list[int]] = {}
    if track.direction != CLIENT:
        return later
    of_entry: dict[int | str, list[int]] = {}
    for index, units in track.units_of.items():
        message = flow.messages[index]
        if message.exchange is not None:
            later[index] = of_entry[message.entry] = list(units[1 : 1 + LATER_UNITS])
        elif (known := of_entry.get(message.entry)) is not None:
            known += units[: LATER_UNITS - len(known)]
    return later


def _of_one_code(named: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Of an answer: what its first candidate's code gains, the others lose."""
    (best, call), *others = named
    gained = of_an_answer(best)
    share = (1.0 - gained) / (1.0 - best) if best < 1.0 else 1.0
    return [(gained, call), *((confidence * share, other) for confidence, other in others)]
