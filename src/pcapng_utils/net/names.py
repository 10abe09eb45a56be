"""Which name stood for an address, when, and for whom.

Names come from a hosts file (which is obeyed), from what was seen (DNS answers, SNI) and from the capture's own name
resolution blocks (which are a last resort: they do not say when). What was seen counts from then on, and is asked for
by time, so that the answer does not depend on when the question is put.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable
from itertools import groupby
from operator import itemgetter
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, Generic, TypeVar

from pcapng_utils.net.dns import DnsExchange

K = TypeVar("K", bound=Hashable)


class _Uses:
    """When which names were in use, in the order of time, whatever the order in which that was learnt."""

    __slots__ = ("names", "times")

    def __init__(self) -> None:
        self.times = array("q")
        self.names = array("I")
        """Names by number."""

    def add(self, time: int, name: int, texts: list[str], limit: int) -> None:
        times, names = self.times, self.names
        place = bisect_right(times, time)
        while place and times[place - 1] == time and texts[names[place - 1]] > texts[name]:
            place -= 1
        times.insert(place, time)
        names.insert(place, name)
        if len(times) >= 2 * limit:
            self._shorten(limit)

    def before(self, time: int | None) -> int | None:
        """The name last in use at a time (None: at the end)."""
        place = len(self.times) if time is None else bisect_right(self.times, time)
        return self.names[place - 1] if place else None

    def _shorten(self, limit: int) -> None:
        """Keep the first of successive uses of one name, and of what is left the latest."""
        firsts = [next(run) for _, run in groupby(zip(self.times, self.names, strict=True), key=itemgetter(1))]
        self.times = array("q", (time for time, _ in firsts[-limit:]))
        self.names = array("I", (name for _, name in firsts[-limit:]))


class _Book(Generic[K]):
    """Uses by address, or by address and client; where there are too many, the first to come go first."""

    def __init__(self) -> None:
        self.uses: OrderedDict[K, _Uses] = OrderedDict()

    def of(self, key: K, limit: int) -> _Uses:
        uses = self.uses.get(key)
        if uses is None:
            uses = self.uses[key] = _Uses()
            if len(self.uses) > limit:
                self.uses.popitem(last=False)
        return uses


class Names:
    MAX_ADDRESSES: Final = 100_000
    MAX_USES: Final = 1 << 14
    """Of one address, by one client or by all, that are remembered at least."""
    MAX_NAMES: Final = 1_000_000
    """Different ones; those that come later are not learnt."""

    def __init__(self) -> None:
        self._hosts: dict[str, str] = {}
        self._blocks: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._all: _Book[str] = _Book()
        self._own: _Book[tuple[str, str]] = _Book()

    def learn_hosts(self, text: str) -> int:
        """The text of a hosts file; the first name of an address's first line is taken. Returns how many lines give
        no name to an address. (Those of an interface's own, such as fe80::1%lo0, do, but of none in a capture.)"""
        bad = 0
        for line in text.splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if names and (key := canonical(address)):
                self._hosts.setdefault(key, names[0])
            elif address and not (names and canonical(address.partition("%")[0])):
                bad += 1
        return bad

    def learn_block(self, address: str, name: str) -> None:
        """From a Name Resolution Block."""
        if len(self._blocks) < self.MAX_ADDRESSES and (key := canonical(address)):
            self._blocks.setdefault(key, name)

    def learn_dns(self, exchange: DnsExchange) -> None:
        """The name that was asked for stands for all addresses in the answer, through whatever CNAMEs."""
        if exchange.answered is not None and exchange.type != "PTR":
            for address in exchange.addresses():
                self.learn(address, exchange.name, exchange.answered, exchange.client)

    def learn(self, address: str, name: str, time: int, client: str) -> None:
        """`client` was told, or said itself (SNI), at `time` (ns) that this is the address of `name`."""
        key = canonical(address)
        if key and name and (number := self._number(name)) is not None:
            self._note(key, number, time, client)

    def _number(self, name: str) -> int | None:
        number = self._numbers.get(name)
        if number is None and len(self._names) < self.MAX_NAMES:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def _note(self, key: str, number: int, time: int, client: str) -> None:
        self._all.of(key, self.MAX_ADDRESSES).add(time, number, self._names, self.MAX_USES)
        self._own.of((key, client), self.MAX_ADDRESSES).add(time, number, self._names, self.MAX_USES)

    def lookup(self, address: str, client: str | None = None, time: int | None = None) -> str | None:
        """The name of an address for a client at a time (ns; None: at the end).

        The hosts file's; else the last one that this client, or else anybody, was seen to use for it before; else that
        of a Name Resolution Block."""
        key = canonical(address)
        if key in self._hosts:
            return self._hosts[key]
        for uses in (self._own.uses.get((key, client or "")), self._all.uses.get(key)):
            number = uses.before(time) if uses else None
            if number is not None:
                return self._names[number]
        return self._blocks.get(key)

    def join(self, other: Names) -> None:
        """Learn what was seen by another reader of the same capture."""
        numbers = [self._number(name) for name in other._names]
        for (key, client), uses in other._own.uses.items():
            for time, name in zip(uses.times, uses.names, strict=True):
                if (number := numbers[name]) is not None:
                    self._note(key, number, time, client)


def canonical(address: str) -> str:
    """An address in its one spelling; an IPv4-mapped one as IPv4; empty if it is none."""
    family = AF_INET6 if ":" in address else AF_INET
    try:
        raw = inet_pton(family, address)
    except (OSError, ValueError):
        return ""
    if raw.startswith(_MAPPED) and len(raw) == 16:
        return inet_ntop(AF_INET, raw[12:])
    return inet_ntop(family, raw)


_MAPPED: Final = bytes(10) + b"\xff\xff"
