"""Input that is damaged, or made to cost much: nothing raises, limits hold, what is sound is read."""

from __future__ import annotations

import functools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.quic.limits import Limits
from pcapng_utils.quic.transport_parameters import parse_transport_parameters
from tests.quic.making import (
    HANDSHAKE,
    INITIAL,
    Talk,
    client_hello,
    crypto,
    encrypted_extensions,
    extension,
    server_hello,
    stream,
    varint,
)
from tests.quic.pairs import Pair, Sent
from tests.quic.reading import Reader, make_flow, read_datagrams


def talk_reader(talk: Talk, limits: Limits | None = None) -> Reader:
    reader = Reader(limits=limits or Limits())
    reader.secrets.add_keylog(talk.keylog(), "made")
    return reader


@functools.cache
def conversation() -> tuple[Pair, list[Sent]]:
    pair = Pair(retry=True).run()
    pair.send(CLIENT, 0, bytes(5000))
    pair.run()
    pair.client.close()
    pair.run()
    return pair, pair.sent


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_damaged_datagrams_do_not_raise(luck: Random) -> None:
    pair, sent = conversation()
    reader = pair.reader()
    flow = reader.flow(make_flow())
    for number, one in enumerate(sent):
        damaged = bytearray(one.data)
        for _ in range(luck.choice((0, 0, 1, 3))):
            damaged[luck.randrange(min(len(damaged), 60))] = luck.randrange(256)
        size = luck.choice((len(damaged), len(damaged), len(damaged), luck.randrange(len(damaged))))
        direction = one.direction ^ luck.choice((0, 0, 0, 0, 1))
        flow.datagram(direction, bytes(damaged[:size]), number, number)
    flow.close()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80)), max_size=20))
def test_any_datagrams_do_not_raise(datagrams: list[tuple[int, bytes]]) -> None:
    read_datagrams(Reader(), datagrams).close()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.binary(min_size=1, max_size=80)), max_size=20))
def test_any_frames_in_sound_packets_do_not_raise(packets: list[tuple[int, int, bytes]]) -> None:
    talk = Talk()
    reader = talk_reader(talk)
    flow = read_datagrams(reader, talk.opening())
    for number, (level, direction, frames) in enumerate(packets):
        direction = CLIENT if level == 1 else direction
        frames = frames.ljust(4, b"\x00")
        data = talk.short(direction, frames) if level == 3 else talk.long(level, direction, frames)
        flow.datagram(direction, data, number, number)
    flow.close()


@given(st.binary(max_size=60))
def test_any_transport_parameters_do_not_raise(data: bytes) -> None:
    parse_transport_parameters(data)


def test_bytes_behind_a_hole_are_bounded() -> None:
    talk = Talk()
    reader = talk_reader(talk, Limits(held_per_stream=20_000))
    flow = read_datagrams(reader, talk.opening())
    pieces = [(SERVER, talk.short(SERVER, stream(3, 10 + 1000 * number, bytes(1000)))) for number in range(30)]
    read_datagrams(reader, pieces, flow)
    assert reader.streams[0].gaps == [(3, SERVER, 10)]
    assert len(reader.streams[0].data[3, SERVER]) == 10 + 30_000
    assert [problem.kind for problem in reader.problems] == ["quic-stream-gap"]


def test_bytes_behind_all_holes_of_a_connection_are_bounded() -> None:
    talk = Talk()
    reader = talk_reader(talk, Limits(held_per_connection=20_000))
    flow = read_datagrams(reader, talk.opening())
    pieces = [(SERVER, talk.short(SERVER, stream(3 + 4 * number, 10, bytes(1000)))) for number in range(30)]
    read_datagrams(reader, pieces, flow)
    assert len(reader.streams[0].gaps) == 13
    flow.close()
    assert len(reader.streams[0].gaps) == 30


def test_open_streams_are_bounded() -> None:
    talk = Talk()
    reader = talk_reader(talk, Limits(streams=5))
    flow = read_datagrams(reader, talk.opening())
    read_datagrams(reader, [(CLIENT, talk.short(CLIENT, stream(4 * number, 0, b"a"))) for number in range(9)], flow)
    assert len(reader.streams[0].data) == 5
    assert [problem.kind for problem in reader.problems] == ["quic-too-many-streams"]


def test_streams_that_ended_make_room_and_stay_ended() -> None:
    talk = Talk()
    reader = talk_reader(talk, Limits(streams=5))
    flow = read_datagrams(reader, talk.opening())
    for _ in range(2):
        frames = [stream(4 * number, 0, b"abcd", fin=True) for number in range(50)]
        read_datagrams(reader, [(CLIENT, talk.short(CLIENT, frame)) for frame in frames], flow)
    assert len(reader.streams[0].data) == 50
    assert set(map(bytes, reader.streams[0].data.values())) == {b"abcd"}


def test_crypto_bytes_behind_a_hole_are_bounded() -> None:
    talk = Talk()
    reader = talk_reader(talk, Limits(crypto=10_000))
    flow = read_datagrams(reader, talk.opening())
    pieces = [talk.long(HANDSHAKE, SERVER, crypto(5000 + 1000 * number, bytes(1000))) for number in range(12)]
    read_datagrams(reader, [(SERVER, piece) for piece in pieces], flow)
    assert [problem.kind for problem in reader.problems] == ["quic-crypto-limit"]


def test_connections_of_a_flow_are_bounded() -> None:
    reader = Reader(limits=Limits(connections_per_flow=4))
    talks = [Talk(original_id=b"original%d" % number, server_id=b"server-%d" % number) for number in range(10)]
    flow = read_datagrams(reader, [datagram for talk in talks for datagram in talk.opening()])
    assert len(reader.connections) == 10
    assert sum(reader.router.find(talk.original_id) is not None for talk in talks) == 4
    flow.close()
    assert not any(reader.router.find(talk.original_id) for talk in talks)


def test_connections_of_a_capture_are_bounded() -> None:
    reader = Reader(limits=Limits(connections=4))
    talks = [Talk(original_id=b"original%d" % number, server_id=b"server-%d" % number) for number in range(10)]
    busy = talks[0]
    first = read_datagrams(reader, busy.opening())
    flows = [first]
    for number, talk in enumerate(talks[1:]):
        flows.append(read_datagrams(reader, talk.opening(), reader.flow(make_flow(50_001 + number))))
        first.datagram(SERVER, busy.short(SERVER, bytes(20)), 10_000_000 * (number + 1), number)
    known = [talk for talk in talks if reader.router.find(talk.original_id) is not None]
    assert len(known) == 4
    assert busy in known
    for flow in flows:
        flow.close()


def test_connection_ids_are_bounded() -> None:
    talk = Talk()
    reader = talk_reader(talk, Limits(connection_ids=10))
    flow = read_datagrams(reader, talk.opening())
    for number in range(40):
        frame = b"\x18" + varint(number) + b"\x00\x08" + number.to_bytes(8, "big") + bytes(16)
        flow.datagram(SERVER, talk.short(SERVER, frame), number, number)
    known = [number for number in range(40) if reader.router.find(number.to_bytes(8, "big"))]
    assert known == list(range(30, 40))


def test_a_client_may_move_to_the_preferred_address_of_its_server() -> None:
    talk = Talk()
    reader = talk_reader(talk)
    address = bytes(24) + b"\x08" + b"prefered" + bytes(16)
    parameters = extension(0x39, b"\x0d" + varint(len(address)) + address)
    opening = [
        (CLIENT, talk.long(INITIAL, CLIENT, crypto(0, client_hello(talk.random)))),
        (SERVER, talk.long(INITIAL, SERVER, crypto(0, server_hello(talk.suite)))),
        (SERVER, talk.long(HANDSHAKE, SERVER, crypto(0, encrypted_extensions(extra=parameters)))),
    ]
    read_datagrams(reader, opening)
    talk.ids = (b"prefered", b"")
    moved = talk.short(CLIENT, stream(0, 0, b"moved"))
    assert reader.router.knows(moved)
    read_datagrams(
        reader, [(CLIENT, moved), (SERVER, talk.short(SERVER, stream(0, 0, b"seen")))], reader.flow(make_flow(1))
    )
    assert reader.streams[0].data == {(0, CLIENT): b"moved", (0, SERVER): b"seen"}


def test_a_client_hello_that_was_cut_is_read_as_far_as_it_goes() -> None:
    talk = Talk()
    hello = client_hello(talk.random, extra=b"")
    hello = hello[:1] + (len(hello) + 1000).to_bytes(3, "big") + hello[4:]
    reader = Reader()
    read_datagrams(reader, [(CLIENT, talk.long(INITIAL, CLIENT, crypto(0, hello)))]).close()
    assert reader.connections[0][0].sni == "made.example"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_pieces_of_a_client_hello_come_in_any_order(order: tuple[int, ...]) -> None:
    talk = Talk()
    hello = client_hello(talk.random)
    cuts = [hello[:30], hello[30:60], hello[60:]]
    frames = b"".join(crypto(30 * number, cuts[number]) for number in order)
    one_packet, three_packets = Reader(), Reader()
    read_datagrams(one_packet, [(CLIENT, talk.long(INITIAL, CLIENT, frames))]).close()
    packets = [(CLIENT, talk.long(INITIAL, CLIENT, crypto(30 * number, cuts[number]))) for number in order]
    read_datagrams(three_packets, packets).close()
    assert one_packet.connections[0][0].sni == three_packets.connections[0][0].sni == "made.example"


def test_packets_with_a_wrong_tag_are_counted_and_reported_once() -> None:
    talk = Talk()
    reader = talk_reader(talk)
    flow = read_datagrams(reader, talk.opening())
    good = talk.short(SERVER, stream(3, 0, b"good"))
    bad = [talk.short(SERVER, stream(3, 4, b"bad!"))[:-1] + bytes((number,)) for number in range(20)]
    read_datagrams(reader, [(SERVER, data) for data in (good, *bad)], flow).close()
    [(tls, _)] = reader.connections
    assert reader.streams[0].data == {(3, SERVER): b"good"}
    assert tls.unread[SERVER] >= 19
    assert (tls.reason, tls.decrypted[SERVER]) == ("bad-record", False)
    assert [problem.kind for problem in reader.problems] == ["quic-bad-packets"]


def test_a_stateless_reset_is_no_unread_packet() -> None:
    talk = Talk()
    reader = talk_reader(talk)
    flow = read_datagrams(reader, talk.opening())
    token = bytes(range(16))
    frame = b"\x18\x01\x00\x08serverid" + token
    read_datagrams(reader, [(SERVER, talk.short(SERVER, frame)), (SERVER, b"\x55" * 30 + token)], flow).close()
    [(tls, quic)] = reader.connections
    assert quic.close == "server stateless reset"
    assert (tls.unread, tls.decrypted[SERVER]) == ([0, 0], True)
