"""One direction of one flow, made ready to be aligned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from pcapng_utils.attribution.align import Band, Posterior
from pcapng_utils.attribution.kinds import joint_key, kind_class
from pcapng_utils.attribution.views import FlowView, MessageView
from pcapng_utils.layers import CLIENT, SERVER, UnitKind

_FULL_RECORD: Final = 16_000
_FULL_SEGMENT: Final = 1_200
_MS: Final = 1e6
#: Calls are logged in whole ms, cut off: one may have been made so much later than it says.
RESOLUTION: Final = 1.0
#: Units behind the first of a message, or an exchange, whose calls are asked whose it is, at most.
LATER_UNITS: Final = 3
#: How a unit may be related to the one before it (`Track.relations`).
RELATIONS: Final = 4
#: Kinds of circumstances of a call that are told apart at each site.
STATES: Final = 8


@dataclass(slots=True, eq=False)
class MessagePlace:
    """A message, and what is known of it so far. Times in ms since the epoch of the tracks."""

    index: int
    """Place in `FlowView.messages`."""
    http1: bool
    last: float | None
    partner: MessagePlace | None = None
    """A request's response and the other way round."""
    call: int | None = None
    """The row of the call that likely carried its first byte."""
    some_call: int | None = None
    """The same; where there is none, of a call that likely carried something of it soon after."""


@dataclass(slots=True)
class Track:
    """One direction of one flow. Times are ms of the router's clock since a common epoch."""

    flow: int
    direction: int
    unit_times: list[float]
    kinds: list[int]
    """Kind class of each unit."""
    joints: list[int]
    """For each unit, what is known beforehand of whether it goes on with the call of the unit before (`joint_key`)."""
    relations: list[int]
    """For each unit: 0 if nothing is known, 1 if it is of the message of the unit before, 2 if of another; 3 if of
    another, on a connection that carries one exchange at a time (HTTP/1.1)."""
    starts: dict[int, MessagePlace]
    """Units that carry the first byte of a message; of several messages, the first."""
    of_messages: dict[int, MessagePlace]
    """All units of messages; of several messages, the first."""
    units_of: dict[int, Sequence[int]]
    """Units of each message, by its place in the flow."""
    since: list[float]
    """For each unit of the server, when one could begin to wait for it; empty for the client."""
    calls: list[int] = field(default_factory=list)
    """Rows of the operation log."""
    call_times: list[float] = field(default_factory=list)
    """When they were logged, on the router's clock, ascending."""
    sites: list[int] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    """For each call, its site times `STATES`; 2 more if the next call is the same again (as after EAGAIN), and
    of reads, nothing is written before it; 1 more if it is the first read after a write; 4 more if
    it is a read of HTTP/1.1, of which one answer is read at a time."""
    clumped: list[bool] = field(default_factory=list)
    """For each call, whether its own delay is hidden: it was written in the same ms as the next, or read in the same ms
    as the one before."""
    same_thread: list[bool] = field(default_factory=list)
    """For each call, whether the call before is of the same thread."""
    seconds: list[int] = field(default_factory=list)
    """For each call, the row of the call that always follows it and is counted as part of it, or -1; empty if none."""
    second_sites: list[int] = field(default_factory=list)
    second_times: list[float] = field(default_factory=list)
    factors: dict[int, tuple[int, list[float]]] = field(default_factory=dict)
    """For some units, a call and a factor for each call from it on, from what other flows say (threads)."""
    band: Band = field(default_factory=Band.empty)
    posterior: Posterior = field(default_factory=Posterior.empty)

    def forget(self) -> None:
        """Let go of what the last alignment left."""
        self.posterior = Posterior.empty()
        self.factors.clear()

    def is_sure(self, least: float) -> bool:
        """Whether the call of each message's first unit is at least so probable."""
        rows = self.posterior.rows
        return all(unit < len(rows) and max(rows[unit], default=0.0) >= least for unit in self.starts)

    def best(self, unit: int, least: float) -> int | None:
        """The likeliest call of a unit, as a place in `calls`, if its probability is above `least`."""
        row = self.posterior.rows[unit] if unit < len(self.posterior.rows) else None
        if not row:
            return None
        mass = max(row)
        call = self.band.lows[unit] - 1 + row.index(mass)
        return call if mass > least and call >= 0 else None


def flow_tracks(place: int, flow: FlowView, epoch: int) -> tuple[Track, Track]:
    """Both directions of a flow, without calls yet."""
    places = _places(flow, epoch)
    return (
        _track(place, flow, CLIENT, places, epoch),
        _track(place, flow, SERVER, places, epoch),
    )


def _places(flow: FlowView, epoch: int) -> list[MessagePlace]:
    places = [
        MessagePlace(index, message.http1, (message.last - epoch) / _MS if message.last else None)
        for index, message in enumerate(flow.messages)
    ]
    known: dict[int | str, MessagePlace] = {}
    for message, place in zip(flow.messages, places, strict=True):
        if message.exchange is not None:
            place.partner = known.setdefault(message.exchange, place)
            if place.partner is place:
                place.partner = None
            else:
                place.partner.partner = place
    return places


def _track(place: int, flow: FlowView, direction: int, places: list[MessagePlace], epoch: int) -> Track:
    mine = [
        (message, spot) for message, spot in zip(flow.messages, places, strict=True) if message.direction == direction
    ]
    if flow.units is None:
        return _track_of_times(place, direction, mine, epoch)
    log = flow.units
    times = [(time - epoch) / _MS for time in log.times[direction]]
    kinds = [kind_class(flags) for flags in log.kinds[direction]]
    starts: dict[int, MessagePlace] = {}
    owners: dict[int, MessagePlace] = {}
    units_of: dict[int, Sequence[int]] = {}
    for message, spot in mine:
        units = [unit for unit in message.units if unit < len(times)]
        if units:
            starts.setdefault(units[0], spot)
            units_of[spot.index] = units
        for unit in units:
            owners.setdefault(unit, spot)
    relations = [0] * len(times)
    for unit in range(1, len(times)):
        before, owner = owners.get(unit - 1), owners.get(unit)
        if before is not None and owner is not None:
            relations[unit] = 1 if before is owner else 3 if owner.http1 else 2
    clear = not log.kinds[CLIENT] or not log.kinds[CLIENT][0] & (UnitKind.CLIENT_HELLO | UnitKind.UNREADABLE)
    frames, sizes = log.frames[direction], log.sizes[direction]
    full = _FULL_SEGMENT if clear else _FULL_RECORD
    joints = [0] * min(len(times), 1) + [
        joint_key(
            same_frame=frames[unit] == frames[unit - 1],
            gap=times[unit] - times[unit - 1],
            before=kinds[unit - 1],
            kind=kinds[unit],
            relation=relations[unit],
            bulk=sizes[unit - 1] >= full,
            clear=clear,
        )
        for unit in range(1, len(times))
    ]
    since: list[float] = []
    if direction == SERVER:
        # Over HTTP/1.1 who asked waits; else somebody reads all the time.
        turns = any(spot.http1 for _, spot in mine)
        since = _since(times, [(time - epoch) / _MS for time in log.times[CLIENT]] if turns else [])
    return Track(place, direction, _ascending(times), kinds, joints, relations, starts, owners, units_of, since)


def _since(times: Sequence[float], asked: Sequence[float]) -> list[float]:
    """For each unit the moment of what is last before it, of the units of its own direction and of those `asked`."""
    since: list[float] = []
    last, place = times[0] if times else 0.0, 0
    for time in times:
        while place < len(asked) and asked[place] <= time:
            last = max(last, asked[place])
            place += 1
        since.append(min(last, time))
        last = max(last, time)
    return since


def _track_of_times(place: int, direction: int, mine: list[tuple[MessageView, MessagePlace]], epoch: int) -> Track:
    """Where the wire's records are not at hand: each message is a unit."""
    mine = sorted(mine, key=lambda pair: pair[0].first)
    times = [(message.first - epoch) / _MS for message, _ in mine]
    starts = {unit: spot for unit, (_, spot) in enumerate(mine)}
    kind = kind_class(UnitKind.HEADERS)
    joints = [0] * min(len(times), 1) + [
        joint_key(
            same_frame=later == earlier,
            gap=later - earlier,
            before=kind,
            kind=kind,
            relation=2,
            bulk=False,
            clear=False,
        )
        for earlier, later in pairwise(times)
    ]
    units_of: dict[int, Sequence[int]] = {spot.index: [unit] for unit, spot in starts.items()}
    relations = [0] + [2] * (len(times) - 1) if times else []
    since = _since(times, []) if direction == SERVER else []
    return Track(place, direction, times, [kind] * len(times), joints, relations, starts, dict(starts), units_of, since)


def _ascending(times: list[float]) -> list[float]:
    """Units are in the stream's order; where packets overtook one another their times are not, and are held back."""
    latest = float("-inf")
    for index, time in enumerate(times):
        latest = max(latest, time)
        times[index] = latest
    return times


def set_calls(
    track: Track,
    calls: Iterable[tuple[float, int]],
    site_of: Callable[[int], int],
    thread_of: Callable[[int], int],
    stack_of: Callable[[int], int],
) -> None:
    """Give the track its calls: pairs of a time (router's clock, ascending) and a row of the log."""
    pairs = list(calls)
    track.call_times = [time for time, _ in pairs]
    track.calls = rows = [row for _, row in pairs]
    track.sites = [site_of(row) for row in rows]
    track.seconds, track.second_sites, track.second_times = [], [], []
    track.factors.clear()
    track.band = Band.empty()
    _set_neighbours(track, thread_of, stack_of)


def _set_neighbours(track: Track, thread_of: Callable[[int], int], stack_of: Callable[[int], int]) -> None:
    rows, times = track.calls, track.call_times
    threads = [thread_of(row) for row in rows]
    stacks = [stack_of(row) for row in rows]
    same = [a == b for a, b in pairwise(threads)]
    track.same_thread = [False, *same] if rows else []
    again = [a and b == c for a, b, c in zip(same, stacks, stacks[1:], strict=False)] + [False]
    track.states = [STATES * site + 2 * repeated for site, repeated in zip(track.sites, again, strict=False)]
    near = [second - first < 1 for first, second in pairwise(times)]
    if rows:
        track.clumped = [*near, False] if track.direction == CLIENT else [False, *near]
    else:
        track.clumped = []


def couple_reads(
    tracks: Sequence[Track], site_count: int, thread_of: Callable[[int], int], stack_of: Callable[[int], int]
) -> dict[tuple[int, int], int]:
    """Count two reads that always come together (a record's header, then the rest of it) as one.

    Returns the new site of each couple of sites.
    """
    follows: Counter[tuple[int, int]] = Counter()
    alone: Counter[int] = Counter()
    first: Counter[int] = Counter()
    for track in tracks:
        first.update(track.sites[:1])
        alone.update(track.sites)
        for one, two, same in zip(track.sites, track.sites[1:], track.same_thread[1:], strict=False):
            if same and one != two:
                follows[one, two] += 1
    couples: dict[tuple[int, int], int] = {}
    taken: set[int] = set()
    for (one, two), count in follows.most_common():
        if min(count, follows.get((two, one), count)) <= 0 or one in taken or two in taken:
            continue
        if count > 0.75 * alone[one] and count > 0.75 * alone[two]:
            if follows[two, one] > 0.75 * alone[two] and first[two] > first[one]:
                one, two = two, one
            couples[one, two] = site_count + len(couples)
            taken |= {one, two}
    if couples:
        for track in tracks:
            _couple(track, couples)
            _set_neighbours(track, thread_of, stack_of)
    return couples


def _couple(track: Track, couples: dict[tuple[int, int], int]) -> None:
    rows, times, sites = track.calls, track.call_times, track.sites
    track.calls, track.call_times, track.sites = [], [], []
    index = 0
    while index < len(rows):
        pair = tuple(sites[index : index + 2])
        coupled = couples.get(pair) if len(pair) == 2 and track.same_thread[index + 1] else None
        track.calls.append(rows[index])
        track.call_times.append(times[index])
        track.sites.append(sites[index] if coupled is None else coupled)
        track.seconds.append(-1 if coupled is None else rows[index + 1])
        track.second_sites.append(0 if coupled is None else sites[index + 1])
        track.second_times.append(0.0 if coupled is None else times[index + 1])
        index += 1 if coupled is None else 2


def mark_first_reads(writes: Track, reads: Track) -> list[float]:
    """Note which reads are the first after a write: they often come too early, and get nothing. The read before such a
    one is not repeated by it: what was to be read had come, or nothing more would have been written.

    Returns how long after the last write each of them came, in ms.
    """
    if any(place.http1 for place in reads.starts.values()):
        reads.states[:] = [state | 4 for state in reads.states]
    written = list(zip(writes.call_times, writes.calls, strict=True))
    place = 0
    gaps = []
    for index, call in enumerate(zip(reads.call_times, reads.calls, strict=True)):
        before = place
        while place < len(written) and written[place] <= call:
            place += 1
        if place > before:
            reads.states[index] |= 1
            gaps.append(call[0] - written[place - 1][0])
            if index:
                reads.states[index - 1] &= ~2
    return gaps
