"""What every scenario needs: two machines, an authority, key log, capture, servers; and the truth that it leaves."""

from __future__ import annotations

import contextlib
import json
import ssl
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lab import dns
from lab.capture import Format, capture
from lab.certificates import Authority, Identity
from lab.network import SERVER_ADDRESSES, Network, network
from lab.relay import Impairment
from lab.servers.hypercorn_server import Listening, hypercorn
from lab.truth import NOT_DECODED, Body, Exchange, ServerSentEvent, Truth, WebSocketMessage

HOST = "shop.lab.test"


@dataclass(slots=True)
class Stage:
    directory: Path
    """Where the scenario leaves its capture, key log and truth."""
    work: Path
    """Vanishes with the scenario."""
    network: Network
    authority: Authority
    identity: Identity
    truth: Truth
    server_log: Path | None = None
    form: Format = "pcap"
    _numbers: int = field(default=0)

    @property
    def keylog(self) -> Path:
        return self.directory / "sslkeylog.txt"

    @property
    def pcap(self) -> Path:
        return self.directory / ("traffic.pcapng" if self.form == "pcapng" else "traffic.pcap")

    @property
    def page(self) -> Path:
        """What servers answer to /page."""
        return self.work / "page.html"

    @property
    def server(self) -> str:
        """The first of the servers' addresses."""
        return self.network.internet.address

    def number(self) -> int:
        """A new exchange's number."""
        self._numbers += 1
        return self._numbers

    @classmethod
    @contextlib.contextmanager
    def built(
        cls, name: str, directory: Path, *, form: Format = "pcap", impairment: Impairment | None = None
    ) -> Iterator[Self]:
        """After the block, `directory` holds the truth, reconciled with what the server wrote down."""
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="lab-") as scratch, network(impairment) as net:
            work = Path(scratch)
            authority = Authority.create(work / "ca")
            identity = authority.issue("server", ("*.lab.test", "lab.test"))
            stage = cls(directory, work, net, authority, identity, Truth(name), form=form)
            stage.keylog.write_bytes(b"")
            yield stage
            if stage.server_log is not None:
                reconcile(stage.truth, stage.server_log)
            stage.truth.exchanges.sort(key=lambda exchange: exchange.id)
            stage.truth.save(directory / "truth.json")
            if not stage.keylog.read_bytes():
                stage.keylog.unlink()

    def server_context(self, alpn: Sequence[str] = (), identity: Identity | None = None) -> ssl.SSLContext:
        """A TLS server with the stage's certificate."""
        mine = identity or self.identity
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(mine.certificate, mine.key)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    @contextlib.contextmanager
    def on_phone(self) -> Iterator[None]:
        """The block's client is captured, and on the phone."""
        with capture(self.network, self.pcap, self.form), self.network.phone.entered():
            yield

    @contextlib.contextmanager
    def hypercorn(
        self, tls: Sequence[int] = (443,), clear: Sequence[int] = (80,), quic: Sequence[int] = (), **options: Any
    ) -> Iterator[None]:
        """Hypercorn at the first server's address, on these ports."""
        listening = Listening(*([f"{self.server}:{port}" for port in ports] for ports in (tls, clear, quic)))
        with hypercorn(self.network.internet, self.identity, self.work, listening, page=self.page, **options) as log:
            self.server_log = log
            yield

    @contextlib.contextmanager
    def dns(self, zone: Mapping[str, str] | None = None) -> Iterator[None]:
        with dns.serving(self.network.internet, zone or {HOST: SERVER_ADDRESSES[0]}, self.work):
            yield


class TruthError(AssertionError):
    """Client and server do not agree on what they exchanged: the scenario itself is wrong."""


def reconcile(truth: Truth, log: Path) -> None:
    """Hold the client's account against the server's, and add what the server alone knows."""
    said: dict[int | None, list[dict[str, Any]]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        said.setdefault(record["id"], []).append(record)
    for exchange in truth.exchanges:
        records = said.pop(exchange.id, [])
        if records:
            _reconcile(exchange, records[-1])


def _reconcile(exchange: Exchange, record: dict[str, Any]) -> None:
    if "websocket" in record:
        theirs = [WebSocketMessage(*item) for item in record["websocket"]]
        ours = exchange.websocket or []
        for direction in ("send", "receive"):
            if [m for m in theirs if m.type == direction] != [m for m in ours if m.type == direction]:
                raise TruthError(f"exchange {exchange.id}: the server saw other WebSocket messages ({direction})")
        return
    exchange.response_trailers = exchange.response_trailers or [tuple(item) for item in record["trailers"]]
    if record["events"]:
        exchange.events = [ServerSentEvent(**item) for item in record["events"]]
    sent = Body(**record["response"])
    if exchange.method == "HEAD" or not exchange.status:
        sent = Body.of(b"") if exchange.status else sent
    body = exchange.response
    if body.size == NOT_DECODED and body.transferred in (None, sent.transferred):
        exchange.response = sent
    if body.transferred is None:
        body.transferred = sent.transferred
    coded = exchange.request.transferred != exchange.request.size
    facts = (
        ("request body", record["request"] if coded else exchange.request.sha256, record["request"]),
        ("status", exchange.status or record["status"], record["status"]),
        ("response body", exchange.response.sha256 if exchange.status else sent.sha256, sent.sha256),
    )
    for name, client, server in facts:
        if client != server:
            raise TruthError(f"exchange {exchange.id}: {name}: the client says {client}, the server {server}")
