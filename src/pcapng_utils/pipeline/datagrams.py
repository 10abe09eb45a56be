"""What a UDP conversation speaks: found out at its first datagram, QUIC and DTLS by content, the rest by its port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pcapng_utils.layers import DatagramLayer, UnitLog
from pcapng_utils.net.flow import Flow
from pcapng_utils.quic.detect import looks_like_quic
from pcapng_utils.tls.dtls import looks_like_dtls

_LOOKED_AT_LIMIT: Final = 16


class OpaqueDatagrams:
    """A DatagramLayer for what nobody here reads: datagrams are counted as units."""

    __slots__ = ("_units",)

    def __init__(self, units: UnitLog) -> None:
        self._units = units

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self._units.add(direction, time, frame, len(data))

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


class DatagramDetector:
    """A DatagramLayer that looks for QUIC and DTLS in the first datagrams, then steps aside."""

    __slots__ = ("_flow", "_is_known", "_looked_at", "_open_dtls", "_open_quic", "_otherwise")

    def __init__(
        self,
        flow: Flow,
        is_known: Callable[[bytes], bool],
        open_quic: Callable[[], DatagramLayer],
        open_dtls: Callable[[], DatagramLayer],
        otherwise: DatagramLayer,
    ) -> None:
        """`is_known`: whether a datagram belongs to a QUIC connection that began elsewhere."""
        self._flow = flow
        self._is_known = is_known
        self._open_quic = open_quic
        self._open_dtls = open_dtls
        self._otherwise = otherwise
        self._looked_at = 0

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self._looked_at += 1
        if looks_like_quic(data) or self._is_known(data):
            self._take_over(self._open_quic(), direction, data, time, frame)
            return
        if looks_like_dtls(data):
            self._take_over(self._open_dtls(), direction, data, time, frame)
            return
        self._otherwise.datagram(direction, data, time, frame)
        if self._looked_at >= _LOOKED_AT_LIMIT:
            self._flow.receiver = self._otherwise

    def _take_over(self, layer: DatagramLayer, direction: int, data: bytes, time: int, frame: int) -> None:
        self._flow.receiver = layer
        layer.datagram(direction, data, time, frame)

    def close(self) -> None:
        self._otherwise.close()
