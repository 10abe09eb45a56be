"""HTTP/1.x: after a hole, or bytes that are no HTTP, the next message is found."""

from __future__ import annotations

import pytest

from pcapng_utils.http.http1 import Limits
from pcapng_utils.layers import CLIENT, SERVER
from tests.http.driver import (
    CHUNKED,
    GET,
    OK,
    TOLD_GET,
    Connection,
    Event,
    Told,
    told,
)


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


def test_a_hole_held_while_a_response_waits_for_its_request() -> None:
    connection = Connection()
    connection.feed(Event(SERVER, OK[:-3]), 2)
    connection.feed(Event(SERVER, b"", 3), 3)
    connection.feed(Event(CLIENT, GET), 1)
    assert told(connection.exchanges) == [Told(b"GET /", b"", 200, b"he", ("lost-bytes",))]


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
