"""What holds for all orders, cuts and repeats of a connection's segments."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.capture.events import PacketBatch
from tests.net.wire import ACK, FIN, SYN, Heard, batch, play, tcp

DISPLACED = 16
"""Packets by which one may be out of its place."""

isns = st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 2000, 2**32 - 1))
randoms = st.integers(0, 2**32).map(Random)
streams = st.tuples(st.integers(1, 600), st.integers(0, 600)).map(
    lambda sizes: (Random(1).randbytes(sizes[0]), Random(2).randbytes(sizes[1]))
)


def conversation(random: Random, data: tuple[bytes, bytes], isn: tuple[int, int], fin: bool) -> list[bytes]:
    """A whole connection in order; each side sends pieces of its bytes in turn and acknowledges what came."""
    first, sent = (isn[0] + 1, isn[1] + 1), [0, 0]
    packets = [tcp(0, isn[0], None, SYN), tcp(1, isn[1], isn[0] + 1, SYN), tcp(0, first[0], first[1])]
    while any(sent[side] < len(data[side]) for side in (0, 1)):
        side = random.randint(0, 1)
        piece = data[side][sent[side] : sent[side] + random.randint(0, 60)]
        packets.append(tcp(side, first[side] + sent[side], first[1 - side] + sent[1 - side], 0, piece))
        sent[side] += len(piece)
    if fin:
        packets.append(tcp(0, first[0] + sent[0], first[1] + sent[1], FIN))
        packets.append(tcp(1, first[1] + sent[1], first[0] + sent[0] + 1, FIN))
        packets.append(tcp(0, first[0] + sent[0] + 1, first[1] + sent[1] + 1))
    return packets


def repeats(random: Random, data: tuple[bytes, bytes], isn: tuple[int, int], count: int) -> list[bytes]:
    """Segments that carry again, cut differently, what was sent."""
    packets = []
    for _ in range(count):
        side = random.randint(0, 1)
        start = random.randint(0, len(data[side]))
        piece = data[side][start : start + random.randint(1, 200)]
        packets.append(tcp(side, isn[side] + 1 + start, isn[1 - side] + 1, 0, piece))
    return packets


def displaced(random: Random, packets: list[bytes]) -> list[bytes]:
    places = [(index + random.randint(0, DISPLACED), index) for index in range(len(packets))]
    return [packets[index] for _, index in sorted(places)]


@settings(max_examples=150, deadline=None)
@given(randoms, streams, st.tuples(isns, isns), st.booleans())
def test_order_within_the_window_does_not_matter(
    random: Random, data: tuple[bytes, bytes], isn: tuple[int, int], fin: bool
) -> None:
    packets = conversation(random, data, isn, fin)
    heard = play(batch(displaced(random, packets)))
    assert whole(heard) == expected(data, fin)
    flow = heard.flow
    assert (flow.begun, flow.client.port, sum(flow.packets), sum(flow.retransmitted)) == ("syn", 40000, len(packets), 0)
    assert flow.established is None or flow.established >= (flow.syn or 0)
    assert heard.problems == []


@settings(max_examples=150, deadline=None)
@given(randoms, streams, st.tuples(isns, isns), st.booleans())
def test_repeats_do_not_matter(random: Random, data: tuple[bytes, bytes], isn: tuple[int, int], fin: bool) -> None:
    packets = conversation(random, data, isn, fin)
    handshake, rest = packets[:3], packets[3:]
    for packet in repeats(random, data, isn, 10):
        rest.insert(random.randint(0, len(rest)), packet)
    heard = play(batch(handshake + displaced(random, rest)))
    assert whole(heard) == expected(data, fin)
    assert heard.problems == []


@settings(max_examples=150, deadline=None)
@given(randoms, streams, st.tuples(isns, isns))
def test_what_is_lost_is_told(random: Random, data: tuple[bytes, bytes], isn: tuple[int, int]) -> None:
    """Gaps and bytes add up to the stream, and each byte is in its place."""
    packets = conversation(random, data, isn, fin=True)
    kept = packets[:3] + [packet for packet in packets[3:-3] if random.random() > 0.2] + packets[-3:]
    heard = play(batch(kept))
    for direction in (0, 1):
        position, parts = 0, heard.stream(direction)
        for part in parts:
            if isinstance(part, bytes):
                assert data[direction][position : position + len(part)] == part
                position += len(part)
            elif isinstance(part, int):
                position += part
        assert parts[-1] == "end"
        assert position == len(data[direction])


@settings(max_examples=100, deadline=None)
@given(randoms, streams, st.tuples(isns, isns), st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_batches_may_be_cut_anywhere(
    random: Random, data: tuple[bytes, bytes], isn: tuple[int, int], sizes: list[int]
) -> None:
    packets = displaced(random, conversation(random, data, isn, fin=True))
    del packets[random.randint(0, len(packets) - 1)]
    whole_batch = batch(packets, sorted(random.randint(0, 5_000_000_000) for _ in packets))
    cut: list[PacketBatch] = []
    at = 0
    while at < len(packets):
        size = sizes[len(cut) % len(sizes)]
        cut.append(PacketBatch(whole_batch.data, 1, whole_batch.packets[at : at + size]))
        at += size
    one, other = play(whole_batch), play(*cut)
    assert one.records == other.records
    assert [str(flow) for flow in one.flows] == [str(flow) for flow in other.flows]
    assert one.problems == other.problems


@settings(max_examples=300, deadline=None)
@given(randoms, streams, st.tuples(isns, isns), st.integers(1, 60))
def test_broken_packets_do_no_harm(
    random: Random, data: tuple[bytes, bytes], isn: tuple[int, int], damage: int
) -> None:
    """Whatever the headers hold: nothing is raised, and each flow ends once, its receiver closed once, last."""
    packets = [bytearray(packet) for packet in displaced(random, conversation(random, data, isn, fin=True))]
    for _ in range(damage):
        packet = random.choice(packets)
        packet[random.randrange(12, min(len(packet), 56))] = random.randrange(256)
    heard = play(batch([bytes(packet[: random.randint(0, 2 * len(packet))]) for packet in packets]))
    assert sorted(flow.id for flow in heard.flows) == sorted(heard.records)
    for flow in heard.flows:
        events = heard.records[flow.id].events
        assert [event[0] for event in events].index("close") == len(events) - 1
        for direction in (0, 1):
            ends = [event for event in events if event[:2] == ("end", direction)]
            assert len(ends) <= 1
            assert not ends or [event for event in events if event[1:2] == (direction,)][-1] == ends[0]
            sizes = [len(part) for part in heard.records[flow.id].stream(direction) if isinstance(part, bytes)]
            assert 0 not in sizes
            assert flow.lost[direction] >= 0
            assert flow.transport == "udp" or sum(sizes) == flow.payload[direction]


def whole(heard: Heard) -> tuple[list[object], list[object]]:
    return heard.stream(0), heard.stream(1)


def expected(data: tuple[bytes, bytes], fin: bool) -> tuple[list[object], list[object]]:
    end: list[object] = ["end"] if fin else []
    return [data[0], *end], [data[1], *end] if data[1] else end


def test_flags_of_the_helper() -> None:
    """The law tests would be empty if the packets were not what they seem."""
    assert [packet[47] for packet in conversation(Random(1), (b"a", b""), (1, 2), True)[:3]] == [SYN, SYN | ACK, ACK]
