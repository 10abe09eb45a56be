"""On whose behalf two calls were made: threads, and how much of their stacks is one.

What an app does by one request it does from one place: the write of the request and the reads of its answer, in a
synchronous client, come down one path from the thread's first frame to the client's entry, and part only within it. How
far two stacks go together says so without knowing the names of any client.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pcapng_utils.attribution.operations import NO_STACK, OperationLog

ONE_CALLER, OTHER_CALLER, UNKNOWN, OTHER_THREAD, ONE_THREAD = range(5)
"""What is found of a call: of the same thread, and its stack goes at least as far with the known one as any other near
it does, or less far; nothing known; of another thread; of the same thread, and all stacks go as far."""
CASES: Final = 5


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

    def cases(self, rows: Sequence[int], threads: Sequence[int], known: int | None) -> list[int]:
        """What is found of each call (of a thread each), if `known` was made on behalf of the same message."""
        if known is None:
            return [UNKNOWN] * len(rows)
        log = self._log
        thread, stack = log.threads[known], log.stack_ids[known]
        together = [
            self._together(stack, log.stack_ids[row]) if own == thread else -1
            for row, own in zip(rows, threads, strict=True)
        ]
        mine = [depth for depth in together if depth >= 0]
        most, least = max(mine, default=0), min(mine, default=0)
        same = ONE_THREAD if most == least else ONE_CALLER
        return [OTHER_THREAD if depth < 0 else same if depth == most else OTHER_CALLER for depth in together]

    def _together(self, one: int, two: int) -> int:
        """How many frames two stacks share from the thread's first on."""
        if one == NO_STACK or two == NO_STACK:
            return 0
        depth = self._known.get((one, two))
        if depth is None:
            depth = 0
            for a, b in zip(self._log.callers[one], self._log.callers[two], strict=False):
                if a != b:
                    break
                depth += 1
            self._known[one, two] = depth
        return depth
