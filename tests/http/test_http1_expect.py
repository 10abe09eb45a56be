"""HTTP/1.x: requests that ask first whether they may send their body (RFC 9110, section 10.1.1)."""

from __future__ import annotations

from random import Random

import pytest

from pcapng_utils.http.http1 import Limits
from pcapng_utils.layers import CLIENT, SERVER
from tests.http.driver import GET, OK, TOLD_GET, Connection, Event, Told, told
from tests.http.test_http1_laws import cut, merged, run

BODY = b"B" * 5000
PUT = b"PUT /big HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n"
RETRY = PUT.replace(b"Expect: 100-continue\r\n", b"") + BODY
CHUNKED_PUT = PUT.replace(b"Content-Length: 5000", b"Transfer-Encoding: chunked")
REFUSED = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"

TOLD_REFUSED = Told(b"PUT /big", b"", 417, b"no")
TOLD_CREATED = Told(b"PUT /big", BODY, 201, b"ok")

CASES = {
    "refused, and sent again": (
        [(CLIENT, PUT), (SERVER, REFUSED), (CLIENT, RETRY), (SERVER, CREATED), (CLIENT, GET), (SERVER, OK)],
        [TOLD_REFUSED, TOLD_CREATED, TOLD_GET],
    ),
    "refused twice": (
        [(CLIENT, PUT), (SERVER, REFUSED), (CLIENT, CHUNKED_PUT), (SERVER, REFUSED), (CLIENT, GET), (SERVER, OK)],
        [TOLD_REFUSED, TOLD_REFUSED, TOLD_GET],
    ),
    "refused, and closed": ([(CLIENT, PUT), (SERVER, REFUSED)], [TOLD_REFUSED]),
    "refused, and the body sent": (
        [(CLIENT, PUT), (SERVER, REFUSED), (CLIENT, BODY), (CLIENT, GET), (SERVER, OK)],
        [TOLD_REFUSED._replace(request_body=BODY), TOLD_GET],
    ),
    "allowed": (
        [(CLIENT, PUT), (SERVER, CONTINUE), (CLIENT, BODY), (SERVER, CREATED), (CLIENT, GET), (SERVER, OK)],
        [TOLD_CREATED, TOLD_GET],
    ),
    "not waited for": (
        [(CLIENT, PUT), (CLIENT, BODY), (SERVER, CREATED), (CLIENT, GET), (SERVER, OK)],
        [TOLD_CREATED, TOLD_GET],
    ),
    "allowed, the body is a request": (
        [(CLIENT, PUT), (SERVER, CONTINUE), (CLIENT, GET + BODY[len(GET) :]), (SERVER, CREATED)],
        [TOLD_CREATED._replace(request_body=GET + BODY[len(GET) :])],
    ),
    "not waited for, the body is a request": (
        [(CLIENT, PUT), (CLIENT, GET + BODY[len(GET) :]), (SERVER, CREATED), (CLIENT, GET), (SERVER, OK)],
        [TOLD_CREATED._replace(request_body=GET + BODY[len(GET) :]), TOLD_GET],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_follows_the_head_is_told_however_it_is_cut(case: str) -> None:
    packets, expected = CASES[case]
    for seed in range(60):
        random = Random(seed)
        events = cut(packets, random, seed % 8)
        connection = run(merged(events, random) if seed % 2 else events)
        assert told(connection.exchanges) == expected, seed
        assert connection.problems == []


def test_a_body_that_is_a_request_is_held_only_so_long() -> None:
    connection = Connection(Limits(held=2000))
    body = GET + BODY[len(GET) :]
    exchanges = connection.run((CLIENT, PUT), (CLIENT, body[:1000]), (CLIENT, body[1000:]), (SERVER, CREATED))
    assert told(exchanges) == [TOLD_CREATED._replace(request_body=body)]


def test_an_unanswered_request_keeps_the_bytes_that_came() -> None:
    request = PUT.replace(b"5000", b"%d" % len(GET))
    assert told(Connection().run((CLIENT, request), (CLIENT, GET))) == [
        Told(b"PUT /big", GET, 0, b"", ("no-response",))
    ]
    assert told(Connection().run((CLIENT, request), (CLIENT, GET[:4]))) == [
        Told(b"PUT /big", GET[:4], 0, b"", ("truncated", "no-response"))
    ]


def test_a_hole_after_the_head_is_of_the_body() -> None:
    exchanges = Connection().run(
        (CLIENT, PUT), (CLIENT, BODY[:3]), Event(CLIENT, b"", 4990), (CLIENT, BODY[:7] + GET), (SERVER, CREATED + OK)
    )
    assert told(exchanges) == [TOLD_CREATED._replace(request_body=BODY[:10], incomplete=("lost-bytes",)), TOLD_GET]
