"""What stands between a TCP flow and layers that read byte streams."""

from __future__ import annotations

from pcapng_utils.layers import ByteLayer, Stamp, UnitLog


class SegmentAdapter:
    """Puts a ByteLayer on a TCP flow: each segment is a unit."""

    __slots__ = ("_layer", "_units", "counting")

    def __init__(self, layer: ByteLayer, units: UnitLog) -> None:
        self._layer = layer
        self._units = units
        self.counting = True
        """Whether segments are units; not where a TLS connection inside counts its records."""

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        unit = self._units.add(direction, time, frame, len(data)) if self.counting else self._last(direction)
        self._layer.data(direction, data, Stamp(time, time, (frame,), unit))

    def gap(self, direction: int, size: int, time: int, frame: int) -> None:
        self._layer.gap(direction, size, Stamp(time, time, (frame,), self._last(direction)))

    def end(self, direction: int, time: int, frame: int) -> None:
        self._layer.end(direction, Stamp(time, time, (frame,), self._last(direction)))

    def close(self) -> None:
        self._layer.close()

    def _last(self, direction: int) -> int:
        return max(len(self._units.times[direction]) - 1, 0)


class Opaque:
    """The SegmentLayer of a conversation that nobody here can read: its segments are counted as units."""

    __slots__ = ("_units",)

    def __init__(self, units: UnitLog) -> None:
        self._units = units

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self._units.add(direction, time, frame, len(data))

    def gap(self, direction: int, size: int, time: int, frame: int) -> None:
        pass

    def end(self, direction: int, time: int, frame: int) -> None:
        pass

    def close(self) -> None:
        pass


class Unread:
    """A ByteLayer for bytes that nobody here can read."""

    __slots__ = ()

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        pass

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        pass

    def end(self, direction: int, stamp: Stamp | None) -> None:
        pass

    def close(self) -> None:
        pass
