"""A DNS message as it is on the wire (RFC 1035, section 4), read leniently and in bounded time.

Names, addresses and the record types that hold a name are read here: nearly all there is in a capture. How other types
are written in zone files dnspython knows; it gets one record's data at a time, for its own parser of whole messages
takes two seconds for 3 KB of long names in the right places (and 80 ms to import, where one would do without).
"""

from __future__ import annotations

from re import compile as pattern
from socket import AF_INET6, inet_ntoa, inet_ntop
from struct import Struct
from typing import Final, NamedTuple

_HEADER: Final = Struct("!HHHHHH")
_QUESTION: Final = Struct("!HH")
_RECORD: Final = Struct("!HHIH")
_RESPONSE: Final = 0x8000
_RESERVED: Final = 0x0040
_RCODE: Final = 0x000F
_STATEFUL: Final = 6
_OPCODES: Final = frozenset((0, 1, 2, 4, 5, _STATEFUL))
"""Those in use (IANA)."""
_MAX_NAME: Final = 255
_MAX_QUESTIONS: Final = 64
_MAX_RECORDS: Final = 256
"""Of a message's answers, those that are read."""

A: Final = 1
AAAA: Final = 28
_NAMED: Final = frozenset((2, 5, 12, 39))
"""Types whose data is a name that may be compressed."""
_TYPES: Final = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV"} | {
    35: "NAPTR", 39: "DNAME", 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 52: "TLSA", 64: "SVCB", 65: "HTTPS"
} | {255: "ANY", 257: "CAA"}  # fmt: skip
_RCODES: Final = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
_PLAIN: Final = pattern(rb"[A-Za-z0-9_-]+\Z")


class BadMessageError(ValueError):
    """Not a DNS message."""


class DnsAnswer(NamedTuple):
    name: str
    type: str
    ttl: int
    data: str
    """In the form of zone files; names without the final dot."""


class DnsMessage(NamedTuple):
    id: int
    response: bool
    rcode: str
    """"NOERROR", "NXDOMAIN", ..."""
    name: str
    """What the first question asks for, without the final dot; "." is the root, empty if there is no question."""
    type: str
    answers: tuple[DnsAnswer, ...]
    """Those that could be read: the rest may be cut off."""


def parse(data: bytes) -> DnsMessage:
    """Raises `BadMessageError` where not even the question can be read."""
    if len(data) < _HEADER.size:
        raise BadMessageError
    identifier, flags, questions, records, _, _ = _HEADER.unpack_from(data)
    if questions > _MAX_QUESTIONS:
        raise BadMessageError
    at, name, kind = _HEADER.size, "", ""
    for number in range(questions):
        asked, at = _name(data, at)
        if at + _QUESTION.size > len(data):
            raise BadMessageError
        if number == 0:
            name, kind = asked, _text_of_type(_QUESTION.unpack_from(data, at)[0])
        at += _QUESTION.size
    answers: list[DnsAnswer] = []
    try:
        for _ in range(min(records, _MAX_RECORDS)):
            answer, at = _answer(data, at)
            answers.append(answer)
    except BadMessageError:
        pass  # what was read before the damage is good
    code = flags & _RCODE
    rcode = _RCODES[code] if code < len(_RCODES) else f"RCODE{code}"
    return DnsMessage(identifier, flags & _RESPONSE != 0, rcode, name, kind, tuple(answers))


def looks_like_dns(data: bytes) -> bool:
    """Whether a message is one of DNS: a header without what is reserved (RFC 1035, section 4.1.1), and questions that
    can be read. Only a response may have none, or one of DNS Stateful Operations (RFC 8490, section 5.4)."""
    if not looks_like_header(data):
        return False
    at = _HEADER.size
    try:
        for _ in range(_HEADER.unpack_from(data)[2]):
            at = _name(data, at)[1] + _QUESTION.size
    except BadMessageError:
        return False
    return at <= len(data)


def looks_like_header(data: bytes) -> bool:
    """Whether a message may begin like that."""
    if len(data) < _HEADER.size:
        return False
    _, flags, questions, *_ = _HEADER.unpack_from(data)
    opcode = flags >> 11 & 15
    if opcode not in _OPCODES or flags & _RESERVED or questions > _MAX_QUESTIONS:
        return False
    return flags & _RESPONSE != 0 or (not flags & _RCODE and (questions > 0 or opcode == _STATEFUL))


def _answer(data: bytes, at: int) -> tuple[DnsAnswer, int]:
    name, at = _name(data, at)
    if at + _RECORD.size > len(data):
        raise BadMessageError
    kind, class_, ttl, length = _RECORD.unpack_from(data, at)
    at += _RECORD.size
    end = at + length
    if end > len(data):
        raise BadMessageError
    return DnsAnswer(name, _text_of_type(kind), ttl, _text_of_data(data, at, length, kind, class_)), end


def _text_of_data(data: bytes, at: int, length: int, kind: int, class_: int) -> str:
    if kind == A and length == 4:
        return inet_ntoa(data[at : at + 4])
    if kind == AAAA and length == 16:
        return inet_ntop(AF_INET6, data[at : at + 16])
    if kind in _NAMED:
        return _name(data, at)[0]
    return _text_by_library(data, at, length, kind, class_)


def _text_by_library(data: bytes, at: int, length: int, kind: int, class_: int) -> str:
    from dns.exception import DNSException
    from dns.rdata import from_wire
    from dns.rdataclass import RdataClass
    from dns.rdatatype import RdataType

    try:
        # The highest bit of the class means something else in multicast DNS (RFC 6762, section 10.2).
        return from_wire(RdataClass.make(class_ & 0x7FFF), RdataType.make(kind), data, at, length).to_text()
    except (DNSException, ValueError):
        return rf"\# {length} {data[at : at + length].hex()}".rstrip()  # RFC 3597, section 5


def _text_of_type(kind: int) -> str:
    return _TYPES.get(kind) or f"TYPE{kind}"


def _name(data: bytes, at: int) -> tuple[str, int]:
    """The name at a place, and where it ends there; compression (section 4.1.4) may only point backwards."""
    labels: list[str] = []
    size, end, limit = 0, -1, len(data)
    while True:
        if at >= limit:
            raise BadMessageError
        length = data[at]
        if length == 0:
            return ".".join(labels) or ".", end if end >= 0 else at + 1
        if length < 0x40:
            size += length + 1
            if at + length >= len(data) or size > _MAX_NAME:
                raise BadMessageError
            labels.append(_text_of_label(data[at + 1 : at + 1 + length]))
            at += length + 1
            continue
        if length < 0xC0 or at + 1 >= len(data):
            raise BadMessageError
        end = end if end >= 0 else at + 2
        target = (length & 0x3F) << 8 | data[at + 1]
        if target >= at:
            raise BadMessageError
        limit, at = at, target


def _text_of_label(label: bytes) -> str:
    r"""Dots and backslashes are escaped, other bytes that are no printable ASCII written as \DDD (section 5.1)."""
    if _PLAIN.match(label):
        return label.decode("ascii")
    return "".join(
        f"\\{byte:03}" if not 0x20 < byte < 0x7F else f"\\{byte:c}" if byte in b'.\\"();@$' else chr(byte)
        for byte in label
    )
