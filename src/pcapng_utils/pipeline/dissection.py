"""From capture events to finished entries and connections.

This is the streaming half of a conversion: what it holds in memory are the flows that are open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, Protocol

from msgspec import Struct, field

from pcapng_utils.capture.events import CaptureEvent, PacketBatch, ResolvedName, Secrets
from pcapng_utils.faults import fault
from pcapng_utils.har.blobs import WriteBlob
from pcapng_utils.har.body import SMALL_BODY
from pcapng_utils.har.connections import connection_fields, decryption_state, tls_error
from pcapng_utils.har.entry import Entry, EntryBuilder
from pcapng_utils.har.problems import ProblemLog
from pcapng_utils.har.spool import StoredConnection, encode_fields
from pcapng_utils.har.waits import Lookup
from pcapng_utils.http.body import Body, BodyMemory
from pcapng_utils.http.exchange import Exchange, Message
from pcapng_utils.layers import DatagramLayer, Problem, SegmentLayer
from pcapng_utils.net.dns import DnsExchange, over_https, query_in_target
from pcapng_utils.net.flow import Flow
from pcapng_utils.net.names import Names
from pcapng_utils.net.network import Network
from pcapng_utils.net.shards import WHOLE, Shard
from pcapng_utils.pipeline.conversation import Conversation, Services
from pcapng_utils.pipeline.lookups import dns_row, lookup_of
from pcapng_utils.pipeline.memory import DEFAULT, Budget
from pcapng_utils.pipeline.secured import Secured, SecuredConnections
from pcapng_utils.tls.dtls import DTLS
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.keylog import IN_CAPTURE, SecretStore

if TYPE_CHECKING:
    from pcapng_utils.quic.router import QuicRouter

_LARGEST_DNS_MESSAGE: Final = 65_535

_TOO_MANY_UNITS: Final = (
    "a connection has more records or segments than are told apart: which code sent the later ones is not known"
)

_TOO_MANY_SECURED: Final = (
    "a connection carries more TLS or QUIC connections than are told apart: some are counted together"
)

_UNDECRYPTED: Final = "what a connection carries could not be decrypted, or not all of it"

EnrichEntry = Callable[[Entry], None]
"""Something that is added to an entry while its bodies are at hand."""


class Sink(Protocol):
    """Where entries, connections and DNS exchanges go as they are complete."""

    @property
    def write_blob(self) -> WriteBlob: ...

    def new_file(self) -> BinaryIO:
        """A private file, for a body too large for memory."""

    def append(self, entry: Entry) -> int:
        """Take an entry; returns its ordinal."""

    def append_connection(self, first_frame: int, connection: StoredConnection) -> None: ...

    def append_dns(self, time: int, row: dict[str, Any]) -> None: ...

    def append_lookup(self, client: str, address: str, lookup: Lookup) -> None:
        """An answer that connections may wait for."""


class BuilderOptions(NamedTuple):
    bodies: bool = True
    """Whether bodies are written."""
    small_body: int = SMALL_BODY
    """Bytes of a body that enrichers get to see."""


_BUDGET: Final = Budget.of(DEFAULT)


class Counts(Struct):
    """What the summary tells."""

    packets: int = 0
    first: int | None = None
    last: int | None = None
    """Times of the first and the last packet, in ns."""
    connections: Counter[str] = field(default_factory=Counter)
    """TCP connections and conversations of QUIC or DTLS, by `decrypted`."""
    exchanges: Counter[str] = field(default_factory=Counter)
    """By protocol."""

    def join(self, other: Counts) -> None:
        """Add what another reader of the same packets has counted of other flows."""
        self.connections.update(other.connections)
        self.exchanges.update(other.exchanges)


class Dissection:
    """Feed it the events of a capture, then `close` it; the results are in the spool."""

    def __init__(
        self,
        sink: Sink,
        secrets: SecretStore,
        names: Names,
        problems: ProblemLog,
        builder: BuilderOptions,
        shard: Shard = WHOLE,
        budget: Budget = _BUDGET,
    ) -> None:
        self.counts = Counts()
        self.secrets_came_late = False
        """Secrets that were not known stood behind packets: those before may be readable in another run."""
        self.enrichers: list[EnrichEntry] = []
        self.watch: Callable[[int, Entry, Exchange, Conversation], None] | None = None
        """Told of every exchange with its ordinal in the spool, while its messages are at hand."""
        self.watch_end: Callable[[Conversation], None] | None = None
        """Told of every conversation that has ended."""
        self._sink = sink
        self._secrets = secrets
        self._names = names
        self._problems = problems
        self._memory = BodyMemory(budget.bodies, budget.messages)
        self._builder = EntryBuilder(
            self._new_body, sink.write_blob if builder.bodies else None, builder.small_body, budget.limits.body
        )
        self._limits = budget.limits
        self._services = Services(
            secrets,
            self._limits,
            self._new_body,
            self._emit,
            problems.add,
            self._on_dns,
            self._quic_knows,
            self._quic_router,
        )
        self._router: QuicRouter | None = None
        self._conversations: dict[str, Conversation] = {}
        self._network = Network(
            self._on_flow, self._on_flow_end, problems.add, self._limits.net, shard, self._limits.packets
        )

    def feed(self, event: CaptureEvent) -> None:
        if isinstance(event, PacketBatch):
            counts = self.counts
            counts.packets += len(event.packets)
            if event.packets:
                if counts.first is None:
                    counts.first = event.packets[0][1]
                counts.last = event.packets[-1][1]
            self._network.feed(event)
        elif isinstance(event, Problem):
            self._problems.add(event)
        elif isinstance(event, Secrets):
            known = len(self._secrets)
            self._secrets.add_keylog(event.text, IN_CAPTURE)
            self.secrets_came_late |= self.counts.packets > 0 and len(self._secrets) > known
        elif isinstance(event, ResolvedName):
            self._names.learn_block(event.address, event.name)

    def close(self) -> None:
        """The capture has ended: so has everything in it."""
        self._network.close()

    def _new_body(self) -> Body:
        return Body(self._sink.new_file, self._memory)

    def _on_flow(self, flow: Flow) -> SegmentLayer | DatagramLayer | None:
        conversation = self._conversations[flow.id] = Conversation(flow, self._services)
        return conversation.start() if flow.transport == "tcp" else conversation.start_datagrams()

    def _quic_knows(self, datagram: bytes) -> bool:
        return self._router is not None and self._router.knows(datagram)

    def _quic_router(self) -> QuicRouter:
        if self._router is None:
            from pcapng_utils.quic.router import QuicRouter

            self._router = QuicRouter(self._secrets, self._limits.quic)
        return self._router

    def _emit(self, exchange: Exchange, conversation: Conversation, tls: TlsFacts | None) -> None:
        try:
            self._add(exchange, conversation, tls)
        except Exception as error:
            conversation.report(fault(error, "an exchange was left out", _frame_of(exchange)))
        finally:
            self._memory.kept -= exchange.kept

    def _add(self, exchange: Exchange, conversation: Conversation, tls: TlsFacts | None) -> None:
        conversation.exchanges += 1
        self._look_for_dns(exchange, conversation)
        entry, problems = self._builder.build(exchange, conversation.flow, tls)
        for text in problems:
            conversation.report(Problem("body-not-decoded", text, frame=_frame_of(exchange)))
        for enrich in self.enrichers:
            try:
                enrich(entry)
            except Exception as error:
                conversation.report(fault(error, "something was not added to an exchange", _frame_of(exchange)))
        message = exchange.request or exchange.response
        self.counts.exchanges[message.version if message else ""] += 1
        entry.first = conversation.exchanges == 1
        ordinal = self._sink.append(entry)
        if self.watch is not None:
            self.watch(ordinal, entry, exchange, conversation)

    def _on_dns(self, exchange: DnsExchange) -> None:
        self._names.learn_dns(exchange)
        self._sink.append_dns(exchange.time, dns_row(exchange))
        lookup = lookup_of(exchange)
        if lookup is not None:
            for address in exchange.addresses():
                self._sink.append_lookup(exchange.client, address, lookup)

    def _look_for_dns(self, exchange: Exchange, conversation: Conversation) -> None:
        """DNS over HTTPS (RFC 8484)."""
        request, response = exchange.request, exchange.response
        query = _dns_body(request) or (
            query_in_target(request.target) if request and b"dns=" in request.target else None
        )
        answer = _dns_body(response)
        if (query is None and answer is None) or request is None or response is None or not response.frames:
            return
        found = over_https(
            conversation.flow, query, answer, request.first, response.last, response.frames[-1], conversation.report
        )
        if found is not None:
            self._on_dns(found)

    def _on_flow_end(self, flow: Flow) -> None:
        conversation = self._conversations.pop(flow.id, None)
        if conversation is not None and conversation.units.full:
            conversation.report(Problem("units-limit", _TOO_MANY_UNITS, frame=flow.last_frame))
        application = conversation.application if conversation else ""
        secured = conversation.secured if conversation else SecuredConnections()
        tls, quic = secured.whole()
        fields = connection_fields(flow, tls, quic, application)
        if flow.transport == "tcp" or quic is not None or application == DTLS:
            self.counts.connections[decryption_state(flow, tls, application, quic)[0]] += 1
        own_names, inner_names = secured.names()
        for time, name in own_names:
            self._names.learn(flow.server.ip, name, time or flow.first, flow.client.ip)
        errors = [self._undecrypted(flow, one) for one in secured if any(one.tls.unread)]
        if errors:
            fields["_tlsErrors"] = errors
        if secured.folded:
            self._problems.add(
                Problem(
                    "secured-limit",
                    _TOO_MANY_SECURED,
                    flow.first_frame,
                    f"{secured.folded} of them",
                    connection=flow.id,
                )
            )
        self._sink.append_connection(
            flow.first_frame,
            StoredConnection(
                id=flow.id,
                client=flow.client,
                server=flow.server,
                first=flow.first,
                community_id=flow.community_id,
                transport=flow.transport,
                sni=own_names[0][1] if own_names else None,
                fields=encode_fields(fields),
                inner_names=inner_names,
            ),
        )
        if conversation is not None and self.watch_end is not None:
            self.watch_end(conversation)

    def _undecrypted(self, flow: Flow, secured: Secured) -> dict[str, Any]:
        """Report a TLS or QUIC connection that was not, or not wholly, decrypted; its row of `_tlsErrors`."""
        error = tls_error(flow, secured.tls)
        kind, units = ("tls", "records") if secured.quic is None else ("quic", "packets")
        detail = f"{sum(secured.tls.unread)} {units}: {error['cause']}"
        self._problems.add(Problem(f"{kind}-undecrypted", _UNDECRYPTED, flow.first_frame, detail, connection=flow.id))
        return error


def _dns_body(message: Message | None) -> bytes | None:
    if message is None or message.header(b"content-type") != b"application/dns-message":
        return None
    return message.body.getvalue() if message.body.size <= _LARGEST_DNS_MESSAGE else None


def _frame_of(exchange: Exchange) -> int | None:
    messages: tuple[Message | None, ...] = (exchange.request, exchange.response)
    return next((message.frames[0] for message in messages if message is not None and message.frames), None)
