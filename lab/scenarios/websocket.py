"""WebSocket over HTTP/1.1 and over HTTP/2."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import h2.config
import h2.connection
import h2.events
import wsproto.events
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.extensions import PerMessageDeflate

from lab.clients.quic_client import Http3Client
from lab.conversation import Conversation, conversation
from lab.scenarios import scenario
from lab.servers.application import answer_body
from lab.stage import HOST, Stage
from lab.truth import KEY, Body, Exchange, WebSocketClose, WebSocketMessage

_READ_SIZE: Final = 1 << 16


@scenario("websocket")
def websocket(directory: Path) -> None:
    """WebSocket over HTTP/1.1 (websockets and hypercorn): texts, binaries, fragments, pings, permessage-deflate with
    and without context takeover, closed by either end, and never closed."""
    with Stage.built("websocket", directory) as stage, stage.hypercorn(), stage.on_phone():
        _talk_and_be_closed(stage)
        with _web_socket(stage, "ws", compression=None) as (talk, exchange):
            _echo(talk, exchange, "without compression")
            _echo(talk, exchange, answer_body(300, 1, "binary"))
            talk.close(1001, "going away")
            exchange.websocket_close = WebSocketClose("send", 1001, "going away")
        deflate = ClientPerMessageDeflateFactory(client_no_context_takeover=True, server_no_context_takeover=True)
        with _web_socket(stage, "wss", extensions=[deflate], compression=None) as (talk, exchange):
            for _ in range(3):
                _echo(talk, exchange, "each message is compressed alone " * 5)
            talk.socket.shutdown(socket.SHUT_RDWR)


def _talk_and_be_closed(stage: Stage) -> None:
    with _web_socket(stage, "wss") as (talk, exchange):
        for data in ("hello", "", "zwölf Boxkämpfer €", answer_body(700, 3, "binary"), "same " * 20_000, "same " * 20):
            _echo(talk, exchange, data)
        talk.ping(b"are you there").wait(5)
        _echo(talk, exchange, ["in ", "three ", "fragments"])
        _echo(talk, exchange, [b"\0\1", b"", b"\2\3"])
        text = "close 4001 that is enough"
        talk.send(text)
        exchange.message("send", text)
        exchange.websocket_close = WebSocketClose("receive", 4001, "that is enough")
        with contextlib.suppress(Exception):
            talk.recv(timeout=5)


@contextlib.contextmanager
def _web_socket(stage: Stage, scheme: str, **options: Any) -> Iterator[tuple[ClientConnection, Exchange]]:
    port = 443 if scheme == "wss" else 80
    number = stage.number()
    http = {"wss": "https", "ws": "http"}[scheme]
    exchange = Exchange(number, "HTTP/1.1", "GET", f"{http}://{HOST}/ws?room=1", status=101, server=stage.server)
    exchange.websocket = []
    exchange.request_headers = [(KEY, str(number))]
    stage.truth.exchanges.append(exchange)
    sock = socket.create_connection((stage.server, port))
    secure: dict[str, Any] = (
        {"ssl": stage.authority.client_context(stage.keylog), "server_hostname": HOST} if port == 443 else {}
    )
    headers = {KEY: str(number)}
    with connect(
        f"{scheme}://{HOST}/ws?room=1", sock=sock, additional_headers=headers, max_size=None, **secure, **options
    ) as talk:
        yield talk, exchange


def _echo(talk: ClientConnection, exchange: Exchange, data: str | bytes | list[str] | list[bytes]) -> None:
    talk.send(data)
    exchange.message("send", _whole(data))
    exchange.message("receive", talk.recv(timeout=10))


def _whole(data: str | bytes | Sequence[str | bytes]) -> str | bytes:
    if isinstance(data, str | bytes):
        return data
    texts = [part for part in data if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(part for part in data if isinstance(part, bytes))


@scenario("websocket-odd")
def websocket_odd(directory: Path) -> None:
    """WebSocket frames by hand: control frames between fragments, frames split and joined over segments, all three
    forms of length, close frames without a code."""
    with Stage.built("websocket-odd", directory) as stage, stage.on_phone():
        for port, play in enumerate((_interleaved, _codeless), 8001):
            number = stage.number()
            url = f"http://{HOST}:{port}/odd"
            exchange = Exchange(number, "HTTP/1.1", "GET", url, status=101, server=stage.server, websocket=[])
            exchange.request_headers = [(KEY, str(number))]
            stage.truth.exchanges.append(exchange)
            with conversation(stage, port) as talk:
                play(talk, exchange, _handshake(number, port))


def _handshake(number: int, port: int) -> tuple[bytes, bytes]:
    """RFC 6455's own example of a key and its answer."""
    request = (
        f"GET /odd HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{KEY}: {number}\r\n\r\n"
    )
    response = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    return request.encode(), response.encode()


def _frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


def _interleaved(talk: Conversation, exchange: Exchange, handshake: tuple[bytes, bytes]) -> None:
    talk.client_says(handshake[0])
    early = _frame(Opcode.TEXT, b"early, in the same segment as the handshake")
    talk.server_says(handshake[1] + early)
    sent = [
        _frame(Opcode.TEXT, b"Hel", fin=False, mask=True),
        _frame(Opcode.PING, b"?", mask=True),
        _frame(Opcode.CONT, b"", fin=False, mask=True),
        _frame(Opcode.PONG, b"unasked", mask=True),
        _frame(Opcode.CONT, b"lo", mask=True),
        _frame(Opcode.BINARY, bytes(126), mask=True),
        _frame(Opcode.BINARY, bytes(range(256)) * 257, mask=True),
    ]
    stream = b"".join(sent)
    talk.client_says(*(stream[place : place + 5] for place in range(0, 60, 5)), stream[60:])
    talk.server_says(_frame(Opcode.PONG, b"?") + _frame(Opcode.TEXT, b"125" + bytes(122).replace(b"\0", b"x")))
    exchange.websocket = [
        WebSocketMessage.of("receive", "early, in the same segment as the handshake"),
        WebSocketMessage.of("send", "Hello"),
        WebSocketMessage.of("send", bytes(126)),
        WebSocketMessage.of("send", bytes(range(256)) * 257),
        WebSocketMessage.of("receive", "125" + "x" * 122),
    ]
    exchange.websocket_close = WebSocketClose("receive", 1011, "broken")
    talk.server_says(_frame(Opcode.CLOSE, b"\x03\xf3broken"))
    talk.client_says(_frame(Opcode.CLOSE, b"\x03\xf3", mask=True))


def _codeless(talk: Conversation, exchange: Exchange, handshake: tuple[bytes, bytes]) -> None:
    talk.client_says(handshake[0])
    talk.server_says(handshake[1])
    exchange.websocket_close = WebSocketClose("send", None, "")
    talk.client_says(_frame(Opcode.CLOSE, b"", mask=True))
    talk.server_says(_frame(Opcode.CLOSE, b""))


@scenario("websocket-h2")
def websocket_h2(directory: Path) -> None:
    """WebSocket over HTTP/2 (RFC 8441), two on one connection, with permessage-deflate, beside an ordinary request."""
    with Stage.built("websocket-h2", directory) as stage, stage.hypercorn(), stage.on_phone():
        context = stage.authority.client_context(stage.keylog, ["h2"])
        with socket.create_connection((stage.server, 443)) as plain:
            client = _Http2Client(context.wrap_socket(plain, server_hostname=HOST))
            first, second = (client.open(stage, target) for target in ("/ws?a", "/ws?b"))
            for text in ("over HTTP/2", "same words, same words, " * 300, b"\0\1\2" * 50):
                first.echo(text)
                second.echo(text[:5])
            client.get(stage, "/data?size=300")
            first.close(1000, "done")
            second.echo("close 4002 enough")


@scenario("websocket-h3")
def websocket_h3(directory: Path) -> None:
    """WebSocket over HTTP/3 (RFC 9220), with permessage-deflate, beside an ordinary request."""

    async def play(stage: Stage) -> None:
        async with Http3Client.open(stage) as client:
            exchange, number, headers = await client.open_websocket("/ws?h3", "permessage-deflate")
            exchange.websocket = []
            deflate = PerMessageDeflate()
            deflate.finalize(headers["sec-websocket-extensions"])
            machine = Connection(ConnectionType.CLIENT, [deflate])
            for data in ("over HTTP/3", "same words, same words, " * 200, b"\0\1\2" * 50):
                exchange.message("send", data)
                client.send(number, machine.send(_message(data)))
                exchange.message("receive", await _echoed(client, number, machine))
            await client.fetch("GET", "/data?size=300")
            exchange.websocket_close = WebSocketClose("send", 1000, "done")
            client.send(number, machine.send(wsproto.events.CloseConnection(1000, "done")))
            await client.receive(number)

    with (
        Stage.built("websocket-h3", directory) as stage,
        stage.hypercorn(tls=(443,), clear=(), quic=(443,)),
        stage.on_phone(),
    ):
        asyncio.run(play(stage))


async def _echoed(client: Http3Client, number: int, machine: Connection) -> str | bytes:
    parts: list[str | bytes] = []
    while True:
        machine.receive_data(await client.receive(number))
        for event in machine.events():
            if isinstance(event, wsproto.events.Message):
                parts.append(event.data)
                if event.message_finished:
                    return _whole(parts)


def _message(data: str | bytes) -> wsproto.events.TextMessage | wsproto.events.BytesMessage:
    return wsproto.events.TextMessage(data) if isinstance(data, str) else wsproto.events.BytesMessage(data)


class _Http2Client:
    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.machine = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.data: dict[int, bytes] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()
        self.machine.initiate_connection()
        self.flush()
        while not self.machine.remote_settings.enable_connect_protocol:
            self.read()

    def flush(self) -> None:
        if data := self.machine.data_to_send():
            self.sock.sendall(data)

    def read(self) -> None:
        data = self.sock.recv(_READ_SIZE)
        if not data:
            raise ConnectionError("the server ended the connection")
        for event in self.machine.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.headers[event.stream_id] = {str(name): str(value) for name, value in event.headers}
            elif isinstance(event, h2.events.DataReceived):
                self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
                self.machine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
        self.flush()

    def ask(self, headers: Sequence[tuple[str, str]], *, end: bool) -> int:
        stream = self.machine.get_next_available_stream_id()
        self.machine.send_headers(stream, headers, end_stream=end)
        self.flush()
        while stream not in self.headers:
            self.read()
        return stream

    def get(self, stage: Stage, target: str) -> None:
        exchange, common = _http2_exchange(stage, target, "GET", 200)
        stream = self.ask([(":method", "GET"), *common], end=True)
        while stream not in self.ended:
            self.read()
        exchange.response = Body.of(self.data[stream])

    def open(self, stage: Stage, target: str) -> _Http2WebSocket:
        exchange, common = _http2_exchange(stage, target, "CONNECT", 200)
        exchange.websocket = []
        extensions = ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")
        opening = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            *common,
            ("sec-websocket-version", "13"),
            extensions,
        ]
        stream = self.ask(opening, end=False)
        deflate = PerMessageDeflate()
        deflate.finalize(self.headers[stream]["sec-websocket-extensions"])
        return _Http2WebSocket(self, stream, Connection(ConnectionType.CLIENT, [deflate]), exchange)


def _http2_exchange(stage: Stage, target: str, method: str, status: int) -> tuple[Exchange, list[tuple[str, str]]]:
    number = stage.number()
    exchange = Exchange(number, "HTTP/2", method, f"https://{HOST}{target}", status=status, server=stage.server)
    exchange.request_headers = [(KEY, str(number))]
    stage.truth.exchanges.append(exchange)
    return exchange, [(":scheme", "https"), (":authority", HOST), (":path", target), (KEY, str(number))]


class _Http2WebSocket:
    def __init__(self, client: _Http2Client, stream: int, machine: Connection, exchange: Exchange) -> None:
        self.client, self.stream, self.machine, self.exchange = client, stream, machine, exchange

    def echo(self, data: str | bytes) -> None:
        """Send it; take its echo, or the close that it asked for."""
        self.exchange.message("send", data)
        self._send(_message(data))
        parts: list[str | bytes] = []
        while True:
            for event in self._events():
                if isinstance(event, wsproto.events.Message):
                    parts.append(event.data)
                    if event.message_finished:
                        self.exchange.message("receive", _whole(parts))
                        return
                if isinstance(event, wsproto.events.CloseConnection):
                    self.exchange.websocket_close = WebSocketClose("receive", int(event.code), event.reason or "")
                    self._send(event.response(), end=True)
                    return

    def close(self, code: int, reason: str) -> None:
        self.exchange.websocket_close = WebSocketClose("send", code, reason)
        self._send(wsproto.events.CloseConnection(code, reason))
        while not any(isinstance(event, wsproto.events.CloseConnection) for event in self._events()):
            pass

    def _events(self) -> list[wsproto.events.Event]:
        while not self.client.data.get(self.stream):
            self.client.read()
        self.machine.receive_data(self.client.data.pop(self.stream))
        return list(self.machine.events())

    def _send(self, event: wsproto.events.Event, *, end: bool = False) -> None:
        self.client.machine.send_data(self.stream, self.machine.send(event), end_stream=end)
        self.client.flush()
