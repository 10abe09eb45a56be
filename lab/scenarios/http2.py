"""HTTP/2: over TLS, in the clear by prior knowledge and by upgrade."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import ContinuationFrame, ExtensionFrame, Frame, HeadersFrame

from lab.clients.httpx_client import HttpxClient
from lab.conversation import conversation
from lab.http2_peer import Http2Pair
from lab.scenarios import scenario
from lab.servers.application import answer_body
from lab.stage import HOST, Stage
from lab.truth import Body, Exchange


@scenario("http2")
def http2(directory: Path) -> None:
    """HTTP/2 between httpx and hypercorn, over TLS: threads that share a connection, flow control, interim
    responses."""
    with (
        Stage.built("http2", directory) as stage,
        stage.hypercorn(),
        stage.on_phone(),
        HttpxClient.open(stage, http2=True) as client,
    ):
        client.fetch("GET", "/data?size=100", [("cookie", "a=1; b=2")])
        targets = [f"/data?size={300 + 2000 * n}&seed={n}&delay=0.0{n}" for n in range(8)]
        threads = [threading.Thread(target=client.fetch, args=("GET", target)) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.fetch("POST", "/data?size=100&seed=2", [("content-type", "image/png")], answer_body(70_000, 4, "binary"))
        client.fetch("PUT", "/echo", [("content-type", "text/plain")], iter((b"in ", b"three ", b"parts")))
        client.fetch("GET", "/hints").interim.append(103)
        for target in ("/data?status=204", "/data?status=304", "/nothing", "/stream?pieces=4&size=500"):
            client.fetch("GET", target)
        client.fetch("HEAD", "/data?size=5000")
        client.fetch("GET", "/data?size=20&seed=1", [("x-long", "v" * 9000), ("x-empty", "")])


@scenario("h2c")
def h2c(directory: Path) -> None:
    """HTTP/2 in the clear: by prior knowledge (httpx), and by the upgrade of an HTTP/1.1 request (curl)."""
    with Stage.built("h2c", directory) as stage, stage.hypercorn(), stage.on_phone():
        with HttpxClient.open(stage, "http", http2=True) as client:
            client.fetch("GET", "/data?size=500")
            client.fetch("POST", "/echo", [("content-type", "text/plain")], b"hello")
        _curl_upgrade(stage)


def _curl_upgrade(stage: Stage) -> None:
    """The upgraded request is stream 1: it is HTTP/1.1, its answer HTTP/2 (RFC 7540, section 3.2)."""
    numbers = stage.number(), stage.number()
    targets = [f"/data?size={size}&x-truth={n}" for size, n in zip((700, 800), numbers, strict=True)]
    command = ["curl", "-sS", "--http2", "-i", "--resolve", f"{HOST}:80:{stage.server}"]
    command += [f"http://{HOST}{target}" for target in targets]
    subprocess.run(command, check=True, capture_output=True)
    for number, target, size in zip(numbers, targets, (700, 800), strict=True):
        exchange = Exchange(number, "HTTP/2", "GET", f"http://{HOST}{target}", status=200, server=stage.server)
        exchange.response = Body.of(answer_body(size, 0))
        stage.truth.exchanges.append(exchange)
    first = stage.truth.exchanges[-2]
    first.protocol, first.response_protocol, first.interim = "HTTP/1.1", "HTTP/2", [101]


@contextmanager
def _pair(stage: Stage, port: int) -> Iterator[Http2Pair]:
    client = stage.authority.client_context(stage.keylog, ["h2"])
    with conversation(stage, port, (stage.server_context(["h2"]), client), name=HOST) as talk:
        talk.drain()
        yield Http2Pair(talk)


class _Play:
    """Streams by hand, each with its truth."""

    def __init__(self, stage: Stage, port: int, pair: Http2Pair) -> None:
        self.stage, self.port, self.pair = stage, port, pair

    def expect(self, method: str, path: str, status: int, response: bytes = b"") -> Exchange:
        number = self.stage.number()
        url = f"https://{HOST}:{self.port}{path}"
        exchange = Exchange(number, "HTTP/2", method, url, status=status, server=self.stage.server)
        exchange.response = Body.of(response)
        exchange.exact_headers = True
        exchange.request_headers = [
            *((":method", method), (":scheme", "https"), (":authority", f"{HOST}:{self.port}"), (":path", path)),
            ("x-truth", str(number)),
        ]
        exchange.response_headers = [(":status", str(status)), ("x-number", str(number))]
        self.stage.truth.exchanges.append(exchange)
        return exchange

    def ask(self, exchange: Exchange, *, end: bool = True) -> int:
        stream = self.pair.client.get_next_available_stream_id()
        self.pair.client.send_headers(stream, exchange.request_headers, end_stream=end)
        return stream

    def answer(self, stream: int, exchange: Exchange, body: bytes | None = None) -> None:
        self.pair.server.send_headers(stream, exchange.response_headers, end_stream=body is None)
        if body is not None:
            self.pair.server.send_data(stream, body, end_stream=True)


@scenario("http2-odd")
def http2_odd(directory: Path) -> None:
    """HTTP/2 that libraries seldom speak: pushes, padding, CONTINUATION, table-size changes, trailers both ways,
    interleaved streams, streams reset by either end, GOAWAY."""
    with Stage.built("http2-odd", directory) as stage, stage.on_phone():
        with _pair(stage, 8443) as pair:
            play = _Play(stage, 8443, pair)
            _push(play)
            _padded(play)
            _continued(play)
            _table_sizes(play)
            _trailers(play)
            _interleaved(play)
        with _pair(stage, 8444) as pair:
            _resets(_Play(stage, 8444, pair))


def _push(play: _Play) -> None:
    page = play.expect("GET", "/page", 200, b"<p>page")
    pushed = play.expect("GET", "/style.css", 200, b"p {}")
    pushed.pushed = True
    stream = play.ask(page)
    play.pair.exchange()
    play.pair.server.push_stream(stream, 2, pushed.request_headers)
    play.answer(stream, page, b"<p>page")
    play.answer(2, pushed, b"p {}")
    play.pair.exchange()


def _padded(play: _Play) -> None:
    """Padding in HEADERS and DATA, priority fields, a PRIORITY frame, a frame of an unknown type."""
    exchange = play.expect("POST", "/padded", 200, b"12345678")
    exchange.request = Body.of(b"abcdef")
    pair = play.pair
    stream = pair.client.get_next_available_stream_id()
    pair.client.send_headers(stream, exchange.request_headers, priority_weight=200, priority_exclusive=True)
    pair.client.send_data(stream, b"abc", pad_length=255)
    pair.client.send_data(stream, b"", pad_length=3)
    pair.client.prioritize(stream, weight=1)
    pair.client.send_data(stream, b"def", end_stream=True)

    def rewrite(frames: list[Frame]) -> list[Frame]:
        head = cast(HeadersFrame, frames[0])
        head.pad_length = 17
        head.flags.add("PADDED")
        unknown = ExtensionFrame(0xEE, stream, flag_byte=5, body=b"what is this?")
        unknown.body_len = len(unknown.body)
        return [*frames, unknown]

    pair.exchange(rewrite)
    pair.server.send_headers(stream, exchange.response_headers)
    pair.server.send_data(stream, b"1234", pad_length=9)
    pair.server.send_data(stream, b"5678", pad_length=0, end_stream=True)
    pair.exchange()


def _continued(play: _Play) -> None:
    """A header block in one HEADERS and two CONTINUATION frames; a response whose headers exceed a frame."""
    exchange = play.expect("GET", "/continued", 200, b"ok")
    exchange.request_headers += [(f"x-{n}", f"value {n} of a header") for n in range(9)]
    exchange.response_headers += [(f"x-{n}", answer_body(900, n, "binary").hex()) for n in range(20)]
    stream = play.ask(exchange)

    def rewrite(frames: list[Frame]) -> list[Frame]:
        head = cast(HeadersFrame, frames[0])
        block, head.data = head.data, head.data[:40]
        head.flags.discard("END_HEADERS")
        middle, last = ContinuationFrame(stream, block[40:41]), ContinuationFrame(stream, block[41:])
        last.flags.add("END_HEADERS")
        return [head, middle, last, *frames[1:]]

    play.pair.exchange(rewrite)
    play.answer(stream, exchange, b"ok")
    play.pair.exchange()


def _table_sizes(play: _Play) -> None:
    """Either end changes the other's dynamic table, to nothing and to more than the default."""
    for size in (0, 12_288, 100):
        for machine in (play.pair.client, play.pair.server):
            machine.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
        play.pair.exchange()
        for n in range(2):
            exchange = play.expect("GET", f"/table/{size}/{n}", 200, b"t")
            exchange.request_headers += [("x-repeated", "the same each time"), (f"x-{size}", f"{n}")]
            exchange.response_headers += [("x-answer", "the same each time"), ("x-n", f"{n}")]
            stream = play.ask(exchange)
            play.pair.exchange()
            play.answer(stream, exchange, b"t")
            play.pair.exchange()


def _trailers(play: _Play) -> None:
    exchange = play.expect("POST", "/trailers", 200, b"body")
    exchange.request, exchange.request_trailers = Body.of(b"sent"), [("x-sum", "1"), ("x-more", "2")]
    exchange.response_trailers = [("grpc-status", "0"), ("x-bin", "AAECAw==")]
    stream = play.ask(exchange, end=False)
    play.pair.client.send_data(stream, b"sent")
    play.pair.client.send_headers(stream, exchange.request_trailers, end_stream=True)
    play.pair.exchange()
    play.pair.server.send_headers(stream, [(":status", "103"), ("link", "</a>; rel=preload")])
    exchange.interim = [103]
    play.pair.server.send_headers(stream, exchange.response_headers)
    play.pair.server.send_data(stream, b"body")
    play.pair.server.send_headers(stream, exchange.response_trailers, end_stream=True)
    play.pair.exchange()


def _interleaved(play: _Play) -> None:
    """Three streams whose frames alternate, both ways; several in one TLS record."""
    bodies = [bytes([65 + n]) * 300 for n in range(3)]
    exchanges = [play.expect("POST", f"/mixed/{n}", 200, body) for n, body in enumerate(bodies)]
    streams = [play.ask(exchange, end=False) for exchange in exchanges]
    for piece in range(3):
        for stream, exchange, body in zip(streams, exchanges, bodies, strict=True):
            exchange.request = Body.of(body)
            play.pair.client.send_data(stream, body[piece * 100 : piece * 100 + 100], end_stream=piece == 2)
    play.pair.exchange()
    for stream, exchange in reversed(list(zip(streams, exchanges, strict=True))):
        play.pair.server.send_headers(stream, exchange.response_headers)
    for piece in range(3):
        for stream, body in zip(streams, bodies, strict=True):
            play.pair.server.send_data(stream, body[piece * 100 : piece * 100 + 100], end_stream=piece == 2)
    play.pair.exchange()


def _resets(play: _Play) -> None:
    """The client gives up in the middle of a body; the server refuses; GOAWAY, and a last answer after it."""
    pair = play.pair
    given_up = play.expect("GET", "/given-up", 200, b"half of it")
    refused = play.expect("GET", "/refused", 0)
    refused.response_headers = []
    last = play.expect("GET", "/last", 200, b"bye")
    first, second, third = (play.ask(exchange) for exchange in (given_up, refused, last))
    pair.exchange()
    pair.server.send_headers(first, given_up.response_headers)
    pair.server.send_data(first, b"half of it")
    pair.server.reset_stream(second, ErrorCodes.REFUSED_STREAM)
    pair.exchange()
    pair.client.reset_stream(first, ErrorCodes.CANCEL)
    pair.exchange()
    play.answer(third, last, b"bye")
    pair.exchange()
    pair.server.close_connection(ErrorCodes.NO_ERROR, additional_data=b"going down", last_stream_id=third)
    pair.exchange()
