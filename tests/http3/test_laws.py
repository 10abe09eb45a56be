"""Laws of HTTP/3: cuts and the order of streams make no difference; losses leave gaps, never falsehoods."""

from __future__ import annotations

import random
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.http.exchange import Exchange, Message
from pcapng_utils.http.stream_services import Limits
from pcapng_utils.layers import CLIENT, SERVER
from tests.http2.wire import all_told, split
from tests.http3.wire import GET, OK, Listener, Peers, Piece, hear

laws = settings(max_examples=60, deadline=None)


@cache
def conversation() -> tuple[Piece, ...]:
    """What two real endpoints sent, with dynamic tables, a push, and a reset."""
    peers = Peers()
    source = random.Random(7)
    for number in range(14):
        fields = [*GET, (b"x-n", b"%d" % (number // 3)), (b"cookie", b"c" * 30 * (number % 3))]
        stream = peers.request(fields, end=number % 3 > 0)
        if number % 3 == 0:
            peers.client.send_data(stream, b"q" * 50, end_stream=True)
        if number % 2:
            peers.flush()
    peers.flush()
    streams = [4 * number for number in range(14)]
    source.shuffle(streams)
    pushed = peers.server.send_push_promise(streams[0], [*GET, (b"x-n", b"1")])
    peers.server.send_headers(pushed, OK)
    peers.server.send_data(pushed, b"pushed", end_stream=True)
    for stream in streams:
        peers.server.send_headers(stream, [*OK, (b"x-n", b"%d" % (stream // 12)), (b"content-type", b"text/plain")])
        peers.server.send_data(stream, b"answer %d" % stream, end_stream=stream != 8)
        if source.random() < 0.5:
            peers.flush()
    peers.flush()
    peers.reset(SERVER, 8, 0x10B)
    peers.flush()
    return tuple(peers.pieces)


Numbered = tuple[int, Piece]
"""A piece, and the number of its packet."""


def cut(pieces: list[Numbered], cuts: list[int]) -> list[Numbered]:
    """The same streams, in other pieces of the same packets."""
    found: list[Numbered] = []
    for number, piece in pieces:
        if piece.reset is not None:
            found.append((number, piece))
            continue
        parts = split(piece.data, cuts) or [b""]
        found += [(number, piece._replace(data=part, fin=False)) for part in parts[:-1]]
        found.append((number, piece._replace(data=parts[-1])))
    return found


def shuffle(pieces: list[Numbered], source: random.Random) -> list[Numbered]:
    """Each direction of each stream in its order, but these in any."""
    queues: dict[tuple[int, int], list[Numbered]] = {}
    for number, piece in pieces:
        queues.setdefault((piece.stream, piece.direction), []).append((number, piece))
    found: list[Numbered] = []
    while queues:
        key = source.choice(list(queues))
        found.append(queues[key].pop(0))
        if not queues[key]:
            del queues[key]
    return found


@laws
@given(st.lists(st.integers(0, 10**4), max_size=3), st.randoms(use_true_random=False))
def test_cuts_and_the_order_of_streams_make_no_difference(cuts: list[int], source: random.Random) -> None:
    expected = all_told(hear(conversation()))
    assert len(expected) == 15
    listener = Listener()
    for number, piece in shuffle(cut(list(enumerate(conversation(), 1)), cuts), source):
        listener.feed(piece, number=number)
    assert all_told(listener.close()) == expected


def is_part_of(part: Message | None, whole: Message | None) -> bool:
    """Whether a message that was heard badly says nothing that the true one does not."""
    if part is None or whole is None:
        return part is whole or part is None
    for heard, true in ((part.headers, whole.headers), (part.trailers, whole.trailers)):
        rest = iter(true)
        if not all(field in rest for field in heard):
            return False
    same = part.headers == whole.headers and part.body.getvalue() == whole.body.getvalue()
    return same or bool(part.incomplete)


@laws
@given(st.data(), st.integers(1, 3), st.booleans(), st.randoms(use_true_random=False))
def test_after_holes_nothing_false_is_said(data: st.DataObject, holes: int, sized: bool, source: random.Random) -> None:
    true: dict[int | None, Exchange] = {exchange.stream: exchange for exchange in hear(conversation())}
    pieces = list(enumerate(conversation(), 1))
    lost = {data.draw(st.integers(1, len(pieces))) for _ in range(holes)}
    listener = Listener()
    open_gaps: dict[tuple[int, int], int] = {}
    for number, piece in shuffle(pieces, source):
        place = piece.stream, piece.direction
        if number in lost:
            open_gaps[place] = open_gaps.get(place, 0) + len(piece.data)
            continue
        if open_gaps.get(place):
            listener.gap(*place, open_gaps.pop(place) if sized else 0)
        listener.feed(piece, number=number)
    for exchange in listener.close():
        if exchange.stream is None:
            continue
        whole = true[exchange.stream]
        assert is_part_of(exchange.request, whole.request)
        assert is_part_of(exchange.response, whole.response)


@laws
@given(st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 10**4), st.integers(0, 255)), min_size=1, max_size=6))
def test_altered_bytes_are_survived(changes: list[tuple[int, int, int]]) -> None:
    pieces = list(conversation())
    for which, place, value in changes:
        piece = pieces[which % len(pieces)]
        if piece.data:
            altered = bytearray(piece.data)
            altered[place % len(altered)] = value
            pieces[which % len(pieces)] = piece._replace(data=bytes(altered))
    listener = Listener(limits=Limits(streams=6, lingering=2, finished=8, blocked=2))
    for exchange in listener.feed(*pieces).close():
        assert exchange.request is not None or exchange.response is not None


actions = st.tuples(
    st.integers(0, 15),
    st.integers(0, 1),
    st.binary(max_size=80),
    st.booleans(),
    st.sampled_from([None, None, 0, 5, 0x10C]),
)


@laws
@given(st.lists(actions, max_size=25))
def test_any_bytes_are_survived(pieces: list[tuple[int, int, bytes, bool, int | None]]) -> None:
    listener = Listener()
    for stream, direction, data, fin, other in pieces:
        if other in (0, 5):
            listener.gap(stream, direction, other or 0)
        reset = other if other == 0x10C else None
        listener.feed(Piece(stream, direction, data, fin, reset))
    assert all(exchange.request or exchange.response for exchange in listener.close())


def test_a_bare_qpack_stream_pair_leaves_nothing() -> None:
    assert hear([Piece(2, CLIENT, b"\x02\x3f\xe1\x1f"), Piece(7, SERVER, b"\x03")]) == []
