"""What is known of a TLS (or QUIC) connection's handshake."""

from __future__ import annotations

from msgspec import Struct, field


class Certificate(Struct, frozen=True):
    """A server's (or client's) certificate; fields that cannot be read are empty."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    """DNS names and IP addresses of the subjectAltName extension."""
    not_before: str
    not_after: str
    """ISO 8601, UTC."""
    sha256: str
    """Hex digest of the DER form."""


class TlsFacts(Struct):
    """Filled in as the handshake is seen. Times in ns, None where not seen."""

    version: str | None = None
    """"SSL 3.0", "TLS 1.0", ... "TLS 1.3", as negotiated; the highest offered while no ServerHello was seen."""
    cipher: str | None = None
    """IANA name ("TLS_AES_128_GCM_SHA256"), or "0x1234" for one unknown."""
    cipher_id: int | None = None
    sni: str | None = None
    alpn_offered: tuple[str, ...] = ()
    alpn: str | None = None
    """As negotiated."""
    client_random: str | None = None
    """Hex, lower case."""
    ja3: str | None = None
    ja3s: str | None = None
    ja4: str | None = None
    ech: bool = False
    """The ClientHello has an encrypted_client_hello extension that is not known to be GREASE."""
    resumed: bool | None = None
    early_data: bool = False
    """0-RTT data was offered."""
    client_certificate: bool = False
    certificates: list[Certificate] = field(default_factory=list)
    """The server's chain, leaf first."""
    hello_time: int | None = None
    """First byte of the ClientHello."""
    finished_time: int | None = None
    """The packet that completed the handshake for the client: its Finished was sent."""
    alerts: list[str] = field(default_factory=list)
    """Alerts that could be read: "client fatal unknown_ca", ..."""
    decrypted: list[bool | None] = field(default_factory=lambda: [None, None])
    """By direction: True if all protected records were read, False if none, None if there was none to read."""
    unread: list[int] = field(default_factory=lambda: [0, 0])
    """Protected application records that could not be read, by direction."""
    read: list[int] = field(default_factory=lambda: [0, 0])
    """Protected application records that were read, by direction."""
    reason: str = ""
    """Why (some) records could not be read: "no-secret" (none for this client random), "unknown-cipher",
    "handshake-not-captured", "ech", "lost-packets", "bad-record"; empty if all were."""
