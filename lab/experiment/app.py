"""The app on the phone: it carries out the jobs, with threads or with one thread of asyncio, and writes down the truth.

The stacks of its socket calls read as a phone's would: the HTTP client's own frames, then a frame of the class
`truth.TN` that names request N, then the SDK that asked for it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import httpcore

from lab.cipher import AES_KEY, ALGORITHMS, envelope, opened
from lab.experiment.disguise import as_app
from lab.experiment.operations import OperationLog
from lab.experiment.plan import Job, Load
from lab.experiment.streams import CallStyle, LoopBackend, Resolve, ThreadBackend
from lab.experiment.taps import CURRENT
from lab.experiment.websocket import talk
from lab.truth import Body, Exchange, WebSocketClose, WebSocketMessage

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class CipherCall:
    """A cipher call of the app, or the making of a key (`key` alone)."""

    time: int
    algorithm: str
    iv: bytes = b""
    given: bytes = b""
    result: bytes = b""
    key: bytes = b""


@dataclass(slots=True)
class App:
    load: Load
    context: Callable[[], ssl.SSLContext]
    """Makes the TLS settings of one kind of client; the client sets its ALPN list."""
    resolve: Resolve
    operations: OperationLog = field(default_factory=OperationLog)
    cipher_calls: list[CipherCall] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def style(self) -> CallStyle:
        return CallStyle(header_first=self.load.header_first, joined=self.load.joined)

    def prepare(self, job: Job) -> tuple[Headers, bytes]:
        """Headers and body as they go out."""
        headers, body = list(job.headers), job.body
        if job.cipher:
            algorithm = ALGORITHMS[job.cipher]
            iv = ssl.RAND_bytes(algorithm.iv_size)
            body = envelope(algorithm, AES_KEY, iv, job.body, text=job.text)
            sealed = algorithm.encrypt(AES_KEY, iv, job.body)
            self._note_cipher(algorithm.name, iv, job.body, sealed)
            headers.append(("x-iv", iv.hex()))
        url = urlsplit(job.url)
        out = [("host", url.netloc), *headers]
        if job.method == "POST":
            out.append(("content-length", str(len(body))))
        return [(name.encode(), value.encode()) for name, value in out], body

    def conclude(self, job: Job, sent: Headers, body: bytes, response: httpcore.Response) -> None:
        version = response.extensions["http_version"].decode()
        exchange = self._exchange(job, version, body)
        exchange.request_headers = [(_text(name), _text(value)) for name, value in sent if name != b"host"]
        exchange.status = response.status
        exchange.response_headers = [(_text(name), _text(value)) for name, value in response.headers]
        exchange.response = Body.of(response.content)
        if job.cipher:
            algorithm = ALGORITHMS[job.cipher]
            iv = bytes.fromhex(dict(exchange.response_headers)["x-iv"])
            clear = opened(algorithm, AES_KEY, iv, response.content, text=job.text)
            self._note_cipher(algorithm.name, iv, algorithm.encrypt(AES_KEY, iv, clear), clear)
            exchange.clear_request, exchange.clear_response = Body.of(job.body), Body.of(clear)
        self.exchanges.append(exchange)

    def conclude_websocket(self, job: Job, messages: list[WebSocketMessage], close: WebSocketClose) -> None:
        exchange = self._exchange(job, "HTTP/1.1", b"")
        exchange.request_headers = list(job.headers[:1])
        exchange.status = 101
        exchange.websocket, exchange.websocket_close = messages, close
        self.exchanges.append(exchange)

    def _exchange(self, job: Job, version: str, body: bytes) -> Exchange:
        exchange = Exchange(job.number, version, job.method, job.url, request=Body.of(body), sdk=job.sdk[0])
        exchange.identifiers = job.identifiers
        exchange.server = self.resolve(urlsplit(job.url).hostname or "")
        return exchange

    def _note_cipher(self, name: str, iv: bytes, given: bytes, result: bytes) -> None:
        now = time.time_ns()
        if not self.cipher_calls:
            self.cipher_calls.append(CipherCall(now, "AES", key=AES_KEY))
        self.cipher_calls.append(CipherCall(now, name, iv, given, result))


def run_threads(app: App, todo: list[Job]) -> None:
    """Each worker takes the next job, one at a time, as synchronous clients do."""
    backend = ThreadBackend(app.operations, app.resolve, app.style)
    pools = {
        protocol: httpcore.ConnectionPool(
            ssl_context=app.context(),
            network_backend=backend,
            http2=protocol == "http2",
            max_connections=app.load.connections,
            keepalive_expiry=60,
        )
        for protocol in ("http1", "http2", "cleartext")
    }
    web_sockets = app.context()
    queue: SimpleQueue[Job] = SimpleQueue()
    for job in todo:
        queue.put(job)

    def carry_out(job: Job) -> None:
        if job.protocol == "websocket":
            talk(app, backend.connect_tcp, web_sockets, job)
        else:
            _request(app, pools[job.protocol], job)

    def worker() -> None:
        while True:
            try:
                job = queue.get_nowait()
            except Empty:
                return
            time.sleep(job.rest)
            CURRENT.set(job.number)
            as_app(job, partial(carry_out, job))

    with ThreadPoolExecutor(app.load.workers, thread_name_prefix="worker") as executor:
        workers = [executor.submit(worker) for _ in range(app.load.workers)]
    for pool in pools.values():
        pool.close()
    for done in workers:
        done.result()
    for stream in backend.streams:
        stream.settle()


def _request(app: App, pool: httpcore.ConnectionPool, job: Job) -> None:
    headers, body = app.prepare(job)
    response = pool.request(job.method, job.url, headers=headers, content=body or None)
    app.conclude(job, headers, body, response)


def run_loop(app: App, todo: list[Job]) -> None:
    """All jobs from one thread; as many at once as there are workers."""
    asyncio.run(_run_loop(app, todo))


async def _run_loop(app: App, todo: list[Job]) -> None:
    backend = LoopBackend(app.operations, app.resolve, app.style)
    pools = {
        protocol: httpcore.AsyncConnectionPool(
            ssl_context=app.context(),
            network_backend=backend,
            http2=protocol == "http2",
            max_connections=app.load.connections,
            keepalive_expiry=60,
        )
        for protocol in ("http1", "http2", "cleartext")
    }
    waiting = iter(todo)

    async def worker() -> None:
        for job in waiting:
            await asyncio.sleep(job.rest)
            CURRENT.set(job.number)
            headers, body = app.prepare(job)
            pool = pools[job.protocol]
            response = await pool.request(job.method, job.url, headers=headers, content=body or None)
            app.conclude(job, headers, body, response)

    await asyncio.gather(*(worker() for _ in range(app.load.workers)))
    for pool in pools.values():
        await pool.aclose()
    for stream in backend.streams:
        stream.settle()


def _text(value: bytes) -> str:
    return value.decode("latin-1")
