"""The TLS handshake inside QUIC's CRYPTO frames (RFC 9001, section 4): facts, and the secrets of what follows.

Each level of encryption has a CRYPTO stream of its own in each direction. The ClientHello's random finds the secrets in
the key log, the ServerHello names the cipher suite; where it was not seen, the secret's length leaves few to try.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from pcapng_utils.layers import CLIENT, SERVER, Problem, Report, Stamp, UnitKind, UnitLog
from pcapng_utils.quic.crypto import SUITES, PacketProtection, Suite
from pcapng_utils.quic.limits import Limits
from pcapng_utils.quic.reassembly import Reassembler
from pcapng_utils.quic.transport_parameters import ServerIds, server_ids
from pcapng_utils.quic.versions import Version
from pcapng_utils.tls import codes
from pcapng_utils.tls.certificates import read_chain
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.fingerprint import ja3, ja3s, ja4
from pcapng_utils.tls.handshake import (
    ClientHello,
    MessageReader,
    decompress_certificate,
    parse_certificates,
    parse_client_hello,
    parse_encrypted_extensions,
    parse_server_hello,
)
from pcapng_utils.tls.keylog import SecretStore
from pcapng_utils.tls.suites import suite_name


class Level(IntEnum):
    """Encryption levels (RFC 9001, section 2.1); the first three are the packet types of the same name."""

    INITIAL = 0
    ZERO_RTT = 1
    HANDSHAKE = 2
    ONE_RTT = 3


_LABELS: Final = {
    (Level.ZERO_RTT, CLIENT): "CLIENT_EARLY_TRAFFIC_SECRET",
    (Level.HANDSHAKE, CLIENT): "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    (Level.HANDSHAKE, SERVER): "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    (Level.ONE_RTT, CLIENT): "CLIENT_TRAFFIC_SECRET_0",
    (Level.ONE_RTT, SERVER): "SERVER_TRAFFIC_SECRET_0",
}

_RANDOM_END: Final = 38
"""Bytes of a ClientHello, its message header included, up to the end of its random."""
_OVERFLOW: Final = "A QUIC handshake leaves a hole before more bytes than are kept: its messages cannot be read"


class _CryptoStream:
    """One direction and level: bytes in order, cut into messages."""

    __slots__ = ("bytes", "messages")

    def __init__(self, limit: int) -> None:
        self.bytes = Reassembler()
        self.messages = MessageReader(limit)


class Handshake:
    """The handshake of one connection."""

    def __init__(self, facts: TlsFacts, secrets: SecretStore, units: UnitLog, report: Report, limits: Limits) -> None:
        self.client_random: bytes | None = None
        self.cipher_id: int | None = None
        self.server_ids = ServerIds(b"", frozenset())
        """As soon as the server's transport parameters were read."""
        self._facts = facts
        self._secrets = secrets
        self._units = units
        self._report = report
        self._limits = limits
        self._streams: dict[tuple[int, int], _CryptoStream] = {}
        self._hello = bytearray()
        self._hello_read = False

    def crypto(self, direction: int, level: int, offset: int, data: bytes, stamp: Stamp) -> None:
        """A CRYPTO frame."""
        stream = self._streams.get((direction, level))
        if stream is None:
            stream = self._streams[direction, level] = _CryptoStream(self._limits.crypto)
        hello = level == Level.INITIAL and direction == CLIENT
        self._units.mark(direction, stamp.unit, UnitKind.CLIENT_HELLO if hello else UnitKind.HANDSHAKE)
        if hello and self._facts.hello_time is None:
            self._facts.hello_time = stamp.first
        for piece in stream.bytes.add(offset, data, False, stamp):
            if hello:
                self._keep_hello(piece.data)
            for kind, body in stream.messages.feed(piece.data):
                handler = _HANDLERS.get((direction, kind))
                if handler is not None:
                    handler(self, body, piece.stamp)
        if stream.bytes.held > self._limits.crypto:
            self._report(Problem("quic-crypto-limit", _OVERFLOW, stamp.frames[0], lost=stream.bytes.held))
            self._streams[direction, level] = _CryptoStream(self._limits.crypto)

    def protections(self, level: Level, direction: int, version: Version) -> list[PacketProtection]:
        """The keys that may open packets of a level, the likeliest first; empty if there is no secret (yet)."""
        label = _LABELS.get((level, direction))
        if label is None or self.client_random is None:
            return []
        secret = self._secrets.get(self.client_random, label)
        if secret is None:
            return []
        suites: list[Suite | None] = list(SUITES.values())
        if self.cipher_id is not None and level is not Level.ZERO_RTT:
            suites = [SUITES.get(self.cipher_id)]
        return [
            PacketProtection(secret, suite, version)
            for suite in suites
            if suite is not None and suite.secret_size == len(secret)
        ]

    def restart(self) -> None:
        """The client begins anew, after Retry or Version Negotiation."""
        self._streams.clear()
        self._hello.clear()
        self._hello_read = False
        self.client_random = None

    def close(self) -> None:
        """Read what came of a ClientHello that was never whole."""
        if not self._hello_read and len(self._hello) >= _RANDOM_END and self._hello[0] == codes.CLIENT_HELLO:
            hello = parse_client_hello(bytes(self._hello[4:]))
            if hello is not None:
                self._note_hello(hello)
        self._streams.clear()
        self._hello.clear()

    def _keep_hello(self, data: bytes) -> None:
        if not self._hello_read and len(self._hello) < self._limits.crypto:
            self._hello += data
            if len(self._hello) >= _RANDOM_END and self._hello[0] == codes.CLIENT_HELLO:
                self.client_random = bytes(self._hello[6:_RANDOM_END])

    def _client_hello(self, body: bytes, _stamp: Stamp) -> None:
        hello = parse_client_hello(body)
        if hello is None:
            return
        self.client_random = hello.random
        self._hello_read = True
        self._hello.clear()
        if self._facts.client_random != hello.random.hex():
            self._note_hello(hello)

    def _note_hello(self, hello: ClientHello) -> None:
        facts = self._facts
        facts.client_random = hello.random.hex()
        facts.sni = hello.server_name
        facts.alpn_offered = hello.extensions.alpn
        facts.early_data = hello.early_data
        facts.ech = hello.encrypted_hello
        facts.ja3 = ja3(hello)
        facts.ja4 = ja4(hello, "q")
        if facts.cipher_id is None:
            facts.version = codes.version_name(hello.best_version)

    def _server_hello(self, body: bytes, _stamp: Stamp) -> None:
        hello = parse_server_hello(body)
        if hello is None or hello.retry:
            return
        facts = self._facts
        self.cipher_id = facts.cipher_id = hello.cipher
        facts.cipher = suite_name(hello.cipher)
        facts.version = codes.version_name(hello.version)
        facts.ja3s = ja3s(hello)
        facts.resumed = hello.extensions.find(codes.EXT_PRE_SHARED_KEY) is not None

    def _encrypted_extensions(self, body: bytes, _stamp: Stamp) -> None:
        extensions = parse_encrypted_extensions(body)
        if extensions.alpn:
            self._facts.alpn = extensions.alpn[0]
        self.server_ids = server_ids(extensions)

    def _server_certificate(self, body: bytes, _stamp: Stamp) -> None:
        if not self._facts.certificates:
            self._facts.certificates = read_chain(parse_certificates(body, True))

    def _compressed_certificate(self, body: bytes, stamp: Stamp) -> None:
        self._server_certificate(decompress_certificate(body), stamp)

    def _client_certificate(self, body: bytes, _stamp: Stamp) -> None:
        self._facts.client_certificate = self._facts.client_certificate or bool(parse_certificates(body, True))

    def _compressed_client_certificate(self, body: bytes, stamp: Stamp) -> None:
        self._client_certificate(decompress_certificate(body), stamp)

    def _client_finished(self, _body: bytes, stamp: Stamp) -> None:
        self._facts.finished_time = stamp.last
        self._units.mark(CLIENT, stamp.unit, UnitKind.FINISHED)


_HANDLERS: Final[dict[tuple[int, int], Callable[[Handshake, bytes, Stamp], None]]] = {
    (CLIENT, codes.CLIENT_HELLO): Handshake._client_hello,
    (CLIENT, codes.CERTIFICATE): Handshake._client_certificate,
    (CLIENT, codes.COMPRESSED_CERTIFICATE): Handshake._compressed_client_certificate,
    (CLIENT, codes.FINISHED): Handshake._client_finished,
    (SERVER, codes.SERVER_HELLO): Handshake._server_hello,
    (SERVER, codes.ENCRYPTED_EXTENSIONS): Handshake._encrypted_extensions,
    (SERVER, codes.CERTIFICATE): Handshake._server_certificate,
    (SERVER, codes.COMPRESSED_CERTIFICATE): Handshake._compressed_certificate,
}
