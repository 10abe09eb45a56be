"""What a UDP conversation speaks: found out by the content of its first datagrams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pcapng_utils.layers import DatagramLayer, UnitLog
from pcapng_utils.net.flow import Flow

_LOOKED_AT_LIMIT: Final = 16


class OpaqueDatagrams:
    """A DatagramLayer for what nobody here reads: datagrams are counted as units."""

    __slots__ = ("_refuse", "_units")

    def __init__(self, units: UnitLog, refuse: Callable[[bytes, int], None] | None = None) -> None:
        """`refuse`: told of each datagram and its frame, where it should have been something that is read."""
        self._units = units
        self._refuse = refuse

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self._units.add(direction, time, frame, len(data))
        if self._refuse is not None:
            self._refuse(data, frame)

    def close(self) -> None:
        pass


class CountedDatagrams:
    """Counts datagrams as units on their way to a layer that does not."""

    __slots__ = ("_layer", "_units")

    def __init__(self, layer: DatagramLayer, units: UnitLog) -> None:
        self._layer = layer
        self._units = units

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self._units.add(direction, time, frame, len(data))
        self._layer.datagram(direction, data, time, frame)

    def close(self) -> None:
        self._layer.close()


Choice = tuple[Callable[[bytes], bool], Callable[[], DatagramLayer]]
"""What tells a protocol by one of its datagrams, and makes the layer that reads it."""


class DatagramDetector:
    """A DatagramLayer that looks at the first datagrams until one of them is of a protocol that is known, then steps
    aside."""

    __slots__ = ("_choices", "_flow", "_looked_at", "_otherwise")

    def __init__(self, flow: Flow, choices: Sequence[Choice], otherwise: DatagramLayer) -> None:
        """`choices`: those to be tried, the likeliest first."""
        self._flow = flow
        self._choices = choices
        self._otherwise = otherwise
        self._looked_at = 0

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self._looked_at += 1
        for fits, open_layer in self._choices:
            if fits(data):
                self._flow.receiver = layer = open_layer()
                layer.datagram(direction, data, time, frame)
                return
        self._otherwise.datagram(direction, data, time, frame)
        if self._looked_at >= _LOOKED_AT_LIMIT:
            self._flow.receiver = self._otherwise

    def close(self) -> None:
        self._otherwise.close()
