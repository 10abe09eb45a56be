"""HTTP/1.x: CONNECT and Upgrade hand the connection on to another layer."""

from __future__ import annotations

import pytest

from pcapng_utils.http.http1 import Limits
from pcapng_utils.layers import CLIENT, SERVER
from tests.http.driver import (
    GET,
    OK,
    TOLD_GET,
    Connection,
    Event,
    Told,
    only,
    told,
)

CONNECT = b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def test_connect_makes_a_tunnel() -> None:
    connection = Connection()
    exchanges = connection.run(
        (CLIENT, CONNECT), (SERVER, ESTABLISHED + b"srv"), (CLIENT, b"cli"), Event(SERVER, b"", 7), Event(CLIENT)
    )
    exchange = only(exchanges)
    assert told(exchanges) == [Told(b"CONNECT example.org:443", b"", 200, b"")]
    assert exchange.tunnel == "connect"
    assert connection.above is not None
    assert connection.above.events == [
        Event(SERVER, b"srv"),
        Event(CLIENT, b"cli"),
        Event(SERVER, b"", 7),
        Event(CLIENT),
    ]
    assert connection.above.closed


def test_the_exchange_of_a_tunnel_is_emitted_when_the_tunnel_begins() -> None:
    connection = Connection()
    connection.feed(Event(CLIENT, CONNECT))
    connection.feed(Event(SERVER, ESTABLISHED))
    assert len(connection.exchanges) == 1


def test_what_was_captured_early_reaches_the_tunnel_in_the_order_of_time() -> None:
    connection = Connection()
    connection.feed(Event(CLIENT, CONNECT), 1)
    connection.feed(Event(CLIENT, b"c1"), 3)
    connection.feed(Event(CLIENT, b"c2"), 5)
    connection.feed(Event(SERVER, ESTABLISHED + b"s1"), 2)
    connection.feed(Event(SERVER, b"s2"), 4)
    assert connection.above is not None
    assert [e.data for e in connection.above.events] == [b"s1", b"c1", b"c2", b"s2"]


def test_after_a_refused_connect_http_goes_on() -> None:
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"
    exchanges = Connection().run((CLIENT, CONNECT + CONNECT + GET), (SERVER, refused + refused + OK))
    assert [t.status for t in told(exchanges)] == [407, 407, 200]
    assert exchanges[2].tunnel == ""


def test_a_connect_without_answer_is_a_tunnel_if_what_follows_is_no_http() -> None:
    connection = Connection()
    exchanges = connection.run((CLIENT, CONNECT), (CLIENT, b"\x16\x03\x01\x02\x00"))
    assert told(exchanges) == [Told(b"CONNECT example.org:443", b"", 0, b"", ("no-response",))]
    assert connection.above is not None
    assert connection.above.text(CLIENT) == b"\x16\x03\x01\x02\x00"


UPGRADE = b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n"


def test_a_websocket_is_emitted_with_its_messages() -> None:
    connection = Connection()
    connection.feed(Event(CLIENT, UPGRADE))
    connection.feed(Event(SERVER, SWITCHING + b"\x81\x02hi"))
    connection.feed(Event(CLIENT, b"\x88\x00"))
    assert connection.exchanges == []
    connection.feed(Event(SERVER, b"\x88\x02\x03\xe8"))
    exchange = only(connection.exchanges)
    assert exchange.tunnel == "websocket"
    assert exchange.websocket is not None
    assert [(m.direction, m.data) for m in exchange.websocket.messages] == [
        (SERVER, b"hi"),
        (CLIENT, b""),
        (SERVER, b"\x03\xe8"),
    ]


@pytest.mark.parametrize(
    ("asked", "answered", "kind", "emitted_here"),
    [
        (b"websocket", b"websocket", "websocket", False),
        (b"h2c", b"h2c", "h2c", False),
        (b"TLS/1.0, HTTP/1.1", b"TLS/1.0, HTTP/1.1", "tls/1.0", True),
        (b"Foo", b"", "foo", True),
    ],
)
def test_upgrades(asked: bytes, answered: bytes, kind: str, emitted_here: bool) -> None:
    connection = Connection()
    answer = b"HTTP/1.1 101 Switching\r\n" + (b"Upgrade: " + answered + b"\r\n" if answered else b"") + b"\r\n"
    connection.feed(Event(CLIENT, b"GET / HTTP/1.1\r\nUpgrade: " + asked + b"\r\n\r\n"))
    connection.feed(Event(SERVER, answer))
    assert connection.upgrades == [kind]
    assert [e.tunnel for e in connection.exchanges] == ([kind] if emitted_here else [])


@pytest.mark.parametrize("kind", [b"websocket", b"h2c"])
def test_without_a_layer_for_it_an_upgraded_exchange_is_emitted_at_once(kind: bytes) -> None:
    connection = Connection(above=lambda _: False)
    connection.feed(Event(CLIENT, b"GET / HTTP/1.1\r\nUpgrade: " + kind + b"\r\n\r\n"))
    connection.feed(Event(SERVER, b"HTTP/1.1 101 x\r\nUpgrade: " + kind + b"\r\n\r\nanything"))
    connection.feed(Event(CLIENT, b"at all"))
    assert [e.tunnel for e in connection.run()] == [kind.decode()]
    assert connection.problems == []


def test_an_upgrade_that_the_server_ignores() -> None:
    request = b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"
    exchanges = Connection().run((CLIENT, request), (SERVER, OK), (CLIENT, GET), (SERVER, OK))
    assert told(exchanges) == [TOLD_GET, TOLD_GET]


def test_an_upgrade_whose_request_was_not_captured() -> None:
    exchanges = Connection().run(Event(CLIENT), (SERVER, SWITCHING + b"\x81\x02hi"))
    exchange = only(exchanges)
    assert exchange.request is None
    assert exchange.websocket is not None
    assert [m.data for m in exchange.websocket.messages] == [b"hi"]


def test_a_switch_amid_other_requests_is_told() -> None:
    connection = Connection()
    exchanges = connection.run((CLIENT, GET + GET), (SERVER, SWITCHING + OK))
    assert [t.status for t in told(exchanges)] == [101, 200]
    assert connection.kinds == ["http1-no-switch"]


@pytest.mark.parametrize(
    ("following", "kind"), [(b"\x16\x03\x01" + bytes(6000), "connect"), (GET + b"POST / HTTP/1.1\r\n", "")]
)
def test_a_client_waits_for_the_answer_to_an_upgrade_up_to_a_limit(following: bytes, kind: str) -> None:
    connection = Connection(Limits(held=5000))
    connection.feed(Event(CLIENT, CONNECT))
    for start in range(0, len(following), 10):
        connection.feed(Event(CLIENT, following[start : start + 10]))
    if kind:
        assert connection.upgrades == [kind]
        assert connection.above is not None
        assert connection.above.text(CLIENT) == following
    exchanges = connection.run()
    assert [e.tunnel for e in exchanges] == ([kind] if kind else ["", "", ""])


def test_a_server_that_switches_early_waits_for_the_request_up_to_a_limit() -> None:
    connection = Connection(Limits(held=1000))
    connection.feed(Event(CLIENT, b"POST / HTTP/1.1\r\nUpgrade: foo\r\nContent-Length: 9\r\n\r\nabc"))
    connection.feed(Event(SERVER, b"HTTP/1.1 101 x\r\nUpgrade: foo\r\n\r\nearly"))
    assert connection.upgrades == []
    connection.feed(Event(SERVER, bytes(2000)))
    assert connection.upgrades == ["foo"]
    assert told(connection.exchanges) == [Told(b"POST /", b"abc", 101, b"", ("truncated",))]


def test_a_switch_waits_for_the_rest_of_its_request() -> None:
    connection = Connection()
    connection.feed(Event(CLIENT, b"POST / HTTP/1.1\r\nUpgrade: foo\r\nContent-Length: 4\r\n\r\nab"))
    connection.feed(Event(SERVER, b"HTTP/1.1 101 x\r\nUpgrade: foo\r\n\r\nsrv"))
    connection.feed(Event(CLIENT, b"cdcli"))
    assert told(connection.exchanges) == [Told(b"POST /", b"abcd", 101, b"")]
    assert connection.above is not None
    assert [e.data for e in connection.above.events] == [b"srv", b"cli"]


def test_holes_and_ends_that_were_held_reach_the_tunnel() -> None:
    connection = Connection()
    held = [Event(CLIENT, b"", 5), Event(CLIENT, b"cli"), Event(CLIENT)]
    for event in (Event(CLIENT, CONNECT), *held, Event(SERVER, ESTABLISHED)):
        connection.feed(event)
    assert connection.above is not None
    assert connection.above.events == held
