"""HTTP/1.x: which response answers which request, also where one of them was not captured or is cut short."""

from __future__ import annotations

import pytest

from pcapng_utils.http.http1 import Limits
from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from tests.http.driver import (
    CHUNKED,
    GET,
    OK,
    TICK,
    TOLD_GET,
    Connection,
    Event,
    Told,
    only,
    told,
)


def test_interim_responses_do_not_end_an_exchange() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    exchange = only(Connection().run((CLIENT, GET), (SERVER, interim + OK)))
    assert [r.status for r in exchange.interim] == [100, 103]
    assert exchange.interim[1].headers == [(b"Link", b"</a>")]
    assert told([exchange]) == [TOLD_GET]


def test_pipelined_requests_are_answered_in_order() -> None:
    requests = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % n for n in range(20))
    answers = b"".join(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%02d" % n for n in range(20))
    exchanges = Connection().run((CLIENT, requests), (SERVER, answers))
    assert told(exchanges) == [Told(b"GET /%d" % n, b"", 200, b"%02d" % n) for n in range(20)]


def test_an_exchange_is_emitted_with_its_last_byte() -> None:
    connection = Connection()
    connection.feed(Event(CLIENT, GET))
    connection.feed(Event(SERVER, OK[:-1]))
    assert connection.exchanges == []
    connection.feed(Event(SERVER, OK[-1:]))
    assert told(connection.exchanges) == [TOLD_GET]


def test_a_response_that_ends_before_its_request_waits_for_it() -> None:
    connection = Connection()
    connection.feed(Event(CLIENT, b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"))
    connection.feed(Event(SERVER, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"))
    assert connection.exchanges == []
    connection.feed(Event(CLIENT, b"cd"))
    assert told(connection.exchanges) == [Told(b"POST /", b"abcd", 413, b"")]


def test_stamps_and_units_of_what_carried_a_message() -> None:
    connection = Connection()
    body = b"Content-Length: 6\r\n\r\nabcdef"
    exchange = only(
        connection.run(
            (CLIENT, b"POST / HT"),
            (CLIENT, b"TP/1.1\r\n" + body[:-4]),
            (CLIENT, body[-4:]),
            (SERVER, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"),
            (SERVER, b"\r\n1\r\nx"),
            (SERVER, b"\r\n0\r\n\r\n"),
        )
    )
    request, response = exchange.request, exchange.response
    assert request is not None and response is not None
    assert (request.first, request.last, list(request.frames), list(request.units)) == (
        TICK,
        3 * TICK,
        [1, 2, 3],
        [0, 1, 2],
    )
    assert (response.first, response.last, list(response.frames), list(response.units)) == (
        4 * TICK,
        6 * TICK,
        [4, 5, 6],
        [0, 1, 2],
    )
    assert request.headers_size == len(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\n")
    headers, body_kind = UnitKind.HEADERS, UnitKind.BODY
    assert list(connection.units.kinds[CLIENT]) == [headers, headers | body_kind, body_kind]
    assert list(connection.units.kinds[SERVER]) == [headers, headers | body_kind, body_kind]


def test_a_packet_with_two_messages_belongs_to_both() -> None:
    exchanges = Connection().run((CLIENT, GET + GET[:5]), (CLIENT, GET[5:]), (SERVER, OK * 2))
    assert [list(e.request.frames) for e in exchanges if e.request] == [[1], [1, 2]]


def test_a_request_whose_response_never_came() -> None:
    assert told(Connection().run((CLIENT, GET))) == [Told(b"GET /", b"", 0, b"", ("no-response",))]


def test_once_the_server_ended_a_request_does_not_wait_for_a_response() -> None:
    connection = Connection()
    for event in (Event(CLIENT, GET), Event(SERVER, OK), Event(SERVER), Event(CLIENT, GET)):
        connection.feed(event)
    assert told(connection.exchanges) == [TOLD_GET, Told(b"GET /", b"", 0, b"", ("no-response",))]


def test_responses_whose_requests_were_not_captured() -> None:
    connection = Connection()
    connection.feed(Event(SERVER, OK + OK))
    assert connection.exchanges == []
    connection.feed(Event(CLIENT))
    assert told(connection.exchanges) == [Told(b"", b"", 200, b"hello")] * 2


def test_a_response_that_began_before_the_request_is_not_its_answer() -> None:
    """The capture begins in mid-connection: the first request was sent before it."""
    exchanges = Connection().run((SERVER, OK), (CLIENT, GET), (SERVER, OK), (CLIENT, GET), (SERVER, OK))
    assert told(exchanges) == [Told(b"", b"", 200, b"hello"), TOLD_GET, TOLD_GET]


def test_without_requests_responses_are_held_up_to_a_limit() -> None:
    connection = Connection(Limits(held=5000))
    for _ in range(20):
        connection.feed(Event(SERVER, OK))
    assert told(connection.exchanges) == [Told(b"", b"", 200, b"hello")] * 20
    assert connection.kinds == ["http1-no-requests"]


def test_without_responses_requests_are_held_up_to_a_limit() -> None:
    connection = Connection(Limits(outstanding=3))
    connection.feed(Event(CLIENT, b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % n for n in range(5))))
    assert [e.request.target for e in connection.exchanges if e.request] == [b"/0", b"/1"]
    connection.run()
    assert [e.request.target for e in connection.exchanges if e.request] == [b"/%d" % n for n in range(5)]


@pytest.mark.parametrize(
    ("request_data", "response_data", "expected"),
    [
        (GET, OK[:-2], Told(b"GET /", b"", 200, b"hel", ("truncated",))),
        (GET, CHUNKED + b"5\r\nhel", Told(b"GET /", b"", 200, b"hel", ("truncated",))),
        (GET, b"HTTP/1.1 200 OK\r\n\r\nhel", Told(b"GET /", b"", 200, b"hel", ("truncated",))),
        (GET, b"HTTP/1.1 404 No\r\nX: y\r\nZ", Told(b"GET /", b"", 404, b"", ("headers-unknown", "truncated"))),
        (GET, b"HTTP/1.1 4", Told(b"GET /", b"", 0, b"", ("headers-unknown", "truncated"))),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
            OK,
            Told(b"POST /", b"abc", 200, b"hello", ("truncated",)),
        ),
        (b"POST / HTTP/1.1\r\nContent", OK, Told(b"POST /", b"", 200, b"hello", ("headers-unknown", "truncated"))),
        (b"POST /x", OK, Told(b" ", b"", 200, b"hello", ("headers-unknown", "truncated"))),
    ],
)  # fmt: skip
def test_messages_cut_short_by_the_end_of_the_capture(
    request_data: bytes, response_data: bytes, expected: Told
) -> None:
    assert told(Connection().run((CLIENT, request_data), (SERVER, response_data))) == [expected]


def test_a_request_line_cut_short_and_never_answered_is_no_exchange() -> None:
    connection = Connection()
    assert connection.run((CLIENT, b"GET /x")) == []
    assert [(p.kind, p.lost) for p in connection.problems] == [("http1-truncated", 6)]


def test_a_lone_interim_response_is_kept() -> None:
    exchanges = Connection().run(Event(CLIENT), (SERVER, b"HTTP/1.1 100 Continue\r\n\r\n"))
    assert told(exchanges) == [Told(b"", b"", 100, b"")]
