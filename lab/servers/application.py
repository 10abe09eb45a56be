"""The ASGI application of the lab: a few kinds of answers by path, and a log of what was received and sent.

One line of JSON an exchange goes to the file that the environment variable LAB_SERVER_LOG names.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import random
import time
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import brotli  # type: ignore[import-untyped]
import dns.message
import zstandard

from lab.cipher import AES_KEY, ALGORITHMS, envelope, opened
from lab.dns import answer
from lab.truth import KEY, Body, WebSocketMessage, number_in

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_CHUNK: Final = 30_000


def _deflate_raw(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


CODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate-raw": _deflate_raw,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
}


def answer_body(size: int, seed: int, kind: str = "json") -> bytes:
    """A body of about `size` bytes that compresses as real ones do; the same for the same seed."""
    chance = random.Random(seed)
    if kind == "binary":
        return chance.randbytes(size)
    rows: list[str] = []
    length = 2
    while length < size or not rows:
        row = json.dumps({"id": chance.randrange(1 << 40), "name": f"Zürich {chance.randrange(100)}", "ok": True})
        rows.append(row)
        length += len(row) + 2
    return ("[" + ", ".join(rows) + "]").encode()


class Exchange:
    """One request as the application sees it, and its answer; remembers both for the log."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        self.received = b""
        self.status = 0
        self.sent_headers: Headers = []
        self.sent: list[bytes] = []
        self.decoded: bytes | None = None
        self.trailers: Headers = []
        self.events: list[dict[str, Any]] = []
        self._receive = receive
        self._send = send

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    async def read(self) -> bytes:
        parts: list[bytes] = []
        while True:
            event = await self._receive()
            if event["type"] != "http.request":
                break
            parts.append(event.get("body", b""))
            if not event.get("more_body", False):
                break
        self.received = b"".join(parts)
        return self.received

    async def start(self, status: int, headers: Headers, *, trailers: bool = False) -> None:
        self.status, self.sent_headers = status, headers
        start: Event = {"type": "http.response.start", "status": status, "headers": headers, "trailers": trailers}
        await self._send(start)

    async def write(self, data: bytes, *, more: bool) -> None:
        self.sent.append(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def end_with_trailers(self, trailers: Headers) -> None:
        self.trailers = trailers
        await self.write(b"", more=False)
        await self._send({"type": "http.response.trailers", "headers": trailers})

    async def respond(self, status: int, body: bytes, headers: Headers, decoded: bytes | None = None) -> None:
        """A whole response with a length, large bodies in pieces."""
        without_body = status < 200 or status in (204, 304)
        await self.start(status, headers if without_body else [*headers, (b"content-length", b"%d" % len(body))])
        if self.scope["method"] == "HEAD" or without_body:
            body = b""
        else:
            self.decoded = decoded
        for place in range(0, len(body), _CHUNK):
            await self.write(body[place : place + _CHUNK], more=place + _CHUNK < len(body))
        if not body:
            await self.write(b"", more=False)

    async def early_hint(self, link: bytes) -> None:
        await self._send({"type": "http.response.early_hint", "links": [link]})

    async def push(self, path: str) -> None:
        await self._send({"type": "http.response.push", "path": path, "headers": []})

    def record(self) -> dict[str, Any]:
        sent = b"".join(self.sent)
        body = Body.of(sent if self.decoded is None else self.decoded, len(sent))
        return {
            "id": number_in(self.headers, f"?{self.scope['query_string'].decode()}"),
            "version": self.scope["http_version"],
            "method": self.scope["method"],
            "path": self.scope["raw_path"].decode(),
            "request": Body.of(self.received).sha256,
            "status": self.status,
            "headers": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.sent_headers],
            "trailers": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.trailers],
            "response": {"size": body.size, "sha256": body.sha256, "transferred": body.transferred},
            "events": self.events,
        }


async def _echo(exchange: Exchange) -> None:
    body = await exchange.read()
    await exchange.respond(200, body, [(b"content-type", exchange.header("content-type").encode() or b"text/plain")])


async def _data(exchange: Exchange) -> None:
    """`size`, `seed`, `kind`, `coding` (several joined by a comma), `delay` (seconds)."""
    await exchange.read()
    query = exchange.query
    await asyncio.sleep(float(query.get("delay", "0")))
    kind = query.get("kind", "json")
    clear = answer_body(int(query.get("size", "300")), int(query.get("seed", "0")), kind)
    type_ = b"application/octet-stream" if kind == "binary" else b"application/json; charset=utf-8"
    headers: Headers = [(b"content-type", type_), (b"set-cookie", b"session=abc123; Path=/; HttpOnly")]
    body = clear
    if coding := query.get("coding", ""):
        for name in coding.split(","):
            body = CODINGS[name](body)
        headers.append((b"content-encoding", coding.replace("deflate-raw", "deflate").encode()))
    await exchange.respond(int(query.get("status", "200")), body, headers, clear)


async def _stream(exchange: Exchange) -> None:
    """A body of unknown length, in pieces with pauses (`pieces`, `size`, `pause`)."""
    await exchange.read()
    query = exchange.query
    pieces, size, pause = int(query.get("pieces", "5")), int(query.get("size", "700")), float(query.get("pause", "0"))
    await exchange.start(200, [(b"content-type", b"application/octet-stream")])
    for number in range(pieces):
        await exchange.write(answer_body(size, number, "binary"), more=True)
        await asyncio.sleep(pause)
    await exchange.write(b"", more=False)


async def _events(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.start(200, [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")])
    for number in range(int(exchange.query.get("count", "4"))):
        data = f"line {number}\nñandú {number}" if number % 2 else json.dumps({"n": number})
        lines = [f": comment {number}", "event: tick", f"id: {number}", *(f"data: {line}" for line in data.split("\n"))]
        exchange.events.append({"event": "tick", "id": str(number), "data": data, "time": time.time()})
        await exchange.write("".join(f"{line}\n" for line in lines).encode() + b"\n", more=True)
        await asyncio.sleep(float(exchange.query.get("pause", "0.02")))
    await exchange.write(b"", more=False)


async def _encrypted(exchange: Exchange) -> None:
    """`alg`, `text` ("1": base64): the app's own encryption both ways; IVs travel in `x-iv`."""
    algorithm, text = ALGORITHMS[exchange.query["alg"]], exchange.query.get("text") == "1"
    body = await exchange.read()
    clear = opened(algorithm, AES_KEY, bytes.fromhex(exchange.header("x-iv")), body, text=text)
    await asyncio.sleep(float(exchange.query.get("delay", "0")))
    answer = json.dumps({"received": len(clear), "next": clear[:24].hex(), "pad": "z" * (len(clear) % 97)}).encode()
    iv = random.randbytes(algorithm.iv_size)
    type_ = b"text/plain" if text else b"application/octet-stream"
    sealed = envelope(algorithm, AES_KEY, iv, answer, text=text)
    await exchange.respond(200, sealed, [(b"content-type", type_), (b"x-iv", iv.hex().encode())])


async def _redirect(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.respond(302, b"moved", [(b"location", b"/data?size=50"), (b"content-type", b"text/plain")])


async def _hints(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.early_hint(b"</style.css>; rel=preload; as=style")
    await exchange.respond(200, b"<p>hello</p>", [(b"content-type", b"text/html")])


async def _pushing(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.push(f"/data?size=200&seed=7&{KEY}={exchange.query['push']}")
    await exchange.respond(200, b"<p>see the pushed one</p>", [(b"content-type", b"text/html")])


async def _rpc(exchange: Exchange) -> None:
    """As gRPC answers: length-prefixed messages, status in trailers."""
    body = await exchange.read()
    await exchange.start(200, [(b"content-type", b"application/grpc")], trailers=True)
    for _ in range(int(exchange.query.get("messages", "1"))):
        await exchange.write(body, more=True)
    await exchange.end_with_trailers([(b"grpc-status", b"0"), (b"grpc-message", b"fine")])


async def _page(exchange: Exchange) -> None:
    """A page for browsers."""
    await exchange.read()
    page = Path(os.environ["LAB_PAGE"]).read_bytes()
    await exchange.respond(200, page, [(b"content-type", b"text/html; charset=utf-8")])


async def _report(exchange: Exchange) -> None:
    """What the page's script says that it saw, kept beside the page."""
    body = await exchange.read()
    await exchange.respond(200, b"", [])
    report = Path(os.environ["LAB_PAGE"]).with_name("report.json")
    report.with_suffix(".part").write_bytes(body)
    report.with_suffix(".part").rename(report)


async def _dns(exchange: Exchange) -> None:
    """DNS over HTTPS (RFC 8484), by POST and by GET."""
    body = await exchange.read()
    padded = exchange.query.get("dns", "") + "=="
    query = dns.message.from_wire(body or base64.urlsafe_b64decode(padded))
    response = answer(query, {"shop.lab.test": "10.77.1.1", "api.lab.test": "10.77.1.2"}).to_wire()
    await exchange.respond(200, response, [(b"content-type", b"application/dns-message")])


async def _missing(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.respond(404, b"nothing here\n", [(b"content-type", b"text/plain")])


_HANDLERS: Final[dict[str, Callable[[Exchange], Awaitable[None]]]] = {
    "echo": _echo,
    "data": _data,
    "stream": _stream,
    "events": _events,
    "enc": _encrypted,
    "redirect": _redirect,
    "hints": _hints,
    "push": _pushing,
    "rpc": _rpc,
    "page": _page,
    "report": _report,
    "dns-query": _dns,
    "collect": _data,
    "form": _data,
    "pixel": _data,
}
"""By the first segment of the path."""


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI 3."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await _web_socket(scope, receive, send)
    else:
        exchange = Exchange(scope, receive, send)
        try:
            await _HANDLERS.get(scope["path"].split("/")[1], _missing)(exchange)
        finally:
            _log(exchange.record())


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": event["type"] + ".complete"})
        if event["type"] == "lifespan.shutdown":
            return


async def _web_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Echoes each message; `close CODE REASON` closes."""
    messages: list[WebSocketMessage] = []
    close: dict[str, Any] | None = None
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            close = close or {"type": "send", "code": event.get("code"), "reason": event.get("reason") or ""}
            break
        data: str | bytes = event["bytes"] if event.get("text") is None else event["text"]
        messages.append(WebSocketMessage.of("send", data))
        if isinstance(data, str) and data.startswith("close "):
            code, _, reason = data.removeprefix("close ").partition(" ")
            close = {"type": "receive", "code": int(code), "reason": reason}
            await send({"type": "websocket.close", "code": int(code), "reason": reason})
            break
        messages.append(WebSocketMessage.of("receive", data))
        await send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    _log(
        {
            "id": number_in(headers, f"?{scope['query_string'].decode()}"),
            "version": scope["http_version"],
            "path": scope["raw_path"].decode(),
            "websocket": [[item.type, item.opcode, item.size, item.sha256] for item in messages],
            "close": close,
        }
    )


def _log(record: dict[str, Any]) -> None:
    with Path(os.environ["LAB_SERVER_LOG"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
