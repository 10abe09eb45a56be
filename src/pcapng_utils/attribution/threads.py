"""Evidence from beyond the flow: what threads do.

A synchronous client sends a request from a thread and does nothing else in it until the answer is there; the thread
that wrote the headers writes the body, and over HTTP/1.1 reads the answer. Whether a client is of that kind is learnt:
each clue is a small number of cases, counted for pairings that hold and for those that do not, and a case weighs by the
ratio of the two. Where all calls near a unit are of one thread, threads say nothing, and nothing is made of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pcapng_utils.attribution import callers
from pcapng_utils.attribution.callers import Callers
from pcapng_utils.attribution.delays import place_of
from pcapng_utils.attribution.model import Model
from pcapng_utils.attribution.tracks import LATER_UNITS, MessagePlace, Track
from pcapng_utils.layers import CLIENT

_UNKNOWN_GAP: Final = 6
_ANSWER, _BEFORE, _BODY, _READER, _WRITER = range(5)
_CASES: Final = (7, 7, callers.CASES, callers.CASES, callers.CASES)
_WEIGHT: Final = 6.0
_LARGEST: Final = 60.0
_OF_ONE: Final = 3.0
"""So much likelier for the calls of one request, and they are taken for its."""
_TIMELY: Final = 30.0
_UNTIMELY: Final = 0.05
"""What a call that does not belong to a unit counts for: as the time between them makes it likely, and in any case."""


def _gap_case(gap: float) -> int:
    return 0 if gap > 40 else 1 if gap > 10 else 2 if gap > 0 else 3 if gap > -10 else 4 if gap > -40 else 5


class _Clue:
    __slots__ = ("false", "halves", "ratios", "true")

    def __init__(self, cases: int) -> None:
        self.true = [0.0] * cases
        self.false = [0.0] * cases
        self.ratios = [1.0] * cases
        self.halves = [1.0] * cases
        """What each of two units of one request weighs."""

    def teach(self) -> None:
        true, false = sum(self.true), sum(self.false)
        whole = true + false
        if whole > 0.0:
            ratios = []
            for holds, fails in zip(self.true, self.false, strict=True):
                if not holds + fails:
                    ratios.append(1.0)
                    continue
                prior = _WEIGHT * (holds + fails) / whole
                ratio = (holds + prior) / (true + _WEIGHT) / ((fails + prior) / (false + _WEIGHT))
                ratios.append(min(max(ratio, 1 / _LARGEST), _LARGEST))
            self.ratios = ratios
            self.halves = [ratio**0.5 for ratio in ratios]
        self.true = [0.0] * len(self.true)
        self.false = [0.0] * len(self.false)


@dataclass(slots=True)
class _ThreadLog:
    """Calls of one thread that began requests, by time."""

    times: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    answers: list[float | None] = field(default_factory=list)
    """When each answer was complete on the wire."""


class Threads:
    def __init__(self, calls: Callers) -> None:
        self._callers = calls
        self._clues = [_Clue(cases) for cases in _CASES]
        self._logs: dict[int, _ThreadLog] = {}
        self.forget()

    def forget(self) -> None:
        """Begin to note anew."""
        self._begun: dict[int, list[tuple[float, int, float | None]]] = {}

    def note(self, track: Track) -> None:
        """Note which calls each message is likely of, from a track's posterior."""
        for unit, place in track.starts.items():
            call = track.best(unit, 0.5)
            place.call = None if call is None else track.calls[call]
            if call is None:
                later = (track.best(unit, 0.5) for unit in track.units_of[place.index][1 : 1 + LATER_UNITS])
                call = next((call for call in later if call is not None), None)
            place.some_call = None if call is None else track.calls[call]
            if call is not None and track.direction == CLIENT:
                answer = place.partner.last if place.partner is not None else None
                entry = (track.call_times[call], track.calls[call], answer)
                self._begun.setdefault(self._callers.thread(track.calls[call]), []).append(entry)

    def ready(self) -> None:
        """All tracks were noted."""
        self._logs = {}
        for thread, entries in self._begun.items():
            entries.sort(key=lambda entry: entry[:2])
            times, calls, answers = zip(*entries, strict=True)
            self._logs[thread] = _ThreadLog(list(times), list(calls), list(answers))
        self._begun = {}

    def learn(self, tracks: Sequence[Track], models: Sequence[Model]) -> None:
        """Count the cases of pairings that hold, and of those near them that do not."""
        for track in tracks:
            table = models[track.direction].delays.table
            for unit in track.of_messages:
                row, low, time = track.posterior.rows[unit], track.band.lows[unit], track.unit_times[unit]
                for clue, cases in self._cases(track, unit):
                    true, false = self._clues[clue].true, self._clues[clue].false
                    for k, case in enumerate(cases):
                        mass = row[k + 1]
                        timely = _UNTIMELY + _TIMELY * table[place_of(time, track.call_times[low + k])]
                        true[case] += mass
                        false[case] += (1.0 - mass) * min(1.0, timely)
        for clue_ in self._clues:
            clue_.teach()

    def of_one_request(self, one: int, two: int) -> bool:
        """Whether two calls are as likely of one request as those that write its headers and its body are."""
        case = self._callers.cases((two,), one)[0]
        return case != callers.UNKNOWN and self._clues[_BODY].ratios[case] >= _OF_ONE

    def apply(self, track: Track) -> None:
        """Set a track's factors."""
        track.factors.clear()
        for unit in track.of_messages:
            factors: list[float] = []
            owner = track.of_messages[unit]
            units = track.units_of[owner.index]
            found = self._cases(track, unit)
            shared = track.direction == CLIENT and len(units) > 1 and unit in units[:2]
            if shared and unit not in track.starts:
                found += self._message_cases(track, unit, owner)
            for clue, cases in found:
                ratios = self._clues[clue].halves if shared and clue != _BODY else self._clues[clue].ratios
                if not factors:
                    factors = [ratios[case] for case in cases]
                else:
                    factors = [factor * ratios[case] for factor, case in zip(factors, cases, strict=True)]
            if factors:
                track.factors[unit] = track.band.lows[unit], factors

    def _cases(self, track: Track, unit: int) -> list[tuple[int, list[int]]]:
        place = track.starts.get(unit)
        if track.direction == CLIENT and place is not None:
            return self._message_cases(track, unit, place)
        place = track.of_messages[unit]
        if track.direction == CLIENT:
            return self._caller_cases(track, unit, _BODY, place.call)
        if place.http1 and place.partner is not None:
            return self._caller_cases(track, unit, _WRITER, place.partner.some_call)
        return []

    def _caller_cases(self, track: Track, unit: int, clue: int, known: int | None) -> list[tuple[int, list[int]]]:
        """Are the calls near a unit made on behalf of who made a call (a row)?"""
        rows, threads = self._near(track, unit)
        return [(clue, self._callers.cases(rows, known))] if threads else []

    def _near(self, track: Track, unit: int) -> tuple[list[int], list[int]]:
        """The calls near a unit, and their threads; no threads if nothing tells the calls apart."""
        rows = track.calls[track.band.lows[unit] : track.band.highs[unit]]
        return rows, self._callers.threads(rows)

    def _message_cases(self, track: Track, unit: int, place: MessagePlace) -> list[tuple[int, list[int]]]:
        """Of a unit of a request, as if it was the first: one that was not logged leaves its traces in the next."""
        rows, threads = self._near(track, unit)
        if not threads:
            return []
        found = self._request_cases(track, place, track.band.lows[unit], threads)
        if place.http1 and place.partner is not None:
            found.append((_READER, self._callers.cases(rows, place.partner.some_call)))
        return found

    def _request_cases(
        self, track: Track, place: MessagePlace, low: int, threads: list[int]
    ) -> list[tuple[int, list[int]]]:
        """Is the thread free when the call is made, and until the answer is there?"""
        answer = place.partner.last if place.partner is not None else None
        after: list[int] = []
        before: list[int] = []
        for call, thread in enumerate(threads, low):
            row, time = track.calls[call], track.call_times[call]
            log = self._logs.get(thread)
            next_case = previous_case = _UNKNOWN_GAP
            if log is not None:
                following = bisect_right(log.times, time)
                while following < len(log.calls) and (
                    log.calls[following] == row or (answer is not None and log.answers[following] == answer)
                ):
                    following += 1
                if answer is not None and following < len(log.calls):
                    next_case = _gap_case(log.times[following] - answer)
                previous = bisect_left(log.times, time) - 1
                while previous >= 0 and answer is not None and log.answers[previous] == answer:
                    previous -= 1
                if previous >= 0 and (done := log.answers[previous]) is not None:
                    previous_case = _gap_case(time - done)
            after.append(next_case)
            before.append(previous_case)
        return [(_ANSWER, after), (_BEFORE, before)]
