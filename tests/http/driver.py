"""Feeds an HTTP/1.x connection, piece by piece, and keeps what comes out; messages that many tests send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange, Message, Request, Response
from pcapng_utils.http.http1 import Http1Connection, Limits
from pcapng_utils.http.websocket import WebSocketLayer
from pcapng_utils.layers import CLIENT, SERVER, ByteLayer, Problem, Stamp, UnitLog

TICK: Final = 10_000_000
"""ns between packets of a `Connection`."""

GET: Final = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
"""The head of a response."""


class Event(NamedTuple):
    """Something that reaches a layer: data, or a hole of `gap` bytes, or (without either) the direction's end."""

    direction: int
    data: bytes = b""
    gap: int | None = None


class Recorder:
    """A layer above HTTP/1 that keeps what it is fed."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        self.events.append(Event(direction, data))

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        self.events.append(Event(direction, b"", size))

    def end(self, direction: int, stamp: Stamp | None) -> None:
        self.events.append(Event(direction))

    def close(self) -> None:
        self.closed = True

    def text(self, direction: int) -> bytes:
        return b"".join(event.data for event in self.events if event.direction == direction)


class Connection:
    """A connection whose packet n is frame n, at n ticks, in a unit of its own."""

    def __init__(self, limits: Limits | None = None, above: Callable[[str], bool] = lambda kind: True) -> None:
        """`above`: for which kinds of upgrade there is a layer."""
        self.exchanges: list[Exchange] = []
        self.problems: list[Problem] = []
        self.units = UnitLog()
        self.upgrades: list[str] = []
        self.above: Recorder | None = None
        self._has_layer = above
        self.layer = Http1Connection(
            self.exchanges.append, self.problems.append, Body, self.units, self._upgrade, limits or Limits()
        )
        self.frame = 0

    def _upgrade(self, exchange: Exchange, kind: str) -> ByteLayer | None:
        self.upgrades.append(kind)
        if not self._has_layer(kind):
            return None
        if kind == "websocket":
            return WebSocketLayer(exchange, self.exchanges.append, self.problems.append, self.units)
        self.above = Recorder()
        return self.above

    def stamp(self, direction: int, frame: int | None = None) -> Stamp:
        self.frame += 1
        frame = frame or self.frame
        unit = self.units.add(direction, frame * TICK, frame, 0)
        return Stamp(frame * TICK, frame * TICK, (frame,), unit)

    def feed(self, event: Event, frame: int | None = None) -> None:
        if event.gap is not None:
            self.layer.gap(event.direction, event.gap, Stamp(self.frame * TICK, self.frame * TICK, (self.frame,), 0))
        elif event.data:
            self.layer.data(event.direction, event.data, self.stamp(event.direction, frame))
        else:
            self.layer.end(event.direction, None)

    def run(self, *events: tuple[int, bytes] | Event) -> list[Exchange]:
        """Feed all, close, and give back the exchanges."""
        for event in events:
            self.feed(event if isinstance(event, Event) else Event(*event))
        self.layer.close()
        return self.exchanges

    @property
    def kinds(self) -> list[str]:
        return [problem.kind for problem in self.problems]


class Told(NamedTuple):
    """An exchange as the tests like to see it."""

    request: bytes
    """Method and target, or empty."""
    request_body: bytes
    status: int
    """0: no response."""
    response_body: bytes
    incomplete: tuple[str, ...] = ()
    """Of the request, then of the response."""


def told(exchanges: list[Exchange]) -> list[Told]:
    found = []
    for exchange in exchanges:
        request, response = exchange.request, exchange.response
        found.append(
            Told(
                request.method + b" " + request.target if request else b"",
                request.body.getvalue() if request else b"",
                response.status if response else 0,
                response.body.getvalue() if response else b"",
                (*(request.incomplete if request else ()), *(response.incomplete if response else ())),
            )
        )
    return found


TOLD_GET: Final = Told(b"GET /", b"", 200, b"hello")
"""What comes of `GET` and `OK`."""


def only(exchanges: list[Exchange]) -> Exchange:
    (exchange,) = exchanges
    return exchange


def request_of(data: bytes) -> Request:
    request = only(Connection().run((CLIENT, data), (SERVER, OK))).request
    assert request is not None
    return request


def response_to(request: bytes, data: bytes, *, end: bool = True) -> Response:
    events = [(CLIENT, request), (SERVER, data)]
    response = only(Connection().run(*events, *([Event(SERVER)] if end else []))).response
    assert response is not None
    return response


def message_key(message: Message | None) -> object:
    """All of a message that does not depend on how it was cut into packets."""
    if message is None:
        return None
    rest = {
        name: getattr(message, name, None) for name in ("method", "target", "authority", "status", "reason", "version")
    }
    return (
        rest,
        message.headers,
        message.trailers,
        message.headers_size,
        message.body.getvalue(),
        message.incomplete,
    )


def exchange_key(exchange: Exchange) -> object:
    websocket = exchange.websocket
    return (
        message_key(exchange.request),
        message_key(exchange.response),
        [message_key(interim) for interim in exchange.interim],
        exchange.tunnel,
        [(event.event, event.id, event.data) for event in exchange.events or ()],
        websocket and [(m.direction, m.opcode, m.data, m.incomplete) for m in websocket.messages],
    )
