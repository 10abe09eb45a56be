"""A certificate authority that lives as long as one scenario, and the certificates it signs."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.network import SERVER_ADDRESSES, SERVER_ADDRESSES_6

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey

NAMES: Final = ("lab.test", "*.lab.test")
"""What a server's certificate is for, unless other names are asked for; the lab's addresses are always in it."""

_MAKE_KEY: Final[dict[str, Callable[[], PrivateKey]]] = {
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "dsa": lambda: dsa.generate_private_key(2048),
}
_LIFE: Final = datetime.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates; clients trust `certificate`."""

    directory: Path
    certificate: Path
    _key: PrivateKey
    _name: x509.Name

    @classmethod
    def create(cls, directory: Path) -> Authority:
        directory.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lab Root CA")])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = _builder(name, name, key).add_extension(usage, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = builder.sign(key, hashes.SHA256())
        path = directory / "ca.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(directory, path, key, name)

    def issue(
        self, label: str, names: Sequence[str] = NAMES, *, kind: Literal["ec", "rsa", "dsa"] = "ec", padding: int = 0
    ) -> Identity:
        """A certificate for servers and clients. `padding`: bytes that make it longer."""
        key = _MAKE_KEY[kind]()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        addresses = [*SERVER_ADDRESSES, *SERVER_ADDRESSES_6, "127.0.0.1", "::1"]
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        builder = _builder(subject, self._name, key)
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if padding:
            arc = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")
            builder = builder.add_extension(x509.UnrecognizedExtension(arc, bytes(padding)), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        identity = Identity(self.directory / f"{label}.pem", self.directory / f"{label}.key")
        identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        identity.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return identity

    def client_context(self, keylog: Path | None = None, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """A TLS client that trusts this authority alone, and writes its secrets to `keylog`."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if keylog is not None:
            context.keylog_filename = str(keylog)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)
        .not_valid_after(now + _LIFE)
    )
