"""How many packets a second the network layer takes: one bulk download, in order, an ACK for every second segment.

Run: python -m benchmarks.micro.network [connections]
"""

from __future__ import annotations

import struct
import sys
from time import perf_counter

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.net.network import Network

_SEGMENT = 1448
_ACK, _SYN = 16, 2
_PER_BATCH = 128


class Count:
    """A receiver that only adds up."""

    def __init__(self) -> None:
        self.bytes = 0

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self.bytes += len(data)

    def gap(self, direction: int, size: int, time: int, frame: int) -> None:
        raise AssertionError("nothing is missing")

    def end(self, direction: int, time: int, frame: int) -> None: ...

    def close(self) -> None: ...


def _packet(from_server: bool, port: int, seq: int, ack: int, flags: int, size: int) -> bytes:
    client, server = (b"\x0a\x00\x00\x01", port), (b"\xcb\x00\x71\x07", 443)
    source, target = (server, client) if from_server else (client, server)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 52 + size, 0, 0x4000, 64, 6, 0) + source[0] + target[0]
    tcp = struct.pack("!HHIIBBHHH12x", source[1], target[1], seq, ack, 0x80, flags, 8192, 0, 0)
    return bytes(12) + b"\x08\x00" + ip + tcp + bytes(size)


def _batches(count: int, connections: int) -> list[PacketBatch]:
    packets: list[bytes] = []
    for port in range(50000, 50000 + connections):
        packets.append(_packet(False, port, 99, 0, _SYN, 0))
        packets.append(_packet(True, port, 999, 100, _SYN | _ACK, 0))
        packets.append(_packet(False, port, 100, 1000, _ACK, 0))
    number = 0
    while len(packets) < count:
        for port in range(50000, 50000 + connections):
            seq = 1000 + 2 * number * _SEGMENT
            packets.append(_packet(True, port, seq, 100, _ACK, _SEGMENT))
            packets.append(_packet(True, port, seq + _SEGMENT, 100, _ACK, _SEGMENT))
            packets.append(_packet(False, port, 100, seq + 2 * _SEGMENT, _ACK, 0))
        number += 1
    batches = []
    for first in range(0, len(packets), _PER_BATCH):
        places, at = [], 0
        for index, packet in enumerate(packets[first : first + _PER_BATCH], first):
            places.append((index + 1, 10**18 + index * 1000, at, at + len(packet), len(packet)))
            at += len(packet)
        batches.append(PacketBatch(b"".join(packets[first : first + _PER_BATCH]), 1, places))
    return batches


def main(connections: int) -> None:
    batches = _batches(120_000, connections)
    total = sum(len(batch.packets) for batch in batches)
    best = 1e9
    for _ in range(5):
        count = Count()
        network = Network(lambda flow, count=count: count, lambda flow: None, print)  # type: ignore[misc]
        start = perf_counter()
        for batch in batches:
            network.feed(batch)
        network.close()
        best = min(best, perf_counter() - start)
    print(
        f"{total} packets, {connections} connections, {count.bytes / 1e6:.0f} MB: "
        f"{best * 1e6 / total:.2f} µs a packet, {total / best / 1e6:.2f} M packets/s"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
