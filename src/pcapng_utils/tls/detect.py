"""Whether a stream is TLS, from its first bytes or from any place where a record begins."""

from __future__ import annotations

from typing import Final

from pcapng_utils.tls import codes
from pcapng_utils.tls.records import HEADER_SIZE, MAX_FRAGMENT, PREFIXES, is_sslv2_hello

_FIRST_MESSAGES: Final = frozenset((codes.HELLO_REQUEST, codes.CLIENT_HELLO, codes.SERVER_HELLO))
_CHAIN: Final = 3
"""Headers in a row that are looked at where the stream does not begin with a hello."""


def looks_like_tls(data: bytes) -> bool | None:
    """Whether a direction's bytes `data` are TLS: they begin with a ClientHello or ServerHello, or with any records,
    each where the one before it ends. None: more bytes are needed to tell."""
    if len(data) < HEADER_SIZE:
        return None if _may_begin(data) else False
    if is_sslv2_hello(data):
        return _plausible_sslv2(data)
    if not _plausible(data[:HEADER_SIZE]):
        return False
    if data[0] == codes.HANDSHAKE:
        hello = _begins_with_hello(data)
        if hello is not False:
            return hello
    return _chain(data)


def is_client_hello(data: bytes) -> bool | None:
    """Whether a direction that is TLS begins with a ClientHello, so that its sender is the client."""
    if is_sslv2_hello(data):
        return True
    if len(data) <= HEADER_SIZE:
        return None if _may_begin(data) else False
    return data[0] == codes.HANDSHAKE and data[HEADER_SIZE] == codes.CLIENT_HELLO


def _may_begin(data: bytes) -> bool:
    """Whether fewer bytes than a header has may be the start of one."""
    if not data:
        return True
    record = 20 <= data[0] <= 24 and data[1:2] in (b"", b"\3") and data[2:3] <= b"\4"
    return record or (data[0] & 0x80 != 0 and data[2:3] in (b"", b"\1") and data[3:4] in (b"", b"\3"))


def _plausible(header: bytes) -> bool:
    return header[:3] in PREFIXES and 0 < (header[3] << 8) + header[4] <= MAX_FRAGMENT


def _begins_with_hello(data: bytes) -> bool | None:
    """Whether the first record holds the start of a hello message (which may go on in the next record)."""
    if len(data) < HEADER_SIZE + 4:
        return None
    kind, size = data[HEADER_SIZE], int.from_bytes(data[HEADER_SIZE + 1 : HEADER_SIZE + 4], "big")
    if kind == codes.HELLO_REQUEST:
        return size == 0 and int.from_bytes(data[3:5], "big") == 4
    if kind not in _FIRST_MESSAGES or not 38 <= size < 1 << 17:
        return False
    if len(data) < HEADER_SIZE + 6:
        return None
    return data[HEADER_SIZE + 4] in (3, 0x7F)


def _plausible_sslv2(data: bytes) -> bool | None:
    """RFC 5246, appendix E.2: the parts' lengths add up to the record's."""
    if len(data) < 11:
        return None
    size = ((data[0] & 0x7F) << 8) + data[1]
    ciphers, session, challenge = (int.from_bytes(data[at : at + 2], "big") for at in (5, 7, 9))
    return size == 9 + ciphers + session + challenge and ciphers % 3 == 0 and 16 <= challenge <= 32


def _chain(data: bytes) -> bool:
    """Whether records follow one another as far as `data` goes."""
    offset = 0
    for _ in range(_CHAIN):
        header = data[offset : offset + HEADER_SIZE]
        if len(header) < HEADER_SIZE:
            return _may_begin(header)
        if not _plausible(header):
            return False
        offset += HEADER_SIZE + (header[3] << 8) + header[4]
    return True
