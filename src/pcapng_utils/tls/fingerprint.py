"""Fingerprints of who talked: JA3, JA3S (Salesforce, 2017) and JA4 for TLS clients (FoxIO, 2023).

They are drawn from what the hellos offer and in which order. Clients of one kind offer the same time after time, so
results are kept for the last few hundred kinds.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from pcapng_utils.tls import codes
from pcapng_utils.tls.codes import is_grease
from pcapng_utils.tls.handshake import ClientHello, ServerHello, uint16s, vector

_CACHE: Final = 512

_JA4_VERSIONS: Final = {
    0x0002: "s2",
    codes.SSL30: "s3",
    codes.TLS10: "10",
    codes.TLS11: "11",
    codes.TLS12: "12",
    codes.TLS13: "13",
    0xFEFF: "d1",
    0xFEFD: "d2",
    0xFEFC: "d3",
}


def ja3(hello: ClientHello) -> str:
    """JA3 of a ClientHello: 32 hex digits."""
    extensions = hello.extensions
    groups = vector(extensions.find(codes.EXT_SUPPORTED_GROUPS) or b"", 0, 2)[0]
    formats = vector(extensions.find(codes.EXT_EC_POINT_FORMATS) or b"", 0, 1)[0]
    return _ja3(hello.version, hello.ciphers, tuple([kind for kind, _ in extensions]), groups, formats)


@lru_cache(_CACHE)
def _ja3(version: int, ciphers: tuple[int, ...], extensions: tuple[int, ...], groups: bytes, formats: bytes) -> str:
    fields = (
        str(version),
        _decimals(ciphers),
        _decimals(extensions),
        _decimals(uint16s(groups)),
        "-".join(map(str, formats)),
    )
    return _md5(",".join(fields))


def ja3s(hello: ServerHello) -> str:
    """JA3S of a ServerHello: 32 hex digits."""
    return _ja3s(hello.legacy_version, hello.cipher, tuple([kind for kind, _ in hello.extensions]))


@lru_cache(_CACHE)
def _ja3s(version: int, cipher: int, extensions: tuple[int, ...]) -> str:
    return _md5(f"{version},{cipher},{'-'.join(map(str, extensions))}")


def ja4(hello: ClientHello, transport: str = "t") -> str:
    """JA4 of a ClientHello ("t13d1516h2_8daaf6152771_e5627efa2ab1"). `transport`: "t" TCP, "q" QUIC, "d" DTLS."""
    extensions = hello.extensions
    algorithms = vector(extensions.find(codes.EXT_SIGNATURE_ALGORITHMS) or b"", 0, 2)[0]
    alpn = vector(vector(extensions.find(codes.EXT_ALPN) or b"", 0, 2)[0], 0, 1)[0]
    kinds = tuple([kind for kind, _ in extensions])
    return _ja4(transport, hello.best_version, hello.ciphers, kinds, algorithms, alpn)


@lru_cache(_CACHE)
def _ja4(
    transport: str,
    version: int,
    ciphers: tuple[int, ...],
    extensions: tuple[int, ...],
    algorithms: bytes,
    alpn: bytes,
) -> str:
    ciphers = tuple(value for value in ciphers if not is_grease(value))
    extensions = tuple(value for value in extensions if not is_grease(value))
    domain = "d" if codes.EXT_SERVER_NAME in extensions else "i"
    head = (
        f"{transport}{_JA4_VERSIONS.get(version, '00')}{domain}"
        f"{min(len(ciphers), 99):02}{min(len(extensions), 99):02}{_ends(alpn)}"
    )
    offered = ",".join(sorted(f"{value:04x}" for value in ciphers))
    extended = ",".join(
        sorted(f"{value:04x}" for value in extensions if value not in (codes.EXT_SERVER_NAME, codes.EXT_ALPN))
    )
    signed = ",".join(f"{value:04x}" for value in uint16s(algorithms) if not is_grease(value))
    return f"{head}_{_sha256_12(offered)}_{_sha256_12(f'{extended}_{signed}' if signed else extended)}"


def _ends(alpn: bytes) -> str:
    """The first and the last character of a protocol name; of its hex form where one is no letter or digit."""
    if not alpn:
        return "00"
    first, last = alpn[:1], alpn[-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    digits = alpn.hex()
    return digits[0] + digits[-1]


def _decimals(values: tuple[int, ...]) -> str:
    return "-".join(str(value) for value in values if not is_grease(value))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("ascii"), usedforsecurity=False).hexdigest()


def _sha256_12(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12] if text else "0" * 12
