"""HTTP/2 in place of something else, and something else inside it: upgrades from HTTP/1, WebSockets, CONNECT."""

from __future__ import annotations

from hpack import Encoder

from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange, Request, Response
from pcapng_utils.layers import CLIENT, SERVER, Stamp
from tests.http2.wire import (
    CLIENT_START,
    DATA,
    END_HEADERS,
    END_STREAM,
    GET,
    HEADERS,
    OK,
    SERVER_START,
    START,
    WHOLE,
    Fields,
    Listener,
    by_hand,
    frame,
    request_of,
    response_of,
)

CONNECT_WS: Fields = [
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"https"),
    (b":path", b"/chat"),
    (b":authority", b"a.example"),
    (b"sec-websocket-version", b"13"),
]


def test_an_upgraded_connection_answers_the_request_that_asked_for_it() -> None:
    asked = Request(Body(), method=b"GET", target=b"/", authority=b"a.example")
    switched = Response(Body(), status=101, reason=b"Switching Protocols")
    listener = Listener(upgraded=Exchange(asked, switched, tunnel="h2c"))
    encode = Encoder().encode
    listener.feed(
        (SERVER, SERVER_START + frame(HEADERS, END_HEADERS, 1, encode(OK)) + frame(DATA, END_STREAM, 1, b"hi"))
    )
    listener.feed((CLIENT, CLIENT_START + frame(HEADERS, WHOLE, 3, Encoder().encode(GET))))
    listener.feed((SERVER, frame(HEADERS, WHOLE, 3, encode(OK))))
    first, second = listener.exchanges
    assert first.request is asked
    assert first.interim == [switched]
    assert first.tunnel == "h2c"
    assert (first.stream, response_of(first).status, response_of(first).body.getvalue()) == (1, 200, b"hi")
    assert (second.stream, request_of(second).version) == (3, "HTTP/2")


def masked(opcode: int, payload: bytes) -> bytes:
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


def unmasked(opcode: int, payload: bytes) -> bytes:
    return bytes((0x80 | opcode, len(payload))) + payload


def test_a_websocket_on_a_stream() -> None:
    _, exchanges = by_hand(
        (CLIENT, frame(HEADERS, END_HEADERS, 1, Encoder().encode(CONNECT_WS))),
        (SERVER, frame(HEADERS, END_HEADERS, 1, Encoder().encode([(b":status", b"200")]))),
        (CLIENT, frame(DATA, 0, 1, masked(1, b"ping?")[:4])),
        (CLIENT, frame(DATA, 0, 1, masked(1, b"ping?")[4:])),
        (SERVER, frame(DATA, 0, 1, unmasked(2, b"pong!") + unmasked(8, b"\x03\xe8"))),
        (CLIENT, frame(DATA, END_STREAM, 1, masked(8, b"\x03\xe8"))),
        (SERVER, frame(DATA, END_STREAM, 1)),
    )
    (exchange,) = exchanges
    assert exchange.websocket is not None
    assert exchange.tunnel == "websocket"
    assert [(m.direction, m.opcode, m.data) for m in exchange.websocket.messages][:2] == [
        (0, 1, b"ping?"),
        (1, 2, b"pong!"),
    ]
    assert request_of(exchange).body.size == response_of(exchange).body.size == 0


def test_a_websocket_that_is_refused_has_a_response_like_others() -> None:
    _, (exchange,) = by_hand(
        (CLIENT, frame(HEADERS, END_HEADERS, 1, Encoder().encode(CONNECT_WS))),
        (CLIENT, frame(DATA, END_STREAM, 1, b"hasty")),
        (SERVER, frame(HEADERS, END_HEADERS, 1, Encoder().encode([(b":status", b"403")])) + frame(DATA, 1, 1, b"no")),
    )
    assert exchange.websocket is None
    assert exchange.tunnel == ""
    assert request_of(exchange).body.getvalue() == b"hasty"
    assert response_of(exchange).body.getvalue() == b"no"


class Tunnel:
    """A ByteLayer that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        self.heard.append((direction, data))

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        self.heard.append((direction, size))

    def end(self, direction: int, stamp: Stamp | None) -> None:
        self.heard.append((direction, "end"))

    def close(self) -> None:
        self.heard.append(("close",))


def test_a_connect_tunnel_goes_to_the_layer_that_was_asked_for() -> None:
    tunnel = Tunnel()
    asked: list[tuple[int | None, str]] = []

    def upgrade(exchange: Exchange, kind: str) -> Tunnel:
        asked.append((exchange.stream, kind))
        return tunnel

    listener = Listener(upgrade=upgrade).feed(
        *START,
        (
            CLIENT,
            frame(HEADERS, END_HEADERS, 1, Encoder().encode([(b":method", b"CONNECT"), (b":authority", b"b:443")])),
        ),
        (CLIENT, frame(DATA, 0, 1, b"early")),
        (SERVER, frame(HEADERS, END_HEADERS, 1, Encoder().encode([(b":status", b"200")])) + frame(DATA, 0, 1, b"s")),
        (CLIENT, frame(DATA, END_STREAM, 1, b"c")),
    )
    (exchange,) = listener.close()
    assert asked == [(1, "connect")]
    assert tunnel.heard == [(0, b"early"), (1, b"s"), (0, b"c"), (0, "end"), ("close",)]
    assert (exchange.tunnel, request_of(exchange).authority) == ("connect", b"b:443")
    assert request_of(exchange).body.size == 0
