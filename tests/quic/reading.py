"""Reads captures and lists of datagrams with `QuicFlow`, and keeps all that comes out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pcapng_utils.capture.events import PacketBatch, Secrets
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.layers import Problem, Stamp, StreamsLayer, UnitLog
from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.net.network import Network
from pcapng_utils.quic.detect import looks_like_quic
from pcapng_utils.quic.facts import QuicFacts
from pcapng_utils.quic.flow import QuicFlow
from pcapng_utils.quic.limits import Limits
from pcapng_utils.quic.router import QuicRouter
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.keylog import SecretStore


@dataclass
class Streams:
    """A `StreamsLayer` that only writes down what it is told."""

    data: dict[tuple[int, int], bytearray] = field(default_factory=dict)
    """By stream and direction; a gap is written as that many "?" (of a huge one, the first 100,000)."""
    ended: set[tuple[int, int]] = field(default_factory=set)
    gaps: list[tuple[int, int, int]] = field(default_factory=list)
    resets: list[tuple[int, int, int]] = field(default_factory=list)
    stamps: list[tuple[int, int, Stamp]] = field(default_factory=list)
    closed: int = 0

    def stream_data(self, stream_id: int, direction: int, data: bytes, fin: bool, stamp: Stamp) -> None:
        key = (stream_id, direction)
        assert key not in self.ended
        self.data.setdefault(key, bytearray()).extend(data)
        self.stamps.append((stream_id, direction, stamp))
        if fin:
            self.ended.add(key)

    def stream_gap(self, stream_id: int, direction: int, size: int, stamp: Stamp) -> None:
        self.data.setdefault((stream_id, direction), bytearray()).extend(b"?" * min(size, 100_000))
        self.gaps.append((stream_id, direction, size))

    def stream_reset(self, stream_id: int, direction: int, error_code: int, stamp: Stamp) -> None:
        self.resets.append((stream_id, direction, error_code))

    def close(self) -> None:
        self.closed += 1


@dataclass
class Reader:
    """All QUIC connections of some flows."""

    limits: Limits = field(default_factory=Limits)
    secrets: SecretStore = field(default_factory=SecretStore)
    connections: list[tuple[TlsFacts, QuicFacts]] = field(default_factory=list)
    streams: list[Streams] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router = QuicRouter(self.secrets, self.limits)

    def flow(self, flow: Flow, units: UnitLog | None = None) -> QuicFlow:
        def open_streams(tls: TlsFacts, quic: QuicFacts) -> StreamsLayer:
            self.streams.append(Streams())
            return self.streams[-1]

        def began(tls: TlsFacts, quic: QuicFacts) -> None:
            self.connections.append((tls, quic))

        return QuicFlow(self.router, flow, units or UnitLog(), self.problems.append, open_streams, began)


def make_flow(client_port: int = 50000) -> Flow:
    return Flow("1", "udp", Endpoint("192.0.2.1", client_port), Endpoint("192.0.2.2", 443), "", 0, 1)


class _Detecting:
    """The receiver of a UDP flow until its first datagram says what it is."""

    def __init__(self, reader: Reader, flow: Flow) -> None:
        self.reader, self.flow = reader, flow

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        if looks_like_quic(data) or self.reader.router.knows(data):
            self.flow.receiver = receiver = self.reader.flow(self.flow)
            receiver.datagram(direction, data, time, frame)

    def close(self) -> None:
        pass


def read_capture(path: Path) -> Reader:
    reader = Reader()

    def on_flow(flow: Flow) -> _Detecting | None:
        return _Detecting(reader, flow) if flow.transport == "udp" else None

    network = Network(on_flow, lambda flow: None, reader.problems.append)
    with path.open("rb") as file:
        for event in CaptureReader(file, path.name):
            if isinstance(event, PacketBatch):
                network.feed(event)
            elif isinstance(event, Secrets):
                reader.secrets.add_keylog(event.text, path.name)
    network.close()
    return reader


def read_datagrams(reader: Reader, datagrams: Iterable[tuple[int, bytes]], flow: QuicFlow | None = None) -> QuicFlow:
    """Feed datagrams (direction, payload) to one flow, a millisecond apart; the flow is left open."""
    flow = flow or reader.flow(make_flow())
    for number, (direction, data) in enumerate(datagrams):
        flow.datagram(direction, data, number * 1_000_000, number + 1)
    return flow
