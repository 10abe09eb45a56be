"""Packet numbers: decoding what was cut (RFC 9000, appendix A.3), and remembering which were seen."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

_LIMIT: Final = 1 << 62


def decode_packet_number(truncated: int, size: int, largest: int) -> int:
    """The packet number nearest to the one that follows `largest` (-1: none yet) among those that end in `truncated`.

    `size` is the number of bytes on the wire, 1 to 4.
    """
    window = 1 << 8 * size
    half = window >> 1
    expected = largest + 1
    candidate = expected & -window | truncated
    if candidate <= expected - half and candidate < _LIMIT - window:
        return candidate + window
    if candidate > expected + half and candidate >= window:
        return candidate - window
    return candidate


class NumberSet:
    """A set of integers that come nearly in order, kept as runs; the lowest runs are forgotten past a limit.

    What lies below the runs that are remembered counts as not in the set.
    """

    MAX_RUNS: Final = 256

    __slots__ = ("_starts", "_stops", "largest")

    def __init__(self) -> None:
        self.largest = -1
        self._starts: list[int] = []
        self._stops: list[int] = []

    def add(self, number: int) -> bool:
        """Add a number; False if it was there."""
        if number == self.largest + 1 and self._stops:
            self._stops[-1] = self.largest = number
            return True
        return self._insert(number)

    def _insert(self, number: int) -> bool:
        starts, stops = self._starts, self._stops
        after = bisect_right(starts, number)
        if after and number <= stops[after - 1]:
            return False
        joins_left = after > 0 and stops[after - 1] == number - 1
        joins_right = after < len(starts) and starts[after] == number + 1
        if joins_left and joins_right:
            stops[after - 1] = stops.pop(after)
            del starts[after]
        elif joins_left:
            stops[after - 1] = number
        elif joins_right:
            starts[after] = number
        else:
            starts.insert(after, number)
            stops.insert(after, number)
            if len(starts) > self.MAX_RUNS:
                del starts[0], stops[0]
        self.largest = max(self.largest, number)
        return True

    def __contains__(self, number: int) -> bool:
        before = bisect_right(self._starts, number) - 1
        return before >= 0 and number <= self._stops[before]

    def highest_missing(self, first: int, last: int) -> int:
        """The highest of `first` to `last` (both included) that is not in the set; -1 if all are."""
        before = bisect_right(self._starts, last) - 1
        if before < 0 or last > self._stops[before]:
            return last
        missing = self._starts[before] - 1
        return missing if missing >= first else -1
