"""HTTP/1.x: bytes in, exchanges out."""

from __future__ import annotations

import gzip

import pytest

from pcapng_utils.http.exchange import Exchange, Request, Response
from pcapng_utils.http.http1 import Limits
from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from tests.http.driver import TICK, Connection, Event, Told, told

GET = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TOLD_GET = Told(b"GET /", b"", 200, b"hello")


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


# Heads


@pytest.mark.parametrize(
    ("head", "method", "target", "version"),
    [
        (b"GET /path?q=1 HTTP/1.1\r\n\r\n", b"GET", b"/path?q=1", "HTTP/1.1"),
        (b"GET / HTTP/1.0\n\n", b"GET", b"/", "HTTP/1.0"),
        (b"GET http://example.org/ HTTP/1.1\r\n\r\n", b"GET", b"http://example.org/", "HTTP/1.1"),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", b"OPTIONS", b"*", "HTTP/1.1"),
        (b"get  /a  http/1.1 \r\n\r\n", b"get", b"/a", "HTTP/1.1"),
        (b"GET\t/a b c HTTP/1.1\r\n\r\n", b"GET", b"/a b c", "HTTP/1.1"),
        (b"M-SEARCH * HTTP/1.1\r\n\r\n", b"M-SEARCH", b"*", "HTTP/1.1"),
        (b"PROPFIND /dav HTTP/1.1\r\n\r\n", b"PROPFIND", b"/dav", "HTTP/1.1"),
        (b"BREW! /coffee HTTP/1.3\r\n\r\n", b"BREW!", b"/coffee", "HTTP/1.3"),
        (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", b"GET", b"/\xff\xfe", "HTTP/1.1"),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"GET", b"/", "HTTP/1.1"),
    ],
)
def test_request_lines(head: bytes, method: bytes, target: bytes, version: str) -> None:
    request = request_of(head)
    assert (request.method, request.target, request.version) == (method, target, version)
    assert request.headers_size == len(head.lstrip(b"\r\n"))


@pytest.mark.parametrize(
    ("line", "version", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK", "HTTP/1.1", 200, b"OK"),
        (b"HTTP/1.0 404 Not Found", "HTTP/1.0", 404, b"Not Found"),
        (b"HTTP/1.1 200", "HTTP/1.1", 200, b""),
        (b"HTTP/1.1 200 ", "HTTP/1.1", 200, b""),
        (b"HTTP/1.1  299 caf\xe9", "HTTP/1.1", 299, b"caf\xe9"),
        (b"http/1.1 500 x", "HTTP/1.1", 500, b"x"),
        (b"ICY 200 OK", "HTTP/1.0", 200, b"OK"),
        (b"HTTP/1.1 999 Odd", "HTTP/1.1", 999, b"Odd"),
    ],
)
def test_status_lines(line: bytes, version: str, status: int, reason: bytes) -> None:
    response = response_to(GET, line + b"\r\nContent-Length: 2\r\n\r\nok", end=False)
    assert (response.version, response.status, response.reason) == (version, status, reason)
    assert response.body.getvalue() == b"ok"


def test_headers_are_as_sent_but_for_the_space_around_them() -> None:
    connection = Connection()
    request = only(
        connection.run(
            (
                CLIENT,
                b"GET / HTTP/1.1\r\nhost:\texample.org  \r\nX-Two: 1\r\nx-two:2\r\nEmpty:\r\nOdd : v:w\n"
                b"Folded: a\r\n  b\r\n\tc \r\n"
                b"no colon\r\n: no name\r\nRaw: \xe9\x00\r\n\r\n",
            )
        )
    ).request
    assert request is not None
    assert request.headers == [
        (b"host", b"example.org"),
        (b"X-Two", b"1"),
        (b"x-two", b"2"),
        (b"Empty", b""),
        (b"Odd", b"v:w"),
        (b"Folded", b"a b c"),
        (b"Raw", b"\xe9\x00"),
    ]
    assert request.authority == b"example.org"
    assert connection.kinds == ["http1-bad-field", "http1-bad-field"]


# Bodies


@pytest.mark.parametrize(
    ("head", "body", "clear"),
    [
        (b"Content-Length: 3", b"abc", b"abc"),
        (b"Content-Length: 0", b"", b""),
        (b"content-length:3\r\nContent-Length: 3", b"abc", b"abc"),
        (b"Content-Length: 3, 3", b"abc", b"abc"),
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"Transfer-Encoding: Chunked", b"0003\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789"),
        (b"Transfer-Encoding: chunked", b"3 \nabc\n0\n\n", b"abc"),
        (b"Transfer-Encoding: chunked", b"0\r\n\r\n", b""),
        (b"Transfer-Encoding: gzip, chunked", b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"Transfer-Encoding: identity\r\nContent-Length: 3", b"abc", b"abc"),
    ],
)
def test_bodies_of_both_directions(head: bytes, body: bytes, clear: bytes) -> None:
    connection = Connection()
    message = b"POST / HTTP/1.1\r\n" + head + b"\r\n\r\n" + body
    answer = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body
    exchanges = connection.run((CLIENT, message + GET), (SERVER, answer + OK))
    assert told(exchanges) == [Told(b"POST /", clear, 200, clear), TOLD_GET]
    assert connection.problems == []


@pytest.mark.parametrize(
    ("head", "body", "clear", "fault"),
    [
        (b"Content-Length: 3\r\nContent-Length: 4", b"abc", b"abc", "Content-Length contradicts itself"),
        (b"Content-Length: 3, x", b"abc", b"abc", "Content-Length contradicts itself"),
        (
            b"Content-Length: 99\r\nTransfer-Encoding: chunked",
            b"3\r\nabc\r\n0\r\n\r\n",
            b"abc",
            "both Transfer-Encoding and Content-Length",
        ),
    ],
)
def test_contradictory_lengths_are_told(head: bytes, body: bytes, clear: bytes, fault: str) -> None:
    connection = Connection()
    answer = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body
    exchanges = connection.run((CLIENT, GET * 2), (SERVER, answer + OK))
    assert told(exchanges) == [Told(b"GET /", b"", 200, clear), TOLD_GET]
    assert [(p.kind, p.detail) for p in connection.problems] == [("http1-bad-length", fault)]


@pytest.mark.parametrize(
    "head", [b"", b"Content-Length: -1\r\n", b"Content-Length: 1e3\r\n", b"Transfer-Encoding: gzip\r\n"]
)
def test_a_response_without_a_length_lasts_until_the_end(head: bytes) -> None:
    response = response_to(GET, b"HTTP/1.1 200 OK\r\n" + head + b"\r\nall\r\n\r\nof it")
    assert response.body.getvalue() == b"all\r\n\r\nof it"
    assert response.incomplete == []


def test_trailers_are_kept_apart() -> None:
    body = b"3\r\nabc\r\n0\r\nDigest: x\r\nX-Long: a\r\n b\r\n\r\n"
    response = response_to(GET, CHUNKED + body)
    assert response.headers == [(b"Transfer-Encoding", b"chunked")]
    assert response.trailers == [(b"Digest", b"x"), (b"X-Long", b"a b")]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_statuses_have_no_body(status: bytes) -> None:
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
    exchanges = Connection().run((CLIENT, GET * 2), (SERVER, answer + OK))
    assert told(exchanges) == [Told(b"GET /", b"", int(status[:3]), b""), TOLD_GET]


@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X: y"])
def test_the_response_to_head_has_no_body(framing: bytes) -> None:
    head = b"HEAD / HTTP/1.1\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n"
    exchanges = Connection().run((CLIENT, head + GET), (SERVER, answer + OK))
    assert told(exchanges) == [Told(b"HEAD /", b"", 200, b""), TOLD_GET]


def test_interim_responses_do_not_end_an_exchange() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    exchange = only(Connection().run((CLIENT, GET), (SERVER, interim + OK)))
    assert [r.status for r in exchange.interim] == [100, 103]
    assert exchange.interim[1].headers == [(b"Link", b"</a>")]
    assert told([exchange]) == [TOLD_GET]


# Order, stamps


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


# What is missing


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


# Holes


def test_a_hole_in_a_counted_body_keeps_the_place() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    connection = Connection()
    exchanges = connection.run(
        (CLIENT, GET * 2), (SERVER, answer + b"abc"), Event(SERVER, b"", 4), (SERVER, b"hij" + OK)
    )
    assert told(exchanges) == [Told(b"GET /", b"", 200, b"abchij", ("lost-bytes",)), TOLD_GET]
    assert connection.problems == []


def test_a_hole_up_to_the_end_of_a_counted_body_completes_it() -> None:
    connection = Connection()
    connection.feed(Event(CLIENT, GET))
    connection.feed(Event(SERVER, OK[:-3]))
    connection.feed(Event(SERVER, b"", 3))
    assert told(connection.exchanges) == [Told(b"GET /", b"", 200, b"he", ("lost-bytes",))]


@pytest.mark.parametrize("size", [0, 60])
def test_a_hole_past_the_end_of_a_body_is_left_at_the_next_start_line(size: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
    exchanges = Connection().run(
        (CLIENT, GET * 3), (SERVER, answer + b"abc"), Event(SERVER, b"", size), (SERVER, b"llo" + OK)
    )
    assert told(exchanges)[0].status == 200
    assert told(exchanges)[0].response_body == (b"abcllo" if size == 0 else b"abc")
    assert told(exchanges)[0].incomplete == ("lost-bytes",)
    assert TOLD_GET in told(exchanges)


def test_a_hole_in_the_headers_keeps_what_was_read() -> None:
    connection = Connection()
    exchanges = connection.run(
        (CLIENT, GET),
        (SERVER, b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-"),
        Event(SERVER, b"", 30),
        (SERVER, b"the rest of a body"),
        (CLIENT, GET),
        (SERVER, OK),
    )
    assert told(exchanges) == [
        Told(b"GET /", b"", 200, b"", ("headers-unknown", "lost-bytes")),
        TOLD_GET,
    ]
    response = exchanges[0].response
    assert response is not None
    assert response.headers == [(b"Server", b"x")]
    assert [(p.kind, p.lost) for p in connection.problems] == [("http1-gap", 18)]


def test_a_lost_response_does_not_shift_those_that_follow() -> None:
    exchanges = Connection().run(
        (CLIENT, b"GET /1 HTTP/1.1\r\n\r\n"),
        Event(SERVER, b"", 500),
        (CLIENT, b"GET /2 HTTP/1.1\r\n\r\n"),
        (SERVER, OK),
    )
    assert told(exchanges) == [
        Told(b"GET /1", b"", 0, b"", ("no-response",)),
        Told(b"GET /2", b"", 200, b"hello"),
    ]


def test_a_lost_request_does_not_shift_those_that_follow() -> None:
    exchanges = Connection().run(
        Event(CLIENT, b"", 500), (SERVER, OK), (CLIENT, b"GET /2 HTTP/1.1\r\n\r\n"), (SERVER, OK)
    )
    assert told(exchanges) == [Told(b"", b"", 200, b"hello"), Told(b"GET /2", b"", 200, b"hello")]


def test_a_client_that_pipelines_is_trusted_to_go_on_doing_so() -> None:
    exchanges = Connection().run(
        (CLIENT, b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"),
        (SERVER, OK + OK[:-3]),
        Event(SERVER, b"", 3),
        (SERVER, OK),
    )
    assert [t.request for t in told(exchanges)] == [b"GET /1", b"GET /2", b"GET /3"]
    assert [t.status for t in told(exchanges)] == [200, 200, 200]


def test_a_hole_inside_a_chunk_keeps_the_place() -> None:
    answer = CHUNKED + b"a\r\nabc"
    exchanges = Connection().run(
        (CLIENT, GET * 2), (SERVER, answer), Event(SERVER, b"", 4), (SERVER, b"hij\r\n1\r\nk\r\n0\r\n\r\n" + OK)
    )
    assert told(exchanges) == [Told(b"GET /", b"", 200, b"abchijk", ("lost-bytes",)), TOLD_GET]


@pytest.mark.parametrize("size", [0, 9, 4000])
def test_after_a_hole_over_chunks_the_next_chunk_is_found(size: int) -> None:
    answer = CHUNKED + b"5\r\nabc"
    exchanges = Connection().run(
        (CLIENT, GET * 2), (SERVER, answer), Event(SERVER, b"", size), (SERVER, b"xyz\r\n2;a=b\r\nkl\r\n0\r\n\r\n" + OK)
    )
    assert told(exchanges) == [Told(b"GET /", b"", 200, b"abckl", ("lost-bytes",)), TOLD_GET]


def test_after_a_hole_over_the_last_chunk_the_next_message_is_found() -> None:
    answer = CHUNKED + b"5\r\nabc"
    exchanges = Connection().run(
        (CLIENT, GET), (SERVER, answer), Event(SERVER, b"", 0), (CLIENT, GET), (SERVER, b"xyz" + OK)
    )
    assert told(exchanges) == [Told(b"GET /", b"", 200, b"abc", ("lost-bytes",)), TOLD_GET]


def test_a_hole_in_a_body_until_close() -> None:
    exchanges = Connection().run(
        (CLIENT, GET), (SERVER, b"HTTP/1.1 200 OK\r\n\r\nabc"), Event(SERVER, b"", 5), (SERVER, b"xyz"), Event(SERVER)
    )
    assert told(exchanges) == [Told(b"GET /", b"", 200, b"abcxyz", ("lost-bytes",))]


# Garbage


def test_a_stream_that_begins_inside_a_message() -> None:
    connection = Connection()
    exchanges = connection.run(
        (SERVER, b"...rest of a body that says HTTP/1.1 somewhere\n"),
        (SERVER, b"{}" + OK),
        (CLIENT, b"more of a request body}POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"),
        (SERVER, OK),
    )
    assert told(exchanges) == [Told(b"", b"", 200, b"hello"), Told(b"POST /a", b"x", 200, b"hello")]
    assert [(p.kind, p.lost) for p in connection.problems] == [("http1-not-at-start", 49), ("http1-not-at-start", 23)]


@pytest.mark.parametrize(
    "garbage",
    [b"garbage", b"\x00\x01\x02\r\n\r\n", b"RTSP/1.0 200 OK\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"xx\r\n" * 3000],
)
def test_garbage_between_messages_is_skipped(garbage: bytes) -> None:
    connection = Connection()
    exchanges = connection.run((CLIENT, GET * 2), (SERVER, OK + garbage + OK))
    assert told(exchanges) == [TOLD_GET, TOLD_GET]
    assert [(p.kind, p.lost) for p in connection.problems] == [("http1-bad-start-line", len(garbage))]


def test_a_start_line_is_found_across_pieces() -> None:
    wire = OK + b"garbage\nmore" + OK
    connection = Connection()
    exchanges = connection.run((CLIENT, GET * 2), *((SERVER, wire[i : i + 1]) for i in range(len(wire))))
    assert told(exchanges) == [TOLD_GET, TOLD_GET]
    second = exchanges[1].response
    assert second is not None
    assert len(second.frames) == len(OK)


def test_a_header_section_that_does_not_end_is_skipped() -> None:
    connection = Connection(Limits(head=1000))
    head = b"GET /long HTTP/1.1\r\n" + b"X: y\r\n" * 300
    exchanges = connection.run((CLIENT, head + b"\r\n" + GET), (SERVER, OK))
    assert told(exchanges) == [TOLD_GET]
    assert connection.kinds == ["http1-head-too-long"]
    assert connection.problems[0].lost == len(head) + 2


def test_a_body_that_is_not_chunked_though_it_says_so() -> None:
    connection = Connection()
    exchanges = connection.run(
        (CLIENT, GET * 2), (SERVER, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{"a": 1}'), (SERVER, OK)
    )
    assert told(exchanges) == [Told(b"GET /", b"", 200, b'{"a": 1}', ("bad-chunk",)), TOLD_GET]
    assert connection.kinds == ["http1-not-chunked"]


def test_a_bad_chunk_size_is_left_at_the_next_chunk() -> None:
    body = b"3\r\nabc\r\nzz\r\nlost\r\n2\r\nde\r\n0\r\n\r\n"
    connection = Connection()
    exchanges = connection.run((CLIENT, GET * 2), (SERVER, CHUNKED + body + OK))
    assert told(exchanges) == [Told(b"GET /", b"", 200, b"abcde", ("bad-chunk",)), TOLD_GET]
    assert [(p.kind, p.lost) for p in connection.problems] == [("http1-bad-chunk", 10)]


# Tunnels and upgrades

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


def test_a_hole_held_while_a_response_waits_for_its_request() -> None:
    connection = Connection()
    connection.feed(Event(SERVER, OK[:-3]), 2)
    connection.feed(Event(SERVER, b"", 3), 3)
    connection.feed(Event(CLIENT, GET), 1)
    assert told(connection.exchanges) == [Told(b"GET /", b"", 200, b"he", ("lost-bytes",))]


# Server-sent events


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
