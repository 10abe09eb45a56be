"""Attribution from end to end: flows of a capture and socket calls of a phone go in, who sent what comes out."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from statistics import median
from typing import Final

from pcapng_utils.attribution.answers import Answers
from pcapng_utils.attribution.clock import Clock, Residuals, Voters, hypotheses
from pcapng_utils.attribution.engine import Engine, sample
from pcapng_utils.attribution.joining import Calls, join, split, translated
from pcapng_utils.attribution.operations import NO_STACK, FlowKey, OperationLog
from pcapng_utils.attribution.sites import CallSites
from pcapng_utils.attribution.tracks import Track, couple_reads, flow_tracks, mark_first_reads, set_calls
from pcapng_utils.attribution.views import (
    Attribution,
    ClockFound,
    FlowAttribution,
    FlowView,
    Result,
    ShiftSource,
)
from pcapng_utils.layers import CLIENT, SERVER

_LEAST_VOTES: Final = 6.0
"""A clock with fewer votes is not believed on its own."""
_TRIAL: Final = 500
_TRIAL_ROUNDS: Final = 3
_LARGEST_ZERO: Final = 100.0
"""Error of a clock that was not estimated that is taken out before aligning, in ms."""
_FAR_WORSE: Final = 60.0
_WORSE: Final = 0.15
"""By so much, and by such a share, the log-likelihood under the best clock is above that under one that is let go
before anything was learnt."""
_FEW: Final = 10
_STEP_COST: Final = 12.0
"""By so much a clock that was set once more must be likelier (log-likelihood)."""
_TRANSLATED_SURENESS: Final = 0.9


@dataclass(frozen=True, slots=True)
class Settings:
    time_shift: float | None = None
    """Seconds to add to the router's time to get the phone's: obeyed where given."""
    experiment_shift: float | None = None
    """What `experiment.json` says of the same: one hypothesis among others."""
    min_confidence: float = 0.5


def attribute(flows: Sequence[FlowView], log: OperationLog, settings: Settings | None = None) -> Result:
    """Which call of `log` carried each message of `flows`, and which opened each flow."""
    with _without_collecting():
        return _Job(flows, log, settings or Settings()).run()


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Millions of short-lived lists and no cycles: looking for cycles among them takes a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Job:
    def __init__(self, flows: Sequence[FlowView], log: OperationLog, settings: Settings) -> None:
        self._flows = flows
        self._log = log
        self._settings = settings
        self._epoch = min((flow.first for flow in flows), default=0)
        self._phone_epoch = self._epoch / 1e6
        self._calls = log.by_flow()
        self._joined = join(flows, self._calls)
        counts = Counter(stack for stack in log.stack_ids if stack != NO_STACK)
        self._sites = CallSites(log.stacks, log.frames, counts)
        self._site_list = [self._sites.sites[stack] if stack != NO_STACK else 0 for stack in log.stack_ids]
        self._tracks = [flow_tracks(place, flow, self._epoch) for place, flow in enumerate(flows)]
        self._pairs: list[tuple[FlowKey, list[int]]] = []
        self._translated: set[int] = set()
        self._names = self._sites.names
        self._first_read = 0.0
        """How long after a write the first read usually comes, in ms."""

    def run(self) -> Result:
        given, source = self._find_clock()
        clock = self._refined(given, source)
        engine = self._set_all(clock)
        engine.learn(sample([track for pair in self._tracks for track in pair]))
        if source == "estimated":
            given = clock
        return self._conclude(engine, given, clock, source)

    # The clock

    def _find_clock(self) -> tuple[Clock, ShiftSource]:
        settings = self._settings
        if settings.time_shift is not None:
            return Clock(settings.time_shift * 1000), "given"
        experiment = None if settings.experiment_shift is None else Clock(settings.experiment_shift * 1000)
        found = hypotheses(self._voters(), experiment)
        best = self._likeliest([clock.snapped(self._log.times) for clock in found])
        if best is None or (best is not experiment and best.votes < _LEAST_VOTES):
            return (experiment, "experiment.json") if experiment else (Clock(), "none")
        if best is experiment:
            return best, "experiment.json"
        return best, "estimated"

    def _voters(self) -> list[Voters]:
        times, epoch = self._log.times, self._phone_epoch
        voters = []
        pairs = [(key, place) for key, places in self._joined.direct.items() for place in places]
        for key, place in pairs or self._joined.possible(self._flows):
            units = self._tracks[place][CLIENT].unit_times
            rows = self._calls[key][CLIENT]
            voters.append(Voters(units, [times[row] - epoch for row in rows], rows))
        return voters

    def _likeliest(self, clocks: list[Clock]) -> Clock | None:
        """The clock under which the writes align best; those that do far worse at first sight are let go early."""
        if len(clocks) > 2:
            ranked = self._tried(clocks, rounds=1)
            least = ranked[0][0] - max(_FAR_WORSE, _WORSE * abs(ranked[0][0]))
            clocks = [clock for likelihood, clock in ranked if likelihood >= least]
        if len(clocks) > 1:
            return self._tried(clocks, _TRIAL_ROUNDS)[0][1]
        return clocks[0] if clocks else None

    def _tried(self, clocks: Sequence[Clock], rounds: int) -> list[tuple[float, Clock]]:
        """Each clock with the log-likelihood of the writes under it, the best first."""
        found = []
        for clock in clocks:
            engine = self._set_all(clock)
            likelihood = engine.learn(sample([pair[CLIENT] for pair in self._tracks], _TRIAL), rounds)
            found.append((likelihood - _STEP_COST * len(clock.steps), clock))
        found.sort(key=lambda item: -item[0])
        return found

    def _refined(self, clock: Clock, source: ShiftSource) -> Clock:
        """Take out what a first alignment shows of an error: of drift, and of the moment that counts as zero.

        A clock that was given is obeyed in what is reported; that zero is where the quickest calls are is needed to
        tell reads that fetched a unit from reads that were made before it came.
        """
        tracks = sample([pair[CLIENT] for pair in self._set_tracks(clock)], _TRIAL)
        Engine(self._names, self._log.threads.__getitem__).learn(tracks, _TRIAL_ROUNDS)
        seen = self._residuals(tracks)
        if source == "estimated":
            drift = seen.drift()
            span = max(seen.times, default=0.0) - min(seen.times, default=0.0)
            if max(1.0, seen.spread()) < abs(drift) * 1e-6 * span and abs(drift) < 400:
                middle = (max(seen.times) + min(seen.times)) / 2
                clock = replace(clock, drift=clock.drift - drift, offset=clock.offset + drift * 1e-6 * middle)
        zero = seen.part(0, clock.steps[0][0] if clock.steps else inf).zero()
        if source == "estimated" or abs(zero) < _LARGEST_ZERO:
            clock = replace(clock, offset=clock.offset - zero, steps=_refined_steps(clock.steps, seen, zero))
        return clock

    def _residuals(self, tracks: Iterable[Track]) -> Residuals:
        seen = Residuals()
        for track in tracks:
            if track.direction == CLIENT:
                for unit in track.starts:
                    call = track.best(unit, 0.8)
                    if call is not None and not track.clumped[call]:
                        seen.times.append(track.unit_times[unit])
                        seen.delays.append(track.unit_times[unit] - track.call_times[call])
                        seen.rows.append(track.calls[call])
        return seen

    # The calls

    def _set_all(self, clock: Clock) -> Engine:
        """Give every track its calls under a clock, and begin to learn anew."""
        self._set_tracks(clock)
        return Engine(self._names, self._log.threads.__getitem__, self._first_read)

    def _set_tracks(self, clock: Clock) -> list[tuple[Track, Track]]:
        log = self._log
        self._pairs = list(self._joined.direct.items())
        self._translated = set()
        for pair in self._tracks:
            for track in pair:
                self._set(track, [])
        possible = self._joined.possible(self._flows)
        if possible:
            begins = {
                key: min(clock.to_router([rows[0] for rows in self._calls[key] if rows], log.times, self._phone_epoch))
                for key in {key for key, _ in possible}
            }
            for key, place in translated(possible, self._flows, begins, self._epoch).items():
                self._pairs.append((key, [place]))
                self._translated.add(place)
        for key, places in self._pairs:
            self._share(self._calls[key], places, clock)
        reads = [pair[SERVER] for pair in self._tracks]
        couples = couple_reads(reads, len(self._sites), log.threads.__getitem__, log.stack_ids.__getitem__)
        gaps = [gap for pair in self._tracks for gap in mark_first_reads(*pair)]
        self._first_read = median(gaps) if gaps else 0.0
        self._names = [*self._sites.names, *(self._sites.names[one] for one, _ in couples)]
        return self._tracks

    def _share(self, rows: Calls, places: Sequence[int], clock: Clock) -> None:
        spans = [
            ((self._flows[place].first - self._epoch) / 1e6, (self._flows[place].last - self._epoch) / 1e6)
            for place in places
        ]
        for direction in (CLIENT, SERVER):
            times = clock.to_router(rows[direction], self._log.times, self._phone_epoch)
            order = sorted(range(len(times)), key=times.__getitem__)
            calls = [(times[index], rows[direction][index]) for index in order]
            for place, (begin, end) in zip(places, split([time for time, _ in calls], spans), strict=True):
                self._set(self._tracks[place][direction], calls[begin:end])

    def _set(self, track: Track, calls: Iterable[tuple[float, int]]) -> None:
        log = self._log
        set_calls(
            track,
            calls,
            self._site_list.__getitem__,
            log.threads.__getitem__,
            log.stack_ids.__getitem__,
        )

    # The answers

    def _conclude(self, engine: Engine, given: Clock, clock: Clock, source: ShiftSource) -> Result:
        answers = Answers(self._log, self._settings.min_confidence, engine.models[SERVER].idle)
        result = Result(ClockFound(source, 0.0, 0.0, 0, 0.0), {}, {})
        residuals = Residuals()
        busy = [pair for pair in self._tracks if pair[CLIENT].calls or pair[SERVER].calls]
        for pair in engine.finish(busy):
            place = pair[CLIENT].flow
            flow = self._flows[place]
            sureness = _TRANSLATED_SURENESS if place in self._translated else 1.0
            for index, answer in answers.of_flow(flow, pair, sureness):
                result.messages[flow.id, index] = answer
            more = self._residuals(pair)
            residuals.times += more.times
            residuals.delays += more.delays
            residuals.rows += more.rows
        for answer in result.messages.values():
            if answer.delta_ms is not None:
                answer.delta_ms += clock.offset - given.offset
        self._add_flows(result)
        self._count(result)
        result.clock = ClockFound(
            source,
            given.offset / 1000,
            given.drift,
            len(residuals.delays),
            residuals.spread() / 1000,
            len(given.steps),
        )
        return result

    def _add_flows(self, result: Result) -> None:
        for flow, (writes, reads) in zip(self._flows, self._tracks, strict=True):
            shown = bool(writes.calls or reads.calls)
            result.flows[flow.id] = FlowAttribution(
                origin="app" if shown else "not-shown",
                opened_by=writes.calls[0] if writes.calls else None,
                translated=writes.flow in self._translated,
            )
            for index in range(len(flow.messages)):
                result.messages.setdefault((flow.id, index), Attribution(None, 0.0, None, [], [], []))

    def _count(self, result: Result) -> None:
        for answer in result.messages.values():
            if answer.operation is not None:
                result.attributed += 1
            elif answer.alternatives:
                result.ambiguous += 1
            else:
                result.none += 1


def _refined_steps(steps: tuple[tuple[int, float], ...], seen: Residuals, zero: float) -> tuple[tuple[int, float], ...]:
    """The sizes of steps, from the quickest calls of each part."""
    refined = []
    ends: list[float] = [*(row for row, _ in steps[1:]), inf][: len(steps)]
    for (row, size), end in zip(steps, ends, strict=True):
        part = seen.part(row, end)
        own = part.zero() if len(part.rows) >= _FEW else zero
        refined.append((row, size - own + zero))
        zero = own
    return tuple(refined)
