"""What all connections of a capture share: limits, the memory that waits, alarms."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from pcapng_utils.layers import Report
from pcapng_utils.net.limits import Limits

if TYPE_CHECKING:
    from pcapng_utils.net.half import Half

_NEVER: Final = 1 << 63


class Pool:
    """Alarms ring by the capture's clock: at the first packet that is late enough, so that they come at the same place
    however the capture is cut into batches."""

    __slots__ = ("_alarms", "_serial", "limits", "next_alarm", "report", "used")

    def __init__(self, limits: Limits, report: Report) -> None:
        self.limits = limits
        self.report = report
        self.used = 0
        """Bytes of memory that wait for holes to be filled."""
        self.next_alarm = _NEVER
        """Time of the earliest alarm."""
        self._alarms: list[tuple[int, int, Half]] = []
        self._serial = 0

    def set_alarm(self, half: Half) -> None:
        self._serial += 1
        heappush(self._alarms, (half.deadline, self._serial, half))
        half.alarmed = True
        self.next_alarm = self._alarms[0][0]

    def ring(self, time: int) -> list[Half]:
        """Remove the alarms that are due and return the halves that really wait for them."""
        due: list[Half] = []
        while self._alarms and self._alarms[0][0] <= time:
            half = heappop(self._alarms)[2]
            half.alarmed = False
            if half.countdown and half.deadline > time:
                self.set_alarm(half)
            elif half.countdown:
                due.append(half)
        self.next_alarm = self._alarms[0][0] if self._alarms else _NEVER
        return due
