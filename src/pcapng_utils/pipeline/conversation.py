"""One conversation: a flow, the layers that read its bytes stacked one above the other, and what was understood of it.

It starts with a detector (see detection.py, datagrams.py). As soon as the first bytes of either side are recognised,
the right layer takes over; those above it come from above.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from pcapng_utils.http.body import BodyFactory
from pcapng_utils.http.exchange import Exchange
from pcapng_utils.layers import DatagramLayer, Problem, Report, SegmentLayer, StreamsLayer, UnitLog
from pcapng_utils.net.dns import TRANSPORTS, DnsExchange, DnsReader
from pcapng_utils.net.dns_message import looks_like_dns
from pcapng_utils.net.flow import Flow
from pcapng_utils.pipeline.above import LayersAbove, application_over_quic
from pcapng_utils.pipeline.adapters import Opaque, SegmentAdapter
from pcapng_utils.pipeline.datagrams import Choice, CountedDatagrams, DatagramDetector, OpaqueDatagrams
from pcapng_utils.pipeline.detect import Protocol, identify, identify_or_dns
from pcapng_utils.pipeline.detection import SegmentDetector
from pcapng_utils.pipeline.limits import Limits
from pcapng_utils.pipeline.secured import SecuredConnections
from pcapng_utils.quic.detect import looks_like_quic
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
    emit: Callable[[Exchange, Conversation, TlsFacts | None], None]
    """The facts are those of the TLS or QUIC connection that carried the exchange."""
    report: Report
    on_dns: Callable[[DnsExchange], None]
    quic_knows: Callable[[bytes], bool]
    """Whether a datagram belongs to a QUIC connection that was met before."""
    quic_router: Callable[[], QuicRouter]
    """What the QUIC flows share; made when the first of them is met."""


class Conversation:
    """A flow with what was understood of it, and the source of its first layer."""

    __slots__ = ("_adapter", "application", "exchanges", "flow", "secured", "services", "units")

    def __init__(self, flow: Flow, services: Services) -> None:
        self.flow = flow
        self.services = services
        self.units = UnitLog()
        self.secured = SecuredConnections()
        self.application = ""
        """The outermost protocol: "HTTP/1", "HTTP/2", "SOCKS", ...; "DTLS", which is not read; empty if unknown."""
        self.exchanges = 0
        self._adapter: SegmentAdapter | None = None

    def start(self) -> SegmentLayer:
        """The layer that reads a TCP flow from its first segment."""
        probe = identify_or_dns if _DNS_PORT in (self.flow.client.port, self.flow.server.port) else identify
        return SegmentDetector(self.flow, self.units, self._segment_layer, probe)

    def start_datagrams(self) -> DatagramLayer:
        """The layer that reads a UDP flow from its first datagram."""
        choices: list[Choice] = [
            (looks_like_quic, self._open_quic),
            (self.services.quic_knows, self._open_quic),
            (looks_like_dtls, self._open_dtls),
        ]
        if TRANSPORTS.keys().isdisjoint((self.flow.client.port, self.flow.server.port)):
            return DatagramDetector(self.flow, choices, OpaqueDatagrams(self.units))
        reader = DnsReader(self.flow, self.services.on_dns, self.report)
        choices.insert(0, (looks_like_dns, lambda: self._open_dns(reader)))
        return DatagramDetector(self.flow, choices, OpaqueDatagrams(self.units, reader.refuse))

    def report(self, problem: Problem) -> None:
        self.services.report(replace(problem, connection=self.flow.id))

    def emit(self, exchange: Exchange, tls: TlsFacts | None) -> None:
        """Hand on an exchange that the TLS or QUIC connection with these facts carried."""
        self.services.emit(exchange, self, tls)

    def count_no_segments(self) -> None:
        """The segments are no longer the units: a layer above counts its own."""
        if self._adapter is not None:
            self._adapter.counting = False

    def _segment_layer(self, protocol: Protocol | None) -> SegmentLayer:
        """The layer for what was found right above TCP; None: nothing known."""
        if protocol is None:
            return Opaque(self.units)
        layers = LayersAbove(self)
        if protocol is Protocol.TLS:
            return layers.tls()
        self._adapter = SegmentAdapter(layers.byte_layer(protocol), self.units)
        return self._adapter

    def _open_dns(self, reader: DnsReader) -> DatagramLayer:
        self.application = "DNS"
        return CountedDatagrams(reader, self.units)

    def _open_dtls(self) -> DatagramLayer:
        self.application = DTLS
        return OpaqueDatagrams(self.units)

    def _open_quic(self) -> DatagramLayer:
        from pcapng_utils.quic.flow import QuicFlow

        router = self.services.quic_router()
        return QuicFlow(router, self.flow, self.units, self.report, self._open_streams, self._carries_quic)

    def _open_streams(self, tls: TlsFacts, _quic: QuicFacts) -> StreamsLayer | None:
        return LayersAbove(self, tls).streams(tls)

    def _carries_quic(self, tls: TlsFacts, quic: QuicFacts) -> None:
        """A QUIC connection began here, or came here from another flow, which goes on being told what it carries."""
        self.secured.add(tls, quic)
        if any(tls.read) and not self.application:
            self.application = application_over_quic(tls)
