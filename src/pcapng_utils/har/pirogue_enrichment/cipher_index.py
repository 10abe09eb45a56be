"""The encrypted sides of a cipher log, found by pieces of a few bytes: a body is compared with the few that may fit.

Of every side, pieces are chosen so that no body which the side may contain can miss all of them; and a body that
contains the side contains each. So what is in a body, of all the pieces of the log, tells what to compare. A side is
as a rule at most half as long again as the bodies it may contain: then one piece does, from the middle of the side,
and from a place where no other side has the same bytes, if there is one (the beginnings of messages are often alike).

In memory is a row of numbers for each side, and its pieces; the bytes are read again where they are to be compared.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

#: Width of a piece in bytes, the format that reads it as a number, and the shortest body that is sure to hold one.
_WIDTHS: Final[tuple[tuple[int, Literal["Q", "I", "H", "B"], int], ...]] = (
    (8, "Q", 15),
    (4, "I", 7),
    (2, "H", 3),
    (1, "B", 1),
)
_ROW: Final = 32
"""Bits of an entry below the row, which are the piece's place."""
_PLACE: Final = (1 << _ROW) - 1
_FEW: Final = 4
"""Sides of about a body's size that are read and compared without a look at pieces."""
_CROWD: Final = 16
"""Sides with the same piece from which on they are told apart by length and hash."""

_GUARD: Final = 8
"""Bytes that are looked at to tell sides of a crowd apart."""

Ranked = list[tuple[int, int]]
"""Twice the size and row of calls, sorted."""


class Bounds(NamedTuple):
    """Which calls may be a body's."""

    min_encrypted: int = 8
    min_clear: int = 2
    max_difference: float = 0.5
    """Between the sizes of call and body, as a part of the body's."""


class Group:
    """Sides with the same piece at the same place, of the same length."""

    TELLING: Final = 6
    """Places, at most, whose bytes are known of each side."""
    SAMPLE: Final = 64
    """Sides that are compared to choose those places."""

    def __init__(self, place: int, extent: int) -> None:
        self.place = place
        self.extent = extent
        self.alike: dict[int, Ranked] = {}
        """The calls by the hash of their side."""
        self.lowest = sys.maxsize
        """Of twice the sizes of the calls; so `highest`."""
        self.highest = 0
        self._telling: dict[int, dict[bytes, list[Ranked]]] | None = None
        """By place, and the bytes there: places where sides are different."""

    def add(self, shared: int, size: int, row: int) -> None:
        self.alike.setdefault(shared, []).append((size, row))
        self.lowest, self.highest = min(self.lowest, size), max(self.highest, size)

    def difference(self, size: int) -> int:
        """The least difference between twice the size of a call and `size`."""
        return max(self.lowest - size, size - self.highest, 0)

    def with_part(self, part: bytes, offset: int, read: Callable[[int], bytes]) -> list[Ranked]:
        """The calls whose sides may have these bytes at this offset: few, where the part tells them apart."""
        if self._telling is None:
            self._telling = self._learn(read)
        found = [*self.alike.values()]
        for place, sides in self._telling.items():
            if offset <= place <= offset + len(part) - _GUARD:
                found = min(found, sides.get(part[place - offset : place - offset + _GUARD], []), key=len)
        return found

    def _learn(self, read: Callable[[int], bytes]) -> dict[int, dict[bytes, list[Ranked]]]:
        calls, last = list(self.alike.values()), self.extent - _GUARD
        if len(calls) < 2 or last < 0:
            return {}
        near = [0, *(1 << power for power in range(last.bit_length()))]
        places = sorted({last * part // 16 for part in range(17)}.union(near, (last - one for one in near)))
        sample = [read(ranked[0][1]) for ranked in calls[:: -(-len(calls) // self.SAMPLE)]]
        different = [len({side[place : place + _GUARD] for side in sample}) for place in places]
        told = [place for place, count in zip(places, different, strict=True) if 2 * count > max(different)]
        chosen = {told[(len(told) - 1) * at // (self.TELLING - 1)] for at in range(self.TELLING)}
        telling: dict[int, dict[bytes, list[Ranked]]] = {place: {} for place in sorted(chosen)}
        for ranked in calls:
            side = read(ranked[0][1])
            for place, sides in telling.items():
                sides.setdefault(side[place : place + _GUARD], []).append(ranked)
        return telling


class SideIndex:
    """The encrypted sides of the calls for one direction, in the log's order: row 0, 1, ..."""

    def __init__(self, bounds: Bounds, read: Callable[[int], bytes]) -> None:
        """`read`: gives the bytes of a row again; others where that is not possible any more."""
        self.bounds = bounds
        self.read = read
        self.extents = array("Q")
        """Bytes of each side."""
        self.sizes = array("Q")
        """Twice the size of each call."""
        self.hashes = array("q")
        self._entries: dict[int, dict[int, int | array[int]]] = {width: {} for width, _, _ in _WIDTHS}
        """By width, and the piece as a number: row and place of each side that has it there."""
        self._groups: dict[bytes, list[Group]] = {}
        self._by_size: tuple[array[int], array[int]] = (array("Q"), array("Q"))

    def add(self, side: bytes, size: int) -> None:
        """Take a side of at least a byte; `size`: twice its call's size."""
        row = len(self.extents)
        self.extents.append(len(side))
        self.sizes.append(size)
        self.hashes.append(hash(side))
        shortest = max(self.bounds.min_encrypted, int(size / 2 / (1 + self.bounds.max_difference)) - 1, 1)
        shortest = min(shortest, len(side))
        width = next(width for width, _, least in _WIDTHS if shortest >= least)
        entries = self._entries[width]
        for place in _places(side, shortest, width, entries):
            piece, entry = _number(side, place, width), row << _ROW | place
            known = entries.setdefault(piece, entry)
            if isinstance(known, array):
                known.append(entry)
            elif known != entry:
                entries[piece] = array("Q", (known, entry))
        self._groups.clear()

    def find(self, body: bytes) -> int | None:
        """The row whose side contains the body or is contained in it; of several, the one nearest in size, of these
        the first. None if there is none within the bounds."""
        sizes, rows = self._sorted()
        most = len(body) * self.bounds.max_difference
        lowest, highest = 2 * (len(body) - most), 2 * (len(body) + most)
        first, last = bisect_left(sizes, lowest), bisect_right(sizes, highest)
        if last - first <= _FEW:
            near = sorted((abs(sizes[at] - 2 * len(body)), rows[at]) for at in range(first, last))
            return next((row for _, row in near if self._fits(row, body)), None)
        search = _Search(self, body, lowest, highest)
        candidates: list[tuple[int, bytes, int | Group]] = []
        for width, piece in self._pieces_in(body):
            known, text = self._entries[width][piece], piece.to_bytes(width, sys.byteorder)
            if isinstance(known, int) or len(known) < _CROWD:
                entries = (known,) if isinstance(known, int) else known
                candidates += ((abs(self.sizes[entry >> _ROW] - 2 * len(body)), text, entry) for entry in entries)
            else:
                candidates += ((group.difference(2 * len(body)), text, group) for group in self._crowd(text, known))
        for difference, text, found in sorted(candidates, key=lambda one: one[0]):
            if search.best is not None and difference > search.best[0]:
                break
            if isinstance(found, int):
                search.compare(text, found)
            else:
                search.compare_crowd(text, found)
        return None if search.best is None else search.best[1]

    def _fits(self, row: int, body: bytes) -> bool:
        side = self.read(row)
        if len(side) != self.extents[row]:
            return False
        return side in body if len(side) <= len(body) else body in side

    def _sorted(self) -> tuple[array[int], array[int]]:
        """Twice the sizes of all calls in order, and their rows."""
        if len(self._by_size[0]) != len(self.sizes):
            order = sorted(range(len(self.sizes)), key=self.sizes.__getitem__)
            self._by_size = array("Q", map(self.sizes.__getitem__, order)), array("Q", order)
        return self._by_size

    def _pieces_in(self, body: bytes) -> Iterator[tuple[int, int]]:
        """Width and number of each piece of a side that is somewhere in the body."""
        view = memoryview(body)
        for width, form, _ in _WIDTHS:
            found: set[int] = set()
            if self._entries[width]:
                is_known = self._entries[width].__contains__
                for start in range(min(width, len(body) - width + 1)):
                    end = len(body) - (len(body) - start) % width
                    found.update(filter(is_known, view[start:end].cast(form)))
            yield from ((width, piece) for piece in sorted(found))

    def _crowd(self, text: bytes, entries: array[int]) -> list[Group]:
        groups = self._groups.get(text)
        if groups is None:
            by_shape: dict[tuple[int, int], Group] = {}
            for entry in entries:
                row = entry >> _ROW
                shape = entry & _PLACE, self.extents[row]
                group = by_shape.get(shape)
                if group is None:
                    group = by_shape[shape] = Group(*shape)
                group.add(self.hashes[row], self.sizes[row], row)
            groups = self._groups[text] = list(by_shape.values())
            for group in groups:
                for ranked in group.alike.values():
                    ranked.sort()
        return groups


class _Search:
    """The best row so far for a body."""

    WORK: Final = 4096
    """Places that are compared for a body, in all, beyond which only a log made to be slow goes: one with crowds of
    sides that have the same bytes in many places. Of each 16,384 bytes as many more, but 64 times at least."""
    READING: Final = 8
    """As how many places a side counts that must be read for it."""

    def __init__(self, index: SideIndex, body: bytes, lowest: float, highest: float) -> None:
        """`lowest`, `highest`: twice the sizes that calls may have."""
        self.best: tuple[int, int] | None = None
        """Twice the difference in size, and the row."""
        self._index = index
        self._body = body
        self._lowest = lowest
        self._highest = highest
        self._cost = 1 + (len(body) >> 14)
        self._left = max(self.WORK, 64 * self._cost)

    def compare(self, text: bytes, entry: int) -> None:
        """Compare with a side that has the piece `text`."""
        row, place = entry >> _ROW, entry & _PLACE
        key = self._better([(self._index.sizes[row], row)])
        if key is None:
            return
        extent, body = self._index.extents[row], self._body
        if extent <= len(body):
            wanted = self._index.hashes[row]
            for start in self._starts(text, place, extent):
                if hash(body[start : start + extent]) == wanted and self._is(key, start):
                    return
        else:
            for start in self._starts(text, place, extent):
                if self._is(key, start):
                    return

    def compare_crowd(self, text: bytes, group: Group) -> None:
        """Compare with the sides of a group that have the piece `text`."""
        if group.highest < self._lowest or group.lowest > self._highest:
            return
        for start in self._starts(text, group.place, group.extent):
            if group.extent <= len(self._body):
                ranked = group.alike.get(hash(self._body[start : start + group.extent]))
                found = [] if ranked is None else [ranked]
            else:
                found = group.with_part(self._body, -start, self._index.read)
            self._left -= len(found)
            for key in sorted(key for key in map(self._better, found) if key is not None):
                if self._is(key, start) or self._left <= 0:
                    break

    def _starts(self, text: bytes, place: int, extent: int) -> Iterator[int]:
        """Where a side of that length begins, in the body (before it: negative), if it is one that contains the other:
        the piece tells."""
        body, room = self._body, len(self._body) - extent
        lowest, highest = place + min(room, 0), place + max(room, 0)
        found = body.find(text, max(lowest, 0), highest + len(text))
        while found >= 0 and self._left > 0:
            self._left -= self._cost
            yield found - place
            found = body.find(text, found + 1, highest + len(text))

    def _better(self, ranked: Ranked) -> tuple[int, int] | None:
        """Of calls, the one nearest in size; None if there is none that the best so far is not as good as."""
        size = 2 * len(self._body)
        at = bisect_left(ranked, (size, -1))
        near = [ranked[at]] if at < len(ranked) else []
        if at:
            near.append(ranked[bisect_left(ranked, (ranked[at - 1][0], -1))])
        keys = [(abs(own - size), row) for own, row in near if self._lowest <= own <= self._highest]
        key = min(keys, default=None)
        return None if key is None or (self.best is not None and key >= self.best) else key

    def _is(self, key: tuple[int, int], start: int) -> bool:
        """Compare all bytes; take the row if it fits."""
        self._left -= self.READING * self._cost
        side, body = self._index.read(key[1]), self._body
        shorter = len(side) <= len(body)
        fits = body.startswith(side, start) if shorter else side.startswith(body, -start)
        if fits and len(side) == self._index.extents[key[1]]:
            self.best = key
            return True
        return False


def _number(text: bytes, place: int, width: int) -> int:
    return int.from_bytes(text[place : place + width], sys.byteorder)


def _places(side: bytes, shortest: int, width: int, entries: dict[int, int | array[int]]) -> Iterator[int]:
    """Where to take pieces of a side so that any `shortest` bytes of it hold one.

    Bytes that no other side has are best; else those that most have, at round places, so that sides which are alike
    are in one crowd.
    """
    step, last = shortest - width + 1, len(side) - width
    grid = 1 << max(step.bit_length() - 3, 0)
    place = -1
    while place < len(side) - shortest:
        furthest = min(place + step, last)
        best, most = furthest, -1
        for option in (furthest, furthest - step // 4, furthest - step // 2):
            option -= option % grid if option - option % grid > place else 0
            if option > place:
                known = entries.get(_number(side, option, width))
                if known is None:
                    best = option
                    break
                used = 1 if isinstance(known, int) else len(known)
                if used > most:
                    best, most = option, used
        place = best
        yield place
