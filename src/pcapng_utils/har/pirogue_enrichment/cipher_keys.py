"""The key of a cipher call, found by trial: the log names keys and calls apart, and nothing links the two.

A key is named only when it turns the encrypted side of the call into its clear side.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers import algorithms as decrepit
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, algorithms, modes

from pcapng_utils.har.pirogue_enrichment.cipher_log import CipherCall
from pcapng_utils.layers import CLIENT, SERVER

_GCM_TAG: Final = 16
_MIN_OVERLAP: Final = 4
"""Bytes of clear text, at least, that say a key is right."""
_LEAST_WORK: Final = 4096
"""Bytes that a trial counts as, at least."""

Decrypt = Callable[[bytes, bytes, bytes], bytes]
"""Key, IV and cipher text to clear text, padding included. Raises ValueError for a key or IV that cannot be."""

_BLOCK_CIPHERS: Final[dict[str, Callable[[bytes], CipherAlgorithm]]] = {
    "AES": algorithms.AES,
    "DESEDE": decrepit.TripleDES,
    "TRIPLEDES": decrepit.TripleDES,
    "DES": lambda key: decrepit.TripleDES(key * 3),
    "BLOWFISH": decrepit.Blowfish,
    "CAMELLIA": decrepit.Camellia if hasattr(decrepit, "Camellia") else algorithms.Camellia,
    "SM4": algorithms.SM4,
}


class KeyFinder:
    """Tries the keys of a log on its calls, the likely ones first: most calls use the key of the call before, or one
    that was made just before. If that is none of them all keys are tried, as long as not too much was spent so."""

    WORK: Final = 1 << 31
    """Bytes decrypted for nothing, in all calls (each trial counts 4,096 at least: some 10 s), before it is only the
    nearest keys that are tried."""
    NEAREST: Final = 16
    """Different keys that are always tried."""

    def __init__(self, keys: Sequence[bytes], made: Sequence[int], made_at: Sequence[int]) -> None:
        """`made`: which key was made, each time that one was; `made_at`: by which record of the log, ascending."""
        self._keys = keys
        self._made = made
        self._made_at = made_at
        self._left = self.WORK
        self._last: int | None = None
        """The key found last."""

    def find(self, call: CipherCall) -> bytes:
        """A key that decrypts the call; empty if none does, or if the algorithm is not known here."""
        decrypt = _decryption(call.algorithm)
        if decrypt is None:
            return b""
        size = max(len(call.input), _LEAST_WORK) + max(len(call.output), _LEAST_WORK)
        for number, key in enumerate(self._by_likelihood(call.index)):
            if number >= self.NEAREST and self._left < size:
                break
            if _decrypts(decrypt, self._keys[key], call):
                self._last = key
                return self._keys[key]
            self._left -= size
        return b""

    def _by_likelihood(self, index: int) -> Iterator[int]:
        """Each key once: the last that was found, those made before the record, the latest first, those made later."""
        behind = bisect_left(self._made_at, index)
        tried = set()
        if self._last is not None:
            tried.add(self._last)
            yield self._last
        for at in chain(range(behind - 1, -1, -1), range(behind, len(self._made))):
            key = self._made[at]
            if key not in tried:
                tried.add(key)
                yield key


def _decrypts(decrypt: Decrypt, key: bytes, call: CipherCall) -> bool:
    return any(
        _opens(decrypt, key, call.iv, call.encrypted(direction), call.clear(direction))
        for direction in (CLIENT, SERVER)
    )


def _opens(decrypt: Decrypt, key: bytes, iv: bytes, encrypted: bytes, clear: bytes) -> bool:
    try:
        found = decrypt(key, iv, encrypted)
    except (ValueError, UnsupportedAlgorithm, OverflowError):
        return False
    # The side of a call that was handed over is logged whole, even where the call used a part of it; the other side
    # may be the last piece of several. Padding stands behind the clear text.
    if len(clear) < _MIN_OVERLAP:
        return found.startswith(clear) and bool(clear)
    return found.startswith(clear) or clear in found or (len(found) >= _MIN_OVERLAP and _unpadded(found) in clear)


def _unpadded(text: bytes) -> bytes:
    length = text[-1]
    if 0 < length <= 16 and text.endswith(bytes([length]) * length) and len(text) > length:
        return text[:-length]
    return text


def _decryption(transformation: str) -> Decrypt | None:
    """Of a Java transformation, "algorithm/mode/padding"; a bare "AES" is "AES/ECB/PKCS5Padding"."""
    name, mode, *_ = [*transformation.upper().split("/"), "ECB"]
    if name in {"RC4", "ARCFOUR", "ARC4"}:
        return _rc4
    if name in {"CHACHA20", "CHACHA20-POLY1305"}:
        return partial(_chacha20, counter=1 if name.endswith("POLY1305") else 0)
    cipher, decrypt = _BLOCK_CIPHERS.get(name), _MODES.get(mode)
    return partial(decrypt, cipher) if cipher and decrypt else None


BlockCipher = Callable[[bytes], CipherAlgorithm]


def _run(
    algorithm: CipherAlgorithm, mode: modes.ECB | modes.ModeWithInitializationVector | modes.CTR | None, text: bytes
) -> bytes:
    return Cipher(algorithm, mode).decryptor().update(text)


def _ecb(cipher: BlockCipher, key: bytes, iv: bytes, text: bytes) -> bytes:
    return _run(cipher(key), modes.ECB(), text)  # noqa: S305 - it is the app's choice, not ours


def _cbc(cipher: BlockCipher, key: bytes, iv: bytes, text: bytes) -> bytes:
    return _run(cipher(key), modes.CBC(iv), text)


def _ctr(cipher: BlockCipher, key: bytes, iv: bytes, text: bytes) -> bytes:
    return _run(cipher(key), modes.CTR(iv), text)


def _gcm(cipher: BlockCipher, key: bytes, iv: bytes, text: bytes) -> bytes:
    """Without the tag's check: additional data is not logged. The counter begins at 2 (NIST SP 800-38D, 7.1)."""
    if len(iv) != 12 or len(text) <= _GCM_TAG:
        raise ValueError("no IV of 12 bytes, or no room for a tag")
    return _run(cipher(key), modes.CTR(iv + b"\x00\x00\x00\x02"), text[:-_GCM_TAG])


def _cfb(cipher: BlockCipher, key: bytes, iv: bytes, text: bytes) -> bytes:
    return _run(cipher(key), modes.CFB(iv), text)


def _ofb(cipher: BlockCipher, key: bytes, iv: bytes, text: bytes) -> bytes:
    return _run(cipher(key), modes.OFB(iv), text)


def _rc4(key: bytes, iv: bytes, text: bytes) -> bytes:
    return _run(decrepit.ARC4(key), None, text)


def _chacha20(key: bytes, iv: bytes, text: bytes, *, counter: int) -> bytes:
    if len(iv) != 12:
        raise ValueError("no nonce of 12 bytes")
    return _run(algorithms.ChaCha20(key, counter.to_bytes(4, "little") + iv), None, text)


_MODES: Final[dict[str, Callable[[BlockCipher, bytes, bytes, bytes], bytes]]] = {
    "ECB": _ecb,
    "CBC": _cbc,
    "CTR": _ctr,
    "GCM": _gcm,
    "CFB": _cfb,
    "OFB": _ofb,
}
