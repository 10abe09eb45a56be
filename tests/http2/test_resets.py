"""HTTP/2 streams that are reset, refused, or left open: what their exchanges lack."""

from __future__ import annotations

import pytest
from hpack import Encoder

from pcapng_utils.layers import CLIENT, SERVER
from tests.http2.wire import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GET,
    GOAWAY,
    HEADERS,
    OK,
    POST,
    RST_STREAM,
    WHOLE,
    by_hand,
    frame,
    request_of,
    response_of,
)


@pytest.mark.parametrize(
    ("code", "name"), [(8, "CANCEL"), (7, "REFUSED_STREAM"), (0, "NO_ERROR"), (13, "HTTP_1_1_REQUIRED"), (999, "0x3e7")]
)
def test_a_reset_by_the_client(code: int, name: str) -> None:
    _, (exchange,) = by_hand(
        (CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET))),
        (SERVER, frame(HEADERS, END_HEADERS, 1, Encoder().encode(OK)) + frame(DATA, 0, 1, b"half")),
        (CLIENT, frame(RST_STREAM, 0, 1, code.to_bytes(4, "big"))),
        (SERVER, frame(DATA, 0, 1, b" and what was on its way")),
    )
    assert exchange.reset == f"client RST_STREAM {name}"
    assert response_of(exchange).body.getvalue() == b"half and what was on its way"
    assert response_of(exchange).incomplete == ["truncated"]
    assert request_of(exchange).incomplete == []


def test_a_reset_by_the_server() -> None:
    _, (exchange,) = by_hand(
        (CLIENT, frame(HEADERS, END_HEADERS, 1, Encoder().encode(POST)) + frame(DATA, 0, 1, b"half")),
        (SERVER, frame(RST_STREAM, 0, 1, b"\x00\x00\x00\x0b")),
    )
    assert exchange.reset == "server RST_STREAM ENHANCE_YOUR_CALM"
    assert exchange.response is None
    assert request_of(exchange).incomplete == ["truncated", "no-response"]


def test_a_reset_after_the_whole_response_stops_the_upload() -> None:
    _, (exchange,) = by_hand(
        (CLIENT, frame(HEADERS, END_HEADERS, 1, Encoder().encode(POST)) + frame(DATA, 0, 1, b"half")),
        (SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK)) + frame(RST_STREAM, 0, 1, bytes(4))),
    )
    assert exchange.reset == "server RST_STREAM NO_ERROR"
    assert response_of(exchange).incomplete == []


def test_a_reset_of_what_was_over_changes_nothing() -> None:
    listener, (exchange,) = by_hand(
        (CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET))),
        (SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK))),
        (CLIENT, frame(RST_STREAM, 0, 1, bytes(4))),
    )
    assert exchange.reset == ""
    assert listener.problems == []


def test_streams_that_a_goaway_leaves_out() -> None:
    encode = Encoder().encode
    _, exchanges = by_hand(
        (CLIENT, frame(HEADERS, WHOLE, 1, encode(GET)) + frame(HEADERS, WHOLE, 3, encode(GET))),
        (SERVER, frame(GOAWAY, 0, 0, b"\x00\x00\x00\x01" + bytes(4) + b"debug")),
        (SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK))),
    )
    assert [(exchange.stream, exchange.reset) for exchange in exchanges] == [(1, ""), (3, "server GOAWAY NO_ERROR")]
    assert request_of(exchanges[1]).incomplete == ["no-response"]


def test_what_is_open_at_the_end_says_what_it_lacks() -> None:
    encode, answer = Encoder().encode, Encoder().encode
    _, exchanges = by_hand(
        (CLIENT, frame(HEADERS, WHOLE, 1, encode(GET)) + frame(HEADERS, END_HEADERS, 3, encode(POST))),
        (CLIENT, frame(HEADERS, WHOLE, 5, encode(GET)) + frame(HEADERS, WHOLE, 7, encode(GET))),
        (SERVER, frame(HEADERS, END_HEADERS, 5, answer(OK)) + frame(DATA, 0, 5, b"abc")),
        (SERVER, frame(HEADERS, END_HEADERS, 7, answer([*OK, (b"content-length", b"3")])) + frame(DATA, 0, 7, b"abc")),
    )
    lacking = {e.stream: (e.request and e.request.incomplete, e.response and e.response.incomplete) for e in exchanges}
    assert lacking == {
        1: (["no-response"], None),
        3: (["truncated", "no-response"], None),
        5: ([], ["truncated"]),
        7: ([], []),
    }


def test_frames_after_the_end_of_a_stream_are_left_out() -> None:
    listener, (exchange,) = by_hand(
        (CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET)) + frame(DATA, 0, 1, b"more")),
        (SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK))),
        (SERVER, frame(DATA, END_STREAM, 1, b"more") + frame(HEADERS, WHOLE, 1, b"\x88")),
    )
    assert request_of(exchange).body.size == response_of(exchange).body.size == 0
    assert listener.kinds() == {"http2-late-frame"}
    assert sum(problem.lost for problem in listener.problems) == 8
