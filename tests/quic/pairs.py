"""A client and a server of aioquic that talk to one another in memory, with every datagram written down."""

from __future__ import annotations

import datetime
import functools
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import StreamDataReceived
from aioquic.quic.packet import encode_quic_retry, pull_quic_header
from aioquic.tls import CipherSuite, SessionTicket
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pcapng_utils.layers import CLIENT, SERVER
from tests.quic.reading import Reader

SERVER_ADDRESS = ("192.0.2.2", 443)
RETRY_ID = b"retry-id"


class Sent(NamedTuple):
    direction: int
    data: bytes
    client_port: int


@functools.cache
def identity() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A self-signed certificate for quic.example."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "quic.example")])
    begin = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(days=36500))
    names = x509.SubjectAlternativeName([x509.DNSName("quic.example")])
    return builder.add_extension(names, critical=False).sign(key, hashes.SHA256()), key


@dataclass
class Pair:
    """`drop` says which datagrams, by their number, get lost on the way behind the place where they are captured."""

    suites: list[CipherSuite] | None = None
    versions: list[int] = field(default_factory=lambda: [1])
    original_version: int | None = None
    client_id_size: int = 8
    server_id_size: int = 8
    retry: bool = False
    ticket: SessionTicket | None = None
    tickets: dict[bytes, SessionTicket] = field(default_factory=dict)
    drop: Callable[[int], bool] = lambda number: False
    server_name: str = "quic.example"
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sent: list[Sent] = []
        self.keylog = io.StringIO()
        self.now = 1000.0
        self.client_port = 50000
        self.received: dict[tuple[int, int], bytearray] = {}
        """What the endpoints got, by stream and direction."""
        self.new_tickets: list[SessionTicket] = []
        configuration = QuicConfiguration(
            alpn_protocols=["h3"],
            connection_id_length=self.client_id_size,
            is_client=True,
            server_name=self.server_name,
            secrets_log_file=self.keylog,
            session_ticket=self.ticket,
            supported_versions=self.versions,
            original_version=self.original_version,
            cipher_suites=self.suites,
            verify_mode=0,
            **self.options,
        )
        self.client = QuicConnection(configuration=configuration, session_ticket_handler=self.new_tickets.append)
        self.server: QuicConnection | None = None
        self.client.connect(SERVER_ADDRESS, now=self.now)

    def _make_server(self, original: bytes, retry_id: bytes | None) -> QuicConnection:
        certificate, key = identity()
        configuration = QuicConfiguration(
            alpn_protocols=["h3"],
            connection_id_length=self.server_id_size,
            is_client=False,
            certificate=certificate,
            private_key=key,
            supported_versions=self.versions,
            cipher_suites=self.suites,
            **self.options,
        )
        return QuicConnection(
            configuration=configuration,
            original_destination_connection_id=original,
            retry_source_connection_id=retry_id,
            session_ticket_fetcher=lambda label: self.tickets.get(label),
            session_ticket_handler=lambda ticket: self.tickets.__setitem__(ticket.ticket, ticket),
        )

    def _to_server(self, data: bytes) -> None:
        if self.server is None:
            header = pull_quic_header(Buffer(data=data), host_cid_length=self.server_id_size)
            if self.retry and not header.token:
                assert header.version is not None
                self.original = header.destination_cid
                packet = encode_quic_retry(
                    version=header.version,
                    source_cid=RETRY_ID,
                    destination_cid=header.source_cid,
                    original_destination_cid=header.destination_cid,
                    retry_token=b"token",
                )
                self.sent.append(Sent(SERVER, packet, self.client_port))
                self.client.receive_datagram(packet, SERVER_ADDRESS, now=self.now)
                return
            original = self.original if self.retry else header.destination_cid
            self.server = self._make_server(original, RETRY_ID if self.retry else None)
        self.server.receive_datagram(data, ("192.0.2.1", self.client_port), now=self.now)

    def run(self, rounds: int = 60) -> Pair:
        """Let datagrams go to and fro until both sides are silent; timers run while datagrams are missing."""
        for _ in range(rounds):
            self.now += 0.01
            moved = self._send(self.client, CLIENT)
            if self.server is not None:
                moved = self._send(self.server, SERVER) or moved
            if not moved and not self._wait():
                break
        return self

    def _send(self, sender: QuicConnection, direction: int) -> bool:
        datagrams = sender.datagrams_to_send(now=self.now)
        for data, _ in datagrams:
            number = len(self.sent)
            self.sent.append(Sent(direction, data, self.client_port))
            if self.drop(number):
                continue
            if direction == CLIENT:
                self._to_server(data)
            else:
                self.client.receive_datagram(data, SERVER_ADDRESS, now=self.now)
        self._drain()
        return bool(datagrams)

    def _drain(self) -> None:
        for side, endpoint in ((SERVER, self.client), (CLIENT, self.server)):
            while endpoint is not None and (event := endpoint.next_event()) is not None:
                if isinstance(event, StreamDataReceived):
                    self.received.setdefault((event.stream_id, side), bytearray()).extend(event.data)

    def _wait(self) -> bool:
        ends = [one for one in (self.client, self.server) if one is not None]
        timers = [timer for one in ends if (timer := one.get_timer()) is not None and timer < self.now + 10]
        if not timers:
            return False
        self.now = max(self.now, min(timers)) + 0.001
        for one in ends:
            timer = one.get_timer()
            if timer is not None and timer <= self.now:
                one.handle_timer(now=self.now)
        return True

    def send(self, direction: int, stream_id: int, data: bytes, fin: bool = True) -> None:
        endpoint = self.client if direction == CLIENT else self.server
        assert endpoint is not None
        endpoint.send_stream_data(stream_id, data, fin)

    def reader(self) -> Reader:
        """A reader that has the secrets."""
        reader = Reader()
        reader.secrets.add_keylog(self.keylog.getvalue().encode(), "pair")
        return reader
