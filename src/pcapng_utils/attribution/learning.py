"""What alignments teach: the counts that make the next model."""

from __future__ import annotations

from typing import Final

from pcapng_utils.attribution.align import Posterior
from pcapng_utils.attribution.delays import Delays, place_of
from pcapng_utils.attribution.kinds import KIND_CLASSES, MESSAGES, joint_guess, joint_pool
from pcapng_utils.attribution.model import LEAST, WAITING, WIDE, Model
from pcapng_utils.attribution.tracks import RELATIONS, RESOLUTION, STATES, Track
from pcapng_utils.layers import CLIENT

#: Calls that seem lost, or seem to have begun nothing, in any alignment of what is complete.
_CHANCE: Final = 1.0


class Learner:
    """Gathers what alignments say, and puts it into a model."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._reads = model.direction != CLIENT
        self.delays = Delays(reads=self._reads)
        self._by_site: dict[int, Delays] = {}
        self._kinds = [[0.0] * model.sites for _ in range(KIND_CLASSES)]
        self._joints: dict[int, list[float]] = {}
        self._calls = [[0.0] * 4 for _ in range(STATES * model.sites)]
        """By state, how often a call began a unit, or none, behind one that did; and behind one that did not."""
        self._units = [0.0] * KIND_CLASSES
        self._lost = [0.0] * KIND_CLASSES
        self._reads_seen = self._reads_waiting = 0.0
        self._neighbours = [[0.0, 0.0] for _ in range(RELATIONS)]
        self._threads = [1.0, 1.0]

    def see(self, track: Track, posterior: Posterior) -> None:
        """Count one aligned track."""
        band = track.band
        times, sites = track.call_times, track.sites
        lows = band.lows
        begun = [0.0] * len(times)
        direct = [0.0] * len(times)
        for same in track.same_thread[1:]:
            self._threads[same] += 1.0
        before: list[float] = []
        low_before = 0
        for unit, (fresh, straight) in enumerate(zip(posterior.fresh, posterior.direct, strict=True)):
            kinds = self._kinds[track.kinds[unit]]
            call = lows[unit] - 1
            fresh_mass = 0.0
            for mass, part in zip(fresh, straight, strict=True):
                if mass > 0.001:
                    direct[call] += part
                    site = sites[call]
                    self._see_delay(track, unit, call, mass)
                    if track.seconds and track.seconds[call] >= 0:
                        second = track.second_times[call]
                        delay = place_of(track.unit_times[unit], second)
                        self._delay(
                            track.second_sites[call], delay, mass, hidden=second - times[call] < 1, general=False
                        )
                    kinds[site] += mass
                    begun[call] += mass
                    fresh_mass += mass
                call += 1
            relation = track.relations[unit]
            if relation and before:
                tally = self._neighbours[relation]
                for k, mass in enumerate(fresh[1:], lows[unit] - low_before):
                    if mass > 0.01 and 0 <= k < len(before):
                        tally[track.same_thread[low_before + k]] += min(mass, before[k])
            before, low_before = posterior.rows[unit], lows[unit]
            self._joint(track, posterior, unit)
            attached = sum(posterior.rows[unit])
            if track.relations[unit] != 1:
                self._units[track.kinds[unit]] += fresh_mass
                self._lost[track.kinds[unit]] += max(1.0 - attached, 0.0)
        self._count_calls(track, begun, direct)

    def _count_calls(self, track: Track, begun: list[float], direct: list[float]) -> None:
        before = 1.0
        for state, mass, straight in zip(track.states, begun, direct, strict=True):
            tally = self._calls[state]
            tally[0] += straight
            tally[1] += max(before - straight, 0.0)
            tally[2] += max(mass - straight, 0.0)
            tally[3] += max(1.0 - before - mass + straight, 0.0)
            before = min(mass, 1.0)

    def _joint(self, track: Track, posterior: Posterior, unit: int) -> None:
        """Count how much of what the unit before was attached to was gone on with."""
        if not unit:
            return
        band, time = track.band, track.unit_times[unit]
        tally = self._joints.setdefault(track.joints[unit], [0.0, 0.0, 0.0, 0.0])
        for place, rows, less in (
            (0, posterior.rows[unit], posterior.fresh[unit]),
            (2, posterior.rows[unit - 1], None),
        ):
            first = band.lows[unit - (place > 0)] - 1
            for k, mass in enumerate(rows):
                if mass > 0.001:
                    # A write that was logged after its unit was seen shows a clock that is off, nothing more.
                    after = self._reads and first + k >= 0 and track.call_times[first + k] >= time - RESOLUTION
                    tally[place + after] += mass - less[k] if less is not None else mass

    def _see_delay(self, track: Track, unit: int, call: int, mass: float) -> None:
        """Count a delay; of a read, from when its unit came, or from when one began to wait for it."""
        site, time, hidden = track.sites[call], track.call_times[call], track.clumped[call]
        place = place_of(track.unit_times[unit], time)
        if track.since:
            begun = place_of(track.since[unit], time)
            known = self.model.site_delays.get(site, self.model.delays)
            table, waiting = known.later if hidden else known.table, self.model.waiting
            ready, early = (1.0 - waiting) * table[place], waiting * table[begun]
            share = early / (ready + early) if early > 0.0 else 0.0
            if not hidden:
                self._reads_seen += mass
                self._reads_waiting += mass * share
            self._delay(site, begun, mass * share, hidden=hidden)
            mass *= 1.0 - share
        self._delay(site, place, mass, hidden=hidden)

    def _delay(self, site: int, delay: int, mass: float, *, hidden: bool, general: bool = True) -> None:
        of_site = self._by_site.get(site)
        if of_site is None:
            of_site = self._by_site[site] = Delays(reads=self._reads)
        of_site.note(delay, mass, hidden=hidden)
        if general:
            self.delays.note(delay, mass, hidden=hidden)

    def teach(self, *, delays_alone: bool = False) -> None:
        """Put what was counted into the model."""
        model = self.model
        self.delays.learn(*model.prior, 4.0)
        model.delays = self.delays
        early, late = self.delays.reach()
        model.early, model.late = max(early, WIDE), max(late, WIDE)
        if model.direction != CLIENT:
            model.site_delays = {}
            for site, delays in self._by_site.items():
                delays.learn(self.delays.table, self.delays.later, 40.0)
                model.site_delays[site] = delays
            model.waiting = (self._reads_waiting + 4 * WAITING) / (self._reads_seen + 4)
        if delays_alone:
            return
        model.lift = model.lift_of(self._kinds)
        self._teach_losses()
        self._teach_idle()
        for relation in range(1, RELATIONS):
            model.follows[relation] = self._follow(self._neighbours[relation])
        self._teach_joints()

    def _teach_idle(self) -> None:
        """How often calls begin no unit."""
        if self.model.no_idle:
            return
        writes = self.model.direction == CLIENT
        guess, least = (0.03, LEAST) if writes else (0.3, 0.002)
        if writes:
            # Writes fail or are repeated one by one; only reads come in patterns (one that waits, one that gets).
            self._calls = [[a + c, b + d, a + c, b + d] for a, b, c, d in self._calls]
        for idles, first in ((self.model.idle, 0), (self.model.idle_again, 2)):
            busy = sum(tally[first] for tally in self._calls)
            idle = sum(tally[first + 1] for tally in self._calls)
            general = (max(idle - _CHANCE, 0.0) if writes else idle + 4 * guess) / (busy + idle + 4)
            for state, tally in enumerate(self._calls):
                seen = tally[first] + tally[first + 1]
                idles[state] = min(max((tally[first + 1] + 4 * general) / (seen + 4), least), 0.99)

    def _teach_joints(self) -> None:
        """How often a unit goes on with the call of the one before."""
        usual = {} if self._reads else self._usual_joints()
        for key in self._joints:
            on = self._going_on(key, False, usual)
            self.model.joints[key] = (on, self._going_on(key, True, usual) if self._reads else on)

    def _going_on(self, key: int, after: bool, usual: dict[int, tuple[float, float]]) -> float:
        guess, weight = joint_guess(key, after, self.model.direction)
        if (known := usual.get(joint_pool(key))) is not None:
            guess = (known[0] + weight * guess) / (known[1] + weight)
        gone_on, seen = self._gone_on(key, after)
        return min((gone_on + weight * guess) / (seen + weight), 0.999)

    def _usual_joints(self) -> dict[int, tuple[float, float]]:
        """Of writes in pools of like circumstances: how often a unit went on with a call, and how often it could. What
        is rarely seen is guessed by that."""
        usual: dict[int, tuple[float, float]] = {}
        for key in self._joints:
            if pool := joint_pool(key):
                gone_on, seen = self._gone_on(key, False)
                others = usual.get(pool, (0.0, 0.0))
                usual[pool] = others[0] + gone_on, others[1] + seen
        return usual

    def _gone_on(self, key: int, after: bool) -> tuple[float, float]:
        tally = self._joints[key]
        gone_on, seen = tally[after], max(tally[2 + after], tally[after])
        if not self._reads:
            # As many seem to go on with the call before because their own was lost.
            gone_on = max(gone_on - self.model.loss * seen, 0.0)
        return gone_on, seen

    def _teach_losses(self) -> None:
        """What messages show holds for the log as a whole; other kinds are known by themselves as they are seen."""
        model = self.model
        seen = [units + lost for units, lost in zip(self._units, self._lost, strict=True)]
        if model.direction == CLIENT:
            # Reads, of which several may fetch one unit and one several, cannot tell a lost call from one that was not
            # needed: they share what writes show, for both directions are logged by one collector.
            kinds = [kind for kind in MESSAGES if seen[kind] > 0.0] or range(KIND_CLASSES)
            whole, lost = sum(seen[kind] for kind in kinds), sum(self._lost[kind] for kind in kinds)
            model.loss = min(max((lost - _CHANCE) / (whole + 20.0), LEAST), 0.8)
        for kind, (whole, lost) in enumerate(zip(seen, self._lost, strict=True)):
            own = (max(lost - _CHANCE, 0.0) + 10.0 * model.loss) / (whole + 10.0)
            model.losses[kind] = model.loss if kind in MESSAGES else min(max(own, LEAST), 0.98)

    def _follow(self, seen: list[float]) -> tuple[float, float]:
        """By what neighbours of one kind are likelier to be of different threads, or of one, than calls in general."""
        whole, total = sum(self._threads), sum(seen)
        other, same = (
            (count + 8 * calls / whole) / (total + 8) * whole / calls
            for count, calls in zip(seen, self._threads, strict=True)
        )
        return other, same
