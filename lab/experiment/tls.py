"""TLS between a client and its own socket calls: the library encrypts in memory, and every call is the client's.

OpenSSL on a real socket makes its system calls unseen. Here it works on memory (`ssl.MemoryBIO`), a record at a time,
so it is known which record holds which clear bytes and which call moved which record.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from typing import Final

from lab.experiment.operations import StreamMap
from lab.experiment.taps import Http1Connection, Http2Connection

RECORD_HEADER: Final = 5
MAX_PLAINTEXT: Final = 16384
_READ_SIZE: Final = 65536


class Tls:
    """One TLS connection without its socket. Threads may share it."""

    def __init__(self, context: ssl.SSLContext, host: str, out: StreamMap, into: StreamMap) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._out = out
        self._into = into
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self._read_place = into.moved
        self._write_place = out.moved
        self.taps: Http1Connection | Http2Connection | None = None

    def handshake(self) -> tuple[bytes, bool]:
        """Bytes to send now, and whether the handshake is over; else feed what the server sends, and call it again."""
        done = True
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            done = False
        if done:
            http2 = self.object.selected_alpn_protocol() == "h2"
            self.taps = Http2Connection() if http2 else Http1Connection()
        flight = self._outgoing.read()
        self._write_place += len(flight)
        return flight, done

    def wanted(self) -> int:
        """Bytes that complete the record begun, or its header: what OpenSSL without read-ahead would ask for."""
        if len(self._buffer) < RECORD_HEADER:
            return RECORD_HEADER - len(self._buffer)
        return RECORD_HEADER + int.from_bytes(self._buffer[3:5]) - len(self._buffer)

    def feed(self, data: bytes) -> bytes:
        """Bytes from the server; returns the clear bytes of the records that they complete."""
        clear = bytearray()
        buffer = self._buffer
        buffer += data
        while len(buffer) >= RECORD_HEADER:
            size = RECORD_HEADER + int.from_bytes(buffer[3:5])
            if len(buffer) < size:
                break
            record = self._open(bytes(buffer[:size]))
            if record and self.taps is not None:
                self._into.add(self._read_place, self._read_place + size, self.taps.into.feed(record))
            clear += record
            self._read_place += size
            del buffer[:size]
        return bytes(clear)

    def _open(self, record: bytes) -> bytes:
        with self._lock:
            self._incoming.write(record)
            if self.taps is None:
                return b""
            parts: list[bytes] = []
            try:
                while part := self.object.read(_READ_SIZE):
                    parts.append(part)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                pass
            return b"".join(parts)

    def seal(self, clear: bytes) -> bytes:
        """The records that carry `clear`, which is MAX_PLAINTEXT long at most. Calls must be in the order of
        sending."""
        with self._lock:
            self.object.write(clear)
            records = self._outgoing.read()
        if self.taps is not None:
            self._out.add(self._write_place, self._write_place + len(records), self.taps.out.feed(clear))
        self._write_place += len(records)
        return records

    def close_notify(self) -> bytes:
        with self._lock:
            with contextlib.suppress(ssl.SSLError):  # the server's own close_notify is not awaited
                self.object.unwrap()
            return self._outgoing.read()
