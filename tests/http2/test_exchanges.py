"""HTTP/2 exchanges: what a real client and server sent, and frames by hand where those would not send them."""

from __future__ import annotations

import gzip

import h2.settings
from hpack import Encoder

from pcapng_utils.layers import CLIENT, SERVER, UnitKind
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
    POST,
    PRIORITY,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    SETTINGS,
    START,
    WHOLE,
    WINDOW_UPDATE,
    Listener,
    Peers,
    by_hand,
    frame,
    hear,
    request_of,
    response_of,
)


def test_a_request_and_its_response() -> None:
    peers = Peers()
    peers.client.send_headers(1, [*POST, (b"content-length", b"5")])
    peers.client.send_data(1, b"hello", end_stream=True)
    peers.flush()
    peers.server.send_headers(1, OK)
    peers.server.send_data(1, b"wor")
    peers.server.send_data(1, b"ld", end_stream=True, pad_length=20)
    peers.flush()
    listener = Listener().feed(*peers.chunks)
    (exchange,) = listener.exchanges
    request, response = request_of(exchange), response_of(exchange)
    assert (request.method, request.scheme, request.authority, request.target) == (
        b"POST",
        b"https",
        b"a.example",
        b"/",
    )
    assert request.headers == [*POST, (b"content-length", b"5")]
    assert request.body.getvalue() == b"hello"
    assert (response.status, response.headers, response.body.getvalue()) == (200, OK, b"world")
    assert (request.version, response.version, exchange.stream) == ("HTTP/2", "HTTP/2", 1)
    assert not request.incomplete
    assert not response.incomplete
    assert listener.problems == []


def test_an_exchange_is_handed_on_at_once_when_both_sides_are_done() -> None:
    encode = Encoder().encode
    listener = Listener().feed(*START, (CLIENT, frame(HEADERS, WHOLE, 1, encode(GET))))
    listener.feed((SERVER, frame(HEADERS, END_HEADERS, 1, Encoder().encode(OK)) + frame(DATA, 0, 1, b"x")))
    assert listener.exchanges == []
    listener.feed((SERVER, frame(DATA, END_STREAM, 1)))
    assert len(listener.exchanges) == 1
    assert len(listener.close()) == 1


def test_interim_responses_and_trailers() -> None:
    peers = Peers()
    peers.client.send_headers(1, [*POST, (b"expect", b"100-continue")])
    peers.flush()
    peers.server.send_headers(1, [(b":status", b"100")])
    peers.flush()
    peers.client.send_data(1, b"body")
    peers.client.send_headers(1, [(b"x-checksum", b"1")], end_stream=True)
    peers.flush()
    peers.server.send_headers(1, [(b":status", b"103"), (b"link", b"</s.css>")])
    peers.server.send_headers(1, [*OK, (b"content-type", b"application/grpc")])
    peers.server.send_data(1, b"\x00\x00\x00\x00\x02hi")
    peers.server.send_headers(1, [(b"grpc-status", b"0"), (b"grpc-message", b"")], end_stream=True)
    peers.flush()
    (exchange,) = hear(peers.chunks)
    assert [interim.status for interim in exchange.interim] == [100, 103]
    assert exchange.interim[1].header(b"link") == b"</s.css>"
    assert request_of(exchange).trailers == [(b"x-checksum", b"1")]
    assert request_of(exchange).body.getvalue() == b"body"
    assert response_of(exchange).status == 200
    assert response_of(exchange).body.getvalue() == b"\x00\x00\x00\x00\x02hi"
    assert response_of(exchange).trailers == [(b"grpc-status", b"0"), (b"grpc-message", b"")]


def test_interleaved_streams() -> None:
    peers = Peers()
    for stream in (1, 3, 5):
        peers.client.send_headers(stream, [*GET, (b"x-stream", b"%d" % stream)], end_stream=True)
    peers.flush()
    for stream in (5, 1, 3):
        peers.server.send_headers(stream, [*OK, (b"x-stream", b"%d" % stream)])
    for part in (b"a", b"b"):
        for stream in (1, 3, 5):
            peers.server.send_data(stream, part * stream, end_stream=part == b"b")
    peers.flush()
    exchanges = hear(peers.chunks)
    assert [exchange.stream for exchange in exchanges] == [1, 3, 5]
    for exchange in exchanges:
        stream = exchange.stream or 0
        assert request_of(exchange).header(b"x-stream") == response_of(exchange).header(b"x-stream") == b"%d" % stream
        assert response_of(exchange).body.getvalue() == b"a" * stream + b"b" * stream


def test_table_sizes_that_change() -> None:
    peers = Peers(header_table_size=16384)
    for number, size in enumerate((0, 64, 65536, 4096)):
        stream = 2 * number + 1
        peers.client.send_headers(stream, [*GET, (b"x-a", b"v" * 50), (b"x-b", b"w" * 50)], end_stream=True)
        peers.flush()
        peers.server.update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: size})
        peers.server.send_headers(stream, [*OK, (b"x-a", b"v" * 50)], end_stream=True)
        peers.flush()
    exchanges = hear(peers.chunks)
    assert [request_of(exchange).headers[4:] for exchange in exchanges] == [
        [(b"x-a", b"v" * 50), (b"x-b", b"w" * 50)]
    ] * 4
    assert all(response_of(exchange).header(b"x-a") == b"v" * 50 for exchange in exchanges)


def test_header_frames_in_all_shapes() -> None:
    block = Encoder().encode(GET)
    padded = bytes((3,)) + b"\x80\x00\x00\x00\x10" + block[:5] + bytes(3)
    request = frame(HEADERS, END_STREAM | PADDED | PRIORITY_FLAG, 1, padded)
    request += (
        frame(CONTINUATION, 0, 1, block[5:6]) + frame(CONTINUATION, 0, 1) + frame(CONTINUATION, 0x4, 1, block[6:])
    )
    listener, (exchange,) = by_hand((CLIENT, request), (SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK))))
    assert request_of(exchange).headers == GET
    assert request_of(exchange).headers_size == len(block)
    assert listener.problems == []


def test_frames_that_belong_to_no_message_leave_no_trace() -> None:
    noise = b"".join(
        (
            frame(SETTINGS, 1, 0),
            frame(PING, 0, 0, bytes(8)),
            frame(WINDOW_UPDATE, 0, 0, b"\x00\x01\x00\x00"),
            frame(WINDOW_UPDATE, 0, 1, b"\x00\x01\x00\x00"),
            frame(PRIORITY, 0, 9, bytes(5)),
            frame(0x10, 0, 0, b"\x00\x00\x00\x01u=1"),
            frame(0x2A + 0x1F, 0xFF, 77, b"grease"),
        )
    )
    listener, exchanges = by_hand(
        (CLIENT, noise + frame(HEADERS, WHOLE, 1, Encoder().encode(GET)) + noise),
        (SERVER, noise + frame(HEADERS, WHOLE, 1, Encoder().encode(OK)) + noise),
    )
    assert len(exchanges) == 1
    assert listener.problems == []


def test_a_frame_of_an_unknown_type_may_be_as_long_as_the_other_side_takes() -> None:
    client, server = Encoder(), Encoder()
    largest = frame(SETTINGS, 0, 0, b"\0\5\0\1\0\0")
    listener, (exchange,) = by_hand(
        (CLIENT, largest + frame(HEADERS, WHOLE, 1, client.encode(GET))),
        (SERVER, frame(0xF0, 0xFF, 1, b"z" * 20_000) + frame(HEADERS, END_HEADERS, 1, server.encode(OK))),
        (SERVER, frame(DATA, END_STREAM, 1, b"A" * 40_000)),
    )
    assert response_of(exchange).body.getvalue() == b"A" * 40_000
    assert listener.problems == []


def test_a_pushed_exchange() -> None:
    peers = Peers()
    peers.client.send_headers(1, GET, end_stream=True)
    peers.flush()
    peers.server.push_stream(1, 2, [*GET[:3], (b":path", b"/style.css")])
    peers.server.send_headers(1, OK, end_stream=True)
    peers.server.send_headers(2, OK)
    peers.server.send_data(2, b"css", end_stream=True)
    peers.flush()
    listener = Listener().feed(*peers.chunks)
    first, pushed = listener.exchanges
    assert (first.stream, first.pushed) == (1, False)
    assert (pushed.stream, pushed.pushed) == (2, True)
    assert request_of(pushed).target == b"/style.css"
    assert response_of(pushed).body.getvalue() == b"css"


def test_a_promise_in_padding_and_pieces() -> None:
    block = Encoder().encode(GET)
    promise = frame(PUSH_PROMISE, PADDED, 1, b"\x02" + b"\x00\x00\x00\x02" + block[:3] + bytes(2))
    promise += frame(CONTINUATION, END_HEADERS, 1, block[3:])
    encode = Encoder().encode
    _, exchanges = by_hand(
        (CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET))),
        (SERVER, promise + frame(HEADERS, WHOLE, 2, encode(OK)) + frame(HEADERS, WHOLE, 1, encode(OK))),
    )
    assert [(exchange.stream, request_of(exchange).headers) for exchange in exchanges] == [(2, GET), (1, GET)]


def test_server_sent_events_even_compressed() -> None:
    stream = gzip.compress(b"event: tick\nid: 7\ndata: one\n\ndata: two\n\n")
    typed = [*OK, (b"content-type", b"text/event-stream"), (b"content-encoding", b"gzip")]
    listener, (exchange,) = by_hand(
        (CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(GET))),
        (SERVER, frame(HEADERS, END_HEADERS, 1, Encoder().encode(typed)) + frame(DATA, 0, 1, stream[:20])),
        (SERVER, frame(DATA, END_STREAM, 1, stream[20:])),
    )
    assert exchange.events is not None
    assert [(event.event, event.id, event.data) for event in exchange.events] == [
        ("tick", "7", "one"),
        ("message", "7", "two"),
    ]
    assert response_of(exchange).body.getvalue() == stream
    assert listener.problems == []


def test_stamps_and_units_of_all_that_carried_a_message() -> None:
    request = frame(HEADERS, WHOLE, 1, Encoder().encode(GET))
    response = frame(HEADERS, END_HEADERS, 1, Encoder().encode(OK)) + frame(DATA, END_STREAM, 1, b"x" * 30)
    listener = Listener().feed(*START)
    listener.feed((CLIENT, request[:3]), (CLIENT, request[3:12]), (CLIENT, request[12:]))
    listener.feed(*((SERVER, response[start : start + 10]) for start in range(0, len(response), 10)))
    (exchange,) = listener.exchanges
    assert list(request_of(exchange).frames) == [3, 4, 5]
    assert list(request_of(exchange).units) == [1, 2, 3]
    assert (request_of(exchange).first, request_of(exchange).last) == (3000, 5000)
    last = 5 + len(response) // 10 + 1
    assert list(response_of(exchange).frames) == list(range(6, last + 1))
    assert list(response_of(exchange).units) == list(range(1, last - 4))
    sent, answered = listener.units.kinds
    assert list(sent) == [UnitKind.CONTROL, *[UnitKind.HEADERS] * 3]
    assert list(answered)[:3] == [UnitKind.CONTROL, UnitKind.HEADERS, UnitKind.HEADERS | UnitKind.BODY]
    assert set(answered[3:]) == {UnitKind.BODY}


def test_header_values_in_any_bytes_and_host_in_place_of_authority() -> None:
    fields = [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/\xff"),
        (b"host", b"h.example"),
        (b"x", b"\x00\xe9"),
    ]
    _, (exchange,) = by_hand(
        (CLIENT, frame(HEADERS, WHOLE, 1, Encoder().encode(fields))),
        (SERVER, frame(HEADERS, WHOLE, 1, Encoder().encode(OK))),
    )
    assert request_of(exchange).headers == fields
    assert (request_of(exchange).authority, request_of(exchange).target) == (b"h.example", b"/\xff")
