"""HTTP/2 from hostile or broken peers: what it may cost, and what is said of it."""

from __future__ import annotations

import time

from hpack import Encoder

from pcapng_utils.http.h2_frames import MAX_FAULTS
from pcapng_utils.http.stream_services import Limits
from pcapng_utils.layers import CLIENT, SERVER
from tests.http2.wire import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GET,
    HEADERS,
    OK,
    PADDED,
    PING,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    START,
    WHOLE,
    Listener,
    frame,
)


def test_a_flood_of_continuations_is_bounded() -> None:
    listener = Listener(limits=Limits(header_block=10_000)).feed(*START)
    listener.feed((CLIENT, frame(HEADERS, 0, 1, b"\x82")))
    for _ in range(200):
        listener.feed((CLIENT, frame(CONTINUATION, 0, 1, b"\x82" * 100)))
    listener.feed((CLIENT, frame(HEADERS, WHOLE, 3, Encoder().encode(GET))))
    first, second = listener.close()
    assert first.request is not None
    assert "headers-unknown" in first.request.incomplete
    assert second.request is not None
    assert second.request.headers == GET
    assert {"http2-header-block", "http2-orphan"} == listener.kinds()
    assert [problem.kind for problem in listener.problems].count("http2-header-block") == 1


def test_a_header_bomb_costs_what_is_kept() -> None:
    encoder = Encoder()
    listener = Listener(limits=Limits(header_list=50_000)).feed(*START)
    listener.feed((CLIENT, frame(HEADERS, END_HEADERS, 1, encoder.encode([*GET, (b"x-bomb", b"b" * 3900)]))))
    listener.feed((CLIENT, frame(HEADERS, WHOLE, 3, encoder.encode(GET) + b"\xbe" * 16_000)))
    exchanges = listener.close()
    assert exchanges[1].request is not None
    assert len(exchanges[1].request.headers) < 20
    assert exchanges[1].request.incomplete == ["headers-unknown", "no-response"]
    assert listener.kinds() == {"http2-header-list"}
    assert exchanges[1].request.method == b"GET"


def test_streams_past_the_limit_push_out_the_oldest() -> None:
    encoder = Encoder()
    listener = Listener(limits=Limits(streams=10)).feed(*START)
    for number in range(25):
        listener.feed((CLIENT, frame(HEADERS, WHOLE, 2 * number + 1, encoder.encode(GET))))
    assert [exchange.stream for exchange in listener.exchanges] == [2 * number + 1 for number in range(15)]
    assert len(listener.close()) == 25
    assert listener.kinds() == {"http2-too-many-streams"}


def test_rapid_resets_linger_a_limited_number() -> None:
    encoder = Encoder()
    listener = Listener(limits=Limits(lingering=5)).feed(*START)
    for number in range(1000):
        stream = 2 * number + 1
        reset = frame(RST_STREAM, 0, stream, b"\x00\x00\x00\x08")
        listener.feed((CLIENT, frame(HEADERS, WHOLE, stream, encoder.encode(GET)) + reset))
    assert len(listener.exchanges) == 995
    assert {exchange.reset for exchange in listener.close()} == {"client RST_STREAM CANCEL"}


def test_an_oversized_header_frame_is_stepped_over() -> None:
    listener = Listener().feed(*START)
    listener.feed((CLIENT, frame(HEADERS, WHOLE, 1, bytes(1 << 19)) + frame(HEADERS, WHOLE, 3, Encoder().encode(GET))))
    first, second = listener.close()
    assert first.request is not None
    assert first.request.incomplete == ["headers-unknown", "no-response"]
    assert second.request is not None
    assert second.request.headers == GET


def test_frames_that_make_no_sense() -> None:
    listener = Listener().feed(*START)
    listener.feed(
        (CLIENT, frame(HEADERS, WHOLE | PADDED, 1, b"\xff\x82")),
        (CLIENT, frame(HEADERS, WHOLE | PRIORITY_FLAG, 3, b"\x00\x00")),
        (CLIENT, frame(HEADERS, WHOLE | PADDED, 5)),
        (CLIENT, frame(CONTINUATION, END_HEADERS, 5, b"\x82")),
        (CLIENT, frame(HEADERS, WHOLE, 2, b"\x82")),
        (CLIENT, frame(DATA, END_STREAM | PADDED, 7, b"\xff")),
        (CLIENT, frame(HEADERS, 0, 9, b"\x82") + frame(HEADERS, WHOLE, 11, b"\x82\x86\x84")),
    )
    exchanges = {exchange.stream: exchange.request for exchange in listener.close()}
    assert set(exchanges) == {1, 3, 5, 7, 9, 11}
    last = exchanges[11]
    assert last is not None
    assert (last.method, last.scheme, last.target) == (b"GET", b"http", b"/")
    assert listener.kinds() == {"http2-bad-padding", "http2-orphan", "http2-bad-stream"}


def test_what_is_no_frame_is_skipped_to_the_next_that_are() -> None:
    listener = Listener().feed(*START)
    garbage = b"\xde\xad\xbe\xef" * 25
    frames = frame(HEADERS, WHOLE, 1, Encoder().encode(GET)) + frame(SETTINGS, 1, 0) + frame(PING, 0, 0, bytes(8))
    listener.feed((CLIENT, garbage + frames))
    listener.feed((SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK))))
    (exchange,) = listener.exchanges
    assert exchange.request is not None
    assert exchange.request.headers == GET
    assert [(problem.kind, problem.lost) for problem in listener.problems] == [
        ("http2-not-a-frame", 0),
        ("http2-skipped", 100),
    ]


def test_a_direction_of_nothing_but_faults_is_given_up() -> None:
    listener = Listener().feed(*START)
    good = frame(PING, 0, 0, bytes(8)) * 3
    for _ in range(MAX_FAULTS + 50):
        listener.feed((CLIENT, b"\xff" * 9 + good))
    listener.feed((CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET))))
    listener.feed((SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK))))
    (exchange,) = listener.close()
    assert exchange.request is None
    assert exchange.response is not None
    assert exchange.response.headers == OK
    assert listener.kinds() == {"http2-not-a-frame", "http2-skipped"}
    assert len(listener.problems) <= 2 * MAX_FAULTS + 2


def test_field_sections_past_the_limit_are_left_out() -> None:
    answer = Encoder()
    listener = Listener(limits=Limits(sections=4)).feed(*START)
    listener.feed((CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET))))
    for _ in range(100):
        listener.feed((SERVER, frame(HEADERS, END_HEADERS, 1, answer.encode([(b":status", b"103")]))))
    (exchange,) = listener.close()
    assert len(exchange.interim) == 4
    assert listener.kinds() == {"http2-too-many-sections"}


def test_promises_that_cannot_be() -> None:
    listener = Listener().feed(*START)
    listener.feed((CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET))))
    for payload in (b"", bytes(4), b"\x00\x00\x00\x03\x82"):
        listener.feed((SERVER, frame(PUSH_PROMISE, END_HEADERS, 1, payload)))
    listener.feed((CLIENT, frame(PUSH_PROMISE, END_HEADERS, 1, b"\x00\x00\x00\x02\x82")))
    listener.feed((SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK))))
    (exchange,) = listener.close()
    assert exchange.request is not None
    assert exchange.response is not None
    assert (exchange.request.headers, exchange.response.headers) == (GET, OK)
    assert listener.kinds() == {"http2-bad-padding", "http2-bad-stream"}


def test_a_hole_inside_data_costs_nothing_else() -> None:
    answer = Encoder()
    listener = Listener().feed(*START)
    listener.feed((CLIENT, frame(HEADERS, WHOLE, 1, b"\x82\x86\x84") + frame(HEADERS, WHOLE, 3, b"\x82\x86\x84")))
    body = frame(HEADERS, END_HEADERS, 1, answer.encode([*OK, (b"x-a", b"1")])) + frame(
        DATA, END_STREAM, 1, b"x" * 1000
    )
    body += frame(HEADERS, WHOLE, 3, answer.encode([*OK, (b"x-a", b"1")]))
    listener.feed((SERVER, body[:200]))
    listener.gap(SERVER, 500)
    listener.feed((SERVER, body[700:]))
    first, second = listener.exchanges
    assert first.response is not None
    assert first.response.incomplete == ["lost-bytes"]
    assert first.response.body.size == 500
    assert second.response is not None
    assert second.response.headers == [*OK, (b"x-a", b"1")]
    assert second.response.incomplete == []
    assert listener.problems == []


def test_a_hole_across_frames_makes_later_references_unknown() -> None:
    answer = Encoder()
    listener = Listener().feed(*START)
    listener.feed((CLIENT, b"".join(frame(HEADERS, WHOLE, stream, b"\x82\x86\x84") for stream in (1, 3, 5))))
    frames = [frame(HEADERS, WHOLE, n, answer.encode([*OK, (b"x-a", b"1"), (b"x-%d" % n, b"n")])) for n in (1, 3, 5)]
    listener.feed((SERVER, frames[0]))
    listener.gap(SERVER, len(frames[1]))
    listener.feed((SERVER, frames[2]))
    listener.connection.end(SERVER, None)
    exchanges = {exchange.stream: exchange.response for exchange in listener.close()}
    assert exchanges[3] is None
    response = exchanges[5]
    assert response is not None
    assert response.headers == [(b":status", b"200"), (b"x-5", b"n")]
    assert response.incomplete == ["headers-unknown"]


def test_a_connection_cut_inside_a_frame_says_so() -> None:
    listener = Listener().feed(*START, (CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET))[:-2]))
    listener.connection.end(CLIENT, None)
    assert listener.close() == []
    assert [(problem.kind, problem.detail) for problem in listener.problems] == [
        ("http2-truncated", "sent by the client: 2 bytes are missing")
    ]


def test_work_is_linear() -> None:
    """A quarter of a megabyte of what is worst in each way takes a fraction of a second."""
    junk = [
        bytes(1 << 18),
        b"\x00\x00\x10\x00\x00\x00\x00\x00\x01" * (1 << 15),
        frame(SETTINGS, 0, 0, bytes(6)) * (1 << 14),
        frame(DATA, 0, 1, b"x") * (1 << 14),
        (frame(PING, 0, 0, bytes(8)) * 3 + b"\xff" * 9) * (1 << 12),
    ]
    for data in junk:
        listener = Listener()
        begun = time.process_time()
        for start in range(0, len(data), 1400):
            listener.feed((CLIENT, data[start : start + 1400]))
        listener.close()
        assert time.process_time() - begun < 2
