"""Segments in, events out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pytest

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.net.flow import Flow
from pcapng_utils.net.limits import Limits
from pcapng_utils.net.network import Network
from tests.net.wire import ENDS, ENDS6, FIN, MS, RST, START, SYN, Recorder, batch, handshake, play, tcp, udp

CLIENT, SERVER = 0, 1


def test_an_ordinary_connection() -> None:
    heard = play(
        batch(
            [
                *handshake(),
                tcp(0, 101, 501, 0, b"hello"),
                tcp(1, 501, 106, 0, b"world"),
                tcp(0, 106, 506, FIN),
                tcp(1, 506, 107, FIN),
                tcp(0, 107, 507),
            ]
        )
    )
    assert heard.events == [
        ("segment", CLIENT, b"hello", 4),
        ("segment", SERVER, b"world", 5),
        ("end", CLIENT, 6),
        ("end", SERVER, 7),
        ("close",),
    ]
    flow = heard.flow
    assert (flow.packets, flow.bytes, flow.payload) == ([5, 3], [54 * 5 + 5, 54 * 3 + 5], [5, 5])
    assert (flow.begun, flow.ended, flow.ended_by) == ("syn", "fin", CLIENT)
    assert (flow.syn, flow.established) == (START + MS, START + 3 * MS)
    assert (flow.first, flow.last, flow.first_frame, flow.last_frame) == (START + MS, START + 8 * MS, 1, 8)
    assert (flow.lost, flow.retransmitted, heard.problems) == ([0, 0], [0, 0], [])
    assert str(flow.client) == "Endpoint(ip='10.0.0.1', port=40000)"


class Step(NamedTuple):
    """A segment; numbers count from the first byte of each stream."""

    side: int
    seq: int
    ack: int | None
    flags: int
    data: bytes


def c(seq: int, data: bytes = b"", flags: int = 0) -> Step:
    return Step(CLIENT, seq, 0, flags, data)


def s(ack: int | None, seq: int = 0, flags: int = 0, data: bytes = b"") -> Step:
    return Step(SERVER, seq, ack, flags, data)


# What the client's stream becomes by the steps that follow a handshake: bytes, sizes of gaps, "end".
STREAMS: dict[str, tuple[list[Step], list[object]]] = {
    "in order": ([c(0, b"ab"), c(2, b"cd")], [b"abcd"]),
    "out of order": ([c(2, b"cd"), c(0, b"ab"), c(4, b"ef")], [b"abcdef"]),
    "repeated": ([c(0, b"ab"), c(0, b"ab"), c(2, b"cd")], [b"abcd"]),
    "the first copy wins": ([c(0, b"ab"), c(0, b"XY"), c(2, b"cd")], [b"abcd"]),
    "the first copy wins among those that wait": ([c(2, b"cd"), c(1, b"XYZX"), c(0, b"a")], [b"aXcdX"]),
    "overlaps what was handed over": ([c(0, b"abc"), c(1, b"bcde")], [b"abcde"]),
    "overlaps both ends of what waits": ([c(2, b"c"), c(4, b"e"), c(0, b"abcdefg")], [b"abcdefg"]),
    "inside of what waits": ([c(2, b"cdef"), c(3, b"XX"), c(0, b"ab")], [b"abcdef"]),
    "keep-alive with a byte": ([c(0, b"ab"), c(1, b"X"), c(2, b"cd")], [b"abcd"]),
    "keep-alive without": ([c(0, b"ab"), c(1), c(2, b"cd")], [b"abcd"]),
    "window probe": ([c(0, b"ab"), c(2, b"c"), c(2, b"cd")], [b"abcd"]),
    "lost, acknowledged": ([c(0, b"a"), c(4, b"ef"), *[s(6)] * 33, c(6, b"g")], [b"a", 3, b"efg"]),
    "lost, acknowledged in part": ([c(0, b"a"), c(4, b"ef"), *[s(3)] * 33, c(3, b"d")], [b"a", 2, b"def"]),
    "lost at the end of the capture": ([c(0, b"a"), c(4, b"ef")], [b"a", 3, b"ef"]),
    "lost, nothing behind": ([c(0, b"a"), s(6)], [b"a", 5]),
    "lost, nothing behind, after more": ([c(0, b"a"), s(1), s(1), s(6)], [b"a", 5]),
    "lost twice": ([c(1, b"b"), c(3, b"d")], [1, b"b", 1, b"d"]),
    "not lost, only late": ([c(0, b"a"), c(4, b"ef"), *[s(6)] * 20, c(1, b"bcd")], [b"abcdef"]),
    "not acknowledged, very late": ([c(0, b"a"), c(4, b"ef"), *[s(1)] * 99, c(1, b"bcd")], [b"abcdef"]),
    "far ahead": ([c(0, b"a"), c(1 << 28, b"?"), c(1, b"b")], [b"ab"]),
    "far behind": ([c(0, b"a"), c(-(1 << 28), b"?"), c(1, b"b")], [b"ab"]),
    "far ahead, now and then": (
        [step for i in range(12) for step in (c(i, b"a"), c((1 << 28) + i, b"?"))],
        [b"a" * 12],
    ),
    "far ahead, for good": (
        [c(0, b"a"), *(c((1 << 28) + i, b"?") for i in range(10))],
        [b"a", (1 << 28) + 7, b"??"],
    ),
    "far behind, for good": ([c(0, b"a"), *(c(-(1 << 28) + i, b"?") for i in range(10))], [b"a", 0, b"??"]),
    "far ahead, acknowledged": ([c(0, b"a"), s(1 << 28), c(1 << 28, b"?")], [b"a", (1 << 28) - 1, b"?"]),
    "fin": ([c(0, b"ab"), c(2, b"cd", FIN)], [b"abcd", "end"]),
    "fin out of order": ([c(2, b"cd", FIN), c(0, b"ab")], [b"abcd", "end"]),
    "fin alone out of order": ([c(2, b"", FIN), c(0, b"ab")], [b"ab", "end"]),
    "fin repeated": ([c(0, b"ab"), c(2, b"", FIN), c(2, b"", FIN)], [b"ab", "end"]),
    "fin acknowledged": ([c(0, b"ab"), c(2, b"", FIN), s(3)], [b"ab", "end"]),
    "fin lost": ([c(0, b"ab"), s(3)], [b"ab"]),
    "lost before fin": ([c(0, b"ab"), c(4, b"", FIN)], [b"ab", 2, "end"]),
    "bytes behind fin": ([c(0, b"ab", FIN), c(2, b"cd")], [b"ab", "end"]),
    "fin before bytes that wait": ([c(5, b"fghij"), c(7, b"", FIN), c(0, b"abcde")], [b"abcdefghij"]),
    "reset": ([c(0, b"ab"), s(None, 0, RST), c(2, b"cd")], [b"abcd"]),
    "reset with an explanation": ([c(0, b"ab"), c(2, b"No socket", RST)], [b"ab"]),
    "long after a reset": ([c(0, b"ab"), s(None, 0, RST), *[s(2)] * 33, c(2, b"cd")], [b"ab"]),
    "long after repeated resets": (
        [c(0, b"ab"), *[s(None, 0, RST), *[s(2)] * 15] * 3, c(2, b"cd")],
        [b"ab"],
    ),
    "reset while a hole is waited for": (
        [c(0, b"a"), c(2, b"c"), s(3), s(None, 0, RST), c(1, b"b"), s(3), c(3, b"d")],
        [b"abcd"],
    ),
    "reset that its sender did not send": (
        [c(0, b"ab"), s(None, 0, RST), s(2, 0, 0, b"xy"), *[s(2, 2), c(2)] * 20, c(2, b"cd")],
        [b"abcd"],
    ),
    "reset ahead of its sender": (
        [c(0, b"ab"), s(None, 9, RST), s(2, 0, 0, b"0123456789"), *[s(2, 10), c(2)] * 20, c(2, b"cd")],
        [b"abcd"],
    ),
    "reset behind its sender, who repeats itself": (
        [c(0, b"ab"), s(2, 0, 0, b"0123456789"), s(None, 5, RST), *[s(2, 5, 0, b"56789"), c(2)] * 20, c(2, b"cd")],
        [b"ab"],
    ),
    "reset behind bytes that come later": (
        [c(0, b"ab"), s(None, 10, RST), s(2, 0, 0, b"0123456789"), *[s(2, 10), c(2)] * 20, c(2, b"cd")],
        [b"ab"],
    ),
    "unbelievable reset": ([c(0, b"ab"), s(None, 1 << 30, RST), *[s(2)] * 33, c(2, b"cd")], [b"abcd"]),
    "zeros": ([c(0, bytes(9)), c(9, bytes(9))], [bytes(18)]),
}


@pytest.mark.parametrize("family", [ENDS, ENDS6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("isn", [100, 2**32 - 3], ids=["", "wraps"])
@pytest.mark.parametrize("name", STREAMS)
def test_stream(name: str, isn: int, family: tuple[bytes, bytes]) -> None:
    steps, expected = STREAMS[name]
    heard = play(batch(frames(steps, isn, family)))
    assert heard.stream(CLIENT) == expected
    gaps = [part for part in expected if isinstance(part, int)]
    assert heard.flow.lost == [sum(gaps), 0]
    assert heard.kinds.count("tcp-gap") == len(gaps)
    assert heard.flow.payload[0] == sum(len(part) for part in expected if isinstance(part, bytes))
    assert heard.events[-1] == ("close",)


def frames(steps: Iterable[Step], isn: int = 100, ends: tuple[bytes, bytes] = ENDS) -> list[bytes]:
    """A handshake and the steps, as packets."""
    origins = (isn + 1, 501)
    packets = handshake(isn, 500, ends)
    for side, seq, ack, flags, data in steps:
        number = None if ack is None else origins[1 - side] + ack
        packets.append(tcp(side, origins[side] + seq, number, flags, data, ends=ends))
    return packets


def test_fast_open_carries_data_on_the_syn() -> None:
    heard = play(
        batch(
            [
                tcp(0, 100, None, SYN, b"early"),
                tcp(1, 500, 106, SYN),
                tcp(0, 106, 501, 0, b" bird"),
            ]
        )
    )
    assert heard.stream(CLIENT) == [b"early bird"]
    assert heard.flow.established == START + 3 * MS


def test_simultaneous_open_keeps_the_first_syn_as_the_clients() -> None:
    heard = play(
        batch(
            [
                tcp(0, 100, None, SYN),
                tcp(1, 500, None, SYN),
                tcp(1, 500, 101, SYN),
                tcp(0, 100, 501, SYN),
                tcp(0, 101, 501, 0, b"a"),
                tcp(1, 501, 102, 0, b"b"),
            ]
        )
    )
    assert (heard.stream(CLIENT), heard.stream(SERVER), heard.flow.client.port) == ([b"a"], [b"b"], 40000)
    assert heard.flow.begun == "syn"


def test_a_reset_that_its_sender_did_not_send_does_not_end_the_connection() -> None:
    steps = [c(0, b"ab"), s(2, 0, RST), s(2, 0, 0, b"xy"), c(2, b"cd")]
    heard = play(batch(frames(steps)))
    assert (heard.flow.ended, heard.flow.ended_by) == ("capture-end", None)
    heard = play(batch(frames([*steps, c(4, b"", RST)])))
    assert (heard.flow.ended, heard.flow.ended_by) == ("rst", CLIENT)


def test_a_refused_connection_may_be_tried_again() -> None:
    refused = [tcp(0, 100, None, SYN), tcp(1, 0, 101, RST)]
    heard = play(batch(refused))
    assert (heard.flow.ended, heard.flow.ended_by, heard.flow.established) == ("rst", SERVER, None)
    heard = play(batch([*refused, *handshake(), tcp(0, 101, 501, 0, b"hello")]))
    assert (heard.flow.ended, heard.flow.ended_by) == ("capture-end", None)
    assert heard.stream(CLIENT) == [b"hello"]
    assert (heard.flow.packets, heard.flow.retransmitted) == ([4, 2], [1, 0])


def test_a_connection_that_was_refused_first_is_open() -> None:
    packets = [tcp(0, 100, None, SYN), tcp(1, 0, 101, RST), *handshake(), tcp(0, 9000, None, SYN)]
    assert [flow.ended for flow in play(batch(packets)).flows] == ["reuse", "capture-end"]


def test_a_second_syn_ack_does_not_count_once_the_first_was_taken() -> None:
    packets = [*handshake(), tcp(1, 1 << 30, 101, SYN), tcp(1, 501, 101, 0, b"a"), tcp(1, 500, 101, SYN)]
    heard = play(batch(packets))
    assert (heard.stream(SERVER), heard.flow.retransmitted, heard.flow.established) == ([b"a"], [0, 1], START + 3 * MS)


def test_each_hole_is_waited_for_by_itself() -> None:
    steps = [c(0, b"a"), c(2, b"c"), s(3), c(1, b"b"), c(4, b"e"), s(5), s(5), c(3, b"d")]
    times = [0, 0, 0, 0, 0, 0, 400, 500, 500, 1200, 1300]
    assert play(batch(frames(steps), [time * MS for time in times])).stream(CLIENT) == [b"abcde"]


def test_handshake_times_without_the_clients_ack() -> None:
    heard = play(batch(handshake()[:2]))
    assert (heard.flow.syn, heard.flow.established, heard.flow.begun) == (START + MS, START + 2 * MS, "syn")


def test_syn_ack_first_makes_its_sender_the_server() -> None:
    heard = play(batch([tcp(0, 500, 101, SYN), tcp(1, 101, 501, 0, b"GET"), tcp(0, 501, 104, 0, b"200")]))
    assert (heard.flow.client.port, heard.flow.begun) == (443, "syn-ack")
    assert (heard.stream(CLIENT), heard.stream(SERVER)) == ([b"GET"], [b"200"])


class TestInTheMiddle:
    """The capture began after the connection did."""

    def test_waits_for_what_belongs_before(self) -> None:
        steps = [c(4, b"ef"), s(6), c(2, b"cd"), *[s(6)] * 16, c(0, b"ab")]
        heard = play(batch(frames(steps)[3:]))
        assert heard.stream(CLIENT) == [b"abcdef"]
        assert (heard.flow.begun, heard.flow.established) == ("mid-capture", None)

    def test_begins_after_some_packets(self) -> None:
        heard = play(batch(frames([c(4, b"ef"), *[s(6)] * 20, c(2, b"cd"), c(6, b"g")])[3:]))
        assert heard.events[:2] == [("segment", CLIENT, b"ef", 1), ("segment", CLIENT, b"g", 23)]
        assert heard.flow.retransmitted == [1, 0]

    def test_begins_after_some_time(self) -> None:
        packets = frames([c(4, b"ef"), s(6), c(2, b"cd")])[3:]
        soon, late = play(batch(packets, [0, 1, 999 * MS])), play(batch(packets, [0, 1, 1001 * MS]))
        assert (soon.stream(CLIENT), late.stream(CLIENT)) == ([b"cdef"], [b"ef"])

    def test_any_packet_of_the_capture_moves_the_clock(self) -> None:
        other = udp(0, b"x", (1, 2))
        heard = play(batch([*frames([c(4, b"ef")])[3:], other, *frames([c(2, b"cd")])[3:]], [0, 1001 * MS, 1002 * MS]))
        assert heard.records["1"].stream(CLIENT) == [b"ef"]

    def test_an_acknowledgement_alone_says_where_a_stream_is(self) -> None:
        heard = play(batch(frames([c(4), *[s(4)] * 30, c(6, b"gh")])[3:]))
        assert heard.stream(CLIENT) == [2, b"gh"]

    def test_a_keep_alive_is_one_behind(self) -> None:
        heard = play(batch(frames([c(3), *[s(4)] * 30, c(4, b"ef")])[3:]))
        assert heard.stream(CLIENT) == [b"ef"]

    def test_a_late_syn_is_still_the_beginning(self) -> None:
        packets = frames([c(0, b"ab"), c(2, b"cd"), s(4, 0, 0, b"xy")])
        heard = play(batch([*packets[3:], *packets[:3]]))
        assert (heard.stream(CLIENT), heard.stream(SERVER)) == ([b"abcd"], [b"xy"])
        assert (heard.flow.begun, heard.flow.packets) == ("syn", [4, 2])

    def test_a_reset_before_the_beginning(self) -> None:
        packets = frames([c(2, b"cd"), s(None, 0, RST), c(0, b"ab"), c(4, b"ef")])
        assert play(batch([*packets[3:5], packets[0], *packets[5:]])).stream(CLIENT) == [b"abcdef"]

    def test_a_reset_at_the_end_of_the_wait(self) -> None:
        steps = [c(2, b"cd"), *[s(4)] * 18, s(None, 0, RST), *[s(4)] * 5, c(4, b"ef")]
        assert play(batch(frames(steps)[3:])).stream(CLIENT) == [b"cdef"]

    def test_a_late_syn_tells_the_client(self) -> None:
        packets = [tcp(1, 501, 101, 0, b"200"), tcp(1, 500, None, SYN), tcp(0, 100, 501, SYN)]
        heard = play(batch(packets))
        assert (heard.flow.client.port, heard.stream(CLIENT)) == (443, [b"200"])

    @pytest.mark.parametrize(
        ("ports", "client"), [((40000, 443), 40000), ((443, 40000), 40000), ((50000, 40000), 50000), ((7, 9), 9)]
    )
    def test_ports_tell_who_is_the_client(self, ports: tuple[int, int], client: int) -> None:
        assert play(batch([tcp(0, 1, 1, 0, b"x", ports)])).flow.client.port == client


class TestPortsUsedAnew:
    def test_a_syn_with_another_number_is_another_connection(self) -> None:
        first = frames([c(0, b"ab"), c(4, b"ef")])
        heard = play(batch([*first, *handshake(9000), tcp(0, 9001, 501, 0, b"new")]))
        assert [flow.id for flow in heard.flows] == ["1", "6"]
        assert [flow.packets for flow in heard.flows] == [[4, 1], [3, 1]]
        assert [flow.ended for flow in heard.flows] == ["reuse", "capture-end"]
        assert heard.records["1"].stream(CLIENT) == [b"ab", 2, b"ef"]
        assert heard.records["6"].stream(CLIENT) == [b"new"]

    def test_after_the_end_it_does_not_change_how_it_ended(self) -> None:
        end = [c(0, b"", FIN), s(1, 0, FIN), c(1)]
        heard = play(batch([*frames(end), *handshake(9000)]))
        assert [flow.ended for flow in heard.flows] == ["fin", "capture-end"]

    def test_a_repeated_syn_is_the_same(self) -> None:
        heard = play(batch([*handshake()[:1], *handshake(), *handshake()[:1]]))
        assert (heard.flow.packets, heard.flow.retransmitted) == ([4, 1], [2, 0])

    def test_a_syn_from_the_other_end_with_another_number(self) -> None:
        heard = play(batch([*frames([c(0, b"ab"), s(2, 0, 0, b"x")]), tcp(1, 7777, None, SYN)]))
        assert [flow.client.port for flow in heard.flows] == [40000, 443]

    def test_a_syn_that_does_not_fit_what_was_seen_without_one(self) -> None:
        heard = play(batch([tcp(0, 1 << 30, 1, 0, b"ab"), tcp(0, 9000, None, SYN)]))
        assert [flow.id for flow in heard.flows] == ["1", "2"]

    @pytest.mark.parametrize("isn", [9000, 200, 1 << 31, 3 << 30])
    @pytest.mark.parametrize("peer_isn", [70000, 508, 3 << 30])
    @pytest.mark.parametrize("ended", [False, True])
    def test_a_syn_that_is_answered_out_of_an_older_connection(self, isn: int, peer_isn: int, ended: bool) -> None:
        steps = [c(0, b"ab"), s(2, 0, 0, b"xy"), *([s(2, 2, FIN), c(2, b"", FIN), s(3, 3)] if ended else [])]
        old, older_end = frames(steps), (103 + ended, 503 + ended)
        recovery = [
            tcp(0, isn, None, SYN),
            tcp(1, older_end[1], older_end[0]),
            tcp(0, older_end[0], None, RST),
        ]
        talk = [
            packet
            for at in range(40)
            for packet in (
                tcp(0, isn + 1 + at, peer_isn + 1 + at, 0, b"c"),
                tcp(1, peer_isn + 1 + at, isn + 2 + at, 0, b"s"),
            )
        ]
        heard = play(batch([*old, *recovery, *handshake(isn, peer_isn), *talk]))
        new = heard.records[str(len(old) + 1)]
        assert (new.stream(CLIENT), new.stream(SERVER), heard.problems) == ([b"c" * 40], [b"s" * 40], [])
        assert [flow.ended for flow in heard.flows] == ["fin" if ended else "reuse", "capture-end"]


def test_late_packets_are_counted_but_not_handed_over() -> None:
    end = [c(0, b"ab", FIN), s(3, 0, FIN), c(3), c(0, b"ab", FIN), c(50, b"?")]
    heard = play(batch(frames(end)))
    assert heard.events[-1] == ("close",)
    assert heard.stream(CLIENT) == [b"ab", "end"]
    assert (heard.flow.packets, heard.flow.retransmitted) == ([6, 2], [1, 0])
    assert [(problem.kind, problem.frame, problem.lost) for problem in heard.problems] == [("tcp-stray-segments", 8, 1)]


def test_the_client_takes_the_last_of_several_syn_acks() -> None:
    answers = [tcp(1, isn, 101, SYN) for isn in (500, 1 << 30, 3 << 30)]
    rest = [tcp(0, 101, (3 << 30) + 1, 0, b"a"), tcp(1, (3 << 30) + 1, 102, 0, b"b")]
    heard = play(batch([tcp(0, 100, None, SYN), *answers, *rest]))
    assert (heard.stream(CLIENT), heard.stream(SERVER), heard.problems) == ([b"a"], [b"b"], [])


def test_after_the_end_bytes_from_elsewhere_are_another_connection() -> None:
    end = frames([c(0, b"ab", FIN), s(3, 0, FIN), c(3)])
    heard = play(batch([*end, tcp(1, 1 << 30, 3 << 30, SYN), tcp(0, 3 << 30, (1 << 30) + 1, 0, b"GET")]))
    assert [(flow.id, flow.begun, flow.ended) for flow in heard.flows] == [
        ("1", "syn", "fin"),
        ("7", "syn-ack", "capture-end"),
    ]
    heard = play(batch([*end, tcp(0, 3 << 30, (1 << 30) + 1, 0, b"GET")]))
    assert [flow.id for flow in heard.flows] == ["1", "7"]


def test_the_receiver_may_put_another_in_its_place() -> None:
    deeper = Recorder()

    class Detector(Recorder):
        def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
            super().segment(direction, data, time, frame)
            flow.receiver = deeper

    flows: list[Flow] = []

    def on_flow(new: Flow) -> Detector:
        flows.append(new)
        return detector

    detector = Detector()
    network = Network(on_flow, lambda _: None, lambda _: None)
    packets = batch(frames([c(0, b"a"), c(1, b"b"), c(3, b"d"), c(2, b"c"), c(4, b"", FIN)]))
    flow: Flow
    network.feed(batch(handshake()))
    (flow,) = flows
    network.feed(PacketBatch(packets.data, packets.link_type, packets.packets[3:]))
    network.close()
    assert detector.events == [("segment", CLIENT, b"a", 4)]
    assert [event[0] for event in deeper.events] == ["segment"] * 3 + ["end", "close"]


def test_swap_is_all_it_takes_to_exchange_client_and_server() -> None:
    flows: list[Flow] = []

    class Swapper(Recorder):
        def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
            super().segment(direction, data, time, frame)
            if data == b"ab":
                flows[0].swap()

    recorder = Swapper()

    def on_flow(flow: Flow) -> Swapper:
        flows.append(flow)
        return recorder

    network = Network(on_flow, lambda _: None, lambda _: None)
    network.feed(batch(frames([c(0, b"ab"), c(2, b"c"), c(4, b"e"), s(0, 0, 0, b"xyz"), c(3, b"d"), c(5, b"", FIN)])))
    network.close()
    assert recorder.stream(CLIENT) == [b"abxyz"]
    assert recorder.stream(SERVER) == [b"cde", "end"]
    (flow,) = flows
    assert (flow.packets, flow.payload, flow.ended_by) == ([2, 7], [3, 5], SERVER)


class TestCutPackets:
    """Packets of which the capture holds the first bytes only."""

    def test_the_rest_is_a_gap_at_once(self) -> None:
        whole = batch(frames([c(0, b"abcd"), c(4, b"efgh"), c(8, b"ijkl"), c(12, b"", FIN)]))
        places = [
            (frame, time, start, end - 2 if frame in (4, 5) else end, wire)
            for frame, time, start, end, wire in whole.packets
        ]
        heard = play(PacketBatch(whole.data, 1, places))
        assert heard.stream(CLIENT) == [b"ab", 2, b"ef", 2, b"ijkl", "end"]
        assert heard.kinds == ["tcp-truncated-packets"]
        assert (heard.flow.lost, heard.flow.payload, heard.flow.bytes[0]) == ([4, 0], [8, 0], 54 * 6 + 12)


class TestLimits:
    def test_too_much_waits_for_a_hole(self) -> None:
        heard = play(batch(frames([c(0, b"a"), *(c(2 + i, b"x") for i in range(20))])), limits=Limits(buffer=4000))
        assert heard.stream(CLIENT) == [b"a", 1, b"x" * 20]
        assert heard.kinds == ["tcp-limit", "tcp-gap"]
        assert [event for event in heard.events if event[0] == "gap"] == [("gap", CLIENT, 1, 5)]

    def test_too_much_waits_in_all_connections(self) -> None:
        packets = [
            tcp(0, 101 + 2 * number, 501, 0, b"x", (port, 80)) for port in range(10000, 10020) for number in (1, 2)
        ]
        heard = play(batch(packets), limits=Limits(buffers=4000))
        assert heard.kinds.count("tcp-limit") > 10
        assert all(flow.payload == [2, 0] for flow in heard.flows)

    def test_the_longest_idle_connection_goes_first(self) -> None:
        syns = [tcp(0, 100, None, SYN, ports=(port, 80)) for port in (1001, 1002, 1003)]
        again = tcp(0, 100, None, SYN, ports=(1001, 80))
        new = tcp(0, 100, None, SYN, ports=(1004, 80))
        heard = play(batch([*syns, again, new]), limits=Limits(open_flows=3))
        assert [flow.client.port for flow in heard.flows] == [1002, 1001, 1003, 1004]
        assert [flow.ended for flow in heard.flows] == ["timeout", *["capture-end"] * 3]
        assert heard.kinds == ["net-too-many-flows"]

    def test_connections_that_are_over_do_not_count_among_the_open(self) -> None:
        packets = [
            packet
            for port in range(2000, 2010)
            for packet in (tcp(0, 1, None, SYN, ports=(port, 80)), tcp(1, 0, 2, RST, ports=(port, 80)))
        ]
        heard = play(batch(packets), limits=Limits(open_flows=2, closed_flows=3))
        assert [flow.client.port for flow in heard.flows] == list(range(2000, 2010))
        assert {flow.ended for flow in heard.flows} == {"rst"}
        assert heard.problems == []

    def test_udp_conversations(self) -> None:
        heard = play(batch([udp(0, b"x", (port, 53)) for port in (1, 2, 3, 1, 4)]), limits=Limits(udp_flows=3))
        assert [flow.client.port for flow in heard.flows] == [2, 1, 3, 4]

    def test_adversarial_order_stays_linear(self) -> None:
        """Every other byte first, from the last to the first, then segments over all of them."""
        count = 20_000
        steps = [c(2 * i + 1, b"x") for i in range(count, 0, -1)]
        steps += [c(i * 1000, b"y" * 30_000) for i in range(20)]
        heard = play(batch(frames(steps)))
        assert heard.kinds.count("tcp-limit") == 1
