"""Packet protection, taken off (RFC 9001, sections 5 and 6; RFC 9369, section 3.3).

A secret gives three keys: one for the AEAD, its IV, and one for header protection. The cipher objects are made once a
secret and used for every packet: on the way of each packet lie one block of AES-ECB (or ChaCha20) and one AEAD call.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from msgspec import Struct

from pcapng_utils.quic.versions import Version
from pcapng_utils.tls.schedule import hkdf_expand_label, hkdf_extract

HeaderMask = Callable[[bytes], bytes]
"""From a sample of 16 bytes of ciphertext to a mask of at least 5 bytes (RFC 9001, section 5.4.1)."""
Aead = AESGCM | AESCCM | ChaCha20Poly1305

_IV_SIZE: Final = 12
_FIVE_ZEROS: Final = bytes(5)


def aes_mask(key: bytes) -> HeaderMask:
    """RFC 9001, section 5.4.3."""
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305 (it is what the RFC says)


def chacha20_mask(key: bytes) -> HeaderMask:
    """RFC 9001, section 5.4.4: the sample is the block counter and the nonce."""
    context = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor()

    def mask(sample: bytes) -> bytes:
        context.reset_nonce(sample)
        return context.update(_FIVE_ZEROS)

    return mask


class Suite(Struct, frozen=True):
    """A TLS 1.3 cipher suite, as QUIC uses it."""

    key_size: int
    hash: str
    """Name for `hashlib`."""
    secret_size: int
    aead: Callable[[bytes], Aead]
    mask: Callable[[bytes], HeaderMask]


AES_128_GCM: Final = Suite(16, "sha256", 32, AESGCM, aes_mask)
AES_256_GCM: Final = Suite(32, "sha384", 48, AESGCM, aes_mask)
CHACHA20_POLY1305: Final = Suite(32, "sha256", 32, ChaCha20Poly1305, chacha20_mask)
AES_128_CCM: Final = Suite(16, "sha256", 32, AESCCM, aes_mask)

SUITES: Final[dict[int, Suite]] = {
    0x1301: AES_128_GCM,
    0x1302: AES_256_GCM,
    0x1303: CHACHA20_POLY1305,
    0x1304: AES_128_CCM,
}
"""By the number of the TLS cipher suite."""


class PacketProtection:
    """The keys of one secret."""

    __slots__ = ("_decrypt", "_iv", "_secret", "_suite", "_version", "mask")

    def __init__(self, secret: bytes, suite: Suite, version: Version, mask: HeaderMask | None = None) -> None:
        """`mask`: header protection that stays as it was, in a key update."""
        self._secret = secret
        self._suite = suite
        self._version = version
        self._iv = int.from_bytes(self._expand(b"iv", _IV_SIZE), "big")
        self._decrypt = suite.aead(self._expand(b"key", suite.key_size)).decrypt
        self.mask = mask or suite.mask(self._expand(b"hp", suite.key_size))

    def _expand(self, label: bytes, size: int) -> bytes:
        return hkdf_expand_label(self._secret, self._version.label + label, b"", size, self._suite.hash)

    def updated(self) -> PacketProtection:
        """The keys after the next key update (RFC 9001, section 6.1)."""
        secret = self._expand(b"ku", self._suite.secret_size)
        return PacketProtection(secret, self._suite, self._version, self.mask)

    def open(self, packet_number: int, header: bytes, ciphertext: bytes) -> bytes | None:
        """The payload; None if the keys do not fit. `header` is the header with its protection taken off."""
        try:
            return self._decrypt((self._iv ^ packet_number).to_bytes(12, "big"), ciphertext, header)
        except InvalidTag:
            return None


def initial_protection(version: Version, connection_id: bytes) -> tuple[PacketProtection, PacketProtection]:
    """Client's and server's keys for Initial packets (RFC 9001, section 5.2).

    `connection_id`: the Destination Connection ID of the client's first Initial packet.
    """
    secret = hkdf_extract(version.salt, connection_id, "sha256")
    client, server = (hkdf_expand_label(secret, label, b"", 32, "sha256") for label in (b"client in", b"server in"))
    return PacketProtection(client, AES_128_GCM, version), PacketProtection(server, AES_128_GCM, version)


def retry_tag_fits(version: Version, connection_id: bytes, packet: bytes) -> bool:
    """Whether a Retry packet answers a client that chose this Destination Connection ID (RFC 9001, section 5.8).

    True as well for versions whose Retry packets bear no tag.
    """
    if not version.retry_key:
        return True
    pseudo_packet = bytes((len(connection_id),)) + connection_id + packet[:-16]
    tag = AESGCM(version.retry_key).encrypt(version.retry_nonce, b"", pseudo_packet)
    return hmac.compare_digest(tag, packet[-16:])
