"""What endpoints of aioquic sent is what is read, whatever happens on the way."""

from __future__ import annotations

import random

import pytest
from aioquic.tls import CipherSuite

from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.quic.flow import QuicFlow
from tests.quic.pairs import Pair, Sent
from tests.quic.reading import Reader, Streams, make_flow, read_datagrams

V1, V2 = 1, 0x6B3343CF
UP = random.Random(1).randbytes(40_000)
DOWN = random.Random(2).randbytes(90_000)


def exchange(pair: Pair) -> Pair:
    """A request of 40 kB, a response of 90 kB, and a second, small exchange."""
    pair.run()
    pair.send(CLIENT, 0, UP)
    pair.run()
    pair.send(SERVER, 0, DOWN)
    pair.run()
    pair.send(CLIENT, 4, b"ping")
    pair.send(SERVER, 3, b"push")
    pair.run()
    assert pair.received == {(0, CLIENT): UP, (0, SERVER): DOWN, (4, CLIENT): b"ping", (3, SERVER): b"push"}
    return pair


def read(reader: Reader, sent: list[Sent]) -> Streams:
    """Read datagrams on one flow; the streams of the only connection."""
    read_datagrams(reader, [(one.direction, one.data) for one in sent]).close()
    [streams] = reader.streams
    assert streams.closed == 1
    return streams


def assert_whole(streams: Streams) -> None:
    assert streams.data == {(0, CLIENT): UP, (0, SERVER): DOWN, (4, CLIENT): b"ping", (3, SERVER): b"push"}
    assert streams.ended == {(0, CLIENT), (0, SERVER), (4, CLIENT), (3, SERVER)}
    assert not streams.gaps


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize(
    "suite",
    [CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384, CipherSuite.CHACHA20_POLY1305_SHA256],
    ids=lambda suite: suite.name,
)
def test_all_suites_and_versions_are_read(suite: CipherSuite, version: int) -> None:
    pair = exchange(Pair(suites=[suite], versions=[version]))
    reader = pair.reader()
    assert_whole(read(reader, pair.sent))
    [(tls, quic)] = reader.connections
    assert (tls.version, tls.cipher_id, tls.sni, tls.alpn) == ("TLS 1.3", int(suite), "quic.example", "h3")
    assert (tls.decrypted, tls.unread, tls.reason, tls.resumed) == ([True, True], [0, 0], "", False)
    assert tls.certificates[0].names == ("quic.example",)
    assert tls.ja4 is not None and tls.ja4.startswith("q13d")
    assert tls.hello_time == 0
    assert tls.finished_time is not None and tls.finished_time > 0
    assert quic.version == ("QUIC v1" if version == V1 else "QUIC v2")
    assert quic.unread == quic.duplicates == [0, 0]
    assert not reader.problems


def test_without_secrets_the_handshake_is_known_and_nothing_else() -> None:
    pair = exchange(Pair())
    reader = Reader()
    read_datagrams(reader, [(one.direction, one.data) for one in pair.sent]).close()
    [(tls, _)] = reader.connections
    assert (tls.sni, tls.alpn_offered, tls.alpn, tls.reason) == ("quic.example", ("h3",), None, "no-secret")
    assert tls.decrypted == [False, False]
    assert tls.finished_time is not None
    assert min(tls.unread) > 10
    assert not reader.streams


def test_compatible_version_negotiation_is_followed() -> None:
    pair = exchange(Pair(versions=[V2, V1], original_version=V1))
    reader = pair.reader()
    assert_whole(read(reader, pair.sent))
    [(_, quic)] = reader.connections
    assert (quic.version, quic.first_version) == ("QUIC v2", "QUIC v1")


def test_retry_is_followed() -> None:
    pair = exchange(Pair(retry=True))
    reader = pair.reader()
    assert_whole(read(reader, pair.sent))
    [(_, quic)] = reader.connections
    assert quic.retry
    assert quic.unread == [0, 0]


def test_a_retry_that_was_not_captured_does_not_matter() -> None:
    pair = exchange(Pair(retry=True))
    reader = pair.reader()
    assert_whole(read(reader, [pair.sent[0], *pair.sent[2:]]))
    assert len(reader.connections) == 1


@pytest.mark.parametrize("size", [1, 4, 20])
def test_connection_ids_of_any_length_are_known(size: int) -> None:
    pair = exchange(Pair(client_id_size=size, server_id_size=21 - size))
    assert_whole(read(pair.reader(), pair.sent))


def test_key_updates_of_both_sides_are_followed() -> None:
    pair = Pair().run()
    pair.send(CLIENT, 0, UP[:9000], fin=False)
    pair.run()
    for part in range(1, 5):
        (pair.client if part % 2 else pair.server).request_key_update()  # type: ignore[union-attr]
        pair.send(CLIENT, 0, UP[part * 9000 : (part + 1) * 9000], fin=part == 4)
        pair.run()
    reader = pair.reader()
    streams = read(reader, pair.sent)
    assert streams.data[0, CLIENT] == UP
    assert reader.connections[0][1].key_updates == [3, 4]


def test_late_packets_of_the_phase_before_are_read() -> None:
    pair = Pair().run()
    pair.send(CLIENT, 0, UP[:9000], fin=False)
    pair.run()
    before = len(pair.sent)
    pair.client.request_key_update()
    pair.send(CLIENT, 0, UP[9000:18000])
    pair.run()
    sent = pair.sent
    late = max(number for number, one in enumerate(sent[:before]) if one.direction == CLIENT and len(one.data) > 1000)
    order = [*sent[:late], *sent[late + 1 : before + 3], sent[late], *sent[before + 3 :]]
    streams = read(pair.reader(), order)
    assert streams.data[0, CLIENT] == UP[:18000]
    assert not streams.gaps


def test_key_updates_that_were_not_captured_are_caught_up_with() -> None:
    pair = Pair().run()
    before = len(pair.sent)
    for _ in range(3):
        pair.client.request_key_update()
        pair.client.send_ping(1)
        pair.run()
    after = len(pair.sent)
    pair.send(CLIENT, 0, UP)
    pair.run()
    reader = pair.reader()
    streams = read(reader, pair.sent[:before] + pair.sent[after:])
    assert streams.data[0, CLIENT].endswith(UP[-20_000:])
    assert reader.connections[0][1].key_updates[CLIENT] == 3


@pytest.mark.parametrize("seed", range(4))
def test_datagrams_lost_on_the_way_are_repeated_by_their_sender(seed: int) -> None:
    luck = random.Random(seed)
    pair = Pair(drop=lambda number: luck.random() < 0.1).run(200)
    pair.send(CLIENT, 0, UP)
    pair.run(300)
    assert pair.received[0, CLIENT] == UP
    reader = pair.reader()
    streams = read(reader, pair.sent)
    assert streams.data[0, CLIENT] == UP
    assert streams.ended == {(0, CLIENT)}
    assert not streams.gaps
    assert reader.connections[0][1].unread == [0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_repeated_and_reordered_datagrams_do_not_matter(seed: int) -> None:
    luck = random.Random(seed)
    pair = exchange(Pair())
    order = sorted(range(len(pair.sent)), key=lambda number: number + 5 * luck.random() if number else -1)
    repeated = [pair.sent[number] for number in order for _ in range(luck.choice((1, 1, 1, 2)))]
    reader = pair.reader()
    assert_whole(read(reader, repeated))
    [(tls, quic)] = reader.connections
    assert sum(quic.duplicates) >= len(repeated) - len(pair.sent)
    assert tls.reason == ""


def test_data_behind_a_handshake_packet_waits_for_the_server_to_be_heard() -> None:
    pair = Pair()
    pair.send(CLIENT, 0, b"request")
    pair.run()
    answer = next(number for number, one in enumerate(pair.sent) if one.direction == SERVER)
    finish = next(number for number, one in enumerate(pair.sent) if number > answer and one.direction == CLIENT)
    order = [*pair.sent[:answer], pair.sent[finish], *pair.sent[answer:finish], *pair.sent[finish + 1 :]]
    reader = pair.reader()
    assert read(reader, order).data == {(0, CLIENT): b"request"}
    assert reader.connections[0][1].unread == [0, 0]


def test_datagrams_missing_from_the_capture_leave_gaps_of_their_size() -> None:
    pair = exchange(Pair())
    number = next(n for n, one in enumerate(pair.sent) if n > 20 and one.direction == CLIENT and len(one.data) > 1000)
    reader = pair.reader()
    streams = read(reader, pair.sent[:number] + pair.sent[number + 1 :])
    [(stream_id, direction, size)] = streams.gaps
    assert (stream_id, direction) == (0, CLIENT)
    data = streams.data[0, CLIENT]
    start = data.index(b"?" * size)
    assert data == UP[:start] + b"?" * size + UP[start + size :]
    assert streams.ended == {(0, CLIENT), (0, SERVER), (4, CLIENT), (3, SERVER)}
    assert [problem.kind for problem in reader.problems] == ["quic-stream-gap"]


def test_a_hole_that_the_peer_does_not_have_is_given_up_early() -> None:
    pair = Pair().run()
    pair.send(CLIENT, 0, UP[:20_000], fin=False)
    pair.run()
    hole = next(n for n, one in enumerate(pair.sent) if one.direction == CLIENT and one.data[0] < 0x80 and n > 10)
    for _ in range(40):
        pair.send(CLIENT, 4, b"more", fin=False)
        pair.run()
        pair.send(SERVER, 4, b"more", fin=False)
        pair.run()
    reader = pair.reader()
    flow = reader.flow(make_flow())
    for number, one in enumerate(pair.sent):
        if number != hole:
            flow.datagram(one.direction, one.data, number * 100_000_000, number + 1)
    assert len(reader.streams[0].data[0, CLIENT]) == 20_000
    assert len(reader.streams[0].gaps) == 1


def test_a_connection_is_followed_to_another_address() -> None:
    pair = Pair().run()
    pair.send(CLIENT, 0, UP[:20_000], fin=False)
    pair.run()
    pair.client_port = 50001
    pair.client.change_connection_id()
    pair.send(CLIENT, 0, UP[20_000:])
    pair.run()
    pair.send(SERVER, 0, DOWN)
    pair.run()
    reader = pair.reader()
    flows: dict[int, QuicFlow] = {}
    for number, one in enumerate(pair.sent):
        flow = flows.get(one.client_port)
        if flow is None:
            assert not flows or reader.router.knows(one.data)
            flow = flows[one.client_port] = reader.flow(make_flow(one.client_port))
        flow.datagram(one.direction, one.data, number, number + 1)
    flows[50000].close()
    assert not reader.streams[0].closed
    assert reader.connections[0][1].first_version is None, "what the first flow's row tells is settled"
    flows[50001].close()
    [streams] = reader.streams
    assert streams.data == {(0, CLIENT): UP, (0, SERVER): DOWN}
    assert streams.closed == 1
    [(tls, quic), (again, moved)] = reader.connections
    assert again is tls
    assert moved is quic
    [(_, client, server)] = quic.migrations
    assert (client.port, server.port) == (50001, 443)


def test_early_data_is_read_before_the_server_answers() -> None:
    first = Pair().run()
    assert first.new_tickets
    pair = Pair(ticket=first.new_tickets[0], tickets=first.tickets)
    pair.send(CLIENT, 0, b"early request")
    pair.run()
    pair.send(SERVER, 0, b"response")
    pair.run()
    reader = pair.reader()
    flow = read_datagrams(reader, [(one.direction, one.data) for one in pair.sent[:2]])
    assert reader.streams[0].data == {(0, CLIENT): b"early request"}
    read_datagrams(reader, [(one.direction, one.data) for one in pair.sent[2:]], flow).close()
    assert reader.streams[0].data == {(0, CLIENT): b"early request", (0, SERVER): b"response"}
    [(tls, _)] = reader.connections
    assert (tls.early_data, tls.resumed, tls.reason) == (True, True, "")


def test_a_client_hello_in_several_packets_is_joined() -> None:
    name = ".".join(["a" * 60] * 4)
    pair = exchange(Pair(server_name=name))
    reader = pair.reader()
    assert_whole(read(reader, pair.sent))
    assert reader.connections[0][0].sni == name


def test_a_stream_reset_is_handed_on() -> None:
    pair = Pair().run()
    pair.send(CLIENT, 0, b"request", fin=False)
    pair.run()
    pair.client.reset_stream(0, 0x10C)
    pair.run()
    streams = read(pair.reader(), pair.sent)
    assert streams.data == {(0, CLIENT): b"request"}
    assert streams.resets == [(0, CLIENT, 0x10C)]


def test_how_the_connection_was_closed_is_known() -> None:
    pair = exchange(Pair())
    pair.client.close(error_code=0x100, reason_phrase="done")
    pair.run()
    reader = pair.reader()
    read(reader, pair.sent)
    assert reader.connections[0][1].close == "client application 0x100 done"


def test_two_connections_between_the_same_sockets_are_kept_apart() -> None:
    one, two = exchange(Pair()), exchange(Pair())
    reader = one.reader()
    reader.secrets.add_keylog(two.keylog.getvalue().encode(), "two")
    order = [sent for both in zip(one.sent, two.sent, strict=False) for sent in both]
    read_datagrams(reader, [(sent.direction, sent.data) for sent in order]).close()
    assert len(reader.connections) == len(reader.streams) == 2
    assert all(quic.unread == [0, 0] for _, quic in reader.connections)


def test_the_client_is_who_sends_the_first_initial() -> None:
    pair = exchange(Pair())
    reader = pair.reader()
    flow = make_flow()
    read_datagrams(reader, [(1 ^ one.direction ^ flow.flipped, one.data) for one in pair.sent[:1]], reader.flow(flow))
    assert flow.flipped
    assert (flow.client.port, flow.server.port) == (443, 50000)
    assert reader.connections[0][1].packets == [1, 0]


def test_a_capture_that_begins_in_the_middle_is_counted() -> None:
    pair = exchange(Pair())
    reader = pair.reader()
    later = [(one.direction, one.data) for one in pair.sent if one.data[0] < 0x80]
    read_datagrams(reader, later).close()
    [(tls, quic)] = reader.connections
    assert (tls.reason, tls.decrypted, quic.version) == ("handshake-not-captured", [False, False], None)
    assert sum(tls.unread) == len(later)
