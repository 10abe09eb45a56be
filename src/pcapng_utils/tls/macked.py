"""Opening records that carry a MAC: block ciphers, stream ciphers, none at all; compression.

A CBC opener decrypts with one context that lives as long as the keys do. Chaining gives TLS 1.0 its IVs that way, and
the explicit IV of later versions is one more ciphertext block: it decrypts to noise, which is dropped.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pcapng_utils.tls.opener import Opener
from pcapng_utils.tls.records import HEADER_SIZE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext


class Mac:
    """The MAC of a record: HMAC (RFC 5246, section 6.2.3.1), its keyed beginnings hashed once."""

    __slots__ = ("_inner", "_outer", "size")

    def __init__(self, key: bytes, digest: str) -> None:
        block = 128 if digest == "sha384" else 64
        inner = bytes(byte ^ 0x36 for byte in key.ljust(block, b"\0"))
        outer = bytes(byte ^ 0x5C for byte in key.ljust(block, b"\0"))
        self._begin(inner, outer, digest)

    def _begin(self, inner: bytes, outer: bytes, digest: str) -> None:
        self._inner = hashlib.new(digest, inner, usedforsecurity=False)
        self._outer = hashlib.new(digest, outer, usedforsecurity=False)
        self.size = self._inner.digest_size

    def _prefix(self, sequence: int, header: bytes, size: int) -> bytes:
        return sequence.to_bytes(8, "big") + header[:3] + size.to_bytes(2, "big")

    def matches(self, tag: bytes, sequence: int, header: bytes, content: bytes) -> bool:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(self._prefix(sequence, header, len(content)))
        inner.update(content)
        outer.update(inner.digest())
        return tag == outer.digest()


class Ssl3Mac(Mac):
    """What HMAC was made of (RFC 6101, section 5.2.3.1): pads of another size, no version."""

    __slots__ = ()

    def __init__(self, key: bytes, digest: str) -> None:
        size = 48 if digest == "md5" else 40
        self._begin(key + b"\x36" * size, key + b"\x5c" * size, digest)

    def _prefix(self, sequence: int, header: bytes, size: int) -> bytes:
        return sequence.to_bytes(8, "big") + header[:1] + size.to_bytes(2, "big")


class _Macked(Opener):
    """Opening one record is finding it where none was lost."""

    __slots__ = ()

    def open(self, sequence: int, header: bytes, fragment: bytes) -> bytes | None:
        found = self.find(sequence, _NONE_MISSING, 0, header, fragment)
        return found and found[1]


_NONE_MISSING: Final = range(1)


class Cbc(_Macked):
    """Block ciphers in CBC mode, MAC then encrypt (RFC 5246, section 6.2.3.2)."""

    __slots__ = ("_block", "_chained", "_context", "_mac", "_noise")

    def __init__(self, context: CipherContext, block: int, mac: Mac, explicit_iv: bool) -> None:
        self._context = context
        self._block = block
        self._mac = mac
        self._noise = block if explicit_iv else 0
        self._chained = True  # the context stands where the next record's IV is
        self.expansion = None

    def _decrypt(self, ciphertext: bytes) -> bytes | None:
        """What stands before the padding, which is taken on trust; None if the IV is not at hand."""
        chained = self._noise or self._chained
        self._chained = len(ciphertext) % self._block == 0
        if not ciphertext or not self._chained:
            return None
        plain = self._context.update(ciphertext)
        return plain[self._noise : -plain[-1] - 1] if chained else None

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        plain = self._decrypt(fragment)
        if plain is None or len(plain) < self._mac.size:
            return None
        size = len(plain) - self._mac.size
        content, tag = plain[:size], plain[size:]
        for count in missing:
            if self._mac.matches(tag, sequence + count, header, content):
                return count, content
        return None

    def skip(self, ciphertext: bytes) -> None:
        self._chained = len(ciphertext) >= self._block
        if self._chained:
            self._context.update(ciphertext[-self._block :])


class CbcEncryptThenMac(Cbc):
    """Block ciphers in CBC mode, encrypt then MAC (RFC 7366)."""

    __slots__ = ()

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        size = max(0, len(fragment) - self._mac.size)
        ciphertext, tag = fragment[:size], fragment[size:]
        content = self._decrypt(ciphertext)
        if content is None:
            return None
        for count in missing:
            if self._mac.matches(tag, sequence + count, header, ciphertext):
                return count, content
        self._chained = False  # its end may be damaged, and the next MAC would not tell
        return None

    def skip(self, ciphertext: bytes) -> None:
        self._chained = False  # a wrong IV would go unnoticed, so what was found by searching is no IV


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
