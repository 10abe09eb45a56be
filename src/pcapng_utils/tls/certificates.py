"""What a certificate says: read at once where it is a plain one, else with `cryptography`'s X.509 parser.

Servers send the same chains again and again, so what was read is kept by digest.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pcapng_utils.tls.facts import Certificate
from pcapng_utils.tls.plain_certificate import plain_certificate

if TYPE_CHECKING:
    from cryptography import x509

MAX_CHAIN: Final = 16
"""Certificates of one chain that are read."""

_CACHE: Final = 1024
_known: dict[bytes, Certificate] = {}


def read_chain(chain: Iterable[bytes]) -> list[Certificate]:
    """The certificates of a chain, given in DER."""
    return [read_certificate(der) for _, der in zip(range(MAX_CHAIN), chain, strict=False)]


def read_certificate(der: bytes) -> Certificate:
    """A certificate; of one that is malformed, what can be read, at least its digest."""
    digest = hashlib.sha256(der).digest()
    known = _known.get(digest)
    if known is None:
        if len(_known) >= _CACHE:
            del _known[next(iter(_known))]
        known = _known[digest] = _read(der, digest.hex())
    return known


def _read(der: bytes, sha256: str) -> Certificate:
    plain = plain_certificate(der)
    if plain is not None:
        return Certificate(*plain, sha256)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd in a certificate, the parser warns its owner
        return read_with_care(der, sha256)


def read_with_care(der: bytes, sha256: str) -> Certificate:
    """A certificate of any kind."""
    from cryptography import x509

    # What the parser raises for malformed fields; it reads most of them only when asked.
    malformed = (
        ValueError,
        TypeError,
        OverflowError,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    )

    def text(field: Callable[[x509.Certificate], str]) -> str:
        try:
            return field(certificate)
        except malformed:
            return ""

    try:
        certificate = x509.load_der_x509_certificate(der)
    except malformed:
        return Certificate("", "", (), "", "", sha256)
    try:
        names = tuple(_alternative_names(certificate))
    except (*malformed, x509.ExtensionNotFound):
        names = ()
    return Certificate(
        text(lambda field: field.subject.rfc4514_string()),
        text(lambda field: field.issuer.rfc4514_string()),
        names,
        text(lambda field: _iso(field.not_valid_before_utc)),
        text(lambda field: _iso(field.not_valid_after_utc)),
        sha256,
    )


def _alternative_names(certificate: x509.Certificate) -> Iterable[str]:
    from cryptography.x509 import DNSName, IPAddress, SubjectAlternativeName

    for name in certificate.extensions.get_extension_for_class(SubjectAlternativeName).value:
        if isinstance(name, DNSName | IPAddress):
            yield str(name.value)


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
