"""Which protocol a byte stream speaks, by its first bytes, on any port.

Each probe looks at what one side sent and answers with a `Verdict`, with None (not mine), or asks for more bytes.
The first side whose bytes are recognised decides for both.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from pcapng_utils.http.detect import looks_like_http1, looks_like_http2_preface, may_be_http2_settings
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.net.dns import looks_like_dns_stream
from pcapng_utils.tls.detect import looks_like_tls

_TLS_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_HELLO: Final = 2


class Protocol(Enum):
    TLS = "tls"
    HTTP1 = "http1"
    HTTP2 = "http2"
    SOCKS = "socks"
    DNS = "dns"


class Verdict(NamedTuple):
    protocol: Protocol
    sent_by_client: bool | None
    """Whether these bytes are a client's; None: both might send them."""


class MoreBytes(Enum):
    """The answer of a probe that cannot tell yet."""

    NEEDED = "needed"


Answer = Verdict | MoreBytes | None


def identify(data: bytes) -> Answer:
    """What one side's first bytes are; None: nothing known here begins like that."""
    undecided = False
    for probe in _PROBES:
        answer = probe(data)
        if isinstance(answer, Verdict):
            return answer
        undecided = undecided or answer is MoreBytes.NEEDED
    return MoreBytes.NEEDED if undecided else None


def may_begin(protocol: Protocol, data: bytes) -> bool:
    """Whether one side's first bytes may be the beginning of that protocol."""
    probe = _PROBE_OF.get(protocol)
    return probe is None or probe(data) is not None


def proxy_header_size(data: bytes) -> int:
    """Bytes of the header of the PROXY protocol, version 1 or 2, that `data` begins with; 0 if there is none, or not
    all of it. A proxy puts it before all that the client sent."""
    if data.startswith(_PROXY_2):
        size = len(_PROXY_2) + 4 + int.from_bytes(data[14:16], "big")
        return size if size <= len(data) else 0
    if data.startswith(_PROXY_1):
        line, end, _ = data[:_LONGEST_PROXY_1].partition(b"\r\n")
        return len(line + end) if end else 0
    return 0


def identify_or_dns(data: bytes) -> Answer:
    """The same where DNS is to be expected. Other protocols are told by more than the few bytes of a DNS header."""
    answer = identify(data)
    if isinstance(answer, Verdict):
        return answer
    looks = looks_like_dns_stream(data)
    if looks:
        return Verdict(Protocol.DNS, None)
    return MoreBytes.NEEDED if looks is None else answer


def _tls(data: bytes) -> Answer:
    looks = looks_like_tls(data)
    if looks is None:
        return MoreBytes.NEEDED
    if not looks:
        return None
    sender = None
    if data[0] == _TLS_HANDSHAKE and len(data) > 5:
        sender = {_CLIENT_HELLO: True, _SERVER_HELLO: False}.get(data[5])
    elif data[0] & 0x80:
        sender = True  # a ClientHello in the form of SSL 2.0
    return Verdict(Protocol.TLS, sender)


def _http2(data: bytes) -> Answer:
    looks = looks_like_http2_preface(data)
    if looks is None:
        return MoreBytes.NEEDED
    if looks:
        return Verdict(Protocol.HTTP2, True)
    # The server need not wait for the client's preface; but what it sends first is too little to go by.
    return MoreBytes.NEEDED if may_be_http2_settings(data) else None


def _http1(data: bytes) -> Answer:
    undecided = False
    for direction in (CLIENT, SERVER):
        looks = looks_like_http1(data, direction)
        if looks:
            return Verdict(Protocol.HTTP1, direction == CLIENT)
        undecided = undecided or looks is None
    return MoreBytes.NEEDED if undecided else None


def _socks(data: bytes) -> Answer:
    """A SOCKS greeting: version 5 with its list of methods (RFC 1928, section 3), or a version 4 request."""
    if data[:1] == b"\x05":
        if len(data) <= 2:  # or the server's choice of method, which some captures have before the greeting
            return MoreBytes.NEEDED
        count, methods = data[1], data[2:]
        if not count > 0 or len(methods) > count or not _SOCKS_METHODS.issuperset(methods):
            return None
        return Verdict(Protocol.SOCKS, True) if len(methods) == count else MoreBytes.NEEDED
    if data[:2] in (b"\x04\x01", b"\x04\x02") and len(data) < _LONGEST_SOCKS4:
        return Verdict(Protocol.SOCKS, True) if len(data) > 8 and data.endswith(b"\x00") else MoreBytes.NEEDED
    return None


#: Authentication methods in use (IANA): none, GSSAPI, user name and password, CHAP, CRAM, TLS, private ones.
_SOCKS_METHODS: Final = frozenset({*range(10), *range(0x80, 0xFF)})

_LONGEST_SOCKS4: Final = 512

_PROXY_1: Final = b"PROXY "
_PROXY_2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_PROXY_1: Final = 107

_PROBES: Final[tuple[Callable[[bytes], Answer], ...]] = (_tls, _http2, _http1, _socks)
_PROBE_OF: Final = {Protocol.TLS: _tls, Protocol.HTTP2: _http2}
"""Of the protocols that both sides begin in a way that can be told, and whose layers need the very beginning."""
