"""Learning and aligning: from tracks with calls to tracks with posteriors.

A few rounds on a sample teach the models (expectation-maximisation). Then every track is aligned, without what threads
say, which shows which thread each message is likely of; and those where doubt remains once more, with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import log
from typing import Final

from pcapng_utils.attribution.align import Band, align
from pcapng_utils.attribution.learning import Learner
from pcapng_utils.attribution.model import BACKGROUND, Model
from pcapng_utils.attribution.threads import Threads
from pcapng_utils.attribution.tracks import RESOLUTION, Track
from pcapng_utils.layers import CLIENT, SERVER, UnitKind

#: Units (and calls) that are learnt from, at most, in each direction.
SAMPLE: Final = 2_000
#: The same for the first rounds, in which little is known.
_FEW: Final = 500
_ROUNDS: Final = 4
_EARLY_ROUNDS: Final = 2
#: Share of the reads that another like them must follow for reads that fail to be looked for.
_TRIED: Final = 0.2
#: A message whose call is at least so probable is in no doubt.
_SURE: Final = 0.98
_UNRELATED: Final = log(BACKGROUND)
#: First guess of how far calls are from the wire, in ms.
SCALE: Final = 15.0


class Engine:
    def __init__(self, names: Sequence[UnitKind], thread_of: Callable[[int], int], first_read: float = 0.0) -> None:
        """`first_read`: how long after a write a read usually comes, in ms; 0: not known."""
        self._names = names
        self.models = [Model(direction, names, SCALE) for direction in (CLIENT, SERVER)]
        self._first_background = max(BACKGROUND, 0.5 / (first_read + RESOLUTION)) if first_read else BACKGROUND
        self.models[SERVER].first_background = self._first_background
        self._threads = Threads(thread_of)

    def learn(self, tracks: Sequence[Track], rounds: int = _ROUNDS) -> float:
        """Teach the models; returns the log-likelihood of the writes, in the last round, against none of them having to
        do with a unit."""
        likelihood = 0.0
        everything = tracks
        few = sample(everything, _FEW)
        self._begin_reads([track for track in few if track.direction == SERVER])
        for turn in range(rounds):
            tracks = few if turn < _EARLY_ROUNDS else everything
            learners = [Learner(model) for model in self.models]
            likelihood = 0.0
            for track in tracks:
                self._align(track)
                learners[track.direction].see(track, track.posterior)
                if track.direction == CLIENT:
                    likelihood += track.posterior.log_likelihood - len(track.calls) * _UNRELATED
            if turn:
                self._threads.forget()
                for track in tracks:
                    self._threads.note(track)
                self._threads.ready()
                self._threads.learn(tracks, self.models)
            for learner in learners:
                learner.teach()
            # Both directions are logged by one collector; reads, of which several may fetch one unit and one several,
            # cannot tell a lost call from one that was not needed.
            self.models[SERVER].loss = self.models[CLIENT].loss
            if turn == rounds - 1:
                break
            for track in everything:
                self._set_band(track)
                if turn:
                    self._threads.apply(track)
        return likelihood

    def _begin_reads(self, tracks: Sequence[Track]) -> None:
        """Where reads are tried until they succeed, either the first or the last of two alike may look like the one
        that fetched a unit, and learning stays with what it began with: begin with both, keep the likelier."""
        reads = sum(len(track.calls) for track in tracks)
        if not reads or sum(state & 2 > 0 for track in tracks for state in track.states) < _TRIED * reads:
            return
        best, highest = self.models[SERVER], float("-inf")
        for first_fails in (False, True):
            model = Model(SERVER, self._names, SCALE)
            model.first_background = self._first_background
            if first_fails:
                model.expect_failures()
            self.models[SERVER] = model
            for _ in range(_EARLY_ROUNDS):
                learner = Learner(model)
                for track in tracks:
                    self._set_band(track)
                    self._align(track)
                    learner.see(track, track.posterior)
                learner.teach()
                model.loss = self.models[CLIENT].loss
            likelihood = sum(track.posterior.log_likelihood for track in tracks)
            if likelihood > highest:
                best, highest = model, likelihood
        self.models[SERVER] = best
        for track in tracks:
            self._set_band(track)

    def finish(self, pairs: Sequence[tuple[Track, Track]]) -> Iterator[tuple[Track, Track]]:
        """Align all tracks with what was learnt, and yield them by flow. A posterior lives until the next is asked."""
        self._threads.forget()
        doubtful = []
        for pair in pairs:
            for track in pair:
                track.factors.clear()
                self._set_band(track)
                self._align(track, learning=False)
                self._threads.note(track)
            if all(track.is_sure(_SURE) for track in pair):
                yield pair
            else:
                doubtful.append(pair)
            for track in pair:
                track.forget()
        self._threads.ready()
        for pair in doubtful:
            for track in pair:
                self._set_band(track)
                self._threads.apply(track)
                self._align(track, learning=False)
            yield pair
            for track in pair:
                track.forget()

    def _set_band(self, track: Track) -> None:
        model = self.models[track.direction]
        track.band = Band(track.unit_times, track.call_times, model.early, model.late)

    def _align(self, track: Track, *, learning: bool = True) -> None:
        if len(track.band.lows) != len(track.unit_times):
            self._set_band(track)
        track.posterior = align(track.band, self.models[track.direction].weights(track), learning=learning)


def sample(tracks: Sequence[Track], size: int = SAMPLE) -> list[Track]:
    """Tracks with units and calls, spread over all of them, up to a number of units and calls in each direction."""
    chosen: list[Track] = []
    for direction in (CLIENT, SERVER):
        mine = [track for track in tracks if track.direction == direction and track.calls and track.unit_times]
        whole = sum(len(track.calls) + len(track.unit_times) for track in mine)
        step = max(1, whole // (2 * size))
        room = 2 * size
        for track in mine[::step]:
            if room <= 0:
                break
            room -= len(track.calls) + len(track.unit_times)
            chosen.append(track)
    return chosen
