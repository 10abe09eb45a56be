"""Learning and aligning: from tracks with calls to tracks with posteriors.

A few rounds on a sample teach the models (expectation-maximisation). Then every track is aligned, without what threads
say, which shows which thread each message is likely of; and those where doubt remains once more, with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Final

from pcapng_utils.attribution.align import Band, align
from pcapng_utils.attribution.callers import Callers
from pcapng_utils.attribution.kinds import kind_class
from pcapng_utils.attribution.learning import Learner
from pcapng_utils.attribution.model import BACKGROUND, Model
from pcapng_utils.attribution.threads import Threads
from pcapng_utils.attribution.tracks import RESOLUTION, Track
from pcapng_utils.layers import CLIENT, SERVER, UnitKind

#: Units (and calls) that are learnt from, at most, in each direction.
SAMPLE: Final = 1_000
#: The same for the first rounds, in which little is known.
_FEW: Final = 300
_EARLY_ROUNDS: Final = 2
_LATE_ROUNDS: Final = 2
#: Rounds in which writes are taken for complete, whatever is seen: first of all, delays are to be learnt.
_STRICT_ROUNDS: Final = 2
#: Growth of the log-likelihood in a round, as a share of it, that is not worth another one.
_SETTLED: Final = 0.01
#: That every other read fails is only believed if it explains so much more, as a share: it says least of each read.
_MARGIN: Final = 0.1
#: Share of the reads that another like them must follow for reads that fail to be looked for.
_TRIED: Final = 0.2
#: Share of writes that send nothing below which it is not asked whether any does.
_HARDLY_EVER: Final = 1e-4
#: Share of calls that are lost between which it is asked whether it is those of handshakes, and all of them.
_NOW_AND_THEN: Final = 0.005
_MOSTLY: Final = 0.8
_SETTLING_ROUNDS: Final = 3
#: By so much the log-likelihood has to be higher for some writes to be believed to send nothing.
_WORTH_IDLE: Final = 4.0
#: A message whose call is at least so probable is in no doubt.
_SURE: Final = 0.98
#: First guess of how far calls are from the wire, in ms.
SCALE: Final = 15.0


class Engine:
    def __init__(self, names: Sequence[UnitKind], callers: Callers, first_read: float | None = None) -> None:
        """`first_read`: how long after a write a read usually comes, in ms; None: not known."""
        self._names = names
        self.models = [Model(direction, names, SCALE) for direction in (CLIENT, SERVER)]
        self._first_background = BACKGROUND
        if first_read is not None:
            self._first_background = max(BACKGROUND, 0.5 / (first_read + RESOLUTION))
        self.models[SERVER].first_background = self._first_background
        self.threads = Threads(callers)
        self._turn = 0
        """Rounds in which writes alone were learnt."""

    def learn_writes(self, tracks: Sequence[Track], rounds: int) -> float:
        """Teach the model of writes, some more rounds; returns the log-likelihood in the last one, against none of them
        having to do with a unit. Ends early where it no longer grows."""
        likelihood = float("-inf")
        for _ in range(rounds):
            before = likelihood
            likelihood = self._round(tracks, delays_alone=self._turn < _STRICT_ROUNDS)
            self._turn += 1
            if self._turn == _STRICT_ROUNDS:
                self.models[CLIENT].expect_loss()
            if self._turn > _STRICT_ROUNDS + 1 and likelihood - before < max(0.5, _SETTLED * abs(likelihood)):
                break
        return likelihood

    def settle_writes(self, tracks: Sequence[Track], likelihood: float) -> None:
        """Learning stays near what it began with; where the log may be of another kind, begin with that, and keep what
        is likelier. `likelihood`: of what was learnt from these tracks.

        Whether any write sent nothing (it failed, or was logged twice), or none did: a few that seem to are learnt
        where one was lost, or two units are of one call, and it is not known which: all messages between the two places
        are then given their neighbour's call. So they have to explain much more than their own absence does. And
        whether handshakes are logged at all, where calls seem to be lost: it may be the end of each handshake.
        """
        if max(self.models[CLIENT].idle) > _HARDLY_EVER:
            likelihood = self._rather(Model.expect_no_idle, tracks, likelihood, _WORTH_IDLE)
        model = self.models[CLIENT]
        finished = model.losses[kind_class(UnitKind.FINISHED)]
        if max(finished, model.loss) > _NOW_AND_THEN and finished < _MOSTLY:
            self._rather(Model.expect_no_handshakes, tracks, likelihood, 0.0)

    def _rather(
        self, expect: Callable[[Model], None], tracks: Sequence[Track], likelihood: float, worth: float
    ) -> float:
        """Go on from what is expected, unless what was learnt has a log-likelihood so much higher; returns it."""
        learnt = self.models[CLIENT]
        self.models[CLIENT] = deepcopy(learnt)
        expect(self.models[CLIENT])
        other = [self._round(tracks) for _ in range(_SETTLING_ROUNDS)][-1]
        if other > likelihood - worth:
            return other
        self.models[CLIENT] = learnt
        return likelihood

    def learn(self, tracks: Sequence[Track]) -> None:
        """Teach both models, that of writes beginning with what it knows."""
        reads = [track for track in tracks if track.direction == SERVER]
        few = sample(reads, _FEW)
        self.models[SERVER].lose(self.models[CLIENT].loss)
        self._begin_reads(few)
        for _ in range(_EARLY_ROUNDS):
            self._round(few)
        for turn in range(_LATE_ROUNDS):
            self._round(tracks, with_threads=turn > 0)
            self.threads.forget()
            for track in tracks:
                self.threads.note(track)
            self.threads.ready()
            self.threads.learn(tracks, self.models)

    def _round(self, tracks: Sequence[Track], *, with_threads: bool = False, delays_alone: bool = False) -> float:
        learners = [Learner(model) for model in self.models]
        likelihood = 0.0
        for track in sorted(tracks, key=lambda track: -track.direction) if with_threads else tracks:
            if with_threads:
                self.threads.apply(track)
            self._set_band(track)
            self._align(track)
            if with_threads and track.direction == SERVER:
                self.threads.note(track)
            learners[track.direction].see(track, track.posterior)
            likelihood += track.posterior.log_likelihood
        for direction in sorted({track.direction for track in tracks}):
            self.models[SERVER].loss = self.models[CLIENT].loss
            learners[direction].teach(delays_alone=delays_alone)
        return likelihood

    def _begin_reads(self, tracks: Sequence[Track]) -> None:
        """How reads go differs from client to client: one a record, several, some that fail. Learning stays near what
        it began with, so it begins with each of these, and the likeliest is kept."""
        reads = sum(len(track.calls) for track in tracks)
        if not reads:
            return
        tried = sum(state & 2 > 0 for track in tracks for state in track.states) >= _TRIED * reads
        best, highest = self.models[SERVER], float("-inf")
        for habit in ("any", "one a unit", "first fails") if tried else ("any", "one a unit"):
            model = Model(SERVER, self._names, SCALE)
            model.first_background = self._first_background
            model.expect(habit)
            self.models[SERVER] = model
            model.lose(self.models[CLIENT].loss)
            for turn in range(_EARLY_ROUNDS):
                likelihood = self._round(tracks, delays_alone=habit == "one a unit" and not turn)
            if habit == "first fails":
                likelihood -= _MARGIN * abs(highest)
            if likelihood > highest:
                best, highest = model, likelihood
        self.models[SERVER] = best

    def finish(self, pairs: Sequence[tuple[Track, Track]]) -> Iterator[tuple[Track, Track]]:
        """Align all tracks with what was learnt, and yield them by flow. A posterior lives until the next is asked."""
        self.threads.forget()
        doubtful: list[tuple[Track, Track]] = []
        for pair in pairs:
            for track in pair:
                track.factors.clear()
                self._set_band(track)
                self._align(track, learning=False)
                self.threads.note(track)
            doubts = [track for track in pair if not track.is_sure(_SURE)]
            if not doubts:
                yield pair
            else:
                doubtful.append(pair)
            for track in doubts or pair:
                track.forget()
        self.threads.ready()
        for pair in doubtful:
            # Reads first: they follow from the writes, and what is doubtful about these may follow from them.
            for track in reversed(pair):
                if not track.posterior.rows:
                    self.threads.apply(track)
                    self._align(track, learning=False)
                    if track.direction == SERVER:
                        self.threads.note(track)
            yield pair
            for track in pair:
                track.forget()

    def _set_band(self, track: Track) -> None:
        model = self.models[track.direction]
        track.band = Band(track.unit_times, track.call_times, model.early, model.late, track.since)

    def _align(self, track: Track, *, learning: bool = True) -> None:
        if len(track.band.lows) != len(track.unit_times):
            self._set_band(track)
        track.posterior = align(track.band, self.models[track.direction].weights(track), learning=learning)


def sample(tracks: Sequence[Track], size: int = SAMPLE) -> list[Track]:
    """Tracks with units and calls, spread over all of them, up to a number of units and calls in each direction."""
    chosen: list[Track] = []
    for direction in (CLIENT, SERVER):
        mine = [track for track in tracks if track.direction == direction and track.calls and track.unit_times]
        sizes = [len(track.calls) + len(track.unit_times) for track in mine]
        chosen += [mine[place] for place in spread(sizes, 2 * size)]
    return chosen


def spread(sizes: Sequence[int], room: int) -> Iterator[int]:
    """Places of things of these sizes, evenly from all of them, until they fill a room."""
    step = max(1, sum(sizes) // room)
    for place in range(0, len(sizes), step):
        if room <= 0:
            break
        room -= sizes[place]
        yield place
