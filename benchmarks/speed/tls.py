"""Both ends of a TLS connection in memory (OpenSSL, TLS 1.3), with what they say put on a TCP flow."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.speed.packets import Ends, Recorder, TcpFlow

HOST: Final = "bench.example"
RECORD: Final = 16_384
"""Bytes that one write of a server is, and that one record holds."""
_READ: Final = 1 << 20
_RANDOM: Final = slice(11, 43)
"""Where the client's random is in its first bytes (RFC 8446, sections 4, 4.1.2 and 5.1)."""

Observe = Callable[[int, bool], None]
"""Told of the client's calls on its socket: the time (µs since the epoch), and whether it is a write."""
Tap = Callable[[bytes], None]
"""Given the records that the server sends under its application keys, in order."""


def make_identity(folder: Path) -> Path:
    """A self-signed certificate with its key, in one PEM file."""
    path = folder / "identity.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    begin = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(days=36_500))
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName(f"*.{HOST}")])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Contexts:
    """TLS settings of all connections of a capture."""

    def __init__(self, identity: Path, keylog: Path) -> None:
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(identity)
        self.server.set_alpn_protocols(["h2", "http/1.1"])
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.check_hostname = False
        self.client.verify_mode = ssl.CERT_NONE
        self.client.keylog_filename = str(keylog)

    def client_for(self, alpn: str) -> ssl.SSLContext:
        self.client.set_alpn_protocols([alpn])
        return self.client


class TlsFlow:
    """A TLS connection. What one side sends is on the wire, and read by the other, when the call returns."""

    def __init__(
        self,
        recorder: Recorder,
        ends: Ends,
        contexts: Contexts,
        *,
        host: str = HOST,
        alpn: str = "http/1.1",
        observe: Observe | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.client_random = b""
        self._recorder = recorder
        self._tcp = TcpFlow(recorder, ends)
        self._observe = observe or (lambda time, write: None)
        self._tap = tap or (lambda records: None)
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._pipes = (to_server, to_client)
        self._inputs = (ssl.MemoryBIO(), ssl.MemoryBIO())
        client = contexts.client_for(alpn).wrap_bio(self._inputs[0], to_server, server_hostname=host)
        server = contexts.server.wrap_bio(self._inputs[1], to_client, server_side=True)
        self._sides = (client, server)
        self._done = [False, False]
        while not all(self._done):
            for direction, side in enumerate(self._sides):
                try:
                    side.do_handshake()
                    self._done[direction] = True
                except ssl.SSLWantReadError:
                    pass
                self._flush(direction)

    def send(self, direction: int, data: bytes) -> None:
        """One write for each record."""
        for start in range(0, len(data), RECORD):
            self._sides[direction].write(data[start : start + RECORD])
        self._flush(direction)
        self._drain(1 - direction)

    def close(self) -> None:
        self._tcp.close()

    def _flush(self, direction: int) -> None:
        data = self._pipes[direction].read()
        if data:
            if direction == 0:
                self.client_random = self.client_random or data[_RANDOM]
                self._observe(self._recorder.now, True)
            elif self._done[1]:
                self._tap(data)
            self._tcp.send(direction, data)
            if direction == 1:
                self._observe(self._recorder.now, False)
            self._inputs[1 - direction].write(data)

    def _drain(self, direction: int) -> None:
        try:
            while self._sides[direction].read(_READ):
                pass
        except ssl.SSLWantReadError:
            pass
