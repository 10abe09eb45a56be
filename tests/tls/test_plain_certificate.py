"""Plain certificates, read without the X.509 parser: what is said of them is what the parser says."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.tls.certificates import read_with_care
from pcapng_utils.tls.facts import Certificate
from pcapng_utils.tls.plain_certificate import plain_certificate

_KEY = ec.generate_private_key(ec.SECP256R1())
_ATTRIBUTES = (
    NameOID.COMMON_NAME,
    NameOID.COUNTRY_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.EMAIL_ADDRESS,
    NameOID.DOMAIN_COMPONENT,
)
_PLAIN = (
    (NameOID.COUNTRY_NAME, "US"),
    (NameOID.ORGANIZATION_NAME, "DigiCert, Inc."),
    (NameOID.COMMON_NAME, "a.example"),
)


def certificate(
    subject: tuple[tuple[x509.ObjectIdentifier, str], ...] = _PLAIN,
    names: tuple[x509.GeneralName, ...] = (x509.DNSName("*.a.example"),),
    begin: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    end: datetime = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
) -> bytes:
    """DER of a self-signed certificate."""
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in subject])
    builder = x509.CertificateBuilder(name, name, _KEY.public_key(), 7, begin, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


_WHOLE = certificate()


def fields(read: Certificate) -> tuple[object, ...]:
    return (read.subject, read.issuer, read.names, read.not_before, read.not_after)


@pytest.mark.parametrize(
    "der",
    [
        certificate(),
        certificate(names=()),
        certificate(names=(x509.DNSName("b.example"), x509.IPAddress(ip_address("::ffff:1.2.3.4")))),
        certificate(begin=datetime(1998, 12, 31, 23, 59, 59, tzinfo=UTC), end=datetime(2049, 12, 31, tzinfo=UTC)),
        certificate(end=datetime(2124, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
    ids=["usual", "no alternative names", "addresses", "dates", "2124"],
)
def test_plain_certificates_are_read_as_the_parser_reads_them(der: bytes) -> None:
    assert plain_certificate(der) == fields(read_with_care(der, ""))


@pytest.mark.parametrize(
    "der",
    [
        certificate(subject=((NameOID.COMMON_NAME, "Zürich"),)),
        certificate(subject=((NameOID.COMMON_NAME, "a+b"),)),
        certificate(subject=((NameOID.EMAIL_ADDRESS, "a@b.example"),)),
        certificate(names=(x509.UniformResourceIdentifier("https://a.example"),)),
        certificate()[:-1],
        certificate() + b"\0",
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
    ],
    ids=["umlaut", "plus", "attribute", "uri", "cut", "more", "empty", "tag", "indefinite", "long"],
)
def test_what_is_unusual_is_left_to_the_parser(der: bytes) -> None:
    assert plain_certificate(der) is None


@given(
    st.lists(st.tuples(st.sampled_from(_ATTRIBUTES), st.text(min_size=2, max_size=2)), max_size=3),
    st.lists(st.sampled_from(("a.example", "*.b.example", "-", "a_b", "x y")).map(x509.DNSName), max_size=3),
)
def test_any_certificate_is_read_alike_or_not_at_all(
    subject: list[tuple[x509.ObjectIdentifier, str]], names: list[x509.DNSName]
) -> None:
    try:
        der = certificate(tuple(subject), tuple(names))
    except ValueError:  # a text that this attribute cannot have
        return
    assert plain_certificate(der) in (None, fields(read_with_care(der, "")))


@given(st.data())
def test_a_damaged_certificate_does_no_harm(data: st.DataObject) -> None:
    der = bytearray(_WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    read = plain_certificate(bytes(der))
    assert read is None or all(isinstance(text, str) for text in (*read.names, read.subject, read.not_before))
