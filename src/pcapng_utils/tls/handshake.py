"""Handshake messages, read leniently.

A message comes in as the body behind its four-byte header. Lengths are believed as far as there are bytes: a vector
that runs past the end is cut, what follows it is empty, and nothing raises. Only what facts, keys and fingerprints
need is taken apart; extensions stay bytes until asked for.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from struct import Struct
from typing import Final, NamedTuple

from pcapng_utils.tls import codes

_UINT16_PAIR: Final = Struct(">HH")

RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The ServerHello.random that makes it a HelloRetryRequest (RFC 8446, section 4.1.3)."""

MAX_CERTIFICATE: Final = 1 << 20
"""Bytes that a compressed certificate message may expand to."""


class Extension(NamedTuple):
    type: int
    data: bytes


class Extensions(tuple[Extension, ...]):
    """The extensions of a message, in order."""

    __slots__ = ()

    def find(self, kind: int) -> bytes | None:
        """Data of the first extension of that type, None if there is none."""
        for extension, data in self:
            if extension == kind:
                return data
        return None

    @property
    def alpn(self) -> tuple[str, ...]:
        """The protocol names of application_layer_protocol_negotiation (RFC 7301)."""
        return tuple(map(_text, vectors(vector(self.find(codes.EXT_ALPN) or b"", 0, 2)[0], 1)))


@dataclass(frozen=True)
class ClientHello:
    """RFC 8446, section 4.1.2; the same since SSL 3.0."""

    version: int
    """legacy_version: 0x0303 for TLS 1.2 and later."""
    random: bytes
    session_id: bytes
    ciphers: tuple[int, ...]
    compressions: bytes
    extensions: Extensions

    @property
    def server_name(self) -> str | None:
        """The host name of server_name (RFC 6066, section 3), as sent."""
        entries = vector(self.extensions.find(codes.EXT_SERVER_NAME) or b"", 0, 2)[0]
        offset = 0
        while offset < len(entries):
            name, end = vector(entries, offset + 1, 2)
            if entries[offset] == 0 and name:
                return _text(name)
            offset = end
        return None

    @cached_property
    def versions(self) -> tuple[int, ...]:
        """Versions offered, GREASE left out: those of supported_versions, else the legacy one."""
        offered = self.extensions.find(codes.EXT_SUPPORTED_VERSIONS)
        if offered is None:
            return (self.version,)
        versions = (version for version in uint16s(vector(offered, 0, 1)[0]) if not codes.is_grease(version))
        return tuple(versions) or (self.version,)

    @property
    def best_version(self) -> int:
        """The highest version offered."""
        return max(self.versions, key=codes.settled_version)

    @property
    def ticket(self) -> bytes:
        """The session ticket offered (RFC 5077); empty if none."""
        return self.extensions.find(codes.EXT_SESSION_TICKET) or b""

    @property
    def early_data(self) -> bool:
        return self.extensions.find(codes.EXT_EARLY_DATA) is not None

    @property
    def encrypted_hello(self) -> bool:
        """It has an encrypted_client_hello extension (RFC 9849); GREASE cannot be told from a real one here."""
        return self.extensions.find(codes.EXT_ECH) is not None


@dataclass(frozen=True)
class ServerHello:
    """ServerHello or HelloRetryRequest (RFC 8446, sections 4.1.3 and 4.1.4)."""

    legacy_version: int
    random: bytes
    session_id: bytes
    cipher: int
    compression: int
    extensions: Extensions

    @cached_property
    def version(self) -> int:
        """As negotiated: that of supported_versions, else the legacy one. May be a draft's (0x7f1c)."""
        selected = self.extensions.find(codes.EXT_SUPPORTED_VERSIONS)
        return int.from_bytes(selected[:2], "big") if selected else self.legacy_version

    @property
    def retry(self) -> bool:
        """It is a HelloRetryRequest."""
        return self.random == RETRY_RANDOM


def parse_client_hello(body: bytes) -> ClientHello | None:
    """The ClientHello whose body (without the message header) is given; None if it is cut before its random ends."""
    if len(body) < 34:
        return None
    session_id, offset = vector(body, 34, 1)
    ciphers, offset = vector(body, offset, 2)
    compressions, offset = vector(body, offset, 1)
    extensions = parse_extensions(vector(body, offset, 2)[0])
    return ClientHello(_uint16(body, 0), body[2:34], session_id, uint16s(ciphers), compressions, extensions)


def parse_sslv2_client_hello(message: bytes) -> ClientHello | None:
    """The SSL 2.0 compatible ClientHello (RFC 5246, appendix E.2) that follows the two-byte record header."""
    if len(message) < 9 or message[0] != codes.CLIENT_HELLO:
        return None
    cipher_size, session_size, challenge_size = _uint16(message, 3), _uint16(message, 5), _uint16(message, 7)
    start = 9 + cipher_size
    specs = message[9:start]
    ciphers = tuple(_uint16(specs, i + 1) for i in range(0, len(specs) - 2, 3) if specs[i] == 0)
    challenge = message[start + session_size : start + session_size + challenge_size]
    random = challenge[-32:].rjust(32, b"\0")
    return ClientHello(_uint16(message, 1), random, message[start : start + session_size], ciphers, b"\0", Extensions())


def parse_server_hello(body: bytes) -> ServerHello | None:
    """The ServerHello whose body is given; None if it is cut before its cipher suite."""
    if len(body) < 38:
        return None
    session_id, offset = vector(body, 34, 1)
    if offset + 3 > len(body):
        return None
    extensions = parse_extensions(vector(body, offset + 3, 2)[0])
    return ServerHello(_uint16(body, 0), body[2:34], session_id, _uint16(body, offset), body[offset + 2], extensions)


def parse_encrypted_extensions(body: bytes) -> Extensions:
    """The extensions of an EncryptedExtensions message (RFC 8446, section 4.3.1)."""
    return parse_extensions(vector(body, 0, 2)[0])


def parse_extensions(data: bytes) -> Extensions:
    """The extensions in a block, its own length taken off."""
    found = []
    offset, end = 0, len(data)
    while offset + 4 <= end:
        kind, size = _UINT16_PAIR.unpack_from(data, offset)
        offset += 4
        found.append(Extension(kind, data[offset : offset + size]))
        offset += size
    return Extensions(found)


def parse_certificates(body: bytes, tls13: bool) -> list[bytes]:
    """The DER certificates of a Certificate message, leaf first (RFC 5246, section 7.4.2; RFC 8446, section 4.4.2)."""
    offset = vector(body, 0, 1)[1] if tls13 else 0
    entries = vector(body, offset, 3)[0]
    found = []
    offset = 0
    while offset < len(entries):
        certificate, offset = vector(entries, offset, 3)
        if tls13:
            offset = vector(entries, offset, 2)[1]
        if certificate:
            found.append(certificate)
    return found


def decompress_certificate(body: bytes) -> bytes:
    """The body of the Certificate message in a CompressedCertificate (RFC 8879); empty if it cannot be undone."""
    algorithm, size = _uint16(body, 0), int.from_bytes(body[2:5], "big")
    if size > MAX_CERTIFICATE or algorithm not in _DECOMPRESS:
        return b""
    return _DECOMPRESS[algorithm](vector(body, 5, 3)[0], size)


def _inflate(data: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, size)
    except zlib.error:
        return b""


def _brotli(data: bytes, size: int) -> bytes:
    import brotli  # type: ignore[import-untyped]

    decoder = brotli.Decompressor()
    clear = b""
    try:
        while len(clear) < size:
            piece = decoder.process(data, output_buffer_limit=size)
            data = b""
            if not piece:
                break
            clear += piece
    except brotli.error:
        return b""
    return clear[:size]


def _zstandard(data: bytes, size: int) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(data).read(size)
    except zstandard.ZstdError:
        return b""


_DECOMPRESS: Final = {1: _inflate, 2: _brotli, 3: _zstandard}


def parse_session_ticket(body: bytes) -> bytes:
    """The ticket of a NewSessionTicket of TLS 1.2 or before (RFC 5077, section 3.3)."""
    return vector(body, 4, 2)[0]


class MessageReader:
    """Joins handshake messages that records (or QUIC's CRYPTO frames) cut; one for each direction and key epoch."""

    __slots__ = ("_buffer", "_skip", "limit", "oversized")

    def __init__(self, limit: int = 1 << 20) -> None:
        self.limit = limit
        """Bytes of the longest message that is kept; a longer one is passed over."""
        self.oversized = 0
        """Messages passed over."""
        self._buffer = bytearray()
        self._skip = 0

    def __bool__(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer) or self._skip > 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The messages that `data` completes: type and body."""
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        buffer = self._buffer
        buffer += data
        messages = []
        offset, end = 0, len(buffer)
        while offset + 4 <= end:
            size = int.from_bytes(buffer[offset + 1 : offset + 4], "big")
            if size > self.limit:
                self.oversized += 1
                self._skip = max(0, offset + 4 + size - end)
                offset = min(end, offset + 4 + size)
                continue
            if offset + 4 + size > end:
                break
            messages.append((buffer[offset], bytes(buffer[offset + 4 : offset + 4 + size])))
            offset += 4 + size
        del buffer[:offset]
        return messages

    def reset(self) -> None:
        """Forget a message that has begun: bytes were lost, or the keys changed."""
        self._buffer.clear()
        self._skip = 0


def vector(data: bytes, offset: int, width: int) -> tuple[bytes, int]:
    """The variable-length vector (RFC 8446, section 3.4) whose length takes `width` bytes at `offset`, and where it
    ends by that length, which may be past the data's end."""
    start = offset + width
    end = start + int.from_bytes(data[offset:start], "big")
    return data[start:end], end


def vectors(data: bytes, width: int) -> list[bytes]:
    """The vectors that fill `data`; the last may be cut."""
    found = []
    offset = 0
    while offset < len(data):
        item, offset = vector(data, offset, width)
        found.append(item)
    return found


def uint16s(data: bytes) -> tuple[int, ...]:
    """The two-byte numbers that fill `data`; an odd byte at the end is left out."""
    count = len(data) // 2
    return Struct(f">{count}H").unpack_from(data)


def _uint16(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "big")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
