"""httpcore's network, with every socket call noted: blocking for threads, non-blocking for one thread of asyncio."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpcore

from lab.experiment.operations import FAILED, OperationLog, StreamMap
from lab.experiment.taps import Http1Connection
from lab.experiment.tls import MAX_PLAINTEXT, Tls

_READ_SIZE: Final = 65536

Resolve = Callable[[str], str]
"""From a host's name to its address."""


@dataclass(frozen=True, slots=True)
class CallStyle:
    """How the client's library uses its sockets."""

    clear_write: str = "sendto"
    clear_read: str = "recvfrom"
    tls_write: str = "write"
    tls_read: str = "read"
    header_first: bool = False
    """A TLS record is read in two calls, its header first, as OpenSSL does without read-ahead."""
    joined: bool = False
    """All records of one write leave in one call, not each in its own."""


class _Stream:
    """What the blocking and the non-blocking stream share: the socket, its maps, the TLS state."""

    def __init__(self, sock: socket.socket, log: OperationLog, style: CallStyle) -> None:
        self._sock = sock
        self._log = log
        self._style = style
        local, remote = sock.getsockname()[:2], sock.getpeername()[:2]
        self.out = StreamMap(log, "out", sock.fileno(), local, remote)
        self.into = StreamMap(log, "in", sock.fileno(), local, remote)
        self.taps = Http1Connection()
        self.tls: Tls | None = None
        self._write_name, self._read_name = style.clear_write, style.clear_read
        self._clear = b""
        self._ended = False

    def begin_tls(self, context: ssl.SSLContext, host: str) -> Tls:
        self.tls = Tls(context, host, self.out, self.into)
        self._write_name, self._read_name = self._style.tls_write, self._style.tls_read
        return self.tls

    def about(self, info: str) -> Any:
        if info == "ssl_object":
            return self.tls.object if self.tls else None
        if info == "is_readable":
            return bool(select.select([self._sock], [], [], 0)[0])
        if info == "server_addr":
            return self.out.remote
        return None

    def _read_size(self) -> int:
        return self.tls.wanted() if self.tls and self._style.header_first else _READ_SIZE

    def _pieces(self, data: bytes) -> list[bytes]:
        """What each call shall send: sealed and labelled, in order."""
        if self.tls is None:
            place = self.out.moved
            self.out.add(place, place + len(data), self.taps.out.feed(data))
            return [data]
        sealed = [self.tls.seal(data[at : at + MAX_PLAINTEXT]) for at in range(0, len(data), MAX_PLAINTEXT)]
        return [b"".join(sealed)] if self._style.joined else sealed

    def _received(self, data: bytes) -> bytes:
        """Clear bytes, out of what a call returned."""
        if not data:
            self._ended = True
            return b""
        if self.tls is not None:
            return self.tls.feed(data)
        self.into.add(self.into.moved - len(data), self.into.moved, self.taps.into.feed(data))
        return data

    def _take(self, max_bytes: int) -> bytes:
        taken, self._clear = self._clear[:max_bytes], self._clear[max_bytes:]
        return taken

    def settle(self) -> None:
        self.out.settle()
        self.into.settle()


class ThreadStream(_Stream, httpcore.NetworkStream):
    """Blocking calls; threads may read and write at once."""

    def __init__(self, sock: socket.socket, log: OperationLog, style: CallStyle) -> None:
        super().__init__(sock, log, style)
        self._write_lock = threading.Lock()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with self._write_lock:
            for piece in self._pieces(buffer):
                self._send_all(piece)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while not self._clear and not self._ended:
            self._clear = self._received(self._receive())
        return self._take(max_bytes)

    def _send_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            call = self.out.enter(self._write_name)
            size = self._sock.send(view)
            self.out.leave(call, size)
            view = view[size:]

    def _receive(self) -> bytes:
        size = self._read_size()
        call = self.into.enter(self._read_name)
        data = self._sock.recv(size)
        self.into.leave(call, len(data))
        return data

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        tls = self.begin_tls(ssl_context, server_hostname or self.out.remote[0])
        done = False
        while not done:
            flight, done = tls.handshake()
            self._send_all(flight)
            if not done:
                self._clear += tls.feed(self._receive())
        return self

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        if self.tls is not None and not self._ended:
            self._send_all(self.tls.close_notify())
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        return self.about(info)


class LoopStream(_Stream, httpcore.AsyncNetworkStream):
    """Non-blocking calls from one thread. Each call is tried first: where nothing can be moved, it is a failed call."""

    def __init__(self, sock: socket.socket, log: OperationLog, style: CallStyle) -> None:
        super().__init__(sock, log, style)
        self._queue: asyncio.Queue[tuple[list[bytes], asyncio.Future[None]]] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write_queued())

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sealed at once, sent by the connection's one writer, whose stack tells no request apart."""
        await self._send(self._pieces(buffer))

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while not self._clear and not self._ended:
            self._clear = self._received(await asyncio.create_task(self._receive()))
        return self._take(max_bytes)

    async def _send(self, pieces: list[bytes]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((pieces, done))
        await done

    async def _write_queued(self) -> None:
        while True:
            pieces, done = await self._queue.get()
            for piece in pieces:
                await self._send_all(piece)
            if not done.done():
                done.set_result(None)

    async def _send_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            call = self.out.enter(self._write_name)
            try:
                size = self._sock.send(view)
            except BlockingIOError:
                self.out.leave(call, FAILED)
                loop = asyncio.get_running_loop()
                await _ready(self._sock, loop.add_writer, loop.remove_writer)
            else:
                self.out.leave(call, size)
                view = view[size:]

    async def _receive(self) -> bytes:
        size = self._read_size()
        while True:
            call = self.into.enter(self._read_name)
            try:
                data = self._sock.recv(size)
            except BlockingIOError:
                self.into.leave(call, FAILED)
                loop = asyncio.get_running_loop()
                await _ready(self._sock, loop.add_reader, loop.remove_reader)
            else:
                self.into.leave(call, len(data))
                return data

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        tls = self.begin_tls(ssl_context, server_hostname or self.out.remote[0])
        done = False
        while not done:
            flight, done = tls.handshake()
            await self._send([flight])
            if not done:
                self._clear += tls.feed(await asyncio.create_task(self._receive()))
        return self

    async def aclose(self) -> None:
        if self._sock.fileno() < 0:
            return
        if self.tls is not None and not self._ended:
            await self._send([self.tls.close_notify()])
        self._writer.cancel()
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        return self.about(info)


async def _ready(sock: socket.socket, watch: Callable[..., None], unwatch: Callable[[socket.socket], bool]) -> None:
    ready = asyncio.Event()
    watch(sock, ready.set)
    try:
        await ready.wait()
    finally:
        unwatch(sock)


class ThreadBackend(httpcore.NetworkBackend):
    def __init__(self, log: OperationLog, resolve: Resolve, style: CallStyle) -> None:
        self.streams: list[ThreadStream] = []
        self._log, self._resolve, self._style = log, resolve, style

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> ThreadStream:
        sock = socket.create_connection((self._resolve(host), port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = ThreadStream(sock, self._log, self._style)
        self.streams.append(stream)
        return stream


class LoopBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, log: OperationLog, resolve: Resolve, style: CallStyle) -> None:
        self.streams: list[LoopStream] = []
        self._log, self._resolve, self._style = log, resolve, style

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> LoopStream:
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (self._resolve(host), port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = LoopStream(sock, self._log, self._style)
        self.streams.append(stream)
        return stream

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
