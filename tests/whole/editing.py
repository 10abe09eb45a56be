"""Captures taken apart, changed, and put together again: Ethernet or raw IPv4, TCP, in the pcap format."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader

_ETHERNET = 14
_IPV4 = b"\x08\x00"
_TCP = 6
_FIN = 1
PAUSE = 5_000_000
"""ns between two packets that a capture does not mix up."""


@dataclass(frozen=True, slots=True)
class Packet:
    time: int
    data: bytes

    @property
    def _headers(self) -> tuple[int, int] | None:
        """Where the IPv4 header and the TCP payload begin; None if the packet is no such thing."""
        if self.data[12:14] != _IPV4 or len(self.data) < 54 or self.data[23] != _TCP:
            return None
        tcp = _ETHERNET + (self.data[_ETHERNET] & 15) * 4
        return _ETHERNET, tcp + (self.data[tcp + 12] >> 4) * 4

    @property
    def is_tcp(self) -> bool:
        return self._headers is not None

    @property
    def payload(self) -> bytes:
        headers = self._headers
        if headers is None:
            return b""
        ip, start = headers
        return self.data[start : ip + int.from_bytes(self.data[ip + 2 : ip + 4], "big")]

    @property
    def flow(self) -> frozenset[bytes]:
        """Addresses and ports, whichever way."""
        direction = self.direction
        return frozenset((direction[:4] + direction[8:10], direction[4:8] + direction[10:]))

    @property
    def direction(self) -> bytes:
        """Addresses and ports, from and to."""
        tcp = _ETHERNET + (self.data[_ETHERNET] & 15) * 4
        return self.data[26:34] + self.data[tcp : tcp + 4]

    def split(self, sizes: Sequence[int]) -> list[Packet]:
        """The same payload in several packets: `sizes` are cut positions."""
        headers = self._headers
        if headers is None or not self.payload:
            return [self]
        ip, start = headers
        tcp = ip + (self.data[ip] & 15) * 4
        payload, pieces = self.payload, []
        cuts = sorted({0, *(size for size in sizes if 0 < size < len(payload)), len(payload)})
        sequence = int.from_bytes(self.data[tcp + 4 : tcp + 8], "big")
        for begin, end in pairwise(cuts):
            header = bytearray(self.data[:start])
            struct.pack_into("!H", header, ip + 2, start - ip + end - begin)
            struct.pack_into("!I", header, tcp + 4, (sequence + begin) & 0xFFFFFFFF)
            if end < len(payload):
                header[tcp + 13] &= ~_FIN
            pieces.append(replace(self, data=bytes(header) + payload[begin:end]))
        return pieces


def read(path: Path) -> list[Packet]:
    """The packets of an Ethernet capture."""
    packets = []
    with path.open("rb") as file:
        for event in CaptureReader(file, path.name):
            if isinstance(event, PacketBatch):
                assert event.link_type == 1, f"{path} is no Ethernet capture"
                packets += [Packet(time, event.data[start:end]) for _, time, start, end, _ in event.packets]
    return packets


def write(path: Path, packets: Iterable[Packet]) -> None:
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for packet in packets:
            seconds, rest = divmod(packet.time, 1_000_000_000)
            file.write(struct.pack("<IIII", seconds, rest, len(packet.data), len(packet.data)) + packet.data)


def resegmented(packets: Iterable[Packet], seed: int) -> list[Packet]:
    """Every payload cut at random places."""
    rng = random.Random(seed)
    result = []
    for packet in packets:
        length = len(packet.payload)
        result += packet.split([rng.randrange(length) for _ in range(rng.randrange(4))] if length else [])
    return result


def reordered(packets: Sequence[Packet], seed: int, window: int) -> list[Packet]:
    """Packets of one direction that follow one another overtake one another, by up to `window` places.

    What one side sends in answer to the other cannot overtake what it answers: a network does no more than this."""
    rng = random.Random(seed)
    flights: list[list[Packet]] = []
    latest: dict[frozenset[bytes], list[Packet]] = {}
    for packet in packets:
        flight = latest.get(packet.flow)
        if flight is None or flight[-1].direction != packet.direction or len(flight) > window:
            flight = latest[packet.flow] = []
            flights.append(flight)
        flight.append(packet)
    moved = []
    for flight in flights:
        order = rng.sample(flight, len(flight))
        moved += [replace(packet, time=place.time) for place, packet in zip(flight, order, strict=True)]
    return sorted(moved, key=lambda packet: packet.time)


def jumbled(packets: Sequence[Packet], seed: int, window: int) -> list[Packet]:
    """All packets, of both directions, moved from their places by up to `window`; each place keeps its time.

    None crosses a pause: what jumbles a capture (the queues of a network card) holds packets for less than that."""
    rng = random.Random(seed)
    bursts = accumulate((after.time - before.time >= PAUSE for before, after in pairwise(packets)), initial=0)
    keyed = sorted(
        zip(bursts, range(len(packets)), packets, strict=True),
        key=lambda item: (item[0], item[1] + rng.uniform(0, window)),
    )
    return [replace(moved, time=place.time) for place, (_, _, moved) in zip(packets, keyed, strict=True)]


def repeated(packets: Sequence[Packet], seed: int, share: float = 0.1) -> list[Packet]:
    """Some packets sent twice, the second a little later."""
    rng = random.Random(seed)
    result: list[Packet] = []
    waiting: list[Packet] = []
    for packet in packets:
        result.append(packet)
        if waiting and rng.random() < 0.3:
            result.append(replace(waiting.pop(), time=packet.time))
        if rng.random() < share:
            waiting.append(packet)
    return result
