"""Flows by their last activity, so that the one idle for longest can be let go.

A packet must not cost anything here: it only writes the flow's `last_frame`. A heap remembers what that was when it
last looked; an entry that comes up with an old number is put back with the new one, so each costs at most a heap
operation per packet of its flow, and only when something has to go.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from pcapng_utils.net.flow import Flow


class Idler(Protocol):
    """What can be kept here: something that has a flow and remembers where it is kept."""

    flow: Flow
    kept: object


T = TypeVar("T", bound=Idler)


class Idle(Generic[T]):
    """At most `limit` entries; whoever adds one asks for the surplus."""

    __slots__ = ("_heap", "_limit", "_serial", "count")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, int, T]] = []
        self._serial = 0
        self.count = 0

    def add(self, entry: T) -> None:
        entry.kept = self
        self.count += 1
        self._push(entry)
        if len(self._heap) > 2 * self.count + 1024:
            self._heap = [item for item in self._heap if item[2].kept is self]
            heapify(self._heap)

    def remove(self, entry: T) -> None:
        """Its heap item is dropped when it comes up, or when too many are dead."""
        entry.kept = None
        self.count -= 1

    def surplus(self) -> T | None:
        """Remove and return the least recently active entry if there are too many."""
        while self.count > self._limit:
            seen, _, entry = heappop(self._heap)
            if entry.kept is not self:
                continue
            if entry.flow.last_frame == seen:
                self.remove(entry)
                return entry
            self._push(entry)
        return None

    def __iter__(self) -> Iterator[T]:
        """All entries, in no order."""
        return iter({id(item[2]): item[2] for item in self._heap if item[2].kept is self}.values())

    def _push(self, entry: T) -> None:
        self._serial += 1
        heappush(self._heap, (entry.flow.last_frame, self._serial, entry))
