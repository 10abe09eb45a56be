"""HTTP/1.x: where bodies end, and what they hold."""

from __future__ import annotations

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from tests.http.driver import (
    CHUNKED,
    GET,
    OK,
    TOLD_GET,
    Connection,
    Told,
    response_to,
    told,
)


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
        (b"Transfer-Encoding: chunked", b"0" * 20 + b"3;a=b\r\nabc\r\n" + b"0" * 16 + b"\r\n\r\n", b"abc"),
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
