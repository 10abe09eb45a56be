"""HTTP/1.x: start lines and header fields."""

from __future__ import annotations

import pytest

from pcapng_utils.layers import CLIENT
from tests.http.driver import (
    GET,
    Connection,
    only,
    request_of,
    response_to,
)


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
