"""Packet headers, as far as they can be read without keys (RFC 8999; RFC 9000, section 17; RFC 9369, section 3.2).

A datagram may hold several packets with long headers, each of which tells its length, and then one with a short header
that fills the rest. The readers here take a position in the datagram and return None for what is no such packet.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from pcapng_utils.quic.versions import VERSION_NEGOTIATION, VERSIONS, PacketType, Version, is_google

MAX_CONNECTION_ID: Final = 20
"""Longest connection ID of versions 1 and 2 in bytes (RFC 9000, section 17.2)."""
MIN_PROTECTED: Final = 20
"""Bytes from the packet number on that header protection needs: 4 before the sample, 16 of it (RFC 9001, 5.4.2)."""

_VERSION: Final = Struct(">xI").unpack_from
_U16: Final = Struct(">H").unpack_from
_U32: Final = Struct(">I").unpack_from
_U64: Final = Struct(">Q").unpack_from


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000, section 16) and the position behind it.

    Raises:
        IndexError: the data ends within it.
    """
    first = data[at]
    if first < 0x40:
        return first, at + 1
    if first < 0x80:
        return (first & 0x3F) << 8 | data[at + 1], at + 2
    size = 4 if first < 0xC0 else 8
    if at + size > len(data):
        raise IndexError(at + size)
    if size == 4:
        return _U32(data, at)[0] & 0x3FFFFFFF, at + 4
    return _U64(data, at)[0] & 0x3FFFFFFFFFFFFFFF, at + 8


class Invariants(NamedTuple):
    """What every version's long header begins with (RFC 8999, section 5.1)."""

    version: int
    destination: bytes
    """Destination Connection ID."""
    source: bytes
    """Source Connection ID."""
    end: int
    """Position of what follows."""


class LongHeader(NamedTuple):
    """A long header of a version that is known."""

    type: PacketType
    version: Version
    destination: bytes
    source: bytes
    token: bytes
    """Initial and Retry; else empty."""
    number_at: int
    """Position of the (protected) packet number; of the Retry Integrity Tag in a Retry packet."""
    end: int
    """Position behind the packet."""


def read_invariants(data: bytes, at: int = 0) -> Invariants | None:
    """The part of a long header that all versions share; None if the data ends within it or the form bit is clear."""
    size = len(data)
    if size < at + 7 or not data[at] & 0x80:
        return None
    source_at = at + 6 + data[at + 5]
    if source_at >= size:
        return None
    end = source_at + 1 + data[source_at]
    if end > size:
        return None
    return Invariants(_VERSION(data, at)[0], data[at + 6 : source_at], data[source_at + 1 : end], end)


def read_long_header(data: bytes, at: int = 0, version: Version | None = None) -> LongHeader | None:
    """The long header at a position of a datagram.

    `version` says how to read a version number that is not known. None: no long header, a version that cannot be
    read, a connection ID that is too long, a length that the datagram does not hold, or Version Negotiation.
    """
    head = read_invariants(data, at)
    if head is None or len(head.destination) > MAX_CONNECTION_ID or len(head.source) > MAX_CONNECTION_ID:
        return None
    number = head.version
    version = VERSIONS.get(number) or version
    if version is None or number == VERSION_NEGOTIATION:
        return None
    kind = version.types[data[at] >> 4 & 3]
    position = head.end
    if kind is PacketType.RETRY:
        tag_at = len(data) - 16
        if tag_at < position:
            return None
        return LongHeader(kind, version, head.destination, head.source, data[position:tag_at], tag_at, len(data))
    token = b""
    try:
        if kind is PacketType.INITIAL:
            token_size, position = read_varint(data, position)
            token = data[position : position + token_size]
            position += token_size
        length, position = read_varint(data, position)
    except IndexError:
        return None
    end = position + length
    if end > len(data) or length < MIN_PROTECTED:
        return None
    return LongHeader(kind, version, head.destination, head.source, token, position, end)


def offered_versions(data: bytes, head: Invariants) -> tuple[int, ...]:
    """The versions that a Version Negotiation packet lists (RFC 9000, section 17.2.1)."""
    return tuple(_U32(data, at)[0] for at in range(head.end, len(data) - 3, 4))


def google_version(data: bytes) -> str | None:
    """The version that a packet of Google QUIC with a handshake of its own (Q0xx) tells, if it does.

    Up to Q043 a public header (flags: version present, connection ID of 8 bytes present; connection ID; version), from
    Q044 on the version comes second, as in QUIC.
    """
    at = 1 if data[0] & 0x80 else 9
    if at == 9 and data[0] & 0xC9 != 0x09:
        return None
    version = data[at : at + 4]
    if len(version) < 4 or not is_google(int.from_bytes(version, "big")):
        return None
    return version.decode("ascii")
