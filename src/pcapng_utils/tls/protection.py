"""Keys at work: AEAD of TLS 1.2 and 1.3, and the choice of the opener for a cipher suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from pcapng_utils.tls import codes
from pcapng_utils.tls.macked import Cbc, CbcEncryptThenMac, Inflating, Mac, Null, Ssl3Mac, Stream
from pcapng_utils.tls.opener import Opener
from pcapng_utils.tls.schedule import KeyBlock, TrafficKeys
from pcapng_utils.tls.suites import Bulk, CipherSuite, Mode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

_Decrypt = Callable[[bytes, bytes, bytes], bytes]


class Aead13(Opener):
    """TLS 1.3 (RFC 8446, section 5.2)."""

    __slots__ = ("_authenticated", "_decrypt", "_iv")

    def __init__(self, decrypt: _Decrypt, iv: bytes, tag_size: int, header_authenticated: bool = True) -> None:
        self._decrypt = decrypt
        self._iv = int.from_bytes(iv, "big")
        self._authenticated = header_authenticated
        self.expansion = tag_size + 1

    def open(self, sequence: int, header: bytes, fragment: bytes) -> bytes | None:
        try:
            return self._decrypt(
                (self._iv ^ sequence).to_bytes(12, "big"), fragment, header if self._authenticated else b""
            )
        except InvalidTag:
            return None


class _Aead12(Opener):
    """TLS 1.2 (RFC 5246, section 6.2.3.3); ciphers differ in where the nonce comes from."""

    __slots__ = ("_decrypt", "_overhead")

    def __init__(self, decrypt: _Decrypt, overhead: int) -> None:
        self._decrypt = decrypt
        self._overhead = self.expansion = overhead

    def _associated(self, sequence: int, header: bytes, fragment: bytes) -> bytes:
        size = max(0, len(fragment) - self._overhead)
        return sequence.to_bytes(8, "big") + header[:3] + size.to_bytes(2, "big")


class Aead12(_Aead12):
    """Part of the nonce is in the record (GCM: RFC 5288; CCM: RFC 6655)."""

    __slots__ = ("_salt",)

    def __init__(self, decrypt: _Decrypt, salt: bytes, tag_size: int) -> None:
        super().__init__(decrypt, 8 + tag_size)
        self._salt = salt

    def open(self, sequence: int, header: bytes, fragment: bytes) -> bytes | None:
        if len(fragment) < self._overhead:
            return None
        associated = self._associated(sequence, header, fragment)
        try:
            return self._decrypt(self._salt + fragment[:8], fragment[8:], associated)
        except InvalidTag:
            return None


class ChaCha12(_Aead12):
    """The nonce is the sequence number (ChaCha20-Poly1305: RFC 7905)."""

    __slots__ = ("_iv",)

    def __init__(self, decrypt: _Decrypt, iv: bytes, tag_size: int) -> None:
        super().__init__(decrypt, tag_size)
        self._iv = int.from_bytes(iv, "big")

    def open(self, sequence: int, header: bytes, fragment: bytes) -> bytes | None:
        associated = self._associated(sequence, header, fragment)
        try:
            return self._decrypt((self._iv ^ sequence).to_bytes(12, "big"), fragment, associated)
        except InvalidTag:
            return None


def open_with_traffic_keys(suite: CipherSuite, keys: TrafficKeys, version: int = codes.TLS13) -> Opener | None:
    """The opener for one direction of TLS 1.3; None if the suite is none of TLS 1.3's.

    Drafts before the 25th did not authenticate the record's header."""
    decrypt = _aead(suite.bulk, keys.key)
    if decrypt is None:
        return None
    return Aead13(decrypt, keys.iv, suite.bulk.tag_size, not 0x7F00 <= version < 0x7F19)


def open_with_key_block(
    version: int, suite: CipherSuite, block: KeyBlock, direction: int, encrypt_then_mac: bool, deflate: bool
) -> Opener | None:
    """The opener for one direction of SSL 3.0 to TLS 1.2; None if the cipher is not at hand."""
    opener = _key_block_opener(version, suite, block, direction, encrypt_then_mac)
    return Inflating(opener) if opener and deflate else opener


def _key_block_opener(
    version: int, suite: CipherSuite, block: KeyBlock, direction: int, encrypt_then_mac: bool
) -> Opener | None:
    bulk, key, iv = suite.bulk, block.keys[direction], block.ivs[direction]
    if bulk.mode is Mode.AEAD:
        decrypt = _aead(bulk, key)
        if decrypt is None:
            return None
        return (ChaCha12 if bulk.iv_size == 12 else Aead12)(decrypt, iv, bulk.tag_size)
    mac = (Ssl3Mac if version == codes.SSL30 else Mac)(block.macs[direction], suite.mac)
    if bulk.mode is Mode.NULL:
        return Null(mac)
    restart = _context(bulk.algorithm, key, iv)
    if restart is None:
        return None
    if bulk.mode is Mode.STREAM:
        return Stream(restart, mac)
    return (CbcEncryptThenMac if encrypt_then_mac else Cbc)(restart(), bulk.iv_size, mac, version >= codes.TLS11)


def _aead(bulk: Bulk, key: bytes) -> _Decrypt | None:
    if bulk.algorithm == "AES-GCM":
        return AESGCM(key).decrypt
    if bulk.algorithm == "CHACHA20-POLY1305":
        return ChaCha20Poly1305(key).decrypt
    if bulk.algorithm == "AES-CCM":
        return AESCCM(key, bulk.tag_size).decrypt
    return None


def _context(algorithm: str, key: bytes, iv: bytes) -> Callable[[], CipherContext] | None:
    """What makes a decryption context; None if the installed OpenSSL has not got the cipher."""
    from cryptography.hazmat.decrepit.ciphers import algorithms as decrepit
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    made = {
        "AES": algorithms.AES,
        "CAMELLIA": decrepit.Camellia,
        "SEED": decrepit.SEED,
        "IDEA": decrepit.IDEA,
        "RC2": decrepit.RC2,
        "3DES": decrepit.TripleDES,
        "DES": lambda key: decrepit.TripleDES(key * 3),
        "RC4": decrepit.ARC4,
    }[algorithm](key)
    cipher = Cipher(made, modes.CBC(iv) if iv else None)
    try:
        cipher.decryptor()
    except UnsupportedAlgorithm:
        return None
    return cipher.decryptor
