"""Which layer reads what: each is made here, and told what may stand above it.

Layers are unaware of one another. What one finds inside (TLS, a tunnel, an upgrade) it asks for here, and what it hands
on goes to the conversation, with the facts of the TLS or QUIC connection that it was in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pcapng_utils.http.exchange import Exchange
from pcapng_utils.http.http1 import Http1Connection
from pcapng_utils.http.websocket import WebSocketLayer
from pcapng_utils.layers import ByteLayer, StreamsLayer
from pcapng_utils.net.dns import DnsReader, DnsStream
from pcapng_utils.pipeline.detect import Protocol
from pcapng_utils.pipeline.detection import ByteDetector
from pcapng_utils.pipeline.socks import SocksLayer
from pcapng_utils.tls.connection import TlsConnection
from pcapng_utils.tls.facts import TlsFacts

if TYPE_CHECKING:
    from pcapng_utils.pipeline.conversation import Conversation


class LayersAbove:
    """Makes the layers above the transport, above a TLS or QUIC connection, or inside a tunnel."""

    __slots__ = ("_conversation", "_tls", "_tunnelled")

    def __init__(self, conversation: Conversation, tls: TlsFacts | None = None, *, tunnelled: bool = False) -> None:
        self._conversation = conversation
        self._tls = tls
        self._tunnelled = tunnelled

    def byte_layer(self, protocol: Protocol) -> ByteLayer:
        return _LAYERS[protocol](self)

    def tls(self) -> TlsConnection:
        """TLS; inside of another TLS connection it is a tunnel's."""
        conversation, services = self._conversation, self._conversation.services
        tunnelled = self._tunnelled or self._tls is not None

        def above(facts: TlsFacts) -> ByteLayer:
            return LayersAbove(conversation, facts, tunnelled=tunnelled)._negotiated(facts)

        connection = TlsConnection(
            services.secrets, above, conversation.report, conversation.units, services.limits.tls
        )
        conversation.secured.add(connection.facts, tunnelled=tunnelled)
        return connection

    def streams(self, tls: TlsFacts) -> StreamsLayer | None:
        """What stands above a QUIC connection."""
        conversation, services = self._conversation, self._conversation.services
        application = application_over_quic(tls)
        self._name(application)
        if application == "DNS":
            from pcapng_utils.pipeline.doq import DnsOverQuic

            return DnsOverQuic(conversation.flow, services.on_dns, conversation.report)
        if not application:
            return None
        from pcapng_utils.http.http3 import Http3Connection

        return Http3Connection(
            self._emit,
            conversation.report,
            services.new_body,
            conversation.units,
            upgrade=self._tunnel,
            limits=services.limits.http2,
            websocket_limits=services.limits.websocket,
        )

    def _name(self, application: str) -> None:
        """The conversation speaks the outermost protocol; what a tunnel carries is its own affair."""
        if not self._tunnelled or not self._conversation.application:
            self._conversation.application = application

    def _emit(self, exchange: Exchange) -> None:
        self._conversation.emit(exchange, self._tls)

    def _tls_in_stream(self) -> ByteLayer:
        """Its records are what the application wrote, no longer the segments."""
        self._conversation.count_no_segments()
        return self.tls()

    def _negotiated(self, facts: TlsFacts) -> ByteLayer:
        if facts.alpn == "h2":
            return self._http2()
        if facts.alpn in {"http/1.1", "http/1.0"}:
            return self._http1()
        if facts.alpn == "dot":
            return self._dns("tls")
        return self._unknown()

    def _dns(self, transport: str = "tcp") -> ByteLayer:
        self._name("DNS")
        conversation = self._conversation
        return DnsStream(DnsReader(conversation.flow, conversation.services.on_dns, conversation.report, transport))

    def _unknown(self) -> ByteLayer:
        return ByteDetector(self.byte_layer)

    def _inside(self) -> ByteLayer:
        """What a tunnel carries."""
        return LayersAbove(self._conversation, tunnelled=True)._unknown()

    def _http1(self) -> ByteLayer:
        self._name("HTTP/1")
        conversation, services = self._conversation, self._conversation.services
        return Http1Connection(
            self._emit,
            conversation.report,
            services.new_body,
            conversation.units,
            self._upgrade,
            limits=services.limits.http1,
            whole=conversation.flow.begun != "mid-capture" and not any(conversation.flow.lost),
        )

    def _http2(self, upgraded: Exchange | None = None) -> ByteLayer:
        from pcapng_utils.http.http2 import Http2Connection

        self._name("HTTP/2")
        conversation, services = self._conversation, self._conversation.services
        return Http2Connection(
            self._emit,
            conversation.report,
            services.new_body,
            conversation.units,
            upgraded=upgraded,
            upgrade=self._tunnel,
            limits=services.limits.http2,
            websocket_limits=services.limits.websocket,
        )

    def _socks(self) -> ByteLayer:
        self._name("SOCKS")
        return SocksLayer(lambda host, port: self._inside(), self._conversation.report)

    def _tunnel(self, exchange: Exchange, kind: str) -> ByteLayer | None:
        """A stream that has become a tunnel: CONNECT (RFC 9113, section 8.5; RFC 9114, section 4.4)."""
        return self._inside()

    def _upgrade(self, exchange: Exchange, kind: str) -> ByteLayer | None:
        """What an HTTP/1.1 connection has become: another protocol (RFC 9110, section 7.8), or a tunnel (9.3.6)."""
        conversation = self._conversation
        if kind == "websocket":
            limits = conversation.services.limits.websocket
            return WebSocketLayer(exchange, self._emit, conversation.report, conversation.units, limits)
        if kind == "h2c":
            return self._http2(upgraded=exchange)
        return self._inside() if kind.startswith("connect") else self._unknown()


def application_over_quic(tls: TlsFacts) -> str:
    """The protocol above QUIC, as `Conversation.application` names it; empty if it is none that is read."""
    alpn = tls.alpn or "h3"
    return "DNS" if alpn.startswith("doq") else "HTTP/3" if alpn.startswith("h3") else ""


_LAYERS: Final[dict[Protocol, Callable[[LayersAbove], ByteLayer]]] = {
    Protocol.TLS: LayersAbove._tls_in_stream,
    Protocol.HTTP1: LayersAbove._http1,
    Protocol.HTTP2: LayersAbove._http2,
    Protocol.SOCKS: LayersAbove._socks,
    Protocol.DNS: LayersAbove._dns,
}
