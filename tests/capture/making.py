"""Captures made for tests: the bytes of pcap and pcapng files, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from struct import pack

from pcapng_utils.capture.events import CaptureEvent, PacketBatch
from pcapng_utils.capture.parser import CaptureParser

Seen = tuple[int, int, int, bytes, int]
"""A packet as a test sees it: frame, time, link type, bytes, length on the wire."""


def pcap_header(order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1, snaplen: int = 262_144) -> bytes:
    return pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)


def record(packet: bytes, seconds: int, fraction: int = 0, *, order: str = "<", wire: int | None = None) -> bytes:
    return pack(order + "IIII", seconds, fraction, len(packet), len(packet) if wire is None else wire) + packet


def block(block_type: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = pack(order + "I", len(body) + 12)
    return pack(order + "I", block_type) + size + body + size


def section(order: str = "<", major: int = 1) -> bytes:
    return block(0x0A0D0D0A, pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1), order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(link: int = 1, options: bytes = b"", order: str = "<", snaplen: int = 0) -> bytes:
    return block(1, pack(order + "HHI", link, 0, snaplen) + options, order)


def enhanced(
    packet: bytes, ticks: int, interface: int = 0, *, order: str = "<", wire: int | None = None, options: bytes = b""
) -> bytes:
    wire = len(packet) if wire is None else wire
    head = pack(order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), wire)
    return block(6, head + packet + bytes(-len(packet) % 4) + options, order)


def read(parser: CaptureParser, pieces: Iterable[bytes]) -> tuple[list[Seen], list[CaptureEvent]]:
    """Feed all pieces: the packets, and all other events."""
    events: list[CaptureEvent] = []
    for piece in pieces:
        events += parser.feed(piece)
    events += parser.close()
    return sort_out(events)


def sort_out(events: Iterable[CaptureEvent]) -> tuple[list[Seen], list[CaptureEvent]]:
    seen: list[Seen] = []
    others: list[CaptureEvent] = []
    for event in events:
        if isinstance(event, PacketBatch):
            data = event.data
            seen += [(frame, time, event.link_type, data[a:b], wire) for frame, time, a, b, wire in event.packets]
        else:
            others.append(event)
    return seen, others


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces, cut at the given places (taken modulo its size)."""
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(edges)]
