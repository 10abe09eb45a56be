"""Packets a second of the capture readers and of the packet decoder, on made-up captures.

Run: python benchmarks/micro/capture.py [PACKETS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from struct import pack
from time import process_time

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.net.decode import Decoder

PAYLOAD = bytes(range(256)) * 2


def ethernet(payload: bytes = PAYLOAD) -> bytes:
    """UDP in IPv4 in Ethernet."""
    return bytes(12) + b"\x08\x00" + ipv4(payload)


def ipv4(payload: bytes = PAYLOAD) -> bytes:
    udp = pack(">HHHH", 50_000, 443, 8 + len(payload), 0) + payload
    return pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2") + udp


def pcap_of(packet: bytes, count: int, link_type: int) -> bytes:
    record = pack("<IIII", 1_700_000_000, 0, len(packet), len(packet)) + packet
    return pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link_type) + record * count


def pcapng_of(packet: bytes, count: int, link_type: int) -> bytes:
    body = packet + bytes(-len(packet) % 4)
    size = 32 + len(body)
    record = pack("<7I", 6, size, 0, 0, 0, len(packet), len(packet)) + body + pack("<I", size)
    section = pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    return section + pack("<IIHHII", 1, 20, link_type, 0, 0, 20) + record * count


def measure(name: str, count: int, run: Callable[[], object]) -> None:
    best = min(_timed(run) for _ in range(5))
    print(f"{name:32} {best / count * 1e6:6.3f} us/packet {count / best:12,.0f} packets/s")


def _timed(run: Callable[[], object]) -> float:
    start = process_time()
    run()
    return process_time() - start


def read(capture: bytes) -> int:
    reader = CaptureReader(BytesIO(capture), "benchmark")
    return sum(len(event.packets) for event in reader if isinstance(event, PacketBatch))


def decode(link_type: int, packet: bytes, count: int) -> None:
    decoder = Decoder(lambda problem: None)
    size = len(packet)
    for frame in range(count):
        decoder.packet(link_type, packet, 0, size, size, 0, frame)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name, make in (("pcap", pcap_of), ("pcapng", pcapng_of)):
        capture = make(ethernet(), count, 1)
        measure(f"read {name}", count, partial(read, capture))
    raw = ipv4()
    gre = (
        pack(">BBHHHBBH4s4sHH", 0x45, 0, 24 + len(raw), 0, 0, 64, 47, 0, b"\x0a\0\0\3", b"\x0a\0\0\4", 0, 0x0800) + raw
    )
    cooked = pack(">HHH8sH", 0, 1, 6, bytes(8), 0x0800) + raw
    packets = (("Ethernet", 1, ethernet()), ("raw IP", 101, raw), ("cooked", 113, cooked), ("GRE", 101, gre))
    for name, link_type, packet in packets:
        measure(f"decode {name}", count, partial(decode, link_type, packet, count))


if __name__ == "__main__":
    main()
