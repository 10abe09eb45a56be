"""HTTP/3 exchanges: what aioquic's client and server sent, and frames by hand where those would not send them."""

from __future__ import annotations

import gzip

import pytest
from pylsqpack import Encoder

from pcapng_utils.http.exchange import Exchange, Request, Response
from pcapng_utils.http.stream_services import Limits
from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from tests.http3.wire import (
    CANCEL_PUSH,
    DATA,
    GET,
    GOAWAY,
    HEADERS,
    OK,
    PUSH_PROMISE,
    SETTINGS,
    Fields,
    Listener,
    Peers,
    Piece,
    frame,
    hear,
    literal,
    varint,
)

POST: Fields = [(b":method", b"POST"), *GET[1:]]


def request_of(exchange: Exchange) -> Request:
    assert exchange.request is not None
    return exchange.request


def response_of(exchange: Exchange) -> Response:
    assert exchange.response is not None
    return exchange.response


def test_requests_and_responses_between_real_endpoints() -> None:
    peers = Peers()
    for number in range(12):
        fields = [*POST, (b"x-number", b"%d" % (number // 2)), (b"user-agent", b"agent" * 12)]
        stream = peers.request(fields, end=False)
        peers.client.send_data(stream, b"q%d" % number, end_stream=True)
        peers.flush()
        peers.server.send_headers(stream, [*OK, (b"x-number", b"%d" % (number // 2))])
        peers.server.send_data(stream, b"a" * 5000 * number, end_stream=False)
        peers.server.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)
        peers.flush()
    listener = Listener().feed(*peers.pieces)
    assert len(listener.exchanges) == 12, "each is handed on as soon as it is whole"
    assert listener.problems == []
    assert listener.connection.qpack[CLIENT].inserted > 0, "the dynamic table is in use"
    for number, exchange in enumerate(listener.exchanges):
        request, response = request_of(exchange), response_of(exchange)
        assert exchange.stream == 4 * number
        assert request.headers == [*POST, (b"x-number", b"%d" % (number // 2)), (b"user-agent", b"agent" * 12)]
        assert (request.method, request.authority, request.target) == (b"POST", b"a.example", b"/")
        assert request.body.getvalue() == b"q%d" % number
        assert (response.status, response.version) == (200, "HTTP/3")
        assert response.body.size == 5000 * number
        assert response.trailers == [(b"grpc-status", b"0")]
        assert request.incomplete == response.incomplete == []


def test_a_push_between_real_endpoints() -> None:
    peers = Peers()
    stream = peers.request(GET)
    peers.flush()
    pushed = peers.server.send_push_promise(stream, [*GET[:3], (b":path", b"/style.css")])
    peers.server.send_headers(pushed, OK)
    peers.server.send_data(pushed, b"css", end_stream=True)
    peers.server.send_headers(stream, OK, end_stream=True)
    peers.flush()
    for pieces in (peers.pieces, list(reversed(peers.pieces))):
        exchanges = sorted(hear(pieces), key=lambda exchange: exchange.pushed)
        assert [(exchange.stream, exchange.pushed) for exchange in exchanges] == [(stream, False), (pushed, True)]
        assert request_of(exchanges[1]).target == b"/style.css"
        assert response_of(exchanges[1]).body.getvalue() == b"css"
        assert request_of(exchanges[1]).incomplete == []


def test_resets_between_real_endpoints() -> None:
    peers = Peers()
    stream = peers.request(GET)
    peers.flush()
    peers.server.send_headers(stream, OK)
    peers.server.send_data(stream, b"half", end_stream=False)
    peers.flush()
    peers.reset(SERVER, stream, 0x102)
    other = peers.request(POST, end=False)
    peers.flush()
    peers.reset(CLIENT, other, 0x10C)
    peers.flush()
    first, second = hear(peers.pieces)
    assert first.reset == "server RESET_STREAM H3_INTERNAL_ERROR"
    assert response_of(first).body.getvalue() == b"half"
    assert response_of(first).incomplete == ["truncated"]
    assert second.reset == "client RESET_STREAM H3_REQUEST_CANCELLED"
    assert request_of(second).incomplete == ["truncated", "no-response"]


def by_hand(*pieces: Piece, limits: Limits | None = None) -> tuple[Listener, list[Exchange]]:
    listener = Listener(limits=limits or Limits()).feed(*pieces)
    return listener, listener.close()


ASK = Piece(0, CLIENT, frame(HEADERS, literal(GET)), fin=True)
ANSWER = Piece(0, SERVER, frame(HEADERS, literal(OK)) + frame(DATA, b"hi"), fin=True)


def test_interim_responses_and_trailers() -> None:
    sections = [[(b":status", b"100")], [(b":status", b"103"), (b"link", b"</s>")], OK]
    head = b"".join(frame(HEADERS, literal(fields)) for fields in sections)
    trailers = frame(HEADERS, literal([(b"x-sum", b"1")]))
    _, (exchange,) = by_hand(
        Piece(0, CLIENT, ASK.data + frame(DATA, b"q") + trailers, fin=True),
        Piece(0, SERVER, head + frame(DATA, b"a") + trailers, fin=True),
    )
    assert [interim.status for interim in exchange.interim] == [100, 103]
    assert request_of(exchange).trailers == response_of(exchange).trailers == [(b"x-sum", b"1")]
    assert (request_of(exchange).body.getvalue(), response_of(exchange).body.getvalue()) == (b"q", b"a")


def test_frames_and_streams_of_unknown_kinds_are_stepped_over() -> None:
    grease = frame(0x21 + 0x1F * 5, b"grease")
    listener, exchanges = by_hand(
        Piece(14, CLIENT, varint(0x21 + 0x1F * 7) + b"anything"),
        Piece(6, CLIENT, varint(3) + b"\x80"),
        Piece(2, CLIENT, b"\x00" + frame(SETTINGS, varint(0x21) + varint(5)) + grease + frame(CANCEL_PUSH, b"\x01")),
        Piece(1, SERVER, b"no such streams"),
        Piece(0, CLIENT, grease + ASK.data + grease, fin=True),
        Piece(0, SERVER, grease + ANSWER.data + grease, fin=True),
        Piece(4, CLIENT, varint(0x41) + varint(0) + b"a WebTransport stream"),
    )
    (exchange,) = exchanges
    assert request_of(exchange).headers == GET
    assert response_of(exchange).body.getvalue() == b"hi"
    assert listener.problems == []


def test_a_section_that_waits_holds_up_its_stream_alone() -> None:
    encoder = Encoder()
    settings = Piece(3, SERVER, b"\x00" + frame(SETTINGS, varint(1) + varint(4096) + varint(7) + varint(16)))
    fields = [*POST, (b"x-a", b"1"), (b"x-a", b"1")]
    instructions = encoder.apply_settings(4096, 16)
    for stream in (4, 8):
        sent, section = encoder.encode(stream, fields)
        instructions += sent
    assert section[0], "it refers to the dynamic table"
    listener = Listener().feed(
        Piece(4, CLIENT, frame(HEADERS, section) + frame(DATA, b"body"), fin=True),
        Piece(4, SERVER, ANSWER.data, fin=True),
        ASK,
        ANSWER,
    )
    assert [exchange.stream for exchange in listener.exchanges] == [0]
    listener.feed(settings)
    assert len(listener.exchanges) == 1
    listener.feed(Piece(2, CLIENT, b"\x02" + instructions[:5]), Piece(2, CLIENT, instructions[5:]))
    assert [exchange.stream for exchange in listener.exchanges] == [0, 4]
    assert request_of(listener.exchanges[1]).headers == fields
    assert request_of(listener.exchanges[1]).body.getvalue() == b"body"


def test_a_section_that_waits_in_vain_is_read_as_far_as_it_goes() -> None:
    # Required Insert Count 1, base 1: a static field, and the first entry of the table.
    section = b"\x02\x00" + b"\xd1" + b"\x80"
    settings = Piece(3, SERVER, b"\x00" + frame(SETTINGS, varint(1) + varint(4096)))
    _, (exchange,) = by_hand(settings, Piece(0, CLIENT, frame(HEADERS, section) + frame(DATA, b"x"), fin=True), ANSWER)
    assert request_of(exchange).headers == [(b":method", b"GET")]
    assert request_of(exchange).body.getvalue() == b"x"
    assert request_of(exchange).incomplete == ["headers-unknown"]
    assert response_of(exchange).status == 200


def test_sections_that_wait_are_limited_in_number_and_in_what_follows_them() -> None:
    section = frame(HEADERS, b"\x02\x00\xd1\x80")
    listener = Listener(limits=Limits(blocked=3, held=10_000))
    for number in range(5):
        listener.feed(Piece(4 * number, CLIENT, section, fin=True), Piece(4 * number, SERVER, ANSWER.data, fin=True))
    assert [exchange.stream for exchange in listener.exchanges] == [12, 16]
    assert listener.kinds() == {"http3-too-many-blocked", "http3-unknown-fields"}
    other = Listener(limits=Limits(held=10_000))
    other.feed(Piece(0, CLIENT, section))
    for _ in range(12):
        other.feed(Piece(0, CLIENT, frame(DATA, b"x" * 1000)))
    other.feed(Piece(0, CLIENT, b"", fin=True), ANSWER)
    (exchange,) = other.exchanges
    assert request_of(exchange).body.size == 12_000
    assert request_of(exchange).incomplete == ["headers-unknown"]


def test_a_lost_encoder_stream_leaves_what_is_certain() -> None:
    section = frame(HEADERS, b"\x02\x00\xd1\x80")
    listener = Listener()
    listener.feed(Piece(3, SERVER, b"\x00" + frame(SETTINGS, varint(1) + varint(4096))))
    listener.feed(Piece(2, CLIENT, b"\x02\x3f\xe1\x1f"))
    listener.feed(Piece(0, CLIENT, section, fin=True), ANSWER)
    assert listener.exchanges == []
    listener.gap(2, CLIENT, 7)
    (exchange,) = listener.exchanges
    assert request_of(exchange).headers == [(b":method", b"GET")]
    assert request_of(exchange).incomplete == ["headers-unknown"]
    assert listener.kinds() == {"http3-encoder-gap", "http3-unknown-fields"}


def test_a_hole_inside_data_is_counted() -> None:
    body = frame(HEADERS, literal(OK)) + frame(DATA, b"x" * 1000) + frame(HEADERS, literal([(b"x-sum", b"1")]))
    listener = Listener().feed(ASK, Piece(0, SERVER, body[:100]))
    listener.gap(0, SERVER, 500).feed(Piece(0, SERVER, body[600:], fin=True))
    (exchange,) = listener.exchanges
    assert response_of(exchange).body.size == 500
    assert response_of(exchange).trailers == [(b"x-sum", b"1")]
    assert response_of(exchange).incomplete == ["lost-bytes"]
    assert listener.problems == []


@pytest.mark.parametrize("size", [0, 1030])
def test_a_hole_across_frames_ends_the_reading_of_the_message(size: int) -> None:
    body = frame(HEADERS, literal(OK)) + frame(DATA, b"x" * 1000) + frame(DATA, b"y" * 1000)
    listener = Listener().feed(ASK, Piece(0, SERVER, body[:100]))
    listener.gap(0, SERVER, size).feed(Piece(0, SERVER, body[1130:], fin=True))
    (exchange,) = listener.exchanges
    assert set(response_of(exchange).body.getvalue()) == {ord("x")}
    assert response_of(exchange).incomplete == ["lost-bytes"]
    assert listener.kinds() == {"http3-gap", "http3-skipped"}


def test_headers_with_a_hole_are_unknown() -> None:
    listener = Listener().feed(Piece(0, CLIENT, ASK.data[:10]))
    listener.gap(0, CLIENT, 5).feed(Piece(0, CLIENT, ASK.data[15:], fin=True), ANSWER)
    (exchange,) = listener.exchanges
    assert request_of(exchange).incomplete == ["headers-unknown"]
    assert request_of(exchange).headers == []
    assert response_of(exchange).status == 200


def test_a_message_that_ends_inside_a_frame() -> None:
    listener, (exchange,) = by_hand(ASK, Piece(0, SERVER, ANSWER.data[:-1], fin=True))
    assert response_of(exchange).body.getvalue() == b"h"
    assert response_of(exchange).incomplete == ["truncated"]
    assert listener.kinds() == {"http3-truncated"}


def test_what_is_open_at_the_end_says_what_it_lacks() -> None:
    _, exchanges = by_hand(
        Piece(0, CLIENT, ASK.data),
        Piece(4, CLIENT, ASK.data, fin=True),
        Piece(4, SERVER, ANSWER.data),
        Piece(3, SERVER, b"\x00" + frame(SETTINGS) + frame(GOAWAY, varint(8))),
        Piece(8, CLIENT, ASK.data, fin=True),
    )
    assert [request_of(exchange).incomplete for exchange in exchanges] == [
        ["truncated", "no-response"],
        [],
        ["no-response"],
    ]
    assert response_of(exchanges[1]).incomplete == ["truncated"]
    assert [exchange.reset for exchange in exchanges] == ["", "", "server GOAWAY"]


def test_a_websocket_on_a_stream() -> None:
    connect = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]
    ping = b"\x81\x82" + bytes(4) + b"hi"
    pieces = [
        Piece(0, CLIENT, frame(HEADERS, literal(connect)) + frame(DATA, ping), fin=True),
        Piece(0, SERVER, frame(HEADERS, literal([(b":status", b"200")])) + frame(DATA, b"\x81\x02ho"), fin=True),
    ]
    for order in (pieces, pieces[::-1]):
        _, (exchange,) = by_hand(*order)
        assert exchange.websocket is not None
        assert exchange.tunnel == "websocket"
        heard = sorted((message.direction, message.data) for message in exchange.websocket.messages)
        assert heard == [(0, b"hi"), (1, b"ho")]


def test_server_sent_events_even_compressed() -> None:
    stream = gzip.compress(b"data: one\n\ndata: two\n\n")
    typed = [*OK, (b"content-type", b"text/event-stream"), (b"content-encoding", b"gzip")]
    _, (exchange,) = by_hand(ASK, Piece(0, SERVER, frame(HEADERS, literal(typed)) + frame(DATA, stream), fin=True))
    assert exchange.events is not None
    assert [event.data for event in exchange.events] == ["one", "two"]


def test_stamps_and_units_of_all_that_carried_a_message() -> None:
    listener = Listener()
    listener.feed(Piece(2, CLIENT, b"\x00" + frame(SETTINGS)))
    listener.feed(
        Piece(0, CLIENT, ASK.data[:1]), Piece(0, CLIENT, ASK.data[1:9]), Piece(0, CLIENT, ASK.data[9:], fin=True)
    )
    listener.feed(Piece(0, SERVER, ANSWER.data[:-1]), Piece(0, SERVER, ANSWER.data[-1:], fin=True))
    (exchange,) = listener.exchanges
    assert list(request_of(exchange).frames) == [2, 3, 4]
    assert list(request_of(exchange).units) == [1, 2, 3]
    assert list(response_of(exchange).frames) == [5, 6]
    assert request_of(exchange).headers_size == len(literal(GET))
    assert list(listener.units.kinds[CLIENT]) == [UnitKind.CONTROL, *[UnitKind.HEADERS] * 3]
    assert list(listener.units.kinds[SERVER]) == [UnitKind.HEADERS | UnitKind.BODY, UnitKind.BODY]


def test_a_promise_that_no_stream_follows() -> None:
    promise = frame(PUSH_PROMISE, varint(5) + literal([*GET[:3], (b":path", b"/p")]))
    _, exchanges = by_hand(ASK, Piece(0, SERVER, promise + promise + ANSWER.data, fin=True))
    assert [(exchange.stream, exchange.pushed) for exchange in exchanges] == [(0, False), (None, True)]
    assert request_of(exchanges[1]).incomplete == ["no-response"]
