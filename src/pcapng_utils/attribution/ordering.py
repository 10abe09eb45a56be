"""The order of calls that were logged in one millisecond.

Time stamps are whole milliseconds, so within one only the file's order is left. Where records of different threads
overtake one another on their way into the file, that is none: then a thread's calls are taken to lie together, behind
those that the same thread made before, and ahead of those that it makes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from pcapng_utils.attribution.operations import NEITHER, OperationLog

_NEAR: Final = 5.0
"""Calls so near to each other, in ms, show whether the file keeps their order."""
_FEW: Final = 8
"""Of fewer pairs, one that is not in order says less."""
_USUAL: Final = 0.1
"""So much disorder, and the file's order is no order."""


def disorder(log: OperationLog) -> float:
    """Probability that two calls of one socket and direction, of two threads, are not in the file in their order.

    Seen from pairs that lie a few ms apart: for those of one ms, nothing else is to be had.
    """
    last: dict[tuple[int, int], tuple[float, int]] = {}
    pairs = wrong = 0
    for flow, direction, time, thread in zip(log.flow_ids, log.directions, log.times, log.threads, strict=True):
        if direction == NEITHER:
            continue
        before, other = last.get((flow, direction), (time, thread))
        last[flow, direction] = time, thread
        gap = time - before
        if thread != other and 1.0 <= abs(gap) <= _NEAR:
            pairs += 1
            wrong += gap < 0
    return min(1.0, 2.0 * wrong / max(pairs, _FEW))


def untangle(rows: list[int], log: OperationLog, unordered: float) -> None:
    """Put the calls of one socket and direction, ascending in time, in the likeliest order."""
    if unordered < _USUAL:
        return
    times, threads = log.times, log.threads
    before: int | None = None
    place = 0
    for _, group in groupby(rows[:], key=times.__getitem__):
        tied = list(group)
        end = place + len(tied)
        if len(tied) > 1:
            after = threads[rows[end]] if end < len(rows) else None
            tied = _by_thread(tied, threads, before, after)
            rows[place:end] = tied
        before = threads[tied[-1]]
        place = end


def _by_thread(tied: Sequence[int], threads: Sequence[int], before: int | None, after: int | None) -> list[int]:
    """Each thread's calls together, in their order: first the thread that went on, last the one that goes on."""
    of_thread: dict[int, list[int]] = {}
    for row in tied:
        of_thread.setdefault(threads[row], []).append(row)
    order = sorted(of_thread, key=lambda thread: (thread != before, thread == after))
    return [row for thread in order for row in of_thread[thread]]
