"""Parts of a byte stream that came before their turn, kept in order of their place in it.

The list is sorted and its pieces never overlap: of bytes that come twice the first copy stays, as most receivers have
it, so a new segment is cut to what fills the holes between those already here. Places are counted in bytes from any
origin and do not wrap: whoever calls has turned sequence numbers into them.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import Final, NamedTuple

_OVERHEAD: Final = 256
"""What a piece costs in memory beside its bytes."""


class Piece(NamedTuple):
    position: int
    size: int
    """Bytes of the stream it stands for; more than `data` has where the capture cut the packet."""
    data: bytes
    time: int
    frame: int


_position = itemgetter(0)


class Pieces:
    """Insertion finds its place by bisection; a piece is copied once at most."""

    __slots__ = ("_pieces", "cost")

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self.cost = 0
        """Bytes of memory that the pieces take, about."""

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def first(self) -> int | None:
        """Where the lowest piece begins."""
        return self._pieces[0].position if self._pieces else None

    @property
    def end(self) -> int:
        """Where the highest piece ends; far below all places if there is none."""
        return self._pieces[-1].position + self._pieces[-1].size if self._pieces else -(1 << 62)

    def add(self, piece: Piece) -> int:
        """Keep what is new of a piece; returns how many bytes of the stream that was."""
        pieces = self._pieces
        start, size, data, time, frame = piece
        end, position, fresh = start + size, start, 0
        at = bisect_right(pieces, start, key=_position)
        if at:
            before = pieces[at - 1]
            position = max(start, before.position + before.size)
        while position < end:
            after = pieces[at] if at < len(pieces) else None
            limit = end if after is None else min(end, after.position)
            if position < limit:
                part = data[position - start : limit - start]
                pieces.insert(at, Piece(position, limit - position, part, time, frame))
                self.cost += len(part) + _OVERHEAD
                fresh += limit - position
                at += 1
            if after is None:
                break
            position = after.position + after.size
            at += 1
        return fresh

    def take(self, position: int) -> list[Piece]:
        """Remove and return the unbroken run of pieces that begins exactly at `position`."""
        pieces, count = self._pieces, 0
        while count < len(pieces) and pieces[count].position == position:
            position += pieces[count].size
            count += 1
        return self._remove(count)

    def discard(self, position: int) -> None:
        """Forget everything before `position`."""
        count = bisect_right(self._pieces, position, key=_position)
        if not count:
            return
        start, size, data, time, frame = self._remove(count)[-1]
        cut = position - start
        if cut < size:
            self.add(Piece(position, size - cut, data[cut:], time, frame))

    def clear(self) -> None:
        self._pieces.clear()
        self.cost = 0

    def _remove(self, count: int) -> list[Piece]:
        removed = self._pieces[:count]
        del self._pieces[:count]
        self.cost -= sum(len(piece.data) for piece in removed) + count * _OVERHEAD
        return removed
