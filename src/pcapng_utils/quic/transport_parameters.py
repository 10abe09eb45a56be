"""QUIC transport parameters (RFC 9000, section 18), as far as they tell of connection IDs."""

from __future__ import annotations

from typing import Final

from pcapng_utils.quic.packet import MAX_CONNECTION_ID, read_varint
from pcapng_utils.tls.handshake import Extensions

EXTENSION: Final = 0x39
"""quic_transport_parameters (RFC 9001, section 8.2)."""
DRAFT_EXTENSION: Final = 0xFFA5
"""The same up to draft 32."""

_PREFERRED_ADDRESS: Final = 0x0D
_ADDRESSES: Final = 4 + 2 + 16 + 2
"""An IPv4 and an IPv6 address, with their ports."""


def parse_transport_parameters(data: bytes) -> dict[int, bytes]:
    """Parameters by number; what follows a cut one is left out."""
    found: dict[int, bytes] = {}
    at = 0
    try:
        while at < len(data):
            number, at = read_varint(data, at)
            size, at = read_varint(data, at)
            if at + size > len(data):
                break
            found[number] = data[at : at + size]
            at += size
    except IndexError:
        pass
    return found


def preferred_connection_id(extensions: Extensions) -> bytes:
    """The connection ID in a server's preferred_address parameter (RFC 9000, section 18.2); empty if there is none."""
    data = extensions.find(EXTENSION) or extensions.find(DRAFT_EXTENSION) or b""
    address = parse_transport_parameters(data).get(_PREFERRED_ADDRESS, b"")
    if len(address) <= _ADDRESSES or address[_ADDRESSES] > MAX_CONNECTION_ID:
        return b""
    return address[_ADDRESSES + 1 : _ADDRESSES + 1 + address[_ADDRESSES]]
