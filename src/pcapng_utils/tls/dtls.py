"""Whether a UDP datagram is DTLS, by its bytes alone. DTLS is told from other things here; it is not read.

Strategy: a datagram is DTLS if it is nothing but records, each where the one before it ends (RFC 6347, section 4.1;
RFC 9147, section 4). A first record has to prove itself, by a version or by a length that fits to the byte. The first
byte of every record is below 0x40, where no packet of QUIC begins that keeps its fixed bit (RFC 9000, section 17).
"""

from __future__ import annotations

from typing import Final

from pcapng_utils.tls import codes

DTLS: Final = "DTLS"
"""The name, as that of a connection's application."""

_TYPES: Final = frozenset(
    (codes.CHANGE_CIPHER_SPEC, codes.ALERT, codes.HANDSHAKE, codes.APPLICATION_DATA, codes.HEARTBEAT, codes.ACK)
)
#: 1.0, 1.2, 1.3, and what some VPNs have used since before the standard.
_VERSIONS: Final = frozenset((b"\xfe\xff", b"\xfe\xfd", b"\xfe\xfc", b"\x01\x00"))
_HEADER: Final = 13
"""Type, version, epoch, sequence number, length."""
_LONGEST_ID: Final = 255
_UNIFIED_MASK: Final = 0xE0
_UNIFIED: Final = 0x20
_HAS_ID: Final = 0x10
_LONG_NUMBER: Final = 0x08
_HAS_LENGTH: Final = 0x04
_LEAST_SEALED: Final = 16
"""Bytes of ciphertext that a record has at least (RFC 9147, section 4.2.3)."""


def looks_like_dtls(datagram: bytes) -> bool:
    """Whether a datagram is one DTLS record or several. It has to be whole."""
    at = 0
    while at < len(datagram):
        end = _end_of_record(datagram, at)
        if end is None or end > len(datagram):
            return False
        at = end
    return at > 0


def _end_of_record(data: bytes, at: int) -> int | None:
    """Where the record ends; None if it is none."""
    first = data[at]
    if first & _UNIFIED_MASK == _UNIFIED:
        return _end_of_unified(data, at)
    if data[at + 1 : at + 3] not in _VERSIONS or len(data) - at <= _HEADER:
        return None
    if first == codes.TLS12_CID:
        return len(data) if _fits_with_id(data, at) else None
    if first not in _TYPES:
        return None
    size = int.from_bytes(data[at + _HEADER - 2 : at + _HEADER], "big")
    return at + _HEADER + size if size else None


def _end_of_unified(data: bytes, at: int) -> int | None:
    """A ciphertext of DTLS 1.3. How long its connection ID is, the handshake says alone; without a length it goes on to
    the datagram's end. Neither is believed of the first record."""
    first = data[at]
    if first & _HAS_ID or not first & _HAS_LENGTH:
        return len(data) if at else None
    start = at + (5 if first & _LONG_NUMBER else 4)
    size = int.from_bytes(data[start - 2 : start], "big")
    return start + size if size >= _LEAST_SEALED else None


def _fits_with_id(data: bytes, at: int) -> bool:
    """Whether the rest is one record with a connection ID, of whatever length (RFC 9146, section 4)."""
    room = len(data) - at - _HEADER
    start = at + _HEADER - 2
    return any(
        int.from_bytes(data[start + size : start + size + 2], "big") == room - size
        for size in range(min(room, _LONGEST_ID + 1))
    )
