"""What facts need of a certificate, read from DER where it has the shape that most have (RFC 5280, X.690).

Strategy: walk down the structure and give up at anything unusual, which `cryptography`'s parser then reads: names with
more than plain ASCII, attributes without a short name, alternative names that are neither DNS names nor addresses. That
parser takes 20 ms and several MB before it reads anything, a tenth of a short conversion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address
from typing import Final, NamedTuple

_BIT_STRING: Final = 0x03
_OCTET_STRING: Final = 0x04
_OBJECT_IDENTIFIER: Final = 0x06
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_INTEGER: Final = 0x02
_BOOLEAN: Final = 0x01
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87
_STRINGS: Final = frozenset({0x0C, 0x13, 0x16})
"""UTF8String, PrintableString, IA5String: the same where they are ASCII."""
_VERSION_3: Final = b"\x02\x01\x02"
_ALTERNATIVE_NAMES: Final = b"\x55\x1d\x11"
#: RFC 4514, section 3.
_ATTRIBUTES: Final = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x09": "STREET",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
}
_PLAIN: Final = re.compile(rb"[A-Za-z0-9*(](?:[A-Za-z0-9 .,*'()/:@&_-]*[A-Za-z0-9.*)])?")
"""A value in which RFC 4514 (section 2.4) has nothing to be escaped but commas."""
_PLAIN_HOST: Final = re.compile(rb"[A-Za-z0-9*._-]+")
_PLAIN_TIME: Final = re.compile(rb"[0-9]{14}Z")


class PlainCertificate(NamedTuple):
    """As the fields of `facts.Certificate`."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: str
    not_after: str


class _UnusualError(Exception):
    """Something is not as it mostly is."""


def plain_certificate(der: bytes) -> PlainCertificate | None:
    """What a certificate says; None: it has to be read with more care."""
    try:
        return _certificate(der)
    except (_UnusualError, ValueError):  # ValueError: another number of elements, or no date
        return None


def _certificate(der: bytes) -> PlainCertificate:
    (whole,) = _elements(der, _SEQUENCE)
    signed, _, _ = _elements(whole, _SEQUENCE, _SEQUENCE, _BIT_STRING)
    version, _, _, issuer, validity, subject, _, extensions = _elements(
        signed, _VERSION, _INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE, _EXTENSIONS
    )
    if version != _VERSION_3:
        raise _UnusualError
    not_before, not_after = _each(validity)
    return PlainCertificate(
        _name(subject), _name(issuer), _alternative_names(extensions), _time(*not_before), _time(*not_after)
    )


def _name(data: bytes) -> str:
    """RFC 4514, section 2: the last attribute first."""
    attributes = []
    for tag, relative in _each(data):
        (attribute,) = _elements(relative, _SEQUENCE)
        (kind, identifier), (encoding, value) = _each(attribute)
        name = _ATTRIBUTES.get(identifier)
        if (tag, kind) != (_SET, _OBJECT_IDENTIFIER) or name is None or encoding not in _STRINGS:
            raise _UnusualError
        if not _PLAIN.fullmatch(value):
            raise _UnusualError
        attributes.append(f"{name}={value.decode('ascii')}".replace(",", "\\,"))
    return ",".join(reversed(attributes))


def _alternative_names(data: bytes) -> tuple[str, ...]:
    (extensions,) = _elements(data, _SEQUENCE)
    found: dict[bytes, bytes] = {}
    for tag, extension in _each(extensions):
        (kind, identifier), *critical, (encoding, value) = _each(extension)
        known = (tag, kind, encoding) == (_SEQUENCE, _OBJECT_IDENTIFIER, _OCTET_STRING) and identifier not in found
        if not known or [flag for flag, _ in critical] not in ([], [_BOOLEAN]):
            raise _UnusualError
        found[identifier] = value
    if _ALTERNATIVE_NAMES not in found:
        return ()
    (names,) = _elements(found[_ALTERNATIVE_NAMES], _SEQUENCE)
    return tuple(_alternative_name(tag, value) for tag, value in _each(names))


def _alternative_name(tag: int, value: bytes) -> str:
    if tag == _DNS_NAME and _PLAIN_HOST.fullmatch(value):
        return value.decode("ascii")
    if tag == _IP_ADDRESS and len(value) in {4, 16}:
        return str(ip_address(value))
    raise _UnusualError


def _time(tag: int, value: bytes) -> str:
    """A time as ISO 8601 (RFC 5280, sections 4.1.2.5.1 and 4.1.2.5.2: the years of UTCTime are 1950 to 2049)."""
    if tag == _UTC_TIME:
        value = (b"20" if value < b"50" else b"19") + value
    elif tag != _GENERALIZED_TIME:
        raise _UnusualError
    if not _PLAIN_TIME.fullmatch(value):
        raise _UnusualError
    text = value.decode("ascii")
    iso = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z"
    datetime.fromisoformat(iso)  # a ValueError for what is no time
    return iso


def _elements(data: bytes, *tags: int) -> list[bytes]:
    """The contents of successive elements, which must have these tags."""
    elements = list(_each(data))
    if [tag for tag, _ in elements] != list(tags):
        raise _UnusualError
    return [content for _, content in elements]


def _each(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and contents of each element (X.690, section 8.1)."""
    at, end = 0, len(data)
    while at < end:
        tag, begin = data[at], at + 2
        size = data[at + 1] if begin <= end else end
        if size & 0x80:
            begin += size & 0x7F
            size = int.from_bytes(data[at + 2 : begin], "big")
            if size < 0x80 or not data[at + 2]:
                raise _UnusualError
        at = begin + size
        if at > end or begin - 2 > end or tag & 0x1F == 0x1F:
            raise _UnusualError
        yield tag, data[begin:at]
