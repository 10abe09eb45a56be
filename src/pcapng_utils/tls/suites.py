"""What a cipher suite's name says: cipher, key sizes, MAC and hash.

The names are systematic (`TLS_<key exchange>_WITH_<cipher>_<hash>`), so they are the table: the cipher is looked up
among a few dozen, the hash is the last word. A suite whose cipher cannot be read has a name and nothing else.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Final, NamedTuple

from pcapng_utils.tls.suite_names import SUITE_NAMES


class Mode(Enum):
    """How records are protected."""

    AEAD = "aead"
    CBC = "cbc"
    STREAM = "stream"
    NULL = "null"


class Bulk(NamedTuple):
    """A cipher as suites name it."""

    algorithm: str
    mode: Mode
    key_size: int
    iv_size: int = 0
    """CBC: the block's size; AEAD: what the key block of TLS 1.2 gives to the nonce."""
    tag_size: int = 0
    material: int = 0
    """Bytes of the key block an export cipher's key is made from; 0: all of the key comes from the key block."""


class CipherSuite(NamedTuple):
    id: int
    name: str
    bulk: Bulk
    mac: str
    """Name of the MAC's hash for hashlib; empty for AEAD."""
    mac_size: int
    hash: str
    """Hash of the key schedule: of HKDF in TLS 1.3, of the PRF in TLS 1.2."""
    export: bool
    """Keys are shortened (RFC 2246, section 6.3.1)."""


_BULKS: Final = {
    "NULL": Bulk("NULL", Mode.NULL, 0),
    "RC4_40": Bulk("RC4", Mode.STREAM, 16, material=5),
    "RC4_56": Bulk("RC4", Mode.STREAM, 16, material=7),
    "RC4_128": Bulk("RC4", Mode.STREAM, 16),
    "RC2_CBC_40": Bulk("RC2", Mode.CBC, 16, 8, material=5),
    "RC2_CBC_56": Bulk("RC2", Mode.CBC, 16, 8, material=7),
    "IDEA_CBC": Bulk("IDEA", Mode.CBC, 16, 8),
    "DES40_CBC": Bulk("DES", Mode.CBC, 8, 8, material=5),
    "DES_CBC_40": Bulk("DES", Mode.CBC, 8, 8, material=5),
    "DES_CBC": Bulk("DES", Mode.CBC, 8, 8),
    "3DES_EDE_CBC": Bulk("3DES", Mode.CBC, 24, 8),
    "SEED_CBC": Bulk("SEED", Mode.CBC, 16, 16),
    "AES_128_CBC": Bulk("AES", Mode.CBC, 16, 16),
    "AES_256_CBC": Bulk("AES", Mode.CBC, 32, 16),
    "CAMELLIA_128_CBC": Bulk("CAMELLIA", Mode.CBC, 16, 16),
    "CAMELLIA_256_CBC": Bulk("CAMELLIA", Mode.CBC, 32, 16),
    "AES_128_GCM": Bulk("AES-GCM", Mode.AEAD, 16, 4, 16),
    "AES_256_GCM": Bulk("AES-GCM", Mode.AEAD, 32, 4, 16),
    "AES_128_CCM": Bulk("AES-CCM", Mode.AEAD, 16, 4, 16),
    "AES_256_CCM": Bulk("AES-CCM", Mode.AEAD, 32, 4, 16),
    "AES_128_CCM_8": Bulk("AES-CCM", Mode.AEAD, 16, 4, 8),
    "AES_256_CCM_8": Bulk("AES-CCM", Mode.AEAD, 32, 4, 8),
    "CHACHA20_POLY1305": Bulk("CHACHA20-POLY1305", Mode.AEAD, 32, 12, 16),
}

_HASHES: Final = {"MD5": ("md5", 16), "SHA": ("sha1", 20), "SHA256": ("sha256", 32), "SHA384": ("sha384", 48)}

# ChaCha20-Poly1305 before RFC 7905: another nonce and another MAC under a name that is now the RFC's.
_DRAFTS: Final = frozenset((0xCC13, 0xCC14, 0xCC15))


@cache
def _names() -> dict[int, str]:
    return {int(line[:4], 16): "TLS_" + line[5:] for line in SUITE_NAMES.splitlines()}


def suite_name(number: int) -> str:
    """The IANA name ("TLS_AES_128_GCM_SHA256"), or "0x1234" for a suite that has none."""
    return _names().get(number) or f"0x{number:04x}"


@cache
def cipher_suite(number: int) -> CipherSuite | None:
    """The suite of that number; None if it has no name or its cipher cannot be read."""
    name = _names().get(number)
    if name is None or number in _DRAFTS:
        return None
    words = name.removeprefix("TLS_").rpartition("_WITH_")[2]
    cipher, _, digest = words.rpartition("_")
    if digest not in _HASHES:  # AES_128_CCM, AES_128_CCM_8: no hash in the name
        cipher, digest = words, "SHA256"
    bulk = _BULKS.get(cipher)
    if bulk is None:
        return None
    mac, mac_size = ("", 0) if bulk.mode is Mode.AEAD else _HASHES[digest]
    schedule = "sha384" if digest == "SHA384" else "sha256"
    return CipherSuite(number, name, bulk, mac, mac_size, schedule, "_EXPORT" in name)
