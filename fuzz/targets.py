"""What is fuzzed: one function a layer, which takes any bytes and raises only where the layer breaks a promise."""

from __future__ import annotations

import io
import json
import struct
import tempfile
from collections.abc import Callable
from itertools import pairwise
from math import isnan
from pathlib import Path
from typing import Any, Final

import msgspec

from fuzz.checks import Problems, Top, Upper, make_flow
from fuzz.events import DATA, GAP, read_events
from pcapng_utils.attribution.json_array import NotAnArrayError
from pcapng_utils.attribution.operations import OperationLog
from pcapng_utils.capture.errors import CaptureError
from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.errors import InputError
from pcapng_utils.har.pirogue_enrichment.cipher_log import CipherLog
from pcapng_utils.har.pirogue_enrichment.exported import export_stacktrace
from pcapng_utils.har.reading import read_har
from pcapng_utils.http.body import Body
from pcapng_utils.http.codings import Decoder
from pcapng_utils.http.exchange import Exchange, Request, Response
from pcapng_utils.http.hpack_passive import HpackReader
from pcapng_utils.http.http1 import Http1Connection
from pcapng_utils.http.http2 import Http2Connection
from pcapng_utils.http.http3 import Http3Connection
from pcapng_utils.http.qpack_passive import QpackReader
from pcapng_utils.http.sse import EventStreamParser
from pcapng_utils.http.websocket import WebSocketLayer
from pcapng_utils.layers import ByteLayer
from pcapng_utils.net.dns import DnsReader
from pcapng_utils.net.flow import Flow
from pcapng_utils.net.network import Network
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.detection import ByteDetector
from pcapng_utils.pipeline.options import Options
from pcapng_utils.pipeline.socks import SocksLayer
from pcapng_utils.quic.flow import QuicFlow
from pcapng_utils.quic.frames import parse_frames, parse_google_frames
from pcapng_utils.quic.router import QuicRouter
from pcapng_utils.quic.transport_parameters import parse_transport_parameters
from pcapng_utils.tls.certificates import read_certificate
from pcapng_utils.tls.connection import TlsConnection
from pcapng_utils.tls.fingerprint import ja3, ja3s, ja4
from pcapng_utils.tls.handshake import (
    MessageReader,
    decompress_certificate,
    parse_certificates,
    parse_client_hello,
    parse_encrypted_extensions,
    parse_server_hello,
    parse_session_ticket,
)
from pcapng_utils.tls.keylog import SecretStore, read_keylog

Target = Callable[[bytes], None]

FIXTURES: Final = Path(__file__).parent.parent / "tests" / "fixtures"
_LINK_TYPES: Final = (1, 0, 9, 12, 101, 105, 113, 127, 149, 192, 228, 229, 276)
_CODINGS: Final = ("gzip", "deflate", "br", "zstd", "compress")
_DECODED_LIMIT: Final = 1 << 20


_KEYLOG: Final = b"".join(path.read_bytes() for path in sorted(FIXTURES.glob("*/sslkeylog.txt")))


def fixture_secrets() -> SecretStore:
    secrets = SecretStore()
    secrets.add_keylog(_KEYLOG, "fixtures")
    return secrets


_SECRETS: Final = fixture_secrets()


def capture(data: bytes) -> None:
    try:
        reader = CaptureReader(io.BytesIO(data), "x")
    except CaptureError:
        return
    for event in reader:
        if isinstance(event, PacketBatch):
            for _, _, start, end, wire in event.packets:
                assert 0 <= start <= end <= len(event.data) and wire >= 0


def packets(data: bytes) -> None:
    """Link layers, IP, tunnels, fragments and all above: an event is a packet, its option the link type."""
    problems = Problems()
    flows: list[Flow] = []
    network = Network(lambda flow: Upper(Top()), flows.append, problems)
    for number, event in enumerate(read_events(data), 1):
        link_type = _LINK_TYPES[event.option % len(_LINK_TYPES)]
        place = (number, number * 1_000_000, 0, len(event.data), len(event.data) + event.direction)
        network.feed(PacketBatch(event.data, link_type, [place]))
    network.close()
    for flow in flows:
        assert min(flow.packets + flow.bytes + flow.payload + flow.lost + flow.retransmitted) >= 0


_SEGMENT: Final = struct.Struct("!BhhBB")


def segments(data: bytes) -> None:
    """TCP: seven bytes are a segment (side and time, sequence and acknowledgement number near the last ones, flags,
    length). What each byte of a stream is depends on its number alone, so what is handed over can be checked."""
    top = Top()
    flows: list[Flow] = []
    network = Network(lambda flow: _Stream(top), flows.append, top.problems)
    next_seq, time = [100, 0xFFFFFF00], 0
    for frame, (how, ahead, acked, flags, size) in enumerate(_SEGMENT.iter_unpack(data[: len(data) // 7 * 7]), 1):
        side = how & 1
        time += (how >> 1) ** 2 * 1_000_000
        seq = (next_seq[side] + (ahead if how & 2 else 0)) & 0xFFFFFFFF
        ack = (next_seq[1 - side] + (acked if how & 4 else 0)) & 0xFFFFFFFF
        next_seq[side] = seq + size + bool(flags & 3) & 0xFFFFFFFF
        start = seq + bool(flags & 2)
        payload = bytes((start + i) & 0xFF for i in range(size))
        ports = (40000, 443) if not side else (443, 40000)
        tcp = struct.pack("!HHIIBBHHH", *ports, seq, ack, 0x50, flags, 0, 0, 0) + payload
        addresses = b"\n\0\0\1\n\0\0\2" if not side else b"\n\0\0\2\n\0\0\1"
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses + tcp
        cut = len(packet) - (how >> 6 == 3 and size > 1)
        network.feed(PacketBatch(packet, 101, [(frame, time, 0, cut, len(packet))]))
    network.close()
    assert all(flow.receiver is None for flow in flows)


class _Stream(Upper):
    """Checks that between gaps each byte is the one behind the last."""

    def __init__(self, top: Top) -> None:
        super().__init__(top)
        self._next: list[int | None] = [None, None]

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        super().segment(direction, data, time, frame)
        expected = self._next[direction]
        assert expected is None or data[0] == expected, "bytes repeated, or left out without a gap"
        assert all(after == before + 1 & 0xFF for before, after in pairwise(data))
        self._next[direction] = data[-1] + 1 & 0xFF

    def gap(self, direction: int, size: int, *where: Any) -> None:
        super().gap(direction, size, *where)
        self._next[direction] = None


def _feed(layer: ByteLayer, top: Top, data: bytes) -> None:
    ended = [False, False]
    for number, event in enumerate(read_events(data), 1):
        if ended[event.direction]:
            continue
        stamp = top.stamp(event.direction, number, len(event.data))
        if event.kind == DATA and event.data:
            layer.data(event.direction, event.data, stamp)
        elif event.kind == GAP:
            layer.gap(event.direction, event.size, stamp)
        elif event.kind > GAP:
            ended[event.direction] = True
            layer.end(event.direction, stamp)
    layer.close()
    top.finish()


def tls(data: bytes) -> None:
    top = Top()
    _feed(TlsConnection(_SECRETS, top.upper, top.problems, top.units), top, data)


def handshake(data: bytes) -> None:
    reader = MessageReader(1 << 16)
    for kind, body in reader.feed(data):
        hello = parse_client_hello(body)
        if hello is not None:
            str((hello.server_name, hello.versions, hello.best_version, hello.ticket, hello.extensions.alpn))
            ja3(hello), ja4(hello)
        answer = parse_server_hello(body)
        if answer is not None:
            str((answer.version, answer.retry)), ja3s(answer)
        parse_encrypted_extensions(body).find(kind)
        parse_session_ticket(body)
        decompress_certificate(body)
        for certificate in (*parse_certificates(body, True), *parse_certificates(body, False)):
            read_certificate(certificate)
    read_certificate(data)


def quic(data: bytes) -> None:
    top = Top()
    units = top.units
    layer = QuicFlow(
        QuicRouter(_SECRETS), make_flow("udp"), units, top.problems, lambda *facts: _http3(top), lambda *facts: None
    )
    for number, event in enumerate(read_events(data), 1):
        layer.datagram(event.direction, event.data, number * 1_000_000, number)
    layer.close()
    top.finish()


def quic_frames(data: bytes) -> None:
    parse_frames(data), parse_google_frames(data)
    parse_transport_parameters(data)


def http1(data: bytes) -> None:
    top = Top()
    layer = Http1Connection(
        top.emit, top.problems, Body, top.units, lambda exchange, kind: _above_http1(top, exchange, kind), whole=True
    )
    _feed(layer, top, data)


def _above_http1(top: Top, exchange: Exchange, kind: str) -> ByteLayer:
    if kind == "websocket":
        return WebSocketLayer(exchange, top.emit, top.problems, top.units)
    return top.upper()


def http2(data: bytes) -> None:
    top = Top()
    upgrade: Any = lambda exchange, kind: top.upper()  # noqa: E731
    _feed(Http2Connection(top.emit, top.problems, Body, top.units, upgrade=upgrade), top, data)


def _http3(top: Top) -> Http3Connection:
    return Http3Connection(top.emit, top.problems, Body, top.units, upgrade=lambda exchange, kind: top.upper())


def http3(data: bytes) -> None:
    """An event's option is the stream's number; what ends or is lost is the stream's."""
    top = Top()
    layer = _http3(top)
    over: set[tuple[int, int]] = set()
    for number, event in enumerate(read_events(data), 1):
        stream, direction = event.option, event.direction
        if (stream, direction) in over or (stream & 2 and stream & 1 != direction):
            continue
        stamp = top.stamp(direction, number, len(event.data))
        if event.kind == DATA:
            layer.stream_data(stream, direction, event.data, False, stamp)
        elif event.kind == GAP:
            layer.stream_gap(stream, direction, event.size, stamp)
        elif event.data or event.size & 1:
            over.add((stream, direction))
            layer.stream_data(stream, direction, event.data, True, stamp)
        else:
            over.add((stream, direction))
            layer.stream_reset(stream, direction, event.size, stamp)
    layer.close()
    top.finish()


def hpack(data: bytes) -> None:
    reader = HpackReader(1 << 16)
    for event in read_events(data):
        if event.kind == GAP:
            reader.forget()
        section = reader.read(event.data)
        assert sum(len(name) + len(value) for name, value in section.fields) <= 1 << 16


def qpack(data: bytes) -> None:
    reader = QpackReader()
    reader.max_capacity = 4096
    for number, event in enumerate(read_events(data), 1):
        if event.kind == GAP:
            reader.encoder_gap(event.size)
        elif event.direction:
            reader.encoder_data(event.data, number)
        else:
            reader.read(event.data, number, final=bool(event.option & 1))


def websocket(data: bytes) -> None:
    """The first byte tells whether messages may be compressed."""
    top = Top()
    offered = [(b"Sec-WebSocket-Extensions", b"permessage-deflate")] if data[:1] > b"\x7f" else []
    request = Request(Body(), headers=offered, method=b"GET", target=b"/")
    exchange = Exchange(request, Response(Body(), headers=offered, status=101))
    _feed(WebSocketLayer(exchange, top.emit, top.problems, top.units), top, data[1:])


def codings(data: bytes) -> None:
    """The first byte tells one coding, or two, one in the other."""
    if not data:
        return
    chosen = [_CODINGS[data[0] % 5], _CODINGS[data[0] // 5 % 5]][: 1 + (data[0] >= 125)]
    decoder = Decoder(chosen, limit=_DECODED_LIMIT)
    parts = [piece for at in range(1, len(data), 1000) for piece in decoder.feed(data[at : at + 1000])]
    assert sum(map(len, [*parts, *decoder.finish()])) <= _DECODED_LIMIT


def event_stream(data: bytes) -> None:
    parser = EventStreamParser()
    for number, event in enumerate(read_events(data)):
        parser.feed(event.data, number)
    json.dumps([(event.event, event.id, event.data) for event in parser.events]).encode()


def detect(data: bytes) -> None:
    top = Top()
    _feed(ByteDetector(top.upper), top, data)
    _feed(SocksLayer(top.upper, top.problems), top, data)


def dns(data: bytes) -> None:
    reader = DnsReader(make_flow("udp"), lambda exchange: str(list(exchange.addresses())).encode(), Problems())  # type: ignore[arg-type]
    for number, event in enumerate(read_events(data)):
        reader.datagram(event.direction, event.data, number, number + 1)
    reader.close()


def keylog(data: bytes) -> None:
    secrets = SecretStore()
    for block in read_keylog(io.BytesIO(data), 64):
        secrets.add_keylog(block, "x")


def traces(data: bytes) -> None:
    """The phone's logs: socket trace and cipher log."""
    try:
        log = OperationLog.read(io.BytesIO(data))
        for index in range(min(len(log.times), 100)):
            if not isnan(log.times[index]):
                msgspec.json.encode(export_stacktrace(log.record(index)))
    except NotAnArrayError:
        pass
    try:
        CipherLog.read(io.BytesIO(data)).find(b"0123456789abcdef", 0)
    except ValueError as error:
        assert any(said in str(error) for said in ("array of objects", "elements is a cipher call")), error


def har(data: bytes) -> None:
    from pcapng_utils.report.page import write_page
    from pcapng_utils.report.source import open_har

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.har"
        path.write_bytes(data)
        try:
            read_har(path)
            with open_har(path) as opened:
                write_page(opened, io.BytesIO(), title="x", max_size=1 << 20, system_prefixes=())
        except InputError:
            pass


def whole(data: bytes) -> None:
    """A capture becomes a HAR that JSON reads, or a sentence says why not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pcap"
        path.write_bytes(data)
        out = io.BytesIO()
        try:
            with Conversion(path, Options()) as conversion:
                conversion.secrets.add_keylog(_KEYLOG, "fixtures")
                conversion.read()
                conversion.write_to(out)
        except InputError:
            return
        json.loads(out.getvalue())


TARGETS: Final[dict[str, Target]] = {
    "capture": capture,
    "packets": packets,
    "segments": segments,
    "tls": tls,
    "handshake": handshake,
    "quic": quic,
    "quic-frames": quic_frames,
    "http1": http1,
    "http2": http2,
    "http3": http3,
    "hpack": hpack,
    "qpack": qpack,
    "websocket": websocket,
    "codings": codings,
    "event-stream": event_stream,
    "detect": detect,
    "dns": dns,
    "keylog": keylog,
    "traces": traces,
    "har": har,
    "whole": whole,
}
