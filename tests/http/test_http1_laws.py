"""Laws of HTTP/1.x: however the bytes are cut, and in whichever order the two directions come, the exchanges are the
same; what h11 writes is read; no input raises."""

from __future__ import annotations

import itertools
from random import Random
from typing import NamedTuple

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange
from pcapng_utils.http.http1 import Http1Connection
from pcapng_utils.layers import CLIENT, SERVER, Stamp
from tests.http.driver import Connection, Event, Told, exchange_key, told


class Spec(NamedTuple):
    """An exchange to be written."""

    method: bytes
    target: bytes
    request_body: bytes
    request_chunked: bool
    interim: int
    status: int
    reason: bytes
    response_body: bytes
    response_chunked: bool
    line_end: bytes
    blank: bytes
    odd: bool

    @property
    def told(self) -> Told:
        bodiless = self.method == b"HEAD" or self.status in (204, 304)
        body = b"" if bodiless else self.response_body
        return Told(self.method + b" " + self.target, self.request_body, self.status, body)

    def _body(self, body: bytes, chunked: bool) -> tuple[bytes, bytes]:
        """The header that frames the body, and the body framed."""
        end = self.line_end
        if not chunked:
            return b"content-length:%d" % len(body) + end, body
        half = len(body) // 2 + 1
        chunks = [chunk for chunk in (body[:half], body[half:]) if chunk]
        extension = b" ; a=b" if self.odd else b""
        framed = b"".join(b"%X%s%s%s%s" % (len(chunk), extension, end, chunk, end) for chunk in chunks)
        trailer = b"X-Trailer: t" + end if self.odd else b""
        return b"Transfer-Encoding: chunked" + end, framed + b"0" + end + trailer + end

    def request(self) -> bytes:
        end, space = self.line_end, b"  " if self.odd else b" "
        framing, body = self._body(self.request_body, self.request_chunked)
        headers = b"Host: example.org" + end + b"Folded: a" + end + b" b" + end + framing + end
        return self.blank + self.method + space + self.target + space + b"HTTP/1.1" + end + headers + body

    def response(self) -> bytes:
        end = self.line_end
        interim = (b"HTTP/1.1 100 Continue" + end + end) * self.interim
        framing, body = self._body(self.response_body, self.response_chunked)
        if self.method == b"HEAD" or self.status in (204, 304):
            body = b""
        line = b"HTTP/1.1 %d" % self.status + (b" " + self.reason if self.reason else b"") + end
        return interim + self.blank + line + b"Server: s" + end + framing + end + body


BODIES = st.one_of(st.just(b""), st.binary(max_size=40), st.sampled_from([b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n\r\n" * 3]))
SPECS = st.builds(
    Spec,
    st.sampled_from([b"GET", b"POST", b"HEAD", b"PROPFIND", b"custom"]),
    st.sampled_from([b"/", b"/a?b=c", b"*", b"http://example.org/x"]),
    BODIES,
    st.booleans(),
    st.integers(0, 2),
    st.sampled_from([200, 204, 206, 304, 404, 500]),
    st.sampled_from([b"", b"OK", b"Not so good"]),
    BODIES,
    st.booleans(),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"", b"\r\n", b"\n\r\n"]),
    st.booleans(),
)
ENDINGS = st.sampled_from(["", "close", "connect", "refused", "websocket"])


class Wire(NamedTuple):
    """Packets in the order of time, and what they tell."""

    packets: list[tuple[int, bytes]]
    told: list[Told]


def wire_of(specs: list[Spec], ending: str, pipelined: bool) -> Wire:
    requests = [spec.request() for spec in specs]
    responses = [spec.response() for spec in specs]
    expected = [spec.told for spec in specs]
    more: list[tuple[int, bytes]] = []
    if ending == "close":
        more = [(CLIENT, b"GET /last HTTP/1.0\r\n\r\n"), (SERVER, b"HTTP/1.0 200 OK\r\n\r\nto the end")]
        expected.append(Told(b"GET /last", b"", 200, b"to the end"))
    elif ending == "connect":
        more = [(CLIENT, b"CONNECT a:1 HTTP/1.1\r\n\r\n"), (SERVER, b"HTTP/1.1 200 OK\r\n\r\nGET / HTTP/1.1\r\n\r\n")]
        more += [(CLIENT, b"HTTP/1.1 200 OK\r\n\r\n"), (SERVER, b"\x00\x01"), (CLIENT, b"GET ")]
        expected.append(Told(b"CONNECT a:1", b"", 200, b""))
    elif ending == "refused":
        more = [(CLIENT, b"CONNECT a:1 HTTP/1.1\r\n\r\n"), (SERVER, b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")]
        more += [(CLIENT, b"GET / HTTP/1.1\r\n\r\n"), (SERVER, b"HTTP/1.1 204 OK\r\n\r\n")]
        expected += [Told(b"CONNECT a:1", b"", 403, b"no"), Told(b"GET /", b"", 204, b"")]
    elif ending == "websocket":
        more = [(CLIENT, b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")]
        more += [(SERVER, b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"), (CLIENT, b"\x82\x03abc")]
        expected.append(Told(b"GET /ws", b"", 101, b""))
    if pipelined:
        packets = [(CLIENT, request) for request in requests] + [(SERVER, response) for response in responses]
    else:
        packets = [
            packet
            for request, response in zip(requests, responses, strict=True)
            for packet in ((CLIENT, request), (SERVER, response))
        ]
    return Wire(packets + more, expected)


def cut(packets: list[tuple[int, bytes]], random: Random, most: int) -> list[tuple[int, Event]]:
    """The packets cut at random places into smaller ones, with their frame numbers; then both ends."""
    pieces: list[Event] = []
    for direction, data in packets:
        places = sorted({0, len(data), *(random.randint(0, len(data)) for _ in range(random.randint(0, most)))})
        pieces += [Event(direction, data[a:b]) for a, b in itertools.pairwise(places)]
    return list(enumerate([*pieces, Event(CLIENT), Event(SERVER)], start=1))


def merged(events: list[tuple[int, Event]], random: Random) -> list[tuple[int, Event]]:
    """The two directions, each in its order, put together at random."""
    queues = [[e for e in events if e[1].direction == side] for side in (CLIENT, SERVER)]
    out = []
    while any(queues):
        queue = random.choice([queue for queue in queues if queue])
        out += [queue.pop(0) for _ in range(min(len(queue), random.randint(1, 5)))]
    return out


def run(events: list[tuple[int, Event]]) -> Connection:
    connection = Connection()
    for frame, event in events:
        connection.feed(event, frame)
    connection.layer.close()
    return connection


def stamps(exchange: Exchange) -> list[object]:
    return [
        (m.first, m.last, list(m.frames), list(m.units))
        for m in (exchange.request, *exchange.interim, exchange.response)
        if m
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(SPECS, max_size=5), ENDINGS, st.booleans(), st.randoms(use_true_random=False))
def test_cuts_and_order_of_the_directions_make_no_difference(
    specs: list[Spec], ending: str, pipelined: bool, random: Random
) -> None:
    wire = wire_of(specs, ending, pipelined)
    whole = run(cut(wire.packets, random, 0))
    assert told(whole.exchanges) == wire.told
    assert whole.problems == []
    pieces = cut(wire.packets, random, 5)
    in_order = run(pieces)
    assert [exchange_key(e) for e in in_order.exchanges] == [exchange_key(e) for e in whole.exchanges]
    orders = [
        sorted(pieces, key=lambda item: item[1].direction),
        sorted(pieces, key=lambda item: -item[1].direction),
        merged(pieces, random),
    ]
    for order in orders:
        other = run(order)
        assert [exchange_key(e) for e in other.exchanges] == [exchange_key(e) for e in in_order.exchanges]
        assert [stamps(e) for e in other.exchanges] == [stamps(e) for e in in_order.exchanges]
        assert [list(kinds) for kinds in other.units.kinds] == [list(kinds) for kinds in in_order.units.kinds]
        assert other.problems == []
        if in_order.above is not None:
            assert other.above is not None
            for side in (CLIENT, SERVER):
                assert other.above.text(side) == in_order.above.text(side)


@settings(max_examples=100, deadline=None)
@given(st.lists(SPECS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_in_the_order_of_time_each_exchange_is_emitted_with_its_last_packet(specs: list[Spec], random: Random) -> None:
    connection = Connection()
    for number, spec in enumerate(specs, start=1):
        for frame, event in cut([(CLIENT, spec.request()), (SERVER, spec.response())], random, 3)[:-2]:
            assert len(connection.exchanges) == number - 1
            connection.feed(event)
            assert frame
        assert len(connection.exchanges) == number


GARBAGE = st.one_of(
    st.binary(max_size=50),
    st.sampled_from([b"HTTP/1.1 2", b"GET / HTTP", b"\n5\r\n", b"}", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"POST"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(SPECS, GARBAGE), max_size=5), st.randoms(use_true_random=False), st.booleans())
def test_cuts_make_no_difference_among_garbage(
    items: list[tuple[Spec, bytes]], random: Random, client_too: bool
) -> None:
    requests = [(CLIENT, spec.request() + (garbage if client_too else b"")) for spec, garbage in items]
    responses = [(SERVER, garbage + spec.response()) for spec, garbage in items]
    whole = run(
        cut([(CLIENT, b"".join(d for _, d in requests)), (SERVER, b"".join(d for _, d in responses))], random, 0)
    )
    pieces = run(
        cut([(CLIENT, b"".join(d for _, d in requests)), (SERVER, b"".join(d for _, d in responses))], random, 30)
    )
    assert [exchange_key(e) for e in pieces.exchanges] == [exchange_key(e) for e in whole.exchanges]
    assert [(p.kind, p.lost) for p in pieces.problems] == [(p.kind, p.lost) for p in whole.problems]


INPUTS = st.lists(
    st.tuples(
        st.sampled_from([CLIENT, SERVER]),
        st.one_of(
            GARBAGE,
            SPECS.map(Spec.request),
            SPECS.map(Spec.response),
            st.sampled_from(
                [
                    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
                    b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n",
                    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
                    b"HTTP/1.1 100 Continue\r\n\r\n",
                ]
            ),
        ),
        st.integers(-3, 30),
        st.booleans(),
    ),
    max_size=15,
)


@settings(max_examples=400, deadline=None)
@given(INPUTS)
def test_no_input_makes_it_raise_and_nothing_is_emitted_twice(inputs: list[tuple[int, bytes, int, bool]]) -> None:
    connection = Connection()
    ended = [False, False]
    for direction, data, gap, end in inputs:
        if ended[direction]:
            continue
        if gap >= 0:
            connection.feed(Event(direction, b"", gap))
        if data:
            connection.feed(Event(direction, data))
        if end and gap == 30:
            ended[direction] = True
            connection.feed(Event(direction))
    connection.layer.close()
    messages = [m for e in connection.exchanges for m in (e.request, *e.interim, e.response) if m is not None]
    assert len({id(m) for m in messages}) == len(messages)
    assert all(e.request or e.response for e in connection.exchanges)
    assert all(m.first <= m.last for m in messages)


H11_BODIES = st.lists(st.binary(min_size=1, max_size=50), max_size=3)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GET", "POST", "HEAD", "DELETE"]),
            H11_BODIES,
            st.booleans(),
            st.sampled_from([200, 204, 304, 404]),
            H11_BODIES,
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_h11_writes_is_read(cycles: list[tuple[str, list[bytes], bool, int, list[bytes], bool]]) -> None:
    client, server = h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)
    connection = Connection()
    expected = []
    for method, request_body, request_chunked, status, response_body, response_chunked in cycles:

        def framing(body: list[bytes], chunked: bool) -> list[tuple[str, str]]:
            return [("Transfer-Encoding", "chunked")] if chunked else [("Content-Length", str(len(b"".join(body))))]

        request = h11.Request(
            method=method, target="/p", headers=[("Host", "x"), *framing(request_body, request_chunked)]
        )
        wire = [client.send(request), *(client.send(h11.Data(data=part)) for part in request_body)]
        wire.append(client.send(h11.EndOfMessage()))
        server.receive_data(b"".join(part or b"" for part in wire))
        while not isinstance(server.next_event(), h11.EndOfMessage):
            pass
        answer = h11.Response(status_code=status, reason=b"Why", headers=framing(response_body, response_chunked))
        reply = [server.send(answer)]
        bodiless = method == "HEAD" or status in (204, 304)
        if not bodiless:
            reply += [server.send(h11.Data(data=part)) for part in response_body]
        trailers = [("X-T", "t")] if response_chunked and not bodiless else []
        reply.append(server.send(h11.EndOfMessage(headers=trailers)) if not bodiless else b"")
        if bodiless:
            server.send(h11.EndOfMessage())
        client.receive_data(b"".join(part or b"" for part in reply))
        while not isinstance(client.next_event(), h11.EndOfMessage):
            pass
        for side, parts in ((CLIENT, wire), (SERVER, reply)):
            for part in parts:
                if part:
                    connection.feed(Event(side, part))
        body = b"" if bodiless else b"".join(response_body)
        expected.append(Told(method.encode() + b" /p", b"".join(request_body), status, body))
        client.start_next_cycle()
        server.start_next_cycle()
    assert told(connection.exchanges) == expected
    assert connection.problems == []


def test_work_is_linear_in_what_is_hostile() -> None:
    """Each of these would take minutes if some step looked at all it had seen before."""
    hostile = [
        b"\r\n" * 200_000,
        b"GET " + b" " * 200_000,
        b"GET / HTTP/1.1\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nA: b\r\n" + b" c\r\n" * 60_000,
        b"GET / HTTP/1.1\r\n\r\n" * 10_000,
        b"x" * 400_000,
        b"HTTP/1." * 60_000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 30_000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;" + b"a" * 300_000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 100_000,
    ]
    for data in hostile:
        for size in (len(data), 1460, 7):
            connection = Connection()
            stamp = connection.stamp(CLIENT)
            for start in range(0, len(data), size):
                connection.layer.data(CLIENT, data[start : start + size], stamp)
            connection.layer.close()
            assert len(connection.problems) <= 10_000


def test_what_waits_is_bounded() -> None:
    exchanges: list[Exchange] = []
    connection = Connection()
    layer = Http1Connection(exchanges.append, connection.problems.append, Body, connection.units, lambda e, k: None)
    stamp = Stamp(1, 1, (1,), connection.units.add(SERVER, 1, 1, 0))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
    layer.data(SERVER, answer, stamp)
    for _ in range(100):
        layer.data(SERVER, bytes(100_000), stamp)
    layer.close()
    response = exchanges[0].response
    assert response is not None
    assert response.body.size == 10_000_000
    assert connection.kinds == ["http1-no-requests"]
