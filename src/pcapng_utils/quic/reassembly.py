"""Putting the bytes of one direction of a stream in order (RFC 9000, section 2.2).

STREAM and CRYPTO frames give an offset with their bytes; they may come in any order, repeat and overlap. What is in
order goes straight through; the rest is kept, sorted, until the hole before it is filled or given up.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from pcapng_utils.layers import Stamp


class Piece(NamedTuple):
    """The next bytes of a stream."""

    gap: int
    """Bytes before these that were given up."""
    data: bytes
    fin: bool
    """Nothing follows."""
    stamp: Stamp


CHUNK_OVERHEAD: Final = 160
"""What keeping a chunk costs besides its bytes, so that many tiny ones count too."""


class Reassembler:
    """One direction of one stream, in order."""

    __slots__ = ("_chunks", "_final", "ended", "held", "next", "since")

    def __init__(self) -> None:
        self.next = 0
        """Offset of the first byte that was not handed on yet."""
        self.held = 0
        """Bytes of memory that wait behind a hole."""
        self.since = 0
        """Time in ns at which the hole was noticed; only where there is one."""
        self.ended = False
        """The end of the stream was handed on."""
        self._final = -1
        self._chunks: list[tuple[int, bytes, Stamp]] = []

    def add(self, offset: int, data: bytes, fin: bool, stamp: Stamp) -> list[Piece]:
        """Take a frame's bytes; returns what can be handed on."""
        if self.ended:
            return []
        if fin and self._final < 0:
            self._final = offset + len(data)
        if offset <= self.next:
            if offset < self.next:
                data = data[self.next - offset :]
            return self._deliver(data, stamp)
        self._keep(offset, data, stamp)
        return []

    def _deliver(self, data: bytes, stamp: Stamp) -> list[Piece]:
        self.next += len(data)
        ended = self.next >= self._final >= 0
        pieces = [Piece(0, data, ended, stamp)] if data or ended else []
        if ended:
            self._finish()
        elif self._chunks and data:
            pieces += self._release(stamp.last)
        return pieces

    def _keep(self, offset: int, data: bytes, stamp: Stamp) -> None:
        if not data and offset != self._final:
            return
        chunks = self._chunks
        if not chunks:
            self.since = stamp.last
        at = bisect_right(chunks, offset, key=_offset_of)
        if at and chunks[at - 1][0] + len(chunks[at - 1][1]) >= offset + len(data):
            return
        chunks.insert(at, (offset, data, stamp))
        self.held += len(data) + CHUNK_OVERHEAD

    def _release(self, now: int) -> list[Piece]:
        """Hand on the chunks that have come in order, at a time in ns."""
        pieces: list[Piece] = []
        chunks = self._chunks
        taken = 0
        for offset, data, stamp in chunks:
            if offset > self.next:
                break
            taken += 1
            self.held -= len(data) + CHUNK_OVERHEAD
            new = data[self.next - offset :]
            self.next += len(new)
            ended = self.next >= self._final >= 0
            if new or ended:
                late = stamp if stamp.last >= now else stamp._replace(last=now)
                pieces.append(Piece(0, new, ended, late))
            if ended:
                self._finish()
                return pieces
        del chunks[:taken]
        self.since = now
        return pieces

    def give_up(self) -> list[Piece]:
        """Give up the hole; returns what lay behind it, up to the next one."""
        if not self._chunks:
            return []
        gap = self._chunks[0][0] - self.next
        self.next += gap
        first, *others = self._release(self._chunks[0][2].last)
        return [first._replace(gap=gap), *others]

    def _finish(self) -> None:
        self.ended = True
        self.held = 0
        self._chunks.clear()


def _offset_of(chunk: tuple[int, bytes, Stamp]) -> int:
    return chunk[0]
