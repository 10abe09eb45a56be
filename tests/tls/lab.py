"""Real TLS without a network: both ends in this process, and what went over the wire between them."""

from __future__ import annotations

import contextlib
import datetime
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from pcapng_utils.layers import CLIENT, SERVER, ByteLayer, Problem, Stamp, UnitLog
from pcapng_utils.tls.connection import TlsConnection
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.keylog import SecretStore
from pcapng_utils.tls.limits import DEFAULT_LIMITS, Limits

Flight = tuple[int, bytes]
"""Direction and bytes of one write."""


@cache
def identity(kind: str = "ec") -> str:
    """Path of a PEM file with a key and its self-signed certificate for "lab.test"."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"lab {kind}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(2025, 1, 2, 3, 4, 5))
        .not_valid_after(datetime.datetime(2035, 1, 2, 3, 4, 5))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("lab.test"), x509.DNSName("*.lab.test")]), False)
        .sign(key, hashes.SHA256())
    )
    path = Path(tempfile.mkdtemp(prefix="tls-lab-")) / f"{kind}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)


def contexts(
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, ciphers: str = "", key: str = "ec"
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Client's and server's; the key log goes to a file that `keylog` reads."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    server.load_cert_chain(identity(key))
    for context in (client, server):
        context.set_ciphers(f"{ciphers or 'ALL'}:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
    log = tempfile.NamedTemporaryFile(prefix="tls-lab-", suffix=".log", delete=False)  # noqa: SIM115
    log.close()
    client.keylog_filename = log.name
    return client, server


def keylog(client: ssl.SSLContext) -> bytes:
    """What the client has logged so far."""
    return Path(client.keylog_filename).read_bytes()


class Talk:
    """A conversation between two TLS ends."""

    def __init__(
        self,
        client: ssl.SSLContext,
        server: ssl.SSLContext,
        session: ssl.SSLSession | None = None,
        host: str = "lab.test",
    ) -> None:
        self._bios = [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(2)]
        self.ends = [
            client.wrap_bio(*self._bios[CLIENT], server_hostname=host, session=session),
            server.wrap_bio(*self._bios[SERVER], server_side=True),
        ]
        self.flights: list[Flight] = []
        self.clear = [b"", b""]
        self._client = client

    def keylog(self) -> bytes:
        return keylog(self._client)

    def handshake(self) -> Talk:
        pending = [CLIENT, SERVER]
        for _ in range(20):
            for end in list(pending):
                try:
                    self.ends[end].do_handshake()
                    pending.remove(end)
                except ssl.SSLWantReadError:
                    pass
                self._carry(end)
            if not pending:
                return self
        raise AssertionError("no handshake")

    def send(self, direction: int, data: bytes) -> Talk:
        """One write, and its reading by the other end."""
        self.ends[direction].write(data)
        self._carry(direction)
        self.clear[direction] += data
        return self.read(1 - direction)

    def read(self, end: int) -> Talk:
        try:
            while self.ends[end].read(1 << 16):
                pass
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        self._carry(end)
        return self

    def close(self, direction: int) -> Talk:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.ends[direction].unwrap()
        self._carry(direction)
        return self

    def _carry(self, end: int) -> None:
        data = self._bios[end][1].read()
        if data:
            self.flights.append((end, data))
            self._bios[1 - end][0].write(data)


@dataclass
class Upper(ByteLayer):
    """A layer that remembers what it was given."""

    facts: TlsFacts
    events: list[tuple[str, int, object, Stamp | None]] = field(default_factory=list)
    closed: int = 0

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        self.events.append(("data", direction, data, stamp))

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        self.events.append(("gap", direction, size, stamp))

    def end(self, direction: int, stamp: Stamp | None) -> None:
        self.events.append(("end", direction, None, stamp))

    def close(self) -> None:
        self.closed += 1


@dataclass
class Heard:
    """A passive reader, and all that came out of it."""

    log: bytes = b""
    limits: Limits = DEFAULT_LIMITS
    uppers: list[Upper] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    units: UnitLog = field(default_factory=UnitLog)
    store: SecretStore = field(default_factory=SecretStore)

    def __post_init__(self) -> None:
        self.store.add_keylog(self.log, "lab")
        self.tls = TlsConnection(self.store, self._open, self.problems.append, self.units, self.limits)
        self.facts = self.tls.facts
        self._frame = 0

    def _open(self, facts: TlsFacts) -> ByteLayer:
        self.uppers.append(Upper(facts))
        return self.uppers[-1]

    def hear(self, flights: list[Flight], size: int = 1460) -> Heard:
        """Feed flights in segments of at most `size` bytes, a frame and a millisecond each."""
        for direction, data in flights:
            for offset in range(0, len(data), size):
                self._frame += 1
                self.tls.segment(direction, data[offset : offset + size], self._frame * 1_000_000, self._frame)
        return self

    def lose(self, direction: int, size: int) -> Heard:
        """Bytes that the capture does not hold; the next frame is the one behind the hole."""
        self.tls.gap(direction, size, (self._frame + 1) * 1_000_000, self._frame + 1)
        return self

    @property
    def events(self) -> list[tuple[str, int, object, Stamp | None]]:
        return [event for upper in self.uppers for event in upper.events]

    def clear(self, direction: int) -> bytes:
        return b"".join(self._pieces(direction))

    def _pieces(self, direction: int) -> Iterator[bytes]:
        for what, way, data, _ in self.events:
            if what == "data" and way == direction and isinstance(data, bytes):
                yield data

    def kinds(self) -> set[str]:
        return {problem.kind for problem in self.problems}
