"""Which connections waited for which look-up of a name: known when all of them are, in whatever order they were met.

The connection that is opened next to an address that was looked up waited for that, if it did not come too late; the
one after it did not.
"""

from __future__ import annotations

from array import array
from typing import Final, NamedTuple

from pcapng_utils.net.flow import Endpoint

#: A connection that is opened later than this after the answer (ns) had the name from a cache.
FRESH: Final = 5_000_000_000
_REMEMBERED: Final = 500_000


class Lookup(NamedTuple):
    """When a name was asked for and answered, in ns."""

    asked: int
    answered: int


class Waits:
    """What stays in memory is three numbers a connection, and what `Lookup` has for each address of an answer."""

    def __init__(self) -> None:
        self._lookups: list[tuple[Lookup, str, str]] = []
        self._frames = array("Q")
        self._firsts = array("q")
        self._pairs = array("q")

    def add_lookup(self, client: str, address: str, lookup: Lookup) -> None:
        """The client was told this address."""
        if len(self._lookups) < _REMEMBERED:
            self._lookups.append((lookup, client, address))

    def add_connection(self, frame: int, first: int, client: Endpoint, server: Endpoint) -> None:
        """A connection whose first packet had that number and time (ns)."""
        self._frames.append(frame)
        self._firsts.append(first)
        self._pairs.append(hash((client.ip, server.ip)))

    def join(self, other: Waits) -> None:
        self._lookups += other._lookups
        self._frames += other._frames
        self._firsts += other._firsts
        self._pairs += other._pairs

    def found(self) -> dict[int, Lookup]:
        """The look-ups that were waited for, by the number of their connection's first packet."""
        found: dict[int, Lookup] = {}
        if not self._lookups:
            return found
        lookups = sorted(self._lookups, key=lambda item: (item[0].answered, item[0].asked), reverse=True)
        waiting: dict[int, Lookup] = {}
        for place in sorted(range(len(self._frames)), key=self._frames.__getitem__):
            first, pair = self._firsts[place], self._pairs[place]
            while lookups and lookups[-1][0].answered <= first:
                lookup, client, address = lookups.pop()
                waiting[hash((client, address))] = lookup
            if pair in waiting and first - waiting[pair].answered <= FRESH:
                found[self._frames[place]] = waiting.pop(pair)
        return found
