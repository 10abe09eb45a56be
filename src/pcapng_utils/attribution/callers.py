"""On whose behalf two calls were made: threads, and how much of their stacks is one.

What an app does by one request it does from one place: the write of the request and the reads of its answer, in a
synchronous client, come down one path from the thread's first frame to the client's entry, and part only within it. How
far two stacks go together says so without knowing the names of any client.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pcapng_utils.attribution.operations import NO_STACK, OperationLog

UNKNOWN: Final = 0
OTHER_THREAD: Final = 1
_ONE_THREAD: Final = 2
"""Of calls of one thread: this, and how much of their stacks is one, in parts of `_PARTS`."""
_PARTS: Final = 8
_KEPT: Final = 200_000
"""Pairs of stacks that are remembered."""
CASES: Final = _ONE_THREAD + _PARTS + 1
"""How two calls may stand to each other."""


class Callers:
    """Compares the calls of a log."""

    def __init__(self, log: OperationLog) -> None:
        self._log = log
        self._known: dict[tuple[int, int], int] = {}

    def thread(self, row: int) -> int:
        return self._log.threads[row]

    def threads(self, rows: Sequence[int]) -> list[int]:
        """The threads of calls; none where neither they nor the stacks tell any of the calls apart."""
        log = self._log
        threads = [log.threads[row] for row in rows]
        one = len(set(threads)) <= 1 and len({log.stack_ids[row] for row in rows}) <= 1
        return [] if one else threads

    def cases(self, rows: Sequence[int], known: int | None) -> list[int]:
        """How each call stands to one that was made on behalf of a message."""
        if known is None:
            return [UNKNOWN] * len(rows)
        threads, stacks = self._log.threads, self._log.stack_ids
        thread, stack = threads[known], stacks[known]
        return [self._together(stack, stacks[row]) if threads[row] == thread else OTHER_THREAD for row in rows]

    def _together(self, one: int, two: int) -> int:
        """The case of two stacks of one thread, by the share that they go together from the thread's first frame on."""
        if one == NO_STACK or two == NO_STACK:
            return UNKNOWN
        case = self._known.get((one, two))
        if case is None:
            first, second = self._log.callers[one], self._log.callers[two]
            depth = 0
            for a, b in zip(first, second, strict=False):
                if a != b:
                    break
                depth += 1
            if len(self._known) >= _KEPT:
                self._known.clear()
            case = self._known[one, two] = _ONE_THREAD + _PARTS * depth // min(len(first), len(second))
        return case
