"""HTTP/1.x: server-sent events in a response."""

from __future__ import annotations

import gzip

from pcapng_utils.layers import CLIENT, SERVER
from tests.http.driver import (
    GET,
    TICK,
    Connection,
    Event,
    only,
)


def test_events_have_the_time_of_the_packet_that_completed_them() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    exchange = only(
        Connection().run(
            (CLIENT, GET),
            (SERVER, head + b"9\r\ndata: a\n\n\r\n"),
            (SERVER, b"8\r\ndata: b\n"),
            (SERVER, b"\r\n1\r\n\n\r\n"),
        )
    )
    assert exchange.events is not None
    assert [(e.time, e.data) for e in exchange.events] == [(2 * TICK, "a"), (4 * TICK, "b")]


def test_events_of_a_compressed_stream() -> None:
    body = gzip.compress(b"id: 1\ndata: a\n\n")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"
    exchange = only(Connection().run((CLIENT, GET), (SERVER, head + body), Event(SERVER)))
    assert exchange.events is not None
    assert [(e.id, e.data) for e in exchange.events] == [("1", "a")]
    assert exchange.response is not None
    assert exchange.response.body.getvalue() == body


def test_an_event_stream_that_cannot_be_read_is_told() -> None:
    connection = Connection()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"
    connection.run((CLIENT, GET), (SERVER, head + b"not gzip"), Event(SERVER))
    assert connection.kinds == ["http1-bad-event-stream"]
