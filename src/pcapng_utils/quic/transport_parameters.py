"""QUIC transport parameters (RFC 9000, section 18), as far as they tell of connection IDs."""

from __future__ import annotations

from typing import Final, NamedTuple

from pcapng_utils.quic.frames import RESET_TOKEN
from pcapng_utils.quic.packet import MAX_CONNECTION_ID, read_varint
from pcapng_utils.tls.handshake import Extensions

EXTENSION: Final = 0x39
"""quic_transport_parameters (RFC 9001, section 8.2)."""
DRAFT_EXTENSION: Final = 0xFFA5
"""The same up to draft 32."""

_STATELESS_RESET_TOKEN: Final = 0x02
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


class ServerIds(NamedTuple):
    """What a server's parameters say of its connection IDs; empty where they say nothing."""

    preferred_id: bytes
    """The ID that comes with the preferred address (RFC 9000, section 9.6)."""
    reset_tokens: frozenset[bytes]
    """What ends a Stateless Reset (RFC 9000, section 10.3)."""


def server_ids(extensions: Extensions) -> ServerIds:
    """Read the extensions of a server's EncryptedExtensions message (RFC 9000, section 18.2)."""
    data = extensions.find(EXTENSION) or extensions.find(DRAFT_EXTENSION) or b""
    parameters = parse_transport_parameters(data)
    tokens = {parameters.get(_STATELESS_RESET_TOKEN, b"")}
    preferred_id = b""
    address = parameters.get(_PREFERRED_ADDRESS, b"")
    if len(address) > _ADDRESSES:
        end = _ADDRESSES + 1 + address[_ADDRESSES]
        preferred_id = address[_ADDRESSES + 1 : end]
        tokens.add(address[end : end + RESET_TOKEN])
    sound = len(preferred_id) <= MAX_CONNECTION_ID
    return ServerIds(preferred_id if sound else b"", frozenset(one for one in tokens if len(one) == RESET_TOKEN))
