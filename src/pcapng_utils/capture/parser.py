"""What the pcap and the pcapng parser share: bytes come in pieces of any size, records go out whole.

A parser says how far it got and how many bytes it needs to go on; pieces that come before there are that many are put
aside unjoined. So a record that comes in a thousand pieces is copied once, not a thousand times, and what is held is
never more than one record and one piece.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from pcapng_utils.capture.events import CaptureEvent
from pcapng_utils.layers import Problem


class Progress(NamedTuple):
    """How far a buffer could be read."""

    used: int
    """Bytes that are done with."""
    need: int
    """Bytes that must be at hand after those for the parser to get any further."""


class CaptureParser(ABC):
    """A capture's bytes in, its events out; it reads nothing by itself and never raises for what the capture holds."""

    __slots__ = ("_held", "_need", "_pieces", "frame")

    def __init__(self) -> None:
        self.frame = 0
        """Number of the last packet found; packets are counted from 1, as Wireshark counts them."""
        self._pieces: list[bytes] = []
        self._held = 0
        self._need = 0

    def feed(self, data: bytes) -> list[CaptureEvent]:
        """Take the capture's next bytes; return what they complete."""
        self._pieces.append(data)
        self._held += len(data)
        if self._held < self._need:
            return []
        buffer = self._take()
        events: list[CaptureEvent] = []
        used, self._need = self._parse(buffer, events, final=False)
        rest = buffer[used:]
        if rest:
            self._pieces.append(rest)
            self._held = len(rest)
        return events

    def close(self) -> list[CaptureEvent]:
        """The capture ends here; return what can be said of bytes that make no whole record."""
        buffer = self._take()
        events: list[CaptureEvent] = []
        used, _ = self._parse(buffer, events, final=True)
        if used < len(buffer):
            events.append(truncated(self.frame, len(buffer) - used))
        return events

    @abstractmethod
    def _parse(self, data: bytes, events: list[CaptureEvent], *, final: bool) -> Progress:
        """Read `data`, which begins where the last call's `used` ended, and add to `events`.

        `final`: nothing will follow, so that nothing is worth waiting for."""

    def _take(self) -> bytes:
        buffer = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        return buffer


def truncated(frame: int, lost: int) -> Problem:
    """The problem of a capture that ends within a record."""
    return Problem(
        "capture-truncated",
        "The capture was cut short in the middle of a packet; all packets before it were read.",
        frame=frame or None,
        lost=lost,
    )
