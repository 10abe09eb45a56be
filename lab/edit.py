"""Captures that saw less, or saw it otherwise: packets lost, repeated, out of order, cut short, a beginning missed.

That is damage done by who captures; `lab.relay` damages the traffic itself, which its ends then repair. Classic pcap
alone.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

_HEADER_SIZE: Final = 24
_RECORD: Final = struct.Struct("<IIII")
_MAGICS: Final = (0xA1B2C3D4, 0xA1B23C4D)
"""Microseconds and nanoseconds, in the byte order of the machines that the lab runs on."""


@dataclass(frozen=True, slots=True)
class Packet:
    seconds: int
    fraction: int
    """Micro- or nanoseconds, as the capture counts."""
    data: bytes
    wire_length: int


@dataclass(frozen=True, slots=True)
class Capture:
    header: bytes
    packets: tuple[Packet, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ValueError for anything but a little-endian pcap."""
        raw = path.read_bytes()
        if len(raw) < _HEADER_SIZE or struct.unpack_from("<I", raw)[0] not in _MAGICS:
            raise ValueError(f"{path}: not a little-endian pcap")
        packets: list[Packet] = []
        place = _HEADER_SIZE
        while place < len(raw):
            seconds, fraction, size, wire_length = _RECORD.unpack_from(raw, place)
            place += _RECORD.size
            packets.append(Packet(seconds, fraction, raw[place : place + size], wire_length))
            place += size
        return cls(raw[:_HEADER_SIZE], tuple(packets))

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            file.write(self.header)
            for packet in self.packets:
                head = _RECORD.pack(packet.seconds, packet.fraction, len(packet.data), packet.wire_length)
                file.write(head + packet.data)

    def lossy(self, share: float, seed: int) -> Self:
        """Each packet is missing with this probability."""
        chance = random.Random(seed)
        return self._with(packet for packet in self.packets if chance.random() >= share)

    def repeated(self, share: float, seed: int) -> Self:
        """Some packets stand twice, as where a capture sees them on two interfaces."""
        chance = random.Random(seed)
        return self._with(packet for packet in self.packets for _ in range(1 + (chance.random() < share)))

    def reordered(self, share: float, window: int, seed: int) -> Self:
        """Some packets stand up to `window` places later. Their times stay: they then run backwards."""
        chance = random.Random(seed)
        places = [
            number + (chance.randint(1, window) + 0.5 if chance.random() < share else 0)
            for number in range(len(self.packets))
        ]
        order = sorted(range(len(places)), key=places.__getitem__)
        return self._with(self.packets[number] for number in order)

    def begun_late(self, count: int) -> Self:
        """Without its first packets."""
        return self._with(self.packets[count:])

    def snapped(self, length: int) -> Self:
        """No packet keeps more than `length` bytes."""
        return self._with(replace(packet, data=packet.data[:length]) for packet in self.packets)

    def _with(self, packets: Iterable[Packet]) -> Self:
        return replace(self, packets=tuple(packets))
