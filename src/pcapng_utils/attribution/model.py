"""What is learnt about one direction of a capture: how calls and units belong together.

Nothing is known beforehand of the phone, the app or its HTTP client, so every quantity the alignment weighs is
estimated from the alignment before it (expectation-maximisation): how long a call takes to the wire, which call sites
send which kind of unit, which units go on with a call, which calls begin none, how many were lost. Each estimate starts
from a mild guess, counted as if it had been seen a few times.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, Literal

from pcapng_utils.attribution.align import Weights
from pcapng_utils.attribution.delays import Delays, places_of, wide
from pcapng_utils.attribution.kinds import KIND_CLASSES, KINDS, joint_guess, kind_class
from pcapng_utils.attribution.tracks import RELATIONS, RESOLUTION, STATES, Track
from pcapng_utils.layers import CLIENT, UnitKind

#: Density of calls that have nothing to do with a unit, per ms.
BACKGROUND: Final = 1 / 1000
#: Share of the calls that carry what another thread had left in the client's buffer: their site says nothing.
MIXED: Final = 0.005
#: Probability that such a call is hidden behind another where it could be.
CLUMPED_BACKGROUND: Final = 0.5


#: How far from a unit calls are looked for at first, in ms.
WIDE: Final = 1_000.0
#: Share of calls that were not logged, or begin no unit: before anything is known of delays, and then.
_RARE: Final = 1e-4
_SOME: Final = 3e-3
#: Smallest share of calls that are not what is usual.
LEAST: Final = 2e-5
#: Probability of going on with a call, where each unit is guessed to be of one of its own.
_STRICT: Final = 0.02

#: Share of the reads that are logged when they begin to wait, before anything is known of it.
WAITING: Final = 0.2

Habit = Literal["any", "one a unit", "first fails"]


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
        self.early = self.late = WIDE
        self.waiting = WAITING
        """Share of the reads that are logged when they begin to wait for a unit, not when it has come."""
        self.first_background = BACKGROUND
        """Density, per ms, of the first reads after a write that fetch nothing: they are made because of the write."""
        self.loss = _RARE
        """Share of the calls that were not logged, as messages show it."""
        self.losses = [_RARE] * KIND_CLASSES
        """The same for each kind of unit: what a TLS library does on its own may never be logged."""
        self.joints: dict[int, tuple[float, float]] = {}
        self.idle = [_RARE if direction == CLIENT else 0.5] * (STATES * self.sites)
        """For each state of a call (`Track.states`), the probability that it begins no unit, the call before having
        begun one."""
        self.idle_again = [_RARE if direction == CLIENT else 0.05] * (STATES * self.sites)
        """The same where the call before began none either."""
        self.no_idle = False
        """Whether no call is taken to begin no unit, but against all odds: then `idle` is not learnt."""
        self._strict = False
        """Whether each unit is guessed to be of a call of its own."""
        self.follows = [(1.0, 1.0)] * RELATIONS
        """For each relation of two units (`Track.relations`), by what it becomes likelier that their calls are
        neighbours if these are of different threads, and if they are of one."""
        self.lift = self.lift_of([[0.0] * self.sites for _ in range(KIND_CLASSES)])

    def expect_loss(self) -> None:
        """No longer take the log for complete."""
        self.lose(_SOME)
        self.idle = [_SOME] * len(self.idle)
        self.idle_again = [_SOME] * len(self.idle)

    def expect_no_idle(self) -> None:
        """Take it that every call begins a unit."""
        self.no_idle = True
        self.idle = [LEAST] * len(self.idle)
        self.idle_again = [LEAST] * len(self.idle)

    def expect_no_handshakes(self) -> None:
        """Begin with a guess that nothing of handshakes but their first call is logged, and all of the rest."""
        self.lose(_SOME)
        for kind in (UnitKind.HANDSHAKE, UnitKind.CHANGE_CIPHER_SPEC, UnitKind.FINISHED):
            self.losses[kind_class(kind)] = 0.9

    def lose(self, share: float) -> None:
        """Take such a share of all calls for not logged."""
        self.loss = share
        self.losses = [share] * KIND_CLASSES

    def move(self, later: int) -> None:
        """Calls are now taken to be later, by so many ms."""
        for delays in (self.delays, *self.site_delays.values()):
            delays.move(later)

    def expect(self, habit: Habit) -> None:
        """Begin with a guess of how reads are made: one for each unit; or of two alike, the first fails."""
        if habit == "one a unit":
            self._strict = True
            self.idle = [0.02] * len(self.idle)
            self.idle_again = [0.02] * len(self.idle)
        elif habit == "first fails":
            for state in range(len(self.idle)):
                self.idle[state] = self.idle_again[state] = 0.95 if state & 2 else 0.02

    def weights(self, track: Track) -> Weights:
        """What the alignment of one track needs, within its band."""
        joints, idle, times, direction = self.joints, self.idle, track.call_times, self.direction
        skip = [idle[state] for state in track.states]
        skip_again = [self.idle_again[state] for state in track.states]
        fewer = [(1.0 - again) / (1.0 - once) for again, once in zip(self.idle_again, idle, strict=True)]
        again = [fewer[state] for state in track.states]
        going_on = []
        for key in track.joints:
            on = joints.get(key)
            if on is None:
                on = (joint_guess(key, False, direction)[0], joint_guess(key, True, direction)[0])
                joints[key] = on = (min(on[0], _STRICT), min(on[1], _STRICT)) if self._strict else on
            going_on.append(on)
        turns = [bisect_left(times, time - RESOLUTION) for time in track.unit_times]
        factors = [[same if one else other for one in track.same_thread] for other, same in self.follows]
        follows = [factors[relation] for relation in track.relations]
        losses = [self.losses[kind] for kind in track.kinds]
        match = _Matches(self, track).of
        return Weights(match, going_on, turns, skip, skip_again, again, losses, follows)

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


class _Matches:
    """The likelihoods of pairings of one track."""

    __slots__ = ("_lift", "_model", "_tables", "_track", "_worth")

    def __init__(self, model: Model, track: Track) -> None:
        self._model = model
        self._track = track
        self._lift = [
            [(1.0 - loss) * value for value in row] for row, loss in zip(model.lift, model.losses, strict=True)
        ]
        general = model.delays
        known = [model.site_delays.get(site, general) for site in range(model.sites)]
        self._tables = [
            known[site].later if clump else known[site].table
            for site, clump in zip(track.sites, track.clumped, strict=True)
        ]
        # For each state, how likely a call in it begins a unit, against the density of calls that do not.
        alone = (BACKGROUND, model.first_background)
        busy = [1.0 - value for value in model.idle]
        shown = [value / alone[state & 1] for state, value in enumerate(busy)]
        hidden = [value / CLUMPED_BACKGROUND for value in busy]
        self._worth = [
            hidden[state] if clump else shown[state] for state, clump in zip(track.states, track.clumped, strict=True)
        ]
        if track.seconds:
            # What comes a while after its first has waited: by chance, it could have come at any time.
            self._worth = [
                value if row < 0 else value / (CLUMPED_BACKGROUND if second - first < RESOLUTION else BACKGROUND)
                for value, row, first, second in zip(
                    self._worth, track.seconds, track.call_times, track.second_times, strict=True
                )
            ]

    def of(self, unit: int, low: int, high: int) -> list[float]:
        """Of a unit and each call of a half-open range."""
        track = self._track
        row = self._lift[track.kinds[unit]]
        time = track.unit_times[unit]
        tables, sites, worths = self._tables[low:high], track.sites[low:high], self._worth[low:high]
        places = places_of(time, track.call_times[low:high])
        if track.since:
            # A read was logged when the unit had come, or when one began to wait for it.
            waiting = self._model.waiting
            ready = 1.0 - waiting
            begun = places_of(track.since[unit], track.call_times[low:high])
            weights = [
                (ready * table[place] + waiting * table[before]) * row[site] * worth
                for table, place, before, site, worth in zip(tables, places, begun, sites, worths, strict=True)
            ]
        else:
            weights = [
                table[place] * row[site] * worth
                for table, place, site, worth in zip(tables, places, sites, worths, strict=True)
            ]
        if track.seconds:
            seconds = track.seconds
            weights = [
                weight if seconds[call] < 0 else weight * self._second(call, time)
                for call, weight in enumerate(weights, low)
            ]
        factors = track.factors.get(unit)
        if factors is not None:
            first, values = factors
            for call in range(max(low, first), min(high, first + len(values))):
                weights[call - low] *= values[call - first]
        return weights

    def _second(self, call: int, time: float) -> float:
        track, model = self._track, self._model
        second = track.second_times[call]
        delays = model.site_delays.get(track.second_sites[call], model.delays)
        table = delays.later if second - track.call_times[call] < 1 else delays.table
        return table[places_of(time, (second,))[0]]
