"""What is learnt about one direction of a capture: how calls and units belong together.

Nothing is known beforehand of the phone, the app or its HTTP client, so every quantity the alignment weighs is
estimated from the alignment before it (expectation-maximisation): how long a call takes to the wire, which call sites
send which kind of unit, which units go on with a call, which calls begin none, how many were lost. Each estimate starts
from a mild guess, counted as if it had been seen a few times.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from pcapng_utils.attribution.align import Weights
from pcapng_utils.attribution.delays import REACH, SIZE, Delays, wide
from pcapng_utils.attribution.kinds import KIND_CLASSES, KINDS, joint_guess
from pcapng_utils.attribution.tracks import RESOLUTION, STATES, Track
from pcapng_utils.layers import CLIENT, UnitKind

#: Density of calls that have nothing to do with a unit, per ms.
BACKGROUND: Final = 1 / 1000
#: Share of the calls that carry what another thread had left in the client's buffer: their site says nothing.
MIXED: Final = 0.03
#: Probability that such a call is hidden behind another where it could be.
CLUMPED_BACKGROUND: Final = 0.5


class Model:
    """What is known of one direction over all flows."""

    def __init__(self, direction: int, names: Sequence[UnitKind], scale: float) -> None:
        """`names` says what each call site's names suggest; `scale` how far calls are from the wire, in ms, roughly."""
        self.direction = direction
        self.sites = len(names)
        self._names = names
        density, cumulative = wide(scale, direction)
        self.prior = density, cumulative
        self.delays = Delays(reads=direction != CLIENT)
        self.delays.learn(density, cumulative, 1.0)
        self.site_delays: dict[int, Delays] = {}
        self.early = self.late = max(150.0, 20 * scale)
        self.first_background = BACKGROUND
        """Density, per ms, of the first reads after a write that fetch nothing: they are made because of the write."""
        self.loss = 0.003
        self.joints: dict[int, tuple[float, float]] = {}
        self.idle = [0.003 if direction == CLIENT else 0.5] * (STATES * self.sites)
        """For each state of a call (`Track.states`), the probability that it begins no unit, the call before having
        begun one."""
        self.idle_again = [0.003 if direction == CLIENT else 0.05] * (STATES * self.sites)
        """The same where the call before began none either."""
        self.follows: list[tuple[float, float] | None] = [None, None, None]
        self.lift = self.lift_of([[0.0] * self.sites for _ in range(KIND_CLASSES)])

    def expect_failures(self) -> None:
        """Begin with the guess that of two calls alike, the first failed."""
        for state in range(len(self.idle)):
            self.idle[state] = self.idle_again[state] = 0.95 if state & 2 else 0.02

    def weights(self, track: Track) -> Weights:
        """What the alignment of one track needs, within its band."""
        band, lift = track.band, self.lift
        joints, loss, idle = self.joints, self.loss, self.idle
        times, sites, direction, clumped = track.call_times, track.sites, self.direction, track.clumped
        alone = (BACKGROUND, self.first_background) * (STATES // 2)
        skip = [
            idle[state] * (CLUMPED_BACKGROUND if clump else alone[state % STATES])
            for state, clump in zip(track.states, clumped, strict=True)
        ]
        if track.seconds:
            skip = [
                value if second < 0 else value * CLUMPED_BACKGROUND
                for value, second in zip(skip, track.seconds, strict=True)
            ]
        more = [again / once for again, once in zip(self.idle_again, idle, strict=True)]
        skip_again = [value * more[state] for value, state in zip(skip, track.states, strict=True)]
        fewer = [(1.0 - again) / (1.0 - once) for again, once in zip(self.idle_again, idle, strict=True)]
        again = [fewer[state] for state in track.states]
        going_on = []
        for key in track.joints:
            on = joints.get(key)
            if on is None:
                on = joints[key] = (joint_guess(key, False, direction)[0], joint_guess(key, True, direction)[0])
            going_on.append(on)
        turns = [bisect_left(times, time - RESOLUTION) for time in track.unit_times]
        busy = [(1.0 - value) * (1.0 - loss) for value in idle]
        general = self.delays
        known = [self.site_delays.get(site, general) for site in range(self.sites)]
        tables = [known[site].later if clump else known[site].table for site, clump in zip(sites, clumped, strict=True)]
        busy_calls = [busy[state] for state in track.states]
        match = []
        for unit, (time, kind) in enumerate(zip(track.unit_times, track.kinds, strict=True)):
            low, high = band.lows[unit], band.highs[unit]
            row = lift[kind]
            offset = time + REACH
            weights = [
                table[int(offset - call)] * row[site] * value
                for table, call, site, value in zip(
                    tables[low:high], times[low:high], sites[low:high], busy_calls[low:high], strict=True
                )
            ]
            if track.seconds:
                seconds = track.seconds
                weights = [
                    weight if seconds[call] < 0 else weight * self._second(track, call, offset)
                    for call, weight in enumerate(weights, low)
                ]
            factors = track.factors.get(unit)
            if factors is not None:
                weights = [weight * factor for weight, factor in zip(weights, factors, strict=True)]
            match.append(weights)
        follows = [self.follows[relation] for relation in track.relations]
        return Weights(match, going_on, turns, skip, skip_again, again, loss, follows, track.same_thread)

    def _second(self, track: Track, call: int, offset: float) -> float:
        second = track.second_times[call]
        delays = self.site_delays.get(track.second_sites[call], self.delays)
        table = delays.later if second - track.call_times[call] < 1 else delays.table
        return table[min(max(int(offset - second), 0), SIZE - 1)]

    def lift_of(self, counts: list[list[float]]) -> list[list[float]]:
        """How much likelier a site is for a kind than in general."""
        sites = self.sites
        general = [1.0] * sites
        for row in counts:
            general = [a + b for a, b in zip(general, row, strict=True)]
        whole = sum(general)
        general = [value / whole for value in general]
        table = []
        for kind, row in enumerate(counts):
            # A name that fits counts as if the site had been seen with the kind; one that does not, as the opposite.
            prior = [6.0 * share * self._suits(site, kind) for site, share in enumerate(general)]
            total = sum(row) + sum(prior)
            table.append(
                [
                    (1.0 - MIXED) * (count + guess) / total / share + MIXED
                    for count, guess, share in zip(row, prior, general, strict=True)
                ]
            )
        return table

    def _suits(self, site: int, kind: int) -> float:
        name = self._names[site]
        if not name or kind >= len(KINDS) - 1:
            return 1.0
        if name & KINDS[kind] or (name == UnitKind.HANDSHAKE and kind < 4):
            return 2.0
        return 0.5
