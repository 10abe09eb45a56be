"""Encryption that an app does itself, inside TLS, in Java's names: what `Cipher.getInstance(...)` would be asked
for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

AES_KEY: Final = hashlib.sha256(b"a key that both ends of the lab know").digest()[:16]

_RSA_KEY_BITS: Final = 2048
_AES_BLOCK_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class Algorithm:
    name: str
    """As Java names it."""
    iv_size: int
    encrypt: Callable[[bytes, bytes, bytes], bytes]
    """(key, iv, clear) -> encrypted."""
    decrypt: Callable[[bytes, bytes, bytes], bytes]


def _block(mode: Callable[[bytes], modes.CBC | modes.ECB]) -> tuple[Callable[..., bytes], Callable[..., bytes]]:
    def encrypt(key: bytes, iv: bytes, clear: bytes) -> bytes:
        padder = padding.PKCS7(_AES_BLOCK_BITS).padder()
        encryptor = Cipher(algorithms.AES(key), mode(iv)).encryptor()
        return encryptor.update(padder.update(clear) + padder.finalize()) + encryptor.finalize()

    def decrypt(key: bytes, iv: bytes, encrypted: bytes) -> bytes:
        unpadder = padding.PKCS7(_AES_BLOCK_BITS).unpadder()
        decryptor = Cipher(algorithms.AES(key), mode(iv)).decryptor()
        return unpadder.update(decryptor.update(encrypted) + decryptor.finalize()) + unpadder.finalize()

    return encrypt, decrypt


def _gcm_encrypt(key: bytes, iv: bytes, clear: bytes) -> bytes:
    return AESGCM(key).encrypt(iv, clear, None)


def _gcm_decrypt(key: bytes, iv: bytes, encrypted: bytes) -> bytes:
    return AESGCM(key).decrypt(iv, encrypted, None)


def make_rsa_key() -> tuple[bytes, bytes]:
    """A key pair, DER: PKCS #8 private, SubjectPublicKeyInfo public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def _rsa_encrypt(key: bytes, iv: bytes, clear: bytes) -> bytes:
    public = serialization.load_der_public_key(key)
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError("not an RSA public key")
    return public.encrypt(clear, rsa_padding.PKCS1v15())


def _rsa_decrypt(key: bytes, iv: bytes, encrypted: bytes) -> bytes:
    private = serialization.load_der_private_key(key, None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError("not an RSA private key")
    return private.decrypt(encrypted, rsa_padding.PKCS1v15())


ALGORITHMS: Final = {
    "cbc": Algorithm("AES/CBC/PKCS5Padding", 16, *_block(modes.CBC)),
    "ecb": Algorithm("AES/ECB/PKCS5Padding", 0, *_block(lambda _: modes.ECB())),  # noqa: S305 - apps do it
    "gcm": Algorithm("AES/GCM/NoPadding", 12, _gcm_encrypt, _gcm_decrypt),
}
"""Symmetric ones, by the name that the lab's URLs use."""

RSA: Final = Algorithm("RSA/ECB/PKCS1Padding", 0, _rsa_encrypt, _rsa_decrypt)


def envelope(algorithm: Algorithm, key: bytes, iv: bytes, clear: bytes, *, text: bool) -> bytes:
    """A body as apps send them: the IV apart, the encrypted bytes raw or in base64."""
    encrypted = algorithm.encrypt(key, iv, clear)
    return base64.b64encode(encrypted) if text else encrypted


def opened(algorithm: Algorithm, key: bytes, iv: bytes, body: bytes, *, text: bool) -> bytes:
    """The inverse of `envelope`."""
    return algorithm.decrypt(key, iv, base64.b64decode(body) if text else body)
