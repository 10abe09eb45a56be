"""HTTP/1.0 and HTTP/1.1."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from lab.clients.httpx_client import HttpxClient
from lab.conversation import conversation
from lab.scenarios import scenario
from lab.servers.application import answer_body
from lab.stage import HOST, Stage
from lab.truth import Body, Exchange


@scenario("http1")
def http1(directory: Path) -> None:
    """HTTP/1.1 between httpx and hypercorn, over TLS 1.3 and in the clear: methods, statuses, lengths and chunks."""
    with Stage.built("http1", directory) as stage, stage.hypercorn(), stage.on_phone():
        for scheme in ("https", "http"):
            with HttpxClient.open(stage, scheme) as client:
                _ordinary(client)


def _ordinary(client: HttpxClient) -> None:
    form = ("content-type", "application/x-www-form-urlencoded")
    client.fetch(
        "GET", "/data?size=400&seed=1&q=a+b%20c&empty=&flag", [("cookie", "a=1; b=two words"), ("accept", "*/*")]
    )
    client.fetch("POST", "/echo?size=1", [form], b"name=Z%C3%BCrich&x=1&x=2&empty=")
    client.fetch("POST", "/echo", [("content-type", "application/json")], '{"ü": "€", "n": [1, 2]}'.encode())
    client.fetch("PUT", "/echo", [("content-type", "image/png")], answer_body(3000, 5, "binary"))
    client.fetch("PATCH", "/echo", [("content-type", "text/plain; charset=utf-8")], _chunks())
    client.fetch("POST", "/data?size=9000&seed=2&coding=gzip", [form], b"")
    gzipped = gzip.compress(b"a long body, " * 200)
    client.fetch("POST", "/echo", [("content-encoding", "gzip")], gzipped, decoded=b"a long body, " * 200)
    for target in ("/data?status=204", "/data?status=304", "/nothing", "/redirect", "/data?status=500&size=60"):
        client.fetch("GET", target)
    client.fetch("HEAD", "/data?size=5000")
    client.fetch("OPTIONS", "/data?size=10")
    client.fetch("DELETE", "/echo")
    client.fetch("GET", "/stream?pieces=6&size=900")
    client.fetch("GET", "/data?size=9000&seed=3&kind=binary", [("x-empty", ""), ("x-long", "v" * 3000)])
    client.fetch("POST", "/echo", [("content-type", "application/octet-stream")], answer_body(9_000, 9, "binary"))


def _chunks() -> Iterator[bytes]:
    yield from (b"first ", "zwölf".encode(), b" " * 2000, b"last")


def _lines(*lines: str | bytes, end: bytes = b"\r\n") -> bytes:
    return b"".join((line.encode("latin-1") if isinstance(line, str) else line) + end for line in (*lines, ""))


@scenario("http1-odd")
def http1_odd(directory: Path) -> None:
    """HTTP/1 as odd clients and servers write it: pipelining, interim responses, trailers, folding, bare LF, bodies
    that end with the connection, HTTP/1.0, answers that never come."""
    with Stage.built("http1-odd", directory) as stage, stage.on_phone():
        for port, play in enumerate((_pipelined, _interim, _trailing, _lenient, _until_close, _old, _unanswered), 8001):
            play(stage, port)


def _exchange(stage: Stage, port: int, method: str, target: str, status: int, **facts: object) -> Exchange:
    number = stage.number()
    exchange = Exchange(number, "HTTP/1.1", method, f"http://{HOST}:{port}{target}", status=status, server=stage.server)
    exchange.request_headers = [("X-Truth", str(number))]
    for name, value in facts.items():
        setattr(exchange, name, value)
    stage.truth.exchanges.append(exchange)
    return exchange


def _head(exchange: Exchange, port: int, *lines: str, version: str = "HTTP/1.1") -> bytes:
    target = exchange.url.partition(f":{port}")[2]
    host = f"Host: {HOST}:{port}"
    return _lines(f"{exchange.method} {target} {version}", host, f"X-Truth: {exchange.id}", *lines)


def _pipelined(stage: Stage, port: int) -> None:
    """Three requests in one segment, their answers in one; then HEAD and 304, which have lengths but no bodies."""
    bodies = (b"one", b"two, longer", b"")
    exchanges = [_exchange(stage, port, "GET", f"/{n}", 200, response=Body.of(body)) for n, body in enumerate(bodies)]
    head = _exchange(stage, port, "HEAD", "/head", 200)
    unchanged = _exchange(stage, port, "GET", "/unchanged", 304)
    last = _exchange(stage, port, "GET", "/range", 206, response=Body.of(b"cde"))
    with conversation(stage, port) as talk:
        talk.client_says(b"".join(_head(exchange, port) for exchange in exchanges))
        answers = [_lines("HTTP/1.1 200 OK", f"Content-Length: {len(body)}") + body for body in bodies]
        talk.server_says(b"".join(answers))
        talk.client_says(_head(head, port), _head(unchanged, port), _head(last, port, "Range: bytes=2-4"))
        talk.server_says(_lines("HTTP/1.1 200 OK", "Content-Length: 5000"))
        talk.server_says(_lines("HTTP/1.1 304 Not Modified", "Content-Length: 5000", 'ETag: "x"'))
        talk.server_says(_lines("HTTP/1.1 206 Partial", "Content-Range: bytes 2-4/9", "Content-Length: 3") + b"cde")


def _interim(stage: Stage, port: int) -> None:
    """100 Continue before the body, 103 Early Hints, 102 Processing; an upgrade that is refused; one that is not
    known."""
    body = b"0123456789" * 30
    expecting = _exchange(stage, port, "POST", "/upload", 201, request=Body.of(body), interim=[100])
    hinted = _exchange(stage, port, "GET", "/page", 200, response=Body.of(b"<p>page"), interim=[103, 102])
    refused = _exchange(stage, port, "GET", "/upgrade", 200, response=Body.of(b"no"))
    with conversation(stage, port) as talk:
        talk.client_says(_head(expecting, port, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        talk.server_says(_lines("HTTP/1.1 100 Continue"))
        talk.client_says(body[:100], body[100:])
        talk.server_says(_lines("HTTP/1.1 201 Created", "Content-Length: 0", "Location: /upload/1"))
        talk.client_says(_head(hinted, port))
        talk.server_says(_lines("HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload"))
        talk.server_says(_lines("HTTP/1.1 102 Processing"))
        talk.server_says(_lines("HTTP/1.1 200 OK", "Content-Length: 7", "Content-Type: text/html") + b"<p>page")
        talk.client_says(_head(refused, port, "Connection: Upgrade", "Upgrade: websocket"))
        talk.server_says(_lines("HTTP/1.1 200 OK", "Content-Length: 2") + b"no")


def _trailing(stage: Stage, port: int) -> None:
    """Chunk extensions, trailers, chunks cut anywhere, upper-case sizes, leading zeros."""
    trailers = [("X-Checksum", "abc"), ("X-Late", "yes")]
    text = b"Wikipedia in chunks."
    there = _exchange(stage, port, "POST", "/in", 200, request=Body.of(text), request_trailers=trailers[:1])
    there.response, there.response_trailers = Body.of(text), trailers
    chunked = b'4;ext=1\r\nWiki\r\n00C;name="quo\\"ted"\r\npedia in chu\r\n4 \r\nnks.\r\n0\r\n'
    with conversation(stage, port) as talk:
        data = _head(there, port, "Transfer-Encoding: chunked", "Trailer: X-Checksum") + chunked
        data += b"X-Checksum: abc\r\n\r\n"
        talk.client_says(*(data[place : place + 7] for place in range(0, len(data), 7)))
        answer = _lines("HTTP/1.1 200 OK", "Transfer-Encoding: Chunked") + chunked
        talk.server_says(answer[:-9], answer[-9:], b"X-Checksum: abc\r\nX-Late:  yes \r\n\r\n")


def _lenient(stage: Stage, port: int) -> None:
    """Bare LF, folded lines, a missing reason, no space after the colon, empty lines before a request, headers
    twice."""
    bare = _exchange(stage, port, "GET", "/bare", 200, response=Body.of(b"lf"))
    folded = _exchange(stage, port, "GET", "/folded", 200, response=Body.of(b"ok"))
    unnamed = _exchange(stage, port, "GET", "/reason?a=b;c", 299, response=Body.of(b"!"))
    twice = _exchange(stage, port, "POST", "/twice", 200, request=Body.of(b"xyz"))
    twice.response_headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/")]
    with conversation(stage, port) as talk:
        talk.client_says(_head(bare, port).replace(b"\r\n", b"\n"))
        talk.server_says(_lines("HTTP/1.1 200 OK", "Content-Length: 2", end=b"\n") + b"lf")
        talk.client_says(_head(folded, port, "X-Folded: one", "  two", "\tthree"))
        talk.server_says(_lines("HTTP/1.1 200 OK", "Content-Length:", " 2") + b"ok")
        talk.client_says(b"\r\n\r\n" + _head(unnamed, port))
        talk.server_says(_lines("HTTP/1.1 299", "content-length:1") + b"!")
        talk.client_says(_head(twice, port, "Content-Length: 3", "Content-Length: 3", "x-a:1", "X-A: 2") + b"xyz")
        talk.server_says(_lines("HTTP/1.1 200 OK", "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/", "Content-Length: 0"))


def _until_close(stage: Stage, port: int) -> None:
    """A response without a length: its body ends with the connection."""
    body = b"no length, " * 300
    exchange = _exchange(stage, port, "GET", "/close", 200, response=Body.of(body))
    with conversation(stage, port, closer="server") as talk:
        talk.client_says(_head(exchange, port))
        talk.server_says(_lines("HTTP/1.1 200 OK", "Connection: close"), body[:1000], body[1000:])


def _old(stage: Stage, port: int) -> None:
    """HTTP/1.0: kept alive by request, then ended by close."""
    for alive in (True, False):
        first = _exchange(stage, port, "GET", f"/old/{alive}", 200, protocol="HTTP/1.0", response=Body.of(b"old"))
        with conversation(stage, port, closer="server") as talk:
            talk.client_says(_head(first, port, *(["Connection: keep-alive"] if alive else []), version="HTTP/1.0"))
            if alive:
                talk.server_says(_lines("HTTP/1.0 200 OK", "Connection: keep-alive", "Content-Length: 3") + b"old")
                again = _exchange(stage, port, "GET", "/old/2", 200, protocol="HTTP/1.0", response=Body.of(b"older"))
                talk.client_says(_head(again, port, version="HTTP/1.0"))
                talk.server_says(_lines("HTTP/1.0 200 OK") + b"older")
            else:
                talk.server_says(_lines("HTTP/1.0 200 OK"), b"old")


def _unanswered(stage: Stage, port: int) -> None:
    """A request whose answer never comes: the client gives up, with RST."""
    answered = _exchange(stage, port, "GET", "/answered", 200, response=Body.of(b"a"))
    lost = _exchange(stage, port, "POST", "/lost", 0, request=Body.of(b"hello?"))
    with conversation(stage, port, closer="reset") as talk:
        talk.client_says(_head(answered, port))
        talk.server_says(_lines("HTTP/1.1 200 OK", "Content-Length: 1") + b"a")
        talk.client_says(_head(lost, port, "Content-Length: 6") + b"hello?")
