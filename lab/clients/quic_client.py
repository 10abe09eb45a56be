"""aioquic's client: HTTP/3, every exchange noted in the stage's truth."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived, PushPromiseReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset
from aioquic.tls import SessionTicket

from lab.stage import HOST, Stage
from lab.truth import KEY, NOT_DECODED, Body, Exchange

_PATIENCE: Final = 20.0

Pairs = Sequence[tuple[str, str]]


class _Answer:
    def __init__(self) -> None:
        self.interim: list[int] = []
        self.headers: list[tuple[str, str]] = []
        self.trailers: list[tuple[str, str]] = []
        self.data = bytearray()
        self.begun = asyncio.Event()
        self.more = asyncio.Event()
        self.done = asyncio.Event()

    def add_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        status = dict(fields).get(":status", "")
        if self.headers:
            self.trailers = fields
        elif status.startswith("1") and status != "101":
            self.interim.append(int(status))
        else:
            self.headers = fields
            self.begun.set()


class Http3Client(QuicConnectionProtocol):
    stage: Stage

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.http = H3Connection(self._quic)
        self._answers: dict[int, _Answer] = {}
        self._pushed: dict[int, Exchange] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        stage: Stage,
        configuration: QuicConfiguration | None = None,
        *,
        port: int = 443,
        tickets: list[SessionTicket] | None = None,
        early: bool = False,
        address: str | None = None,
    ) -> AsyncIterator[Http3Client]:
        """`early`: requests may go out before the handshake is over, with the session ticket of `configuration`."""
        configuration = configuration or QuicConfiguration(is_client=True)
        configuration.alpn_protocols = H3_ALPN
        configuration.server_name = HOST
        configuration.load_verify_locations(str(stage.authority.certificate))
        with stage.keylog.open("a") as keylog:
            configuration.secrets_log_file = keylog
            async with connect(
                address or stage.server,
                port,
                configuration=configuration,
                create_protocol=cls,
                session_ticket_handler=tickets.append if tickets is not None else None,
                wait_connected=not early,
            ) as client:
                if not isinstance(client, cls):
                    raise TypeError("aioquic made another protocol than it was told")
                client.stage = stage
                yield client

    async def fetch(self, method: str, target: str, headers: Pairs = (), content: bytes = b"") -> Exchange:
        exchange, fields = self._exchange(method, target, headers)
        exchange.request = Body.of(content)
        stream = self._quic.get_next_available_stream_id()
        answer = self._answers[stream] = _Answer()
        self.http.send_headers(stream, fields, end_stream=not content)
        if content:
            self.http.send_data(stream, content, end_stream=True)
        self.transmit()
        await asyncio.wait_for(answer.done.wait(), _PATIENCE)
        self._conclude(exchange, answer)
        return exchange

    async def open_websocket(self, target: str, extensions: str) -> tuple[Exchange, int, dict[str, str]]:
        """Extended CONNECT (RFC 9220): the exchange, its stream, the response's headers."""
        exchange, fields = self._exchange("CONNECT", target, [("sec-websocket-version", "13")])
        fields[1:1] = [(b":protocol", b"websocket")]
        exchange.request_headers = [(name.decode(), value.decode()) for name, value in fields]
        stream = self._quic.get_next_available_stream_id()
        answer = self._answers[stream] = _Answer()
        self.http.send_headers(stream, [*fields, (b"sec-websocket-extensions", extensions.encode())])
        self.transmit()
        await asyncio.wait_for(answer.begun.wait(), _PATIENCE)
        self._conclude(exchange, answer)
        return exchange, stream, dict(answer.headers)

    def send(self, stream: int, data: bytes) -> None:
        self.http.send_data(stream, data, end_stream=False)
        self.transmit()

    async def receive(self, stream: int) -> bytes:
        """What came on a stream since the last call; waits for something."""
        answer = self._answers[stream]
        await asyncio.wait_for(answer.more.wait(), _PATIENCE)
        answer.more.clear()
        data = bytes(answer.data)
        answer.data.clear()
        return data

    async def move(self) -> None:
        """Go on from another port, as a phone does that changes its network (RFC 9000, section 9)."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("::", 0))
        if self._transport is not transport:
            raise RuntimeError("aioquic's protocol did not take the new socket")

    def _exchange(self, method: str, target: str, headers: Pairs) -> tuple[Exchange, list[tuple[bytes, bytes]]]:
        number = self.stage.number()
        exchange = Exchange(number, "HTTP/3", method, f"https://{HOST}{target}", server=self.stage.server)
        exchange.request_headers = [
            *((":method", method), (":scheme", "https"), (":authority", HOST), (":path", target)),
            *((KEY, str(number)), *headers),
        ]
        self.stage.truth.exchanges.append(exchange)
        return exchange, [(name.encode(), value.encode()) for name, value in exchange.request_headers]

    def _conclude(self, exchange: Exchange, answer: _Answer) -> None:
        fields = dict(answer.headers)
        exchange.status = int(fields.get(":status", "0"))
        exchange.response_headers, exchange.response_trailers = answer.headers, answer.trailers
        exchange.interim = answer.interim
        data = bytes(answer.data)
        coded = data and "content-encoding" in fields
        exchange.response = Body(NOT_DECODED, "", len(data)) if coded else Body.of(data)

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated) and event.error_code:
            raise ConnectionError(f"the QUIC connection ended: {event.reason_phrase} ({event.error_code})")
        if isinstance(event, StreamReset) and event.stream_id in self._answers:
            self._answers[event.stream_id].done.set()
        for http_event in self.http.handle_event(event):
            self._handle(http_event)

    def _handle(self, event: H3Event) -> None:
        if isinstance(event, PushPromiseReceived):
            self._promise(event)
        elif isinstance(event, HeadersReceived | DataReceived):
            answer = self._answers.setdefault(event.stream_id, _Answer())
            if isinstance(event, HeadersReceived):
                answer.add_headers(event.headers)
            else:
                answer.data += event.data
                answer.more.set()
            if event.stream_ended:
                answer.done.set()
                if event.push_id is not None:
                    self._conclude(self._pushed[event.push_id], answer)

    def _promise(self, event: PushPromiseReceived) -> None:
        """What a push is about; its path carries its number."""
        fields = [(name.decode(), value.decode()) for name, value in event.headers]
        target = dict(fields)[":path"]
        exchange = Exchange(_number_of(target), "HTTP/3", "GET", f"https://{HOST}{target}", server=self.stage.server)
        exchange.request_headers, exchange.pushed = fields, True
        self._pushed[event.push_id] = exchange
        self.stage.truth.exchanges.append(exchange)


def _number_of(target: str) -> int:
    return int(target.partition(f"{KEY}=")[2])
