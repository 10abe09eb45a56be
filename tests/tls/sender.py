"""A TLS 1.3 sender in a few lines, for records that no library writes."""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.tls import codes
from pcapng_utils.tls.schedule import cipher_suite, next_traffic_secret, traffic_keys
from tests.tls.lab import Flight

_SUITE = cipher_suite(0x1301)
assert _SUITE


class Sender:
    """Both ends of a connection whose handshake is a pair of hellos, under secrets made up."""

    def __init__(self, extensions: bytes = b"") -> None:
        self.random = bytes(range(100, 132))
        self._extensions = extensions
        self._secrets = [b"c" * 32, b"s" * 32]
        self._sequences = [0, 0]
        self.keylog = b"".join(
            f"{name}_TRAFFIC_SECRET_0 {self.random.hex()} {secret.hex()}\n".encode()
            for name, secret in zip(("CLIENT", "SERVER"), self._secrets, strict=True)
        )

    def hellos(self) -> list[Flight]:
        offered = bytes.fromhex("002b 0003 02 0304") + self._extensions
        hello = b"\3\3" + self.random + bytes.fromhex("00 0002 1301 01 00") + struct.pack(">H", len(offered)) + offered
        chosen = bytes.fromhex("002b 0002 0304")
        answer = b"\3\3" + b"S" * 32 + bytes.fromhex("00 1301 00") + struct.pack(">H", len(chosen)) + chosen
        return [(CLIENT, _plain(codes.CLIENT_HELLO, hello)), (SERVER, _plain(codes.SERVER_HELLO, answer))]

    def record(
        self, content: bytes, direction: int = SERVER, kind: int = codes.APPLICATION_DATA, padding: int = 0
    ) -> bytes:
        """The next protected record of a direction."""
        assert _SUITE
        key, iv = traffic_keys(self._secrets[direction], _SUITE)
        inner = content + bytes((kind,)) + bytes(padding)
        header = struct.pack(">BHH", codes.APPLICATION_DATA, codes.TLS12, len(inner) + 16)
        nonce = (int.from_bytes(iv, "big") ^ self._sequences[direction]).to_bytes(12, "big")
        self._sequences[direction] += 1
        return header + AESGCM(key).encrypt(nonce, inner, header)

    def update_keys(self, direction: int = SERVER) -> bytes:
        """A KeyUpdate; later records are under the next keys."""
        record = self.record(bytes.fromhex("18000001 00"), direction, codes.HANDSHAKE)
        self._secrets[direction] = next_traffic_secret(self._secrets[direction], "sha256")
        self._sequences[direction] = 0
        return record


def _plain(kind: int, body: bytes) -> bytes:
    message = bytes((kind,)) + len(body).to_bytes(3, "big") + body
    return struct.pack(">BHH", codes.HANDSHAKE, codes.TLS12, len(message)) + message
