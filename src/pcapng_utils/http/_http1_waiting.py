"""A reader that can be made to wait for the other direction.

Strategy: what comes in while it waits is held, in order, and read later as if it came then. What it costs is counted,
and the owner decides when that is too much.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from enum import Enum, auto
from typing import NamedTuple

from pcapng_utils.layers import Stamp


class InputKind(Enum):
    DATA = auto()
    GAP = auto()
    END = auto()


class Input(NamedTuple):
    """Something fed to a reader that waits."""

    kind: InputKind
    data: bytes
    size: int
    """Bytes missing, for a gap."""
    stamp: Stamp | None

    @property
    def cost(self) -> int:
        return len(self.data) + 256


class WaitingReader(ABC):
    """Feeds one direction's bytes to the methods of a subclass, while it does not wait."""

    __slots__ = ("_held", "ended", "held_cost", "waiting")

    def __init__(self) -> None:
        self._held: deque[Input] = deque()
        self.held_cost = 0
        """Bytes that are held, and what holding them costs."""
        self.waiting = False
        """Whether what comes in is held until the owner says `go_on`."""
        self.ended = False
        """The end of the stream was read (not only held)."""

    @abstractmethod
    def _read(self, data: bytes, position: int, stamp: Stamp) -> int:
        """Read some of `data` from `position` on; returns where it stopped."""

    @abstractmethod
    def _read_gap(self, size: int, stamp: Stamp) -> None:
        """`size` bytes are missing (0: an unknown number)."""

    @abstractmethod
    def _read_end(self, *, clean: bool) -> None:
        """There is no more."""

    def data(self, data: bytes, stamp: Stamp) -> None:
        used = 0 if self.waiting else self._consume(data, stamp)
        if used < len(data):
            self._hold(Input(InputKind.DATA, data[used:], 0, stamp))

    def gap(self, size: int, stamp: Stamp) -> None:
        if self.waiting:
            self._hold(Input(InputKind.GAP, b"", size, stamp))
        else:
            self._read_gap(size, stamp)

    def end(self, stamp: Stamp | None, *, clean: bool = True) -> None:
        """`clean` False: the stream just stopped, so a body that lasts until its end may not be whole."""
        if not self.waiting:
            self._read_end(clean=clean)
        if self.waiting:
            self._hold(Input(InputKind.END, b"", 0, stamp))
        else:
            self.ended = True

    def go_on(self) -> None:
        """Read what is held, until it must wait again."""
        self.waiting = False
        while self._held and not self.waiting:
            held = self._held.popleft()
            self.held_cost -= held.cost
            self._replay(held)

    def read_before_held(self, inputs: list[Input]) -> None:
        """Read these, as far as it need not wait, before all that is held."""
        later, self._held = self._held, deque()
        for held in inputs:
            self._hold(held)
        if not self.waiting:
            self.go_on()
        self._held.extend(later)

    def first_held(self) -> bytes:
        """The next bytes that are held; empty if none are, or none before a hole or the end."""
        return self._held[0].data if self._held else b""

    def take_held(self) -> list[Input]:
        """What is held, for another layer to read."""
        held = list(self._held)
        self._held.clear()
        self.held_cost = 0
        return held

    def _consume(self, data: bytes, stamp: Stamp) -> int:
        position, size = 0, len(data)
        while position < size and not self.waiting:
            position = self._read(data, position, stamp)
        return position

    def _replay(self, held: Input) -> None:
        if held.kind is InputKind.END:
            self._read_end(clean=True)
            if self.waiting:
                self._hold(held)
            else:
                self.ended = True
        elif held.stamp is not None:
            if held.kind is InputKind.GAP:
                self._read_gap(held.size, held.stamp)
            else:
                used = self._consume(held.data, held.stamp)
                if used < len(held.data):
                    self._put_back(held._replace(data=held.data[used:]))

    def _hold(self, held: Input) -> None:
        self._held.append(held)
        self.held_cost += held.cost

    def _put_back(self, held: Input) -> None:
        """Hold something that is to be read before all that is held."""
        self._held.appendleft(held)
        self.held_cost += held.cost
