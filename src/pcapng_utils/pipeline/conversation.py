"""One conversation: the layers that read its bytes are stacked, one above the other.

It starts with a detector (see detection.py). As soon as the first bytes of either side are recognised, the right layer
takes over. Layers are unaware of one another: each gets its next layer, and those it reports to, from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from pcapng_utils.http.body import BodyFactory
from pcapng_utils.http.exchange import Exchange
from pcapng_utils.http.http1 import Http1Connection
from pcapng_utils.http.websocket import WebSocketLayer
from pcapng_utils.layers import ByteLayer, DatagramLayer, Problem, Report, SegmentLayer, StreamsLayer, UnitLog
from pcapng_utils.net.dns import TRANSPORTS, DnsExchange, DnsReader, DnsStream
from pcapng_utils.net.dns_message import looks_like_dns
from pcapng_utils.net.flow import Flow
from pcapng_utils.pipeline.adapters import Opaque, SegmentAdapter
from pcapng_utils.pipeline.datagrams import Choice, CountedDatagrams, DatagramDetector, OpaqueDatagrams
from pcapng_utils.pipeline.detect import Protocol, identify, identify_or_dns
from pcapng_utils.pipeline.detection import ByteDetector, SegmentDetector
from pcapng_utils.pipeline.limits import Limits
from pcapng_utils.pipeline.socks import SocksLayer
from pcapng_utils.quic.detect import looks_like_quic
from pcapng_utils.tls.connection import TlsConnection
from pcapng_utils.tls.dtls import DTLS, looks_like_dtls
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.keylog import SecretStore

if TYPE_CHECKING:
    from pcapng_utils.quic.facts import QuicFacts
    from pcapng_utils.quic.router import QuicRouter

_DNS_PORT: Final = 53


class Services(Struct, frozen=True):
    """What all conversations share."""

    secrets: SecretStore
    limits: Limits
    new_body: BodyFactory
    emit: Callable[[Exchange, Conversation], None]
    report: Report
    on_dns: Callable[[DnsExchange], None]
    quic_knows: Callable[[bytes], bool]
    """Whether a datagram belongs to a QUIC connection that was met before."""
    quic_router: Callable[[], QuicRouter]
    """What the QUIC flows share; made when the first of them is met."""


class Conversation:
    """A flow with what was understood of it, and the source of its layers."""

    __slots__ = ("_adapter", "_services", "application", "exchanges", "flow", "quic", "tls", "units")

    def __init__(self, flow: Flow, services: Services) -> None:
        self.flow = flow
        self.units = UnitLog()
        self.tls: TlsFacts | None = None
        """Facts of the innermost TLS connection, or of the last QUIC connection."""
        self.quic: QuicFacts | None = None
        self.application = ""
        """The protocol on top: "HTTP/1", "HTTP/2", "SOCKS", ...; "DTLS", which is not read; empty if unknown."""
        self.exchanges = 0
        self._services = services
        self._adapter: SegmentAdapter | None = None

    def start(self) -> SegmentLayer:
        """The layer that reads a TCP flow from its first segment."""
        probe = identify_or_dns if _DNS_PORT in (self.flow.client.port, self.flow.server.port) else identify
        return SegmentDetector(self.flow, self.units, self._segment_layer, probe)

    def start_datagrams(self) -> DatagramLayer:
        """The layer that reads a UDP flow from its first datagram."""
        choices: list[Choice] = [
            (looks_like_quic, self._open_quic),
            (self._services.quic_knows, self._open_quic),
            (looks_like_dtls, self._open_dtls),
        ]
        if not TRANSPORTS.keys().isdisjoint((self.flow.client.port, self.flow.server.port)):
            choices.insert(0, (looks_like_dns, self._open_dns_datagrams))
        return DatagramDetector(self.flow, choices, OpaqueDatagrams(self.units))

    def _segment_layer(self, protocol: Protocol | None) -> SegmentLayer:
        """The layer for what was found right above TCP; None: nothing known."""
        if protocol is None:
            return Opaque(self.units)
        if protocol is Protocol.TLS:
            return self._open_tls()
        self._adapter = SegmentAdapter(self._byte_layer(protocol), self.units)
        return self._adapter

    def report(self, problem: Problem) -> None:
        self._services.report(replace(problem, connection=self.flow.id))

    def _byte_layer(self, protocol: Protocol) -> ByteLayer:
        return _LAYERS[protocol](self)

    def _emit(self, exchange: Exchange) -> None:
        self._services.emit(exchange, self)

    def _open_tls(self) -> TlsConnection:
        connection = TlsConnection(
            self._services.secrets, self._open_above_tls, self.report, self.units, self._services.limits.tls
        )
        self.tls = connection.facts
        return connection

    def _open_nested_tls(self) -> ByteLayer:
        """TLS inside a tunnel: its records are what the application wrote, no longer the segments."""
        if self._adapter is not None:
            self._adapter.counting = False
        return self._open_tls()

    def _open_above_tls(self, facts: TlsFacts) -> ByteLayer:
        if facts.alpn == "h2":
            return self._open_http2()
        if facts.alpn in {"http/1.1", "http/1.0"}:
            return self._open_http1()
        if facts.alpn == "dot":
            return self._open_dns("tls")
        return self._open_unknown()

    def _open_dns(self, transport: str) -> ByteLayer:
        self.application = "DNS"
        return DnsStream(DnsReader(self.flow, self._services.on_dns, self.report, transport))

    def _open_dns_datagrams(self) -> DatagramLayer:
        self.application = "DNS"
        return CountedDatagrams(DnsReader(self.flow, self._services.on_dns, self.report), self.units)

    def _open_unknown(self) -> ByteLayer:
        return ByteDetector(self._byte_layer)

    def _open_http1(self) -> ByteLayer:
        self.application = "HTTP/1"
        return Http1Connection(
            self._emit,
            self.report,
            self._services.new_body,
            self.units,
            self._upgrade,
            limits=self._services.limits.http1,
            whole=self.flow.begun != "mid-capture" and not any(self.flow.lost),
        )

    def _open_http2(self, upgraded: Exchange | None = None) -> ByteLayer:
        from pcapng_utils.http.http2 import Http2Connection

        self.application = "HTTP/2"
        return Http2Connection(
            self._emit,
            self.report,
            self._services.new_body,
            self.units,
            upgraded=upgraded,
            upgrade=self._upgrade,
            limits=self._services.limits.http2,
            websocket_limits=self._services.limits.websocket,
        )

    def _open_socks(self) -> ByteLayer:
        self.application = "SOCKS"
        return SocksLayer(lambda host, port: self._open_unknown(), self.report)

    def _open_quic(self) -> DatagramLayer:
        from pcapng_utils.quic.flow import QuicFlow

        router = self._services.quic_router()
        return QuicFlow(router, self.flow, self.units, self.report, self._open_streams, self._quic_began)

    def _open_dtls(self) -> DatagramLayer:
        self.application = DTLS
        return OpaqueDatagrams(self.units)

    def _quic_began(self, tls: TlsFacts, quic: QuicFacts) -> None:
        self.tls, self.quic = tls, quic

    def _open_streams(self, tls: TlsFacts, quic: QuicFacts) -> StreamsLayer | None:
        alpn = tls.alpn or "h3"
        if alpn.startswith("doq"):
            from pcapng_utils.pipeline.doq import DnsOverQuic

            self.application = "DNS"
            return DnsOverQuic(self.flow, self._services.on_dns, self.report)
        if not alpn.startswith("h3"):
            return None
        from pcapng_utils.http.http3 import Http3Connection

        self.application = "HTTP/3"
        services = self._services
        return Http3Connection(
            self._emit,
            self.report,
            services.new_body,
            self.units,
            upgrade=self._upgrade,
            limits=services.limits.http2,
            websocket_limits=services.limits.websocket,
        )

    def _upgrade(self, exchange: Exchange, kind: str) -> ByteLayer | None:
        if kind == "websocket":
            return WebSocketLayer(exchange, self._emit, self.report, self.units, self._services.limits.websocket)
        if kind == "h2c":
            return self._open_http2(upgraded=exchange)
        return self._open_unknown()


_LAYERS: Final[dict[Protocol, Callable[[Conversation], ByteLayer]]] = {
    Protocol.TLS: Conversation._open_nested_tls,
    Protocol.HTTP1: Conversation._open_http1,
    Protocol.HTTP2: Conversation._open_http2,
    Protocol.SOCKS: Conversation._open_socks,
    Protocol.DNS: lambda conversation: conversation._open_dns("tcp"),
}
