"""Opening protected records: AEAD of TLS 1.2 and 1.3, block and stream ciphers with a MAC, MAC alone.

An opener keeps what the protocol keeps from record to record (chained IV, keystream), not the sequence number: that is
the caller's, who has to look for it after bytes were lost. `open` answers None where the record does not authenticate.

A CBC opener decrypts with one context that lives as long as the keys do. Chaining gives TLS 1.0 its IVs that way, and
the explicit IV of later versions is one more ciphertext block: it decrypts to noise, which is dropped.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from pcapng_utils.tls import codes
from pcapng_utils.tls.schedule import KeyBlock, TrafficKeys
from pcapng_utils.tls.suites import Bulk, CipherSuite, Mode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

HEADER_SIZE: Final = 5


class Opener:
    """Opens the records of one direction under one set of keys."""

    __slots__ = ("expansion",)

    expansion: int | None
    """Bytes a record's fragment has more than its content; None where that varies."""

    def open(self, sequence: int, header: bytes, fragment: bytes) -> bytes | None:
        """The content of the next record (of TLS 1.3: TLSInnerPlaintext), None if it does not authenticate."""
        raise NotImplementedError

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        """Open a record that comes after lost ones: how many were lost, and its content.

        `sequence` is that of the first lost record, `missing` what the number of lost ones may be, `lost` their bytes
        on the wire (None: unknown)."""
        for count in missing:
            content = self.open(sequence + count, header, fragment)
            if content is not None:
                return count, content
        return None

    def skip(self, ciphertext: bytes) -> None:
        """Take note of ciphertext right before the next record that cannot be opened: its end may be that one's IV."""


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


class Mac:
    """The MAC of a record (RFC 5246, section 6.2.3.1)."""

    __slots__ = ("_hash", "_key", "size")

    def __init__(self, key: bytes, digest: str) -> None:
        self._key = key
        self._hash = digest
        self.size = len(key)

    def matches(self, tag: bytes, sequence: int, header: bytes, content: bytes) -> bool:
        size = len(content).to_bytes(2, "big")
        return tag == hmac_digest(self._key, sequence.to_bytes(8, "big") + header[:3] + size + content, self._hash)


class Ssl3Mac(Mac):
    """RFC 6101, section 5.2.3.1."""

    __slots__ = ()

    def matches(self, tag: bytes, sequence: int, header: bytes, content: bytes) -> bool:
        pad = 48 if self._hash == "md5" else 40
        size = len(content).to_bytes(2, "big")
        numbered = sequence.to_bytes(8, "big") + header[:1] + size + content
        inner = hashlib.new(self._hash, self._key + b"\x36" * pad + numbered, usedforsecurity=False).digest()
        return tag == hashlib.new(self._hash, self._key + b"\x5c" * pad + inner, usedforsecurity=False).digest()


class _Macked(Opener):
    """Opening one record is finding it where none was lost."""

    __slots__ = ()

    def open(self, sequence: int, header: bytes, fragment: bytes) -> bytes | None:
        found = self.find(sequence, _NONE_MISSING, 0, header, fragment)
        return found and found[1]


_NONE_MISSING: Final = range(1)


class Cbc(_Macked):
    """Block ciphers in CBC mode, MAC then encrypt (RFC 5246, section 6.2.3.2)."""

    __slots__ = ("_block", "_context", "_mac", "_noise")

    def __init__(self, context: CipherContext, block: int, mac: Mac, explicit_iv: bool) -> None:
        self._context = context
        self._block = block
        self._mac = mac
        self._noise = block if explicit_iv else 0
        self.expansion = None

    def _decrypt(self, fragment: bytes) -> bytes:
        """What stands before the padding, which is taken on trust."""
        if not fragment or len(fragment) % self._block:
            return b""
        plain = self._context.update(fragment)
        return plain[self._noise : -plain[-1] - 1]

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        plain = self._decrypt(fragment)
        size = len(plain) - self._mac.size
        if size < 0:
            return None
        content, tag = plain[:size], plain[size:]
        for count in missing:
            if self._mac.matches(tag, sequence + count, header, content):
                return count, content
        return None

    def skip(self, ciphertext: bytes) -> None:
        if len(ciphertext) >= self._block:
            self._context.update(ciphertext[-self._block :])


class CbcEncryptThenMac(Cbc):
    """Block ciphers in CBC mode, encrypt then MAC (RFC 7366)."""

    __slots__ = ()

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        size = len(fragment) - self._mac.size
        if size <= 0:
            return None
        ciphertext, tag = fragment[:size], fragment[size:]
        content = self._decrypt(ciphertext)
        for count in missing:
            if self._mac.matches(tag, sequence + count, header, ciphertext):
                return count, content
        return None

    def skip(self, ciphertext: bytes) -> None:
        super().skip(ciphertext[: -self._mac.size])


class Stream(_Macked):
    """Stream ciphers (RFC 5246, section 6.2.3.1): after a loss, the keystream's place hangs on the number of records
    lost as the sequence number does."""

    __slots__ = ("_context", "_mac", "_position", "_restart")

    REACH: Final = 1 << 26
    """Bytes of keystream that are made again to find the place."""

    def __init__(self, restart: Callable[[], CipherContext], mac: Mac) -> None:
        self._restart = restart
        self._context = restart()
        self._position = 0
        self._mac = mac
        self.expansion = mac.size

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        if missing == _NONE_MISSING:
            content = self._check(sequence, header, self._advance(fragment))
            return None if content is None else (0, content)
        start, size = self._position, len(fragment)
        if lost is None or start + lost + size > self.REACH:
            return None
        keystream = self._advance(bytes(lost + size))
        self._seek(start)
        number = int.from_bytes(fragment, "big")
        for count in missing:
            offset = lost - count * HEADER_SIZE
            if offset < 0:
                break
            key = int.from_bytes(keystream[offset : offset + size], "big")
            content = self._check(sequence + count, header, (number ^ key).to_bytes(size, "big"))
            if content is not None:
                self._seek(start + offset + size)
                return count, content
        return None

    def _check(self, sequence: int, header: bytes, plain: bytes) -> bytes | None:
        size = len(plain) - self._mac.size
        if size >= 0 and self._mac.matches(plain[size:], sequence, header, plain[:size]):
            return plain[:size]
        return None

    def _advance(self, data: bytes) -> bytes:
        self._position += len(data)
        return self._context.update(data)

    def _seek(self, position: int) -> None:
        self._context = self._restart()
        self._position = 0
        zeros = bytes(1 << 16)
        while self._position < position:
            self._advance(zeros[: position - self._position])


class Null(_Macked):
    """No encryption, but a MAC (RFC 5246, section 6.2.3.1)."""

    __slots__ = ("_mac",)

    def __init__(self, mac: Mac) -> None:
        self._mac = mac
        self.expansion = mac.size

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        size = len(fragment) - self._mac.size
        if size < 0:
            return None
        for count in missing:
            if self._mac.matches(fragment[size:], sequence + count, header, fragment[:size]):
                return count, fragment[:size]
        return None


class Inflating(Opener):
    """Records compressed with DEFLATE before they were protected (RFC 3749)."""

    __slots__ = ("_inflate", "_opener")

    MAX_CONTENT: Final = 1 << 14

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._inflate = zlib.decompressobj()
        self.expansion = None

    def open(self, sequence: int, header: bytes, fragment: bytes) -> bytes | None:
        content = self._opener.open(sequence, header, fragment)
        return None if content is None else self._expand(content)

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        found = self._opener.find(sequence, missing, lost, header, fragment)
        content = found and self._expand(found[1])
        return None if found is None or content is None else (found[0], content)

    def _expand(self, content: bytes) -> bytes | None:
        try:
            return self._inflate.decompress(content, self.MAX_CONTENT)
        except zlib.error:
            return None

    def skip(self, ciphertext: bytes) -> None:
        self._opener.skip(ciphertext)


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
