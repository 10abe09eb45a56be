"""Packets for tests, and what the network layer makes of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.layers import Problem
from pcapng_utils.net.flow import Flow
from pcapng_utils.net.limits import Limits
from pcapng_utils.net.network import Network

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MS = 1_000_000
START = 1_700_000_000_000_000_000
ENDS = (b"\x0a\x00\x00\x01", b"\xcb\x00\x71\x07")
ENDS6 = (bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02"))
PORTS = (40000, 443)


def tcp(
    side: int,
    seq: int,
    ack: int | None = None,
    flags: int = 0,
    data: bytes = b"",
    ports: tuple[int, int] = PORTS,
    ends: tuple[bytes, bytes] = ENDS,
) -> bytes:
    """An Ethernet frame with a segment sent by the client (0) or the server (1); ACK is set if there is an `ack`."""
    flags |= ACK if ack is not None else 0
    header = struct.pack(
        "!HHIIBBHHH", ports[side], ports[1 - side], seq % 2**32, (ack or 0) % 2**32, 0x50, flags, 8192, 0, 0
    )
    return ethernet(side, 6, header + data, ends)


def udp(side: int, data: bytes, ports: tuple[int, int] = PORTS, ends: tuple[bytes, bytes] = ENDS) -> bytes:
    return ethernet(side, 17, struct.pack("!HHHH", ports[side], ports[1 - side], 8 + len(data), 0) + data, ends)


def ethernet(side: int, protocol: int, payload: bytes, ends: tuple[bytes, bytes] = ENDS) -> bytes:
    source, target = ends[side], ends[1 - side]
    if len(source) == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0)
        return bytes(12) + b"\x08\x00" + header + source + target + payload
    return (
        bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + source + target + payload
    )


@dataclass
class Recorder:
    """A receiver that writes down what it gets."""

    events: list[tuple[object, ...]] = field(default_factory=list)

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self.events.append(("segment", direction, data, frame))

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self.events.append(("datagram", direction, data, frame))

    def gap(self, direction: int, size: int, time: int, frame: int) -> None:
        self.events.append(("gap", direction, size, frame))

    def end(self, direction: int, time: int, frame: int) -> None:
        self.events.append(("end", direction, frame))

    def close(self) -> None:
        self.events.append(("close",))

    def stream(self, direction: int) -> list[object]:
        """The direction's bytes, joined, with the sizes of the gaps and an "end" between them."""
        parts: list[object] = []
        for kind, *rest in self.events:
            if kind == "close" or rest[0] != direction:
                continue
            if kind != "segment":
                parts.append(rest[1] if kind == "gap" else "end")
            elif parts and isinstance(parts[-1], bytes) and isinstance(rest[1], bytes):
                parts[-1] += rest[1]
            else:
                parts.append(rest[1])
        return parts


@dataclass
class Heard:
    flows: list[Flow] = field(default_factory=list)
    """In the order of their ends."""
    records: dict[str, Recorder] = field(default_factory=dict)
    """By flow id."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def events(self) -> list[tuple[object, ...]]:
        """Of the only flow."""
        (recorder,) = self.records.values()
        return recorder.events

    @property
    def flow(self) -> Flow:
        (flow,) = self.flows
        return flow

    def stream(self, direction: int) -> list[object]:
        (recorder,) = self.records.values()
        return recorder.stream(direction)

    @property
    def kinds(self) -> list[str]:
        return [problem.kind for problem in self.problems]


def batch(
    packets: Iterable[bytes], times: Sequence[int] | None = None, link_type: int = 1, first: int = 1
) -> PacketBatch:
    """The packets as a capture yields them, a millisecond apart unless their times are given."""
    data, places = bytearray(), []
    for index, packet in enumerate(packets):
        time = START + (times[index] if times else (first + index) * MS)
        places.append((first + index, time, len(data), len(data) + len(packet), len(packet)))
        data += packet
    return PacketBatch(bytes(data), link_type, places)


def play(*batches: PacketBatch, limits: Limits | None = None) -> Heard:
    heard = Heard()

    def on_flow(flow: Flow) -> Recorder:
        return heard.records.setdefault(flow.id, Recorder())

    network = Network(on_flow, heard.flows.append, heard.problems.append, limits)
    for one in batches:
        network.feed(one)
    network.close()
    return heard


def handshake(
    isn: int = 100, peer_isn: int = 500, ends: tuple[bytes, bytes] = ENDS, ports: tuple[int, int] = PORTS
) -> list[bytes]:
    return [
        tcp(0, isn, None, SYN, ports=ports, ends=ends),
        tcp(1, peer_isn, isn + 1, SYN, ports=ports, ends=ends),
        tcp(0, isn + 1, peer_isn + 1, ports=ports, ends=ends),
    ]
