"""What is known of a QUIC connection besides its TLS handshake."""

from __future__ import annotations

from msgspec import Struct, field

from pcapng_utils.net.flow import Endpoint


class QuicFacts(Struct):
    """Filled in as packets are seen. Times in ns."""

    version: str | None = None
    """"QUIC v1", "QUIC v2", "draft-29", "mvfst (draft-27)", "T051", "Q046", "0x..."; None if no packet told it."""
    first_version: str | None = None
    """The version of the client's first packet, where another was agreed on."""
    client_id: str = ""
    """Connection ID that the client chose for itself, hex; may be empty on the wire too."""
    server_id: str = ""
    """Connection ID that the server chose for itself, hex."""
    original_id: str = ""
    """Destination Connection ID of the client's first Initial packet, hex."""
    retry: bool = False
    """The server asked for a token first (Retry packet)."""
    version_negotiation: bool = False
    """The server refused the client's first version (Version Negotiation packet)."""
    offered_versions: tuple[str, ...] = ()
    """What the server's Version Negotiation packet listed."""
    migrations: list[tuple[int, Endpoint, Endpoint]] = field(default_factory=list)
    """Other pairs of addresses the connection went over: time of the first packet, client, server."""
    key_updates: list[int] = field(default_factory=lambda: [0, 0])
    """By direction."""
    close: str = ""
    """The first CONNECTION_CLOSE: "client application 0x100", "server transport 0x0 reason", ..."""
    packets: list[int] = field(default_factory=lambda: [0, 0])
    """QUIC packets that were read, of all types, by direction."""
    unread: list[int] = field(default_factory=lambda: [0, 0])
    """QUIC packets that could not be read, of all types, by direction."""
    duplicates: list[int] = field(default_factory=lambda: [0, 0])
    """Packets that repeated one already read, by direction."""
    datagrams: list[int] = field(default_factory=lambda: [0, 0])
    """DATAGRAM frames (RFC 9221), by direction; they are counted, not handed on."""
