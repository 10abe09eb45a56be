"""From secrets to keys: HKDF-Expand-Label of TLS 1.3 and QUIC, the PRFs of TLS 1.0 to 1.2, the hashes of SSL 3.0.

Hashes are named as `hashlib` names them. Short connections make this the costliest part of their handshake, so HMAC is
spelled out: two plain hashes take half the time of `hmac.digest`, which looks the algorithm up anew each time.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

from pcapng_utils.tls import codes
from pcapng_utils.tls.suites import CipherSuite, Mode, cipher_suite, suite_name

__all__ = [
    "CipherSuite",
    "KeyBlock",
    "TrafficKeys",
    "cipher_suite",
    "extended_master_secret",
    "hkdf_expand",
    "hkdf_expand_label",
    "hkdf_extract",
    "key_block",
    "master_secret",
    "next_traffic_secret",
    "prf",
    "suite_name",
    "traffic_keys",
]


class TrafficKeys(NamedTuple):
    """What protects one direction during one epoch of TLS 1.3."""

    key: bytes
    iv: bytes


class KeyBlock(NamedTuple):
    """What protects both directions up to TLS 1.2 (RFC 5246, section 6.3); pairs are client, server."""

    macs: tuple[bytes, bytes]
    keys: tuple[bytes, bytes]
    ivs: tuple[bytes, bytes]


_HASHES: Final = {
    "md5": (hashlib.md5, 64),
    "sha1": (hashlib.sha1, 64),
    "sha256": (hashlib.sha256, 64),
    "sha384": (hashlib.sha384, 128),
}
"""Hashes and the sizes of their blocks."""
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def _hmac(key: bytes, message: bytes, digest: str) -> bytes:
    """HMAC (RFC 2104)."""
    function, block = _HASHES[digest]
    if len(key) > block:
        key = function(key).digest()
    key = key.ljust(block, b"\0")
    return function(key.translate(_OUTER) + function(key.translate(_INNER) + message).digest()).digest()


def hkdf_extract(salt: bytes, material: bytes, digest: str) -> bytes:
    """HKDF-Extract (RFC 5869, section 2.2)."""
    return _hmac(salt, material, digest)


def hkdf_expand(secret: bytes, info: bytes, length: int, digest: str) -> bytes:
    """HKDF-Expand (RFC 5869, section 2.3)."""
    block = output = _hmac(secret, info + b"\x01", digest)
    counter = 2
    while len(output) < length:
        block = _hmac(secret, block + info + bytes((counter,)), digest)
        output += block
        counter += 1
    return output[:length]


def hkdf_expand_label(secret: bytes, label: bytes, context: bytes, length: int, digest: str) -> bytes:
    """HKDF-Expand-Label (RFC 8446, section 7.1); `label` without its "tls13 "."""
    return hkdf_expand(secret, _label_info(label, context, length), length, digest)


@lru_cache(maxsize=64)
def _label_info(label: bytes, context: bytes, length: int) -> bytes:
    full = b"tls13 " + label
    return length.to_bytes(2, "big") + bytes((len(full),)) + full + bytes((len(context),)) + context


def traffic_keys(secret: bytes, suite: CipherSuite) -> TrafficKeys:
    """Key and IV of a traffic secret (RFC 8446, section 7.3)."""
    key = hkdf_expand_label(secret, b"key", b"", suite.bulk.key_size, suite.hash)
    return TrafficKeys(key, hkdf_expand_label(secret, b"iv", b"", 12, suite.hash))


def next_traffic_secret(secret: bytes, digest: str) -> bytes:
    """The secret that a KeyUpdate moves on to (RFC 8446, section 7.2)."""
    return hkdf_expand_label(secret, b"traffic upd", b"", len(secret), digest)


def prf(version: int, secret: bytes, label: bytes, seed: bytes, length: int, digest: str) -> bytes:
    """The pseudorandom function of TLS 1.0 to 1.2 (RFC 5246, section 5; RFC 2246, section 5).

    `digest` is that of the cipher suite and matters to TLS 1.2 alone.
    """
    seed = label + seed
    if version >= codes.TLS12:
        return _p_hash(secret, seed, length, digest)
    half = (len(secret) + 1) // 2
    md5 = _p_hash(secret[:half], seed, length, "md5")
    sha = _p_hash(secret[len(secret) - half :], seed, length, "sha1")
    return (int.from_bytes(md5, "big") ^ int.from_bytes(sha, "big")).to_bytes(length, "big")


def _p_hash(secret: bytes, seed: bytes, length: int, digest: str) -> bytes:
    chain, output = seed, b""
    while len(output) < length:
        chain = _hmac(secret, chain, digest)
        output += _hmac(secret, chain + seed, digest)
    return output[:length]


def _ssl3_hash(secret: bytes, seed: bytes, length: int) -> bytes:
    """RFC 6101, sections 6.1 and 6.2.2."""
    output = b""
    for count in range(1, (length + 15) // 16 + 1):
        salt = bytes((0x40 + count,)) * count
        inner = hashlib.sha1(salt + secret + seed, usedforsecurity=False).digest()
        output += hashlib.md5(secret + inner, usedforsecurity=False).digest()
    return output[:length]


def master_secret(version: int, premaster: bytes, client_random: bytes, server_random: bytes, digest: str) -> bytes:
    """The master secret of SSL 3.0 to TLS 1.2 (RFC 5246, section 8.1)."""
    seed = client_random + server_random
    if version == codes.SSL30:
        return _ssl3_hash(premaster, seed, 48)
    return prf(version, premaster, b"master secret", seed, 48, digest)


def extended_master_secret(version: int, premaster: bytes, transcript: bytes, digest: str) -> bytes:
    """The master secret where both sides sent extended_master_secret (RFC 7627, section 4).

    `transcript` is all handshake messages from the ClientHello to the ClientKeyExchange.
    """
    if version >= codes.TLS12:
        session = hashlib.new(digest, transcript).digest()
    else:
        md5 = hashlib.md5(transcript, usedforsecurity=False).digest()
        session = md5 + hashlib.sha1(transcript, usedforsecurity=False).digest()
    return prf(version, premaster, b"extended master secret", session, 48, digest)


def key_block(version: int, suite: CipherSuite, master: bytes, client_random: bytes, server_random: bytes) -> KeyBlock:
    """The keys that a master secret gives (RFC 5246, section 6.3; export ciphers: RFC 2246, section 6.3.1)."""
    bulk = suite.bulk
    sizes = (suite.mac_size, bulk.material or bulk.key_size, bulk.iv_size)
    seed = server_random + client_random
    length = 2 * sum(sizes)
    if version == codes.SSL30:
        block = _ssl3_hash(master, seed, length)
    else:
        block = prf(version, master, b"key expansion", seed, length, suite.hash)
    parts = []
    offset = 0
    for size in sizes:
        parts.append((block[offset : offset + size], block[offset + size : offset + 2 * size]))
        offset += 2 * size
    keys = KeyBlock(*parts)
    if not suite.export:
        return keys
    return _export_keys(version, suite, keys, client_random, server_random)


_EXPORT_LABELS: Final = (b"client write key", b"server write key")


def _export_keys(
    version: int, suite: CipherSuite, keys: KeyBlock, client_random: bytes, server_random: bytes
) -> KeyBlock:
    size, digest = suite.bulk.key_size, suite.hash
    seed = client_random + server_random
    if version == codes.SSL30:
        # RFC 6101, section 6.2.2: plain MD5, and the server's randoms the other way round.
        turned = server_random + client_random
        client, server = (_md5(keys.keys[0] + seed)[:size], _md5(keys.keys[1] + turned)[:size])
        block = _md5(seed) + _md5(turned)
        ivs = (block[: suite.bulk.iv_size], block[16 : 16 + suite.bulk.iv_size])
        return KeyBlock(keys.macs, (client, server), ivs)
    client, server = (
        prf(version, key, label, seed, size, digest) for key, label in zip(keys.keys, _EXPORT_LABELS, strict=True)
    )
    if suite.bulk.mode is not Mode.CBC:
        return KeyBlock(keys.macs, (client, server), keys.ivs)
    iv_size = suite.bulk.iv_size
    block = prf(version, b"", b"IV block", seed, 2 * iv_size, digest)
    return KeyBlock(keys.macs, (client, server), (block[:iv_size], block[iv_size:]))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
