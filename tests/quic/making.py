"""QUIC packets made by hand: any frames, in any packet, sealed by aioquic's cipher code."""

from __future__ import annotations

from struct import pack
from typing import Final

from aioquic.quic.crypto import INITIAL_CIPHER_SUITE, CryptoContext, CryptoPair
from aioquic.tls import CipherSuite

from pcapng_utils.layers import CLIENT, SERVER

_LONG: Final = 0xC3
_TYPES: Final = {1: (0, 1, 2, 3), 0x6B3343CF: (1, 2, 3, 0)}
INITIAL, ZERO_RTT, HANDSHAKE, ONE_RTT = range(4)
_LABELS: Final = {
    (ZERO_RTT, CLIENT): "CLIENT_EARLY_TRAFFIC_SECRET",
    (HANDSHAKE, CLIENT): "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    (HANDSHAKE, SERVER): "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    (ONE_RTT, CLIENT): "CLIENT_TRAFFIC_SECRET_0",
    (ONE_RTT, SERVER): "SERVER_TRAFFIC_SECRET_0",
}


def varint(value: int) -> bytes:
    """The shortest form of RFC 9000, section 16."""
    for prefix, size in ((0, 1), (1, 2), (2, 4), (3, 8)):
        if value < 1 << 8 * size - 2:
            return (value | prefix << 8 * size - 2).to_bytes(size, "big")
    raise ValueError(value)


def stream(stream_id: int, offset: int, data: bytes, fin: bool = False) -> bytes:
    return bytes((0x0E | fin,)) + varint(stream_id) + varint(offset) + varint(len(data)) + data


def crypto(offset: int, data: bytes) -> bytes:
    return b"\x06" + varint(offset) + varint(len(data)) + data


def ack(*ranges: tuple[int, int]) -> bytes:
    """An ACK frame of (first, last) packet numbers, highest range first."""
    first, last = ranges[0]
    frame = b"\x02" + varint(last) + varint(0) + varint(len(ranges) - 1) + varint(last - first)
    for low, high in ranges[1:]:
        frame += varint(first - high - 2) + varint(high - low)
        first = low
    return frame


def extension(kind: int, data: bytes) -> bytes:
    return pack(">HH", kind, len(data)) + data


def client_hello(random: bytes, server_name: str = "made.example", alpn: str = "h3", extra: bytes = b"") -> bytes:
    name = server_name.encode()
    extensions = extension(43, b"\x02\x03\x04") + extra
    extensions += extension(16, pack(">HB", len(alpn) + 1, len(alpn)) + alpn.encode())
    extensions += extension(0, pack(">HBH", len(name) + 3, 0, len(name)) + name)
    body = b"\x03\x03" + random + b"\x00" + b"\x00\x06\x13\x01\x13\x02\x13\x03" + b"\x01\x00"
    return _message(1, body + pack(">H", len(extensions)) + extensions)


def server_hello(suite: CipherSuite) -> bytes:
    extensions = extension(43, b"\x03\x04")
    return _message(2, b"\x03\x03" + bytes(32) + b"\x00" + pack(">HBH", suite, 0, len(extensions)) + extensions)


def encrypted_extensions(alpn: str = "h3", extra: bytes = b"") -> bytes:
    extensions = extension(16, pack(">HB", len(alpn) + 1, len(alpn)) + alpn.encode()) + extra
    return _message(8, pack(">H", len(extensions)) + extensions)


def _message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


class Talk:
    """One connection. Packet numbers count by themselves unless given."""

    def __init__(
        self,
        suite: CipherSuite = CipherSuite.AES_128_GCM_SHA256,
        version: int = 1,
        client_id: bytes = b"",
        server_id: bytes = b"server-1",
        original_id: bytes = b"original",
        random: bytes = bytes(range(32)),
    ) -> None:
        self.suite, self.version, self.random = suite, version, random
        self.ids = (server_id, client_id)
        """Destination Connection IDs by direction."""
        self.original_id = original_id
        self._numbers: dict[tuple[int, int], int] = {}
        self._initial = []
        for is_client in (True, False):
            pair = CryptoPair()
            pair.setup_initial(cid=original_id, is_client=is_client, version=version)
            self._initial.append(pair.send)
        self._secrets = {
            place: bytes((number + 1,)) * (48 if suite is CipherSuite.AES_256_GCM_SHA384 else 32)
            for number, place in enumerate(_LABELS)
        }
        self._contexts: dict[tuple[int, int], CryptoContext] = {}
        for place, secret in self._secrets.items():
            context = CryptoContext()
            context.setup(cipher_suite=suite, secret=secret, version=version)
            self._contexts[place] = context

    def keylog(self) -> bytes:
        lines = (f"{_LABELS[place]} {self.random.hex()} {secret.hex()}" for place, secret in self._secrets.items())
        return "\n".join(lines).encode()

    def long(
        self, level: int, direction: int, frames: bytes, number: int | None = None, destination: bytes | None = None
    ) -> bytes:
        """An Initial, 0-RTT or Handshake packet."""
        number = self._number(0 if level == INITIAL else level | 1, direction, number)
        if destination is None:
            destination = self.ids[direction]
            if direction == CLIENT and level <= ZERO_RTT:
                destination = self.original_id
        source = self.ids[1 - direction]
        first = _LONG | _TYPES.get(self.version, _TYPES[1])[level] << 4
        header = bytes((first,)) + pack(">I", self.version)
        header += bytes((len(destination),)) + destination + bytes((len(source),)) + source
        if level == INITIAL:
            header += b"\x00"
        header += pack(">H", 0x4000 | 4 + len(frames) + 16) + pack(">I", number & 0xFFFFFFFF)
        context = self._initial[direction] if level == INITIAL else self._contexts[level, direction]
        return context.encrypt_packet(header, frames, number)

    def short(self, direction: int, frames: bytes, number: int | None = None) -> bytes:
        """A 1-RTT packet."""
        number = self._number(ONE_RTT, direction, number)
        header = b"\x43" + self.ids[direction] + pack(">I", number & 0xFFFFFFFF)
        return self._contexts[ONE_RTT, direction].encrypt_packet(header, frames, number)

    def opening(self) -> list[tuple[int, bytes]]:
        """The datagrams with both hellos, and the server's EncryptedExtensions."""
        hello = crypto(0, client_hello(self.random)).ljust(1100, b"\x00")
        answer = self.long(INITIAL, SERVER, crypto(0, server_hello(self.suite)))
        rest = self.long(HANDSHAKE, SERVER, crypto(0, encrypted_extensions()))
        return [(CLIENT, self.long(INITIAL, CLIENT, hello)), (SERVER, answer + rest)]

    def _number(self, space: int, direction: int, number: int | None) -> int:
        if number is None:
            number = self._numbers.get((space, direction), 0)
        self._numbers[space, direction] = number + 1
        return number


__all__ = ["INITIAL_CIPHER_SUITE", "Talk", "ack", "client_hello", "crypto", "encrypted_extensions", "stream", "varint"]
