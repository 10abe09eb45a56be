"""Datagrams from fragments: IPv4 (RFC 791) and IPv6 (RFC 8200, section 4.5) alike.

Fragments are kept as they came, and a bit for each 8 bytes tells what is there. So to add one is a matter of an
integer's bits, and a datagram is put together once, when it is whole: written in the reverse order of arrival, so that
where fragments overlap what came first wins.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct, field

from pcapng_utils.layers import Problem, Report

#: No IP payload is longer.
_DATAGRAM_LIMIT: Final = 65_535

#: What it takes to keep a fragment, in bytes, besides its data.
_OVERHEAD: Final = 128


class FragmentLimits(Struct, frozen=True):
    """How much may wait for how long."""

    fragmented: int = 1024
    """Datagrams that wait for fragments."""
    fragments: int = 16 << 20
    """Bytes of memory for the fragments that are there, what it takes to keep track of them included."""
    fragment_age: int = 60_000_000_000
    """ns from a datagram's first fragment to the last one accepted (RFC 8200 says 60 s)."""


class Datagram(NamedTuple):
    """One that is whole."""

    data: bytes
    frames: tuple[int, ...]
    """Those that brought something new, in order of arrival."""


class _Partial(Struct):
    since: int
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    frames: dict[int, None] = field(default_factory=dict)
    there: int = 0
    """Bit n: bytes 8n to 8n + 7 are there."""
    size: int | None = None
    """Of the datagram, known once its last fragment came."""
    held: int = 0
    """What it counts for in `FragmentLimits.fragments`."""


class Reassembler:
    """Joins fragments; memory is bounded by `limits`, the oldest datagrams are given up first."""

    __slots__ = ("_held", "_limits", "_partials", "_report")

    def __init__(self, report: Report, limits: FragmentLimits | None = None) -> None:
        self._report = report
        self._limits = limits or FragmentLimits()
        self._partials: dict[tuple[object, ...], _Partial] = {}
        """In the order of their first fragments."""
        self._held = 0

    def add(
        self, key: tuple[object, ...], offset: int, more: bool, data: bytes, frames: tuple[int, ...], time: int
    ) -> Datagram | None:
        """Take the fragment at `offset` (a multiple of 8) of datagram `key`; returns the datagram if it is whole now.

        `more`: it is not the last fragment. `time` in ns."""
        self._expire(time)
        size = len(data)
        if more:
            size &= ~7
        if not size or offset + size > _DATAGRAM_LIMIT:
            self._bad(frames[-1], offset, len(data))
            return None
        partial = self._partials.get(key)
        if partial is None:
            partial = self._partials[key] = _Partial(time)
        if not more and partial.size is None:
            partial.size = offset + size
        bits = ((1 << (size + 7) // 8) - 1) << offset // 8
        if bits & ~partial.there:
            partial.there |= bits
            partial.pieces.append((offset, data[:size]))
            partial.frames.update(dict.fromkeys(frames))
            partial.held += size + _OVERHEAD
            self._held += size + _OVERHEAD
        if partial.size is not None:
            whole = (1 << (partial.size + 7) // 8) - 1
            if partial.there & whole == whole:
                self._drop(key)
                return Datagram(_join(partial.pieces, partial.size), tuple(partial.frames))
        self._make_room()
        return None

    def close(self) -> None:
        """Nothing more will come: give up what is incomplete."""
        for key in list(self._partials):
            self._give_up(key)

    def _expire(self, time: int) -> None:
        while self._partials:
            key, oldest = next(iter(self._partials.items()))
            if time - oldest.since <= self._limits.fragment_age:
                return
            self._give_up(key)

    def _make_room(self) -> None:
        while len(self._partials) > self._limits.fragmented or self._held > self._limits.fragments:
            self._give_up(next(iter(self._partials)))

    def _drop(self, key: tuple[object, ...]) -> _Partial:
        partial = self._partials.pop(key)
        self._held -= partial.held
        return partial

    def _give_up(self, key: tuple[object, ...]) -> None:
        partial = self._drop(key)
        self._report(
            Problem(
                "ip-fragments-incomplete",
                "Some fragments of a datagram are not in the capture; those that are could not be used.",
                frame=next(iter(partial.frames)),
                detail=f"{len(partial.frames)} fragments there",
                lost=sum(len(piece) for _, piece in partial.pieces),
            )
        )

    def _bad(self, frame: int, offset: int, size: int) -> None:
        self._report(
            Problem(
                "ip-bad-fragment",
                "A fragment is empty, or beyond the largest size of a datagram; it was left out.",
                frame=frame,
                detail=f"{size} bytes at {offset}",
                lost=size,
            )
        )


def _join(pieces: list[tuple[int, bytes]], size: int) -> bytes:
    buffer = bytearray(size)
    for offset, piece in reversed(pieces):
        room = size - offset
        if room > 0:
            buffer[offset : offset + min(len(piece), room)] = piece[:room]
    return bytes(buffer)
