"""What the tests of HTTP/3 share: frames by hand, aioquic's client and server in memory, a connection's listener."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import StreamDataReceived, StreamReset
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange, Upgrade
from pcapng_utils.http.http3 import Http3Connection
from pcapng_utils.http.stream_services import Limits
from pcapng_utils.layers import CLIENT, SERVER, Problem, Stamp, UnitLog

DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x5, 0x7

Fields = list[tuple[bytes, bytes]]
GET: Fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a.example"), (b":path", b"/")]
OK: Fields = [(b":status", b"200"), (b"server", b"lab")]


class Piece(NamedTuple):
    """What one endpoint sent on a stream, in one packet."""

    stream: int
    direction: int
    data: bytes
    fin: bool = False
    reset: int | None = None
    """Error code of a RESET_STREAM."""


def varint(value: int) -> bytes:
    for bits, prefix in ((6, 0), (14, 1), (30, 2), (62, 3)):
        if value < 1 << bits:
            size = (bits + 2) // 8
            return (value | prefix << bits).to_bytes(size, "big")
    raise ValueError(value)


def frame(kind: int, payload: bytes = b"") -> bytes:
    return varint(kind) + varint(len(payload)) + payload


def literal(fields: Fields) -> bytes:
    """A field section without references (RFC 9204, section 4.5.6)."""
    lines = b"".join(_prefixed(0x20, 0x07, name) + _prefixed(0, 0x7F, value) for name, value in fields)
    return b"\x00\x00" + lines


def _prefixed(pattern: int, mask: int, string: bytes) -> bytes:
    length = len(string)
    if length < mask:
        return bytes((pattern | length,)) + string
    octets = bytearray((pattern | mask,))
    length -= mask
    while length >= 0x80:
        octets.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(octets) + bytes((length,)) + string


@dataclass
class Listener:
    """A connection under test, with all it said."""

    limits: Limits = field(default_factory=Limits)
    upgrade: Upgrade | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    units: UnitLog = field(default_factory=UnitLog)
    frame: int = 0

    def __post_init__(self) -> None:
        self.connection = Http3Connection(
            self.exchanges.append,
            self.problems.append,
            Body,
            self.units,
            upgrade=self.upgrade,
            limits=self.limits,
        )

    def stamp(self, direction: int, size: int = 0, number: int | None = None) -> Stamp:
        """A packet's place; `number` tells which, if not the next."""
        if number is None:
            number = self.frame = self.frame + 1
        unit = self.units.add(direction, number * 1000, number, size)
        return Stamp(number * 1000, number * 1000, (number,), unit)

    def feed(self, *pieces: Piece, number: int | None = None) -> Listener:
        for piece in pieces:
            stamp = self.stamp(piece.direction, len(piece.data), number)
            if piece.reset is not None:
                self.connection.stream_reset(piece.stream, piece.direction, piece.reset, stamp)
            else:
                self.connection.stream_data(piece.stream, piece.direction, piece.data, piece.fin, stamp)
        return self

    def gap(self, stream: int, direction: int, size: int) -> Listener:
        self.connection.stream_gap(stream, direction, size, self.stamp(direction))
        return self

    def close(self) -> list[Exchange]:
        self.connection.close()
        return self.exchanges

    def kinds(self) -> set[str]:
        return {problem.kind for problem in self.problems}


def hear(pieces: Iterable[Piece]) -> list[Exchange]:
    return Listener().feed(*pieces).close()


@cache
def _certificate() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    return builder.sign(key, hashes.SHA256()), key


_CLIENT_ADDRESS, _SERVER_ADDRESS = ("192.0.2.1", 1234), ("192.0.2.2", 4433)


class Peers:
    """aioquic's client and server, whose streams are recorded in the order in which they arrive."""

    def __init__(self) -> None:
        certificate, key = _certificate()
        self.pieces: list[Piece] = []
        self.now = 0.0
        server = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, certificate=certificate, private_key=key)
        client = QuicConfiguration(alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name="a.example")
        self._client = QuicConnection(configuration=client)
        self._client.connect(_SERVER_ADDRESS, now=self.now)
        first = self._client.datagrams_to_send(now=self.now)
        identifier = self._client.original_destination_connection_id
        self._server = QuicConnection(configuration=server, original_destination_connection_id=identifier)
        for data, _ in first:
            self._server.receive_datagram(data, _CLIENT_ADDRESS, now=self.now)
        self._exchange()
        self.client = H3Connection(self._client)
        self.server = H3Connection(self._server)
        self.flush()

    def _exchange(self) -> None:
        """Carry datagrams until there are no more."""
        moved = True
        while moved:
            moved = False
            ways = ((self._client, self._server, _CLIENT_ADDRESS), (self._server, self._client, _SERVER_ADDRESS))
            for sender, receiver, address in ways:
                self.now += 0.001
                for data, _ in sender.datagrams_to_send(now=self.now):
                    moved = True
                    receiver.receive_datagram(data, address, now=self.now)

    def flush(self) -> None:
        """Let everything that was sent arrive, and be read by the other side."""
        while True:
            self._exchange()
            seen = len(self.pieces)
            sides = ((self._server, self.server, CLIENT), (self._client, self.client, SERVER))
            for quic, http, direction in sides:
                while (event := quic.next_event()) is not None:
                    if isinstance(event, StreamDataReceived):
                        self.pieces.append(Piece(event.stream_id, direction, event.data, event.end_stream))
                    elif isinstance(event, StreamReset):
                        self.pieces.append(Piece(event.stream_id, direction, b"", reset=event.error_code))
                    http.handle_event(event)
            if len(self.pieces) == seen:
                return

    def request(self, fields: Fields, *, end: bool = True) -> int:
        stream = self._client.get_next_available_stream_id()
        self.client.send_headers(stream, fields, end_stream=end)
        return stream

    def reset(self, direction: int, stream: int, code: int) -> None:
        (self._client if direction == CLIENT else self._server).reset_stream(stream, code)
