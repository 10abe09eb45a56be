"""Packets of all kinds find their flows."""

from __future__ import annotations

import struct
from collections.abc import Callable
from operator import itemgetter

import pytest

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.net.network import Network
from pcapng_utils.net.shards import Shard
from tests.net.wire import ENDS, ENDS6, MS, START, Heard, batch, ethernet, handshake, play, tcp, udp

CLIENT, SERVER = 0, 1
SLL = struct.pack("!HHH8sH", 0, 1, 6, b"", 0x0800)
SLL2 = struct.pack("!HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, b"")
TALK = [*handshake(), tcp(0, 101, 501, 0, b"hello"), tcp(1, 501, 106, 0, b"world"), udp(0, b"?"), udp(1, b"!")]


def summary(heard: Heard) -> list[object]:
    """All but the sizes of the frames."""
    return [
        (flow.id, flow.transport, flow.client, flow.server, flow.packets, flow.payload, heard.records[flow.id].events)
        for flow in heard.flows
    ]


PLAIN = summary(play(batch(TALK)))


def test_plain_packets() -> None:
    heard = play(batch(TALK))
    tcp_flow, udp_flow = heard.flows
    assert heard.records["1"].stream(CLIENT) == [b"hello"]
    assert heard.records["6"].events == [("datagram", 0, b"?", 6), ("datagram", 1, b"!", 7), ("close",)]
    assert (udp_flow.begun, udp_flow.bytes, udp_flow.payload) == ("datagram", [43, 43], [1, 1])
    assert (tcp_flow.client, tcp_flow.server) == (Endpoint("10.0.0.1", 40000), Endpoint("203.0.113.7", 443))
    assert all(flow.receiver is None for flow in heard.flows)


@pytest.mark.parametrize(
    ("link_type", "header"),
    [(101, b""), (12, b""), (228, b""), (113, SLL), (276, SLL2), (0, b"\2\0\0\0")],
    ids=["raw", "raw in files of BSD", "raw IPv4", "cooked", "cooked v2", "loopback, not on the fast path"],
)
def test_link_layers_make_no_difference(link_type: int, header: bytes) -> None:
    assert summary(play(batch([header + packet[14:] for packet in TALK], link_type=link_type))) == PLAIN


@pytest.mark.parametrize("tags", [b"\x81\x00\x00\x05", b"\x88\xa8\x00\x01\x81\x00\x45\x00"], ids=["one", "two"])
def test_vlan_tags_make_no_difference(tags: bytes) -> None:
    heard = play(batch([packet[:12] + tags + packet[12:] for packet in TALK]))
    assert summary(heard) == PLAIN
    assert heard.flows[0].bytes == [54 * 3 + 5 + 3 * len(tags), 54 * 2 + 5 + 2 * len(tags)]


def test_ip_options_make_no_difference() -> None:
    packets = []
    for packet in TALK:
        total = int.from_bytes(packet[16:18], "big") + 4
        packets.append(
            packet[:14] + b"\x46" + packet[15:16] + total.to_bytes(2, "big") + packet[18:34] + b"\1" * 4 + packet[34:]
        )
    assert summary(play(batch(packets))) == PLAIN


def test_ipv6_extension_headers_make_no_difference() -> None:
    plain = [
        *handshake(ends=ENDS6),
        tcp(0, 101, 501, 0, b"hello", ends=ENDS6),
        udp(0, b"?", ends=ENDS6),
    ]
    extended = [
        packet[:18]
        + (len(packet) - 54 + 8).to_bytes(2, "big")
        + b"\x3c"
        + packet[21:54]
        + packet[20:21]
        + bytes(7)
        + packet[54:]
        for packet in plain
    ]
    assert summary(play(batch(extended))) == summary(play(batch(plain)))


@pytest.mark.parametrize("padding", [6, 40], ids=["to the minimum", "more than a trailer has"])
def test_padding_is_no_payload(padding: int) -> None:
    heard = play(batch([packet + b"P" * padding for packet in TALK]))
    assert summary(heard) == PLAIN


def test_total_length_zero_is_as_long_as_the_packet() -> None:
    """Segments that were captured before the network card cut them up."""
    packets = [packet[:16] + b"\0\0" + packet[18:] if packet[23] == 6 else packet for packet in TALK]
    assert summary(play(batch(packets))) == PLAIN


def test_apps_are_counted() -> None:
    """PCAPdroid writes the app behind each packet."""
    trailer = struct.pack("!II20sI", 0x01072021, 10123, b"org.example.app", 0)
    assert len(trailer) == 32
    heard = play(batch([packet + trailer for packet in TALK]))
    assert summary(heard) == PLAIN
    assert [(flow.processes, flow.uids) for flow in heard.flows] == [
        ({"org.example.app": 5}, {10123}),
        ({"org.example.app": 2}, {10123}),
    ]


def test_tunnels_are_told() -> None:
    wrapped = [ethernet(0, 4, packet[14:]) for packet in TALK]
    heard = play(batch(wrapped))
    assert summary(heard) == PLAIN
    assert {flow.tunnels for flow in heard.flows} == {("ip-in-ip",)}


def vxlan(packet: bytes) -> tuple[bytes, tuple[int, int]]:
    return struct.pack("!II", 0x08000000, 42 << 8) + packet, (50_000, 4789)


def gtp_u(packet: bytes) -> tuple[bytes, tuple[int, int]]:
    return struct.pack("!BBHI", 0x30, 255, len(packet) - 14, 1) + packet[14:], (2152, 2152)


def teredo(packet: bytes) -> tuple[bytes, tuple[int, int]]:
    return packet[14:], (50_000, 3544)


OUTER4 = (b"\xc6\x33\x64\x01", b"\xc6\x33\x64\x02")
OUTER6 = (b"\xfd" + bytes(14) + b"\1", b"\xfd" + bytes(14) + b"\2")


@pytest.mark.parametrize("outer", [OUTER4, OUTER6], ids=["in IPv4", "in IPv6"])
@pytest.mark.parametrize(
    ("wrap", "name", "ends"), [(vxlan, "vxlan", ENDS), (gtp_u, "gtp-u", ENDS), (teredo, "teredo", ENDS6)]
)
def test_tunnels_in_plain_udp_are_opened(
    wrap: Callable[[bytes], tuple[bytes, tuple[int, int]]],
    name: str,
    ends: tuple[bytes, bytes],
    outer: tuple[bytes, bytes],
) -> None:
    talk = [*handshake(ends=ends), tcp(0, 101, 501, 0, b"hello", ends=ends), tcp(1, 501, 106, 0, b"world", ends=ends)]
    talk += [udp(0, b"?", ends=ends), udp(1, b"!", ends=ends)]
    heard = play(batch([udp(0, *wrap(packet), ends=outer) for packet in talk]))
    assert summary(heard) == summary(play(batch(talk)))
    assert {flow.tunnels for flow in heard.flows} == {(name,)}
    assert heard.problems == []


@pytest.mark.parametrize("ports", [(4789, 443), (40000, 2152), (3544, 3544), (8472, 443)])
def test_other_traffic_on_the_port_of_a_tunnel_is_followed(ports: tuple[int, int]) -> None:
    contents = [b"", b"x" * 60, b"\x30\xff" + bytes(50), b"\x00\x01\xff\xff" + bytes(9)]
    heard = play(batch([udp(side, data, ports) for data in contents for side in (0, 1)]))
    assert sorted(heard.events[:-1], key=itemgetter(3)) == [
        ("datagram", number % 2 ^ (heard.flow.client.port != ports[0]), contents[number // 2], number + 1)
        for number in range(2 * len(contents))
    ]
    assert (heard.problems, heard.flow.tunnels) == ([], ())


@pytest.mark.parametrize("outer", [OUTER4, OUTER6], ids=["in IPv4", "in IPv6"])
def test_a_connection_in_a_tunnel_belongs_to_one_share(outer: tuple[bytes, bytes]) -> None:
    opened = []
    for number in range(3):
        flows: list[Flow] = []
        network = Network(lambda flow: None, flows.append, lambda problem: None, shard=Shard(number, 3))
        for port in range(40_000, 40_010):
            packets = [tcp(side, 1, 1, 0, b"x", (port, 443)) for side in (0, 1)]
            network.feed(batch([udp(side, *vxlan(packet), ends=outer) for side, packet in enumerate(packets)]))
        network.close()
        assert {flow.transport for flow in flows} == {"tcp"}
        assert all(flow.packets == [1, 1] for flow in flows)
        opened += [flow.client.port for flow in flows]
    assert sorted(opened) == list(range(40_000, 40_010))


def test_a_fragmented_segment_is_one_packet() -> None:
    whole = tcp(0, 101, 501, 0, b"0123456789abcdef" * 4)
    body = whole[34:]
    first, second = (
        whole[:16] + (20 + len(part)).to_bytes(2, "big") + whole[18:20] + field + whole[22:34] + part
        for part, field in ((body[:48], b"\x20\0"), (body[48:], b"\0\6"))
    )
    heard = play(batch([*handshake(), second, first]))
    assert heard.stream(CLIENT) == [b"0123456789abcdef" * 4]
    assert heard.flow.packets == [3, 1]


@pytest.mark.parametrize(
    "packet",
    [tcp(0, 1, 1, 0, b"x")[:46] + b"\x10" + tcp(0, 1, 1, 0, b"x")[47:], tcp(0, 1, 1)[:-8], udp(0, b"")[:-4]],
    ids=["offset too small", "cut inside of the TCP header", "cut inside of the UDP header"],
)
def test_headers_that_cannot_be_read_are_told(packet: bytes) -> None:
    heard = play(batch([packet]))
    assert heard.flows == []
    assert [problem.frame for problem in heard.problems] == [1]


def test_the_udp_length_cuts_the_datagram() -> None:
    packet = udp(0, b"payload and more")
    heard = play(batch([packet[:38] + (8 + 7).to_bytes(2, "big") + packet[40:]]))
    assert heard.events[0] == ("datagram", 0, b"payload", 1)


def test_a_cut_datagram_is_told() -> None:
    whole = batch([udp(0, b"payload")])
    frame, time, start, end, wire = whole.packets[0]
    heard = play(PacketBatch(whole.data, 1, [(frame, time, start, end - 3, wire)]))
    assert (heard.flow.lost, heard.flow.payload, heard.kinds) == ([3, 0], [4, 0], ["udp-truncated-packets"])


def test_an_answer_first_does_not_make_the_server_the_client() -> None:
    heard = play(batch([udp(1, b"!"), udp(0, b"?")]))
    assert (heard.flow.client.port, heard.flow.packets) == (40000, [1, 1])


def test_a_packet_to_itself() -> None:
    ends = (b"\x7f\0\0\1", b"\x7f\0\0\1")
    heard = play(batch([tcp(0, 100, None, 2, ports=(9, 9), ends=ends), tcp(0, 101, 1, 0, b"x", (9, 9), ends)]))
    assert heard.flow.packets == [2, 0]


def test_flows_end_in_the_order_of_their_first_packets() -> None:
    packets = [udp(0, b"x", (5, 6)), *handshake(), udp(0, b"x", (7, 8))]
    assert [flow.id for flow in play(batch(packets)).flows] == ["1", "2", "5"]


def test_times_may_go_back() -> None:
    heard = play(batch(TALK, [5000 * MS, 4000 * MS, 9000 * MS, 0, 1, 2, 3]))
    assert summary(heard) == PLAIN
    assert heard.flows[0].first == START + 5000 * MS
