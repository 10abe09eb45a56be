"""Attribution from end to end: flows of a capture and socket calls of a phone go in, who sent what comes out."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import exp, inf
from statistics import median
from typing import Final

from pcapng_utils.attribution.answers import Answers
from pcapng_utils.attribution.callers import Callers
from pcapng_utils.attribution.clock import APART, Clock, Residuals, Voters, hypotheses
from pcapng_utils.attribution.engine import Engine, sample, spread
from pcapng_utils.attribution.joining import join, split, translated
from pcapng_utils.attribution.leaps import leaps, longest_pause
from pcapng_utils.attribution.model import WIDE
from pcapng_utils.attribution.operations import NEITHER, NO_STACK, FlowKey, OperationLog
from pcapng_utils.attribution.ordering import disorder, untangle
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
_TRIAL_ROUNDS: Final = 10
_FIRST_ROUNDS: Final = 2
_LARGEST_ZERO: Final = 100.0
"""Error of a clock that was not estimated that is taken out before aligning, in ms."""
_FEW: Final = 10
_STEP_COST: Final = 12.0
"""By so much a clock that was set once more must be likelier (log-likelihood)."""
_CLOSE: Final = 20.0
"""A clock that is given up while its log-likelihood is no lower than so is looked at again."""
_RIVALS: Final = 4
"""Clocks that are set against the best in the end, at most."""
_OUTSIDE_COST: Final = 0.3
"""What a call made while there was no capture costs in log-likelihood: a clock does not win by leaving them out."""
_TRANSLATED_SURENESS: Final = 0.9


@dataclass(frozen=True, slots=True)
class Settings:
    time_shift: float | None = None
    """Seconds to add to the router's time to get the phone's: obeyed where given."""
    experiment_shift: float | None = None
    """What `experiment.json` says of the same: one hypothesis among others."""
    min_confidence: float = 0.5


def attribute(flows: Sequence[FlowView], log: OperationLog, settings: Settings | None = None) -> Result:
    """Which call of `log` carried each message of `flows`, which come in any order, and which opened each flow."""
    with _without_collecting():
        in_order = sorted(flows, key=lambda flow: (flow.first, flow.id))
        return _Job(in_order, log, settings or Settings()).run()


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


@dataclass(slots=True, eq=False)
class _Trial:
    """What comes of a clock, on some of the writes."""

    clock: Clock
    engine: Engine
    tracks: list[Track]
    outside: int
    """Calls that were made while there was no capture, under this clock."""
    told: bool = False
    """The clock is what `experiment.json` says."""
    likelihood: float = 0.0
    sureness: float = 1.0
    """The probability of its clock against the others that were tried."""

    def learn(self, rounds: int) -> None:
        self.likelihood = self.engine.learn_writes(self.tracks, rounds) - self._cost()

    def finish(self) -> None:
        """Learn until nothing new comes of it."""
        self.likelihood = self.engine.learn_writes(self.tracks, _TRIAL_ROUNDS) - self._cost()

    def _cost(self) -> float:
        return _STEP_COST * len(self.clock.steps) + _OUTSIDE_COST * self.outside


class _Job:
    def __init__(self, flows: Sequence[FlowView], log: OperationLog, settings: Settings) -> None:
        self._flows = flows
        self._log = log
        self._settings = settings
        self._epoch = min((flow.first for flow in flows), default=0)
        self._phone_epoch = self._epoch / 1e6
        self._calls = log.by_flow()
        self._unordered = disorder(log)
        for pair in self._calls.values():
            for rows in pair:
                untangle(rows, log, self._unordered)
        self._joined = join(flows, self._calls)
        self._callers = Callers(log)
        counts = Counter(stack for stack in log.stack_ids if stack != NO_STACK)
        self._sites = CallSites(log.stacks, log.frames, counts)
        self._site_list = [self._sites.sites[stack] if stack != NO_STACK else 0 for stack in log.stack_ids]
        self._tracks = [flow_tracks(place, flow, self._epoch) for place, flow in enumerate(flows)]
        self._translated: set[int] = set()
        self._names = self._sites.names
        self._first_read: float | None = None
        """How long after a write the first read usually comes, in ms; None: not known."""

    def run(self) -> Result:
        trial, source = self._find_clock()
        given = trial.clock
        clock = self._refined(trial, source)
        self._set_tracks(clock)
        engine = Engine(self._names, self._callers, self._first_read)
        trial.engine.models[CLIENT].move(round(given.offset - clock.offset))
        engine.models[CLIENT] = trial.engine.models[CLIENT]
        engine.learn(sample([track for pair in self._tracks for track in pair]))
        if source == "estimated":
            given = clock
        return self._conclude(engine, given, clock, source, trial.sureness)

    # The clock

    def _find_clock(self) -> tuple[_Trial, ShiftSource]:
        settings = self._settings
        if settings.time_shift is not None:
            return self._likeliest([Clock(settings.time_shift * 1000)]), "given"
        experiment = None if settings.experiment_shift is None else Clock(settings.experiment_shift * 1000)
        found = hypotheses(self._voters(Clock()), experiment)
        found += self._set_clocks()
        best = self._likeliest([clock.snapped(self._log.times) for clock in found], experiment) if found else None
        if best is not None and best.told:
            return best, "experiment.json"
        if best is not None and best.clock.votes >= _LEAST_VOTES:
            return best, "estimated"
        if experiment is not None:
            return self._likeliest([experiment]), "experiment.json"
        return self._likeliest([Clock()]), "none"

    def _set_clocks(self) -> list[Clock]:
        """Hypotheses under which the clock was set where the trace shows that it leaps."""
        rows = [row for row, direction in enumerate(self._log.directions) if direction != NEITHER]
        pause = longest_pause(time for pair in self._tracks for track in pair for time in track.unit_times)
        steps = leaps(rows, self._log.times, pause)
        if not steps:
            return []
        clocks = hypotheses(self._voters(Clock(steps=steps)))
        return [replace(clock, steps=steps) for clock in clocks if not clock.steps]

    def _voters(self, clock: Clock) -> list[Voters]:
        """What votes for an offset from a clock."""
        times, epoch = self._log.times, self._phone_epoch
        voters = []
        pairs = [(key, place) for key, places in self._joined.direct.items() for place in places]
        for key, place in pairs or self._joined.possible(self._flows):
            units = self._tracks[place][CLIENT].unit_times
            rows = self._calls[key][CLIENT]
            calls = sorted(zip(clock.to_router(rows, times, epoch), rows, strict=True))
            voters.append(Voters(units, [time for time, _ in calls], [row for _, row in calls]))
        return voters

    def _likeliest(self, clocks: Sequence[Clock], experiment: Clock | None = None) -> _Trial:
        """The clock under which the writes align best: as they learn, the worse half goes, again and again.

        Where a clock is off, it takes some rounds until what was counted shows more than what was guessed of delays.
        One whose alignment shows that its drift is another is tried with that: else what it was guessed wrong by would
        be held against the true clock, and not against one that is off by a whole period of what repeats itself.
        """
        keys = self._some_keys()
        trials = [self._trial(clock, keys, told=clock is experiment) for clock in clocks]
        close: list[_Trial] = []
        rounds = _FIRST_ROUNDS
        while len(trials) > 1:
            for trial in trials:
                trial.learn(rounds)
            if rounds == _FIRST_ROUNDS:
                trials = [self._straightened(trial, keys) for trial in trials]
            rounds = 1
            trials.sort(key=lambda trial: -trial.likelihood)
            left = max(1, len(trials) // 2)
            close += (trial for trial in trials[left:] if trials[0].likelihood - trial.likelihood < _CLOSE)
            del trials[left:]
        best = trials[0]
        best.finish()
        best.sureness = self._probability_of(best, close) if close else 1.0
        best.engine.settle_writes(best.tracks, best.likelihood)
        return best

    def _probability_of(self, best: _Trial, close: Sequence[_Trial]) -> float:
        """Probability of the best clock, against those that explained the calls nearly as well before they were given
        up: where all repeats itself they may be off by a whole period, and nothing tells."""
        known = [self._refined(best, "estimated").offset]
        rivals = 0.0
        for trial in sorted(close, key=lambda trial: -trial.likelihood):
            if len(known) > _RIVALS:
                break
            trial.finish()
            offset = self._refined(trial, "estimated").offset
            if all(abs(offset - other) > APART for other in known):
                known.append(offset)
                rivals += exp(min(trial.likelihood - best.likelihood, 0.0))
        return 1.0 / (1.0 + rivals)

    def _trial(self, clock: Clock, keys: set[FlowKey], *, told: bool = False) -> _Trial:
        tracks, outside = self._writes(clock, keys)
        return _Trial(clock, Engine(self._names, self._callers), tracks, outside, told)

    def _straightened(self, trial: _Trial, keys: set[FlowKey]) -> _Trial:
        """The trial, or one with the drift that it shows, if that is likelier."""
        if trial.told:
            return trial
        clock = self._refined(trial, "estimated")
        if clock.drift == trial.clock.drift:
            return trial
        other = self._trial(clock, keys)
        other.learn(_FIRST_ROUNDS)
        return max(other, trial, key=lambda one: one.likelihood)

    def _some_keys(self) -> set[FlowKey]:
        """Sockets that the clock is looked for with."""
        keys = list(self._joined.direct) or list({key for key, _ in self._joined.possible(self._flows)})
        keys = [key for key in keys if self._calls[key][CLIENT]]
        sizes = [len(self._calls[key][CLIENT]) for key in keys]
        return {keys[place] for place in spread(sizes, _TRIAL)}

    def _writes(self, clock: Clock, keys: set[FlowKey]) -> tuple[list[Track], int]:
        """The writes of some sockets, under a clock; and how many were made while there was no capture: these say
        little of it."""
        end = (max(flow.last for flow in self._flows) - self._epoch) / 1e6 + WIDE
        tracks, outside = [], 0
        for key, places in self._paired(clock):
            if key in keys:
                for place, calls in self._shares(self._calls[key][CLIENT], places, clock):
                    track = replace(self._tracks[place][CLIENT], factors={})
                    self._set(track, [call for call in calls if -WIDE < call[0] < end])
                    if calls and track.unit_times:
                        tracks.append(track)
                        outside += len(calls) - len(track.calls)
        return tracks, outside

    def _refined(self, trial: _Trial, source: ShiftSource) -> Clock:
        """Take out what a first alignment shows of an error: of drift, and of the moment that counts as zero.

        A clock that was given is obeyed in what is reported; that zero is where the quickest calls are is needed to
        tell reads that fetched a unit from reads that were made before it came.
        """
        clock = trial.clock
        seen = self._residuals(trial.tracks)
        if source == "estimated":
            drift = seen.drift()
            span = max(seen.times, default=0.0) - min(seen.times, default=0.0)
            if max(1.0, seen.spread()) < abs(drift) * 1e-6 * span and abs(drift) < 400:
                middle = (max(seen.times) + min(seen.times)) / 2
                clock = replace(clock, drift=clock.drift - drift, offset=clock.offset + drift * 1e-6 * middle)
                seen = seen.without(drift, middle)
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

    def _paired(self, clock: Clock) -> list[tuple[FlowKey, list[int]]]:
        """Which socket is which flows (places in the list of flows), under a clock."""
        pairs = list(self._joined.direct.items())
        possible = self._joined.possible(self._flows)
        if possible:
            begins = {
                key: min(
                    clock.to_router([rows[0] for rows in self._calls[key] if rows], self._log.times, self._phone_epoch)
                )
                for key in {key for key, _ in possible}
            }
            found = translated(possible, self._flows, begins, self._epoch)
            pairs += [(key, [place]) for key, place in found.items()]
        return pairs

    def _set_tracks(self, clock: Clock) -> None:
        """Give every track its calls under a clock."""
        log = self._log
        for pair in self._tracks:
            for track in pair:
                self._set(track, [])
        pairs = self._paired(clock)
        self._translated = {place for key, places in pairs if key not in self._joined.direct for place in places}
        for key, places in pairs:
            for direction in (CLIENT, SERVER):
                for place, calls in self._shares(self._calls[key][direction], places, clock):
                    self._set(self._tracks[place][direction], calls)
        reads = [pair[SERVER] for pair in self._tracks]
        couples = couple_reads(reads, len(self._sites), log.threads.__getitem__, log.stack_ids.__getitem__)
        gaps = [gap for pair in self._tracks for gap in mark_first_reads(*pair)]
        self._first_read = median(gaps) if gaps else None
        self._names = [*self._sites.names, *(self._sites.names[one] for one, _ in couples)]

    def _shares(
        self, rows: Sequence[int], places: Sequence[int], clock: Clock
    ) -> Iterator[tuple[int, list[tuple[float, int]]]]:
        """What of a socket's calls in one direction is of each of its flows: times and rows."""
        spans = [
            ((self._flows[place].first - self._epoch) / 1e6, (self._flows[place].last - self._epoch) / 1e6)
            for place in places
        ]
        times = clock.to_router(rows, self._log.times, self._phone_epoch)
        order = sorted(range(len(times)), key=times.__getitem__)
        calls = [(times[index], rows[index]) for index in order]
        for place, (begin, end) in zip(places, split([time for time, _ in calls], spans), strict=True):
            yield place, calls[begin:end]

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

    def _conclude(
        self, engine: Engine, given: Clock, clock: Clock, source: ShiftSource, clock_sureness: float
    ) -> Result:
        idle, loss = engine.models[SERVER].idle, engine.models[CLIENT].loss
        answers = Answers(self._log, self._settings.min_confidence, idle, self._unordered, loss, engine.threads)
        result = Result(ClockFound(source, 0.0, 0.0, 0, 0.0), {}, {})
        residuals = Residuals()
        busy = [pair for pair in self._tracks if pair[CLIENT].calls or pair[SERVER].calls]
        for pair in engine.finish(busy):
            place = pair[CLIENT].flow
            flow = self._flows[place]
            sureness = clock_sureness * (_TRANSLATED_SURENESS if place in self._translated else 1.0)
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
            clock_sureness,
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
            elif answer.alternatives or answer.inferred:
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
