from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.layers import Problem
from pcapng_utils.net.decode import Decoder, DecoderLimits, IpPayload
from tests.capture.making import enhanced, interface, section
from tests.net.oracle import TSHARK, ours, tsharks
from tests.net.packets import (
    A6,
    B6,
    OUTER_A,
    OUTER_B,
    A,
    B,
    cooked,
    cooked2,
    ethernet,
    gre,
    gtp_u,
    ipv4,
    ipv6,
    nflog,
    pktap,
    pppoe,
    radiotap,
    snap,
    trailer,
    udp,
    vlan,
    vxlan,
    wifi,
)

FOUR = ipv4(udp())
SIX = ipv6(udp())


def outer(payload: bytes, protocol: int) -> bytes:
    return ipv4(payload, protocol, OUTER_A, OUTER_B)


class Case(NamedTuple):
    name: str
    link_type: int
    packet: bytes
    tunnels: tuple[str, ...] = ()
    six: bool = False


CASES = [
    Case("Ethernet", 1, ethernet(FOUR)),
    Case("Ethernet, IPv6", 1, ethernet(SIX, 0x86DD), six=True),
    Case("Ethernet, padded", 1, ethernet(FOUR) + bytes(11)),
    Case("802.1Q", 1, ethernet(vlan(FOUR), 0x8100)),
    Case("802.1ad and 802.1Q", 1, ethernet(vlan(vlan(SIX, 0x86DD), 0x8100), 0x88A8), six=True),
    Case("802.3 with SNAP", 1, ethernet(snap(FOUR), 8 + len(FOUR))),
    Case("MPLS", 1, ethernet(b"\x00\x01\x00\xff\x00\x01\x01\xff" + FOUR, 0x8847)),
    Case("PPPoE over Ethernet", 1, ethernet(pppoe(b"\x00\x21" + FOUR), 0x8864)),
    Case("loopback, little-endian", 0, b"\x02\0\0\0" + FOUR),
    Case("loopback, big-endian", 0, b"\0\0\0\x1e" + SIX, six=True),
    Case("loopback, OpenBSD", 108, b"\0\0\0\x02" + FOUR),
    Case("PPP", 9, b"\xff\x03\x00\x57" + SIX, six=True),
    Case("PPP, address left out", 9, b"\x00\x21" + FOUR),
    Case("PPP, protocol compressed", 9, b"\xff\x03\x21" + FOUR),
    Case("PPPoE", 51, pppoe(b"\x00\x21" + FOUR)),
    Case("raw IP", 101, FOUR),
    Case("raw IP, DLT_RAW", 12, SIX, six=True),
    Case("raw IPv4", 228, FOUR),
    Case("raw IPv6", 229, SIX, six=True),
    Case("Linux cooked", 113, cooked(FOUR)),
    Case("Linux cooked, tagged", 113, cooked(vlan(FOUR), 0x8100)),
    Case("Linux cooked 2", 276, cooked2(SIX, 0x86DD), six=True),
    Case("PKTAP", 258, pktap(ethernet(FOUR), 1, b"curl")),
    Case("PKTAP, longer header", 258, pktap(FOUR, 12, b"curl", size=156)),
    Case("NFLOG", 239, nflog(FOUR)),
    Case("802.11", 105, wifi(snap(FOUR))),
    Case("802.11, QoS", 105, wifi(snap(FOUR), 0x88, quality=b"\0\0")),
    Case("802.11, four addresses", 105, wifi(snap(FOUR), flags=3, extra=bytes(6))),
    Case("radiotap", 127, radiotap(wifi(snap(SIX, 0x86DD)), flags=0), six=True),
    Case("radiotap, frame check sequence", 127, radiotap(wifi(snap(FOUR)) + bytes(4), flags=0x10)),
    Case("radiotap, padded", 127, radiotap(wifi(bytes(2) + snap(FOUR), 0x88, quality=b"\0\0"), flags=0x20)),
    Case("Prism", 119, b"\0\0\0\x44\0\0\0\x90" + bytes(136) + wifi(snap(FOUR))),
    Case("AVS", 163, b"\x80\x21\x10\x01\0\0\0\x40" + bytes(56) + wifi(snap(FOUR))),
    Case("IPv4 options", 101, ipv4(udp(), options=b"\x01" * 8)),
    Case("IPv4 total length 0", 101, ipv4(udp(), total=0)),
    Case("IPv4 authentication header", 101, ipv4(b"\x11\x04" + bytes(22) + udp(), 51)),
    Case("IPv6 hop-by-hop", 101, ipv6(b"\x11\x00\x01\x04\0\0\0\0" + udp(), 0), six=True),
    Case(
        "IPv6 extension headers",
        101,
        ipv6(b"\x2b\x01\x01\x0c" + bytes(12) + b"\x3c\0\0\0\0\0\0\0" + b"\x11\0\x01\x04\0\0\0\0" + udp(), 0),
        six=True,
    ),
    Case("IPv6 atomic fragment", 101, ipv6(b"\x11\0\0\0\0\0\0\x01" + udp(), 44), six=True),
    Case("IP in IP", 101, outer(FOUR, 4), ("ip-in-ip",)),
    Case("6in4", 101, outer(SIX, 41), ("6in4",), six=True),
    Case("4in6", 101, ipv6(FOUR, 4), ("ip-in-ip",)),
    Case("GRE", 101, outer(gre(FOUR), 47), ("gre",)),
    Case("GRE, all fields", 101, outer(gre(SIX, 0x86DD, 0xB000, bytes(12)), 47), ("gre",), six=True),
    Case("GRE, Ethernet", 101, outer(gre(ethernet(FOUR), 0x6558, 0x2000, bytes(4)), 47), ("gre",)),
    Case("ERSPAN I", 101, outer(gre(ethernet(FOUR), 0x88BE), 47), ("erspan",)),
    Case(
        "ERSPAN II", 101, outer(gre(b"\x10\0" + bytes(6) + ethernet(FOUR), 0x88BE, 0x1000, bytes(4)), 47), ("erspan",)
    ),
    Case(
        "ERSPAN III", 101, outer(gre(b"\x20\0" + bytes(10) + ethernet(FOUR), 0x22EB, 0x1000, bytes(4)), 47), ("erspan",)
    ),
    Case("PPTP", 101, outer(gre(b"\xff\x03\x00\x21" + FOUR, 0x880B, 0x3081, b"\0\x40\0\1" + bytes(8)), 47), ("pptp",)),
    Case("VXLAN", 1, ethernet(outer(vxlan(ethernet(SIX, 0x86DD)), 17)), ("vxlan",), six=True),
    Case("GTP-U", 101, outer(gtp_u(FOUR), 17), ("gtp-u",)),
    Case("GTP-U, sequence number", 101, outer(gtp_u(SIX, 0x32, b"\0\1\0\0"), 17), ("gtp-u",), six=True),
    Case("GTP-U, extensions", 101, outer(gtp_u(FOUR, 0x34, b"\0\0\0\x85\1\0\0\xc0\1\0\0\0"), 17), ("gtp-u",)),
    Case("Teredo", 101, outer(udp(SIX, 3544, 3544), 17), ("teredo",), six=True),
    Case("Teredo, trailers", 101, outer(udp(SIX + b"\1\4nonc\2\0", 3544, 3544), 17), ("teredo",), six=True),
    Case("Teredo, origin", 101, outer(udp(bytes(8) + SIX, 3544, 3544), 17), ("teredo",), six=True),
    Case(
        "three deep",
        1,
        ethernet(outer(gre(outer(vxlan(ethernet(ipv4(SIX, 41))), 17)), 47)),
        ("gre", "vxlan", "6in4"),
        True,
    ),
]


def decode(*packets: bytes, link_type: int = 101, wire: int = 0) -> tuple[list[IpPayload | None], list[Problem]]:
    """Each packet lies between others in its batch: 5 bytes before, 7 behind."""
    problems: list[Problem] = []
    decoder = Decoder(problems.append)
    results = [
        decoder.packet(
            link_type, b"?" * 5 + packet + b"\x45" * 7, 5, 5 + len(packet), wire or len(packet), number * 1000, number
        )
        for number, packet in enumerate(packets, 1)
    ]
    decoder.close()
    return results, problems


def one(packet: bytes, link_type: int = 101) -> IpPayload:
    (result,), problems = decode(packet, link_type=link_type)
    assert result is not None
    assert problems == []
    return result


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_headers_lead_to_the_innermost_payload(case: Case) -> None:
    ip = one(case.packet, case.link_type)
    ends = (A6, B6) if case.six else (A, B)
    assert (str(ip_address(ip.source)), str(ip_address(ip.destination))) == ends
    assert (ip.protocol, ip.data[ip.start : ip.end], ip.missing) == (17, udp(), 0)
    assert (ip.tunnels, ip.frames) == (case.tunnels, (1,))


@pytest.mark.skipif(TSHARK is None, reason="needs tshark")
def test_tshark_reads_them_the_same_way(tmp_path: Path) -> None:
    links = sorted({case.link_type for case in CASES})
    # tshark takes 163 for a header of its own making, and knows 12 only in pcap files.
    cases = [case for case in CASES if case.link_type not in (12, 163)]
    capture = section() + b"".join(interface(link) for link in links)
    capture += b"".join(enhanced(case.packet, n, links.index(case.link_type)) for n, case in enumerate(cases))
    path = tmp_path / "made.pcapng"
    path.write_bytes(capture)
    found, _ = ours(path)
    expected = tsharks(path)
    assert {case.name: a for case, a in zip(cases, found, strict=True)} == {
        case.name: b for case, b in zip(cases, expected, strict=True)
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_packets_cut_anywhere_never_break_it(case: Case) -> None:
    for size in range(len(case.packet)):
        (result,), _ = decode(case.packet[:size], link_type=case.link_type, wire=len(case.packet))
        if result is not None:
            assert 5 <= result.start <= result.end <= 5 + size


def test_snaplen_leaves_bytes_missing() -> None:
    (result,), problems = decode(ethernet(FOUR)[:-5], link_type=1, wire=len(ethernet(FOUR)) + 11)
    assert result is not None
    assert (result.missing, result.end - result.start) == (5, len(udp()) - 5)
    assert problems == []


def test_snaplen_within_the_padding_leaves_nothing_missing() -> None:
    (result,), _ = decode(ethernet(FOUR) + b"\0", link_type=1, wire=len(ethernet(FOUR)) + 11)
    assert result is not None
    assert (result.missing, result.data[result.start : result.end]) == (0, udp())


def test_total_length_beyond_the_wire_is_not_believed() -> None:
    (result,), _ = decode(ipv4(udp(), total=1500))
    assert result is not None
    assert (result.missing, result.data[result.start : result.end]) == (0, udp())


@pytest.mark.parametrize(("link_type", "packet"), [(1, ethernet(FOUR) + b"\0\0"), (101, FOUR)])
def test_pcapdroid_names_the_app(link_type: int, packet: bytes) -> None:
    ip = one(packet + trailer(10_123, b"Firefox"), link_type)
    assert (ip.uid, ip.process, ip.data[ip.start : ip.end]) == (10_123, "Firefox", udp())


def test_pcapdroid_does_not_know_the_app() -> None:
    ip = one(FOUR + trailer(-1, b""))
    assert (ip.uid, ip.process) == (None, None)


def test_pcapdroid_trailer_behind_a_cut_packet_is_no_payload() -> None:
    packet = FOUR[:-4] + trailer(10_123, b"Firefox")
    (result,), _ = decode(packet, wire=len(FOUR) + 32)
    assert result is not None
    assert (result.data[result.start : result.end], result.missing, result.uid) == (udp()[:-4], 4, 10_123)


@pytest.mark.parametrize(("effective", "name"), [(b"", "WebKitNetworking"), (b"Safari", "Safari")])
def test_pktap_names_the_process_that_is_responsible(effective: bytes, name: str) -> None:
    assert one(pktap(FOUR, 101, b"WebKitNetworking", effective), 258).process == name


@pytest.mark.parametrize("order", ["<", ">"])
def test_nflog_tells_the_user(order: str) -> None:
    ip = one(nflog(FOUR, order, 1000), 239)
    assert (ip.uid, ip.data[ip.start : ip.end]) == (1000, udp())


@pytest.mark.parametrize(
    ("link_type", "packet"),
    [
        (1, ethernet(bytes(28), 0x0806)),
        (1, ethernet(b"\x42\x42\x03" + bytes(35), 38)),
        (105, wifi(b"", 0x48)),
        (105, b"\x80\0" + bytes(60)),
        (9, b"\xff\x03\xc0\x21" + bytes(10)),
        (51, b"\x11\x09" + bytes(20)),
        (0, b"\x07\0\0\0" + bytes(20)),
    ],
    ids=["ARP", "spanning tree", "null frame", "beacon", "LCP", "PPPoE discovery", "another family"],
)
def test_what_is_not_ip_is_none_and_no_problem(link_type: int, packet: bytes) -> None:
    assert decode(packet, link_type=link_type) == ([None], [])


@pytest.mark.parametrize(
    ("payload", "protocol"),
    [
        (b"\x08\0" + bytes(6), 1),
        (gre(b"", 0), 47),
        (gre(bytes(40), 0x0800, 0x4000), 47),
        (gre(bytes(20), 0x0806), 47),
        (udp(b"x" * 30, 40_000, 4789), 17),
        (gtp_u(b"\0" * 20), 17),
        (gtp_u(FOUR, kind=1), 17),
        (gtp_u(b"", 0x34, b"\0\0\0\x85\0"), 17),
        (udp(b"\x40" * 50, 3544), 17),
        (udp(b"\x60" + b"\0" * 50, 3544), 17),
        (udp(b"\x60" * 50, 3544), 17),
        (udp(b"\0\1", 3544), 17),
        (b"\x08\x68", 17),
    ],
    ids=[
        "ICMP",
        "GRE keepalive",
        "GRE source routing",
        "GRE ARP",
        "no VXLAN",
        "GTP-U without IP",
        "GTP-U echo",
        "GTP-U bad extension",
        "no Teredo",
        "Teredo shorter than the datagram",
        "Teredo longer than the datagram",
        "short Teredo",
        "short UDP",
    ],
)
def test_what_is_no_tunnel_is_returned_as_it_is(payload: bytes, protocol: int) -> None:
    ip = one(outer(payload, protocol))
    assert (ip.protocol, ip.data[ip.start : ip.end], ip.tunnels) == (protocol, payload, ())
    assert str(ip_address(ip.source)) == OUTER_A


@pytest.mark.parametrize(
    ("link_type", "packet", "kind"),
    [
        (1, b"\0" * 13, "link-truncated"),
        (1, ethernet(b"\x45"), "ip-truncated"),
        (1, ethernet(b"", 0x8100), "link-truncated"),
        (101, b"", "ip-truncated"),
        (101, b"\x55" + bytes(40), "ip-bad-header"),
        (101, b"\x44" + FOUR[1:], "ip-bad-header"),
        (101, ipv4(udp(), total=19), "ip-bad-header"),
        (101, b"\x4f" + FOUR[1:], "ip-bad-header"),
        (101, b"\x4f" + ipv4(udp(), total=0)[1:], "ip-truncated"),
        (101, ipv6(b"\x11\xff" + bytes(20), 0), "ip-truncated"),
        (1, ethernet(SIX), "ip-bad-header"),
        (258, b"\x0b\0\0\0" + bytes(120), "link-bad-header"),
        (239, b"\x02\0\0\0\x03\0\x01\0", "link-bad-header"),
        (127, b"\x01" + bytes(20), "link-bad-header"),
        (105, wifi(bytes(20), flags=0x41), "link-encrypted"),
        (105, wifi(bytes(20), flags=0x05), "link-fragment"),
        (147, b"private", "link-unsupported"),
        (1 << 16 | 0x0800, FOUR, "link-unsupported"),
    ],
)
def test_what_cannot_be_read_is_a_problem(link_type: int, packet: bytes, kind: str) -> None:
    (result,), problems = decode(packet, link_type=link_type)
    assert result is None
    assert [(problem.kind, problem.frame) for problem in problems] == [(kind, 1)]


@pytest.mark.parametrize(
    ("payload", "protocol", "kind"), [(b"\x45", 4, "ip-truncated"), (b"\0", 47, "tunnel-truncated")]
)
def test_a_tunnel_that_cannot_be_read_leaves_the_packet_around_it(payload: bytes, protocol: int, kind: str) -> None:
    (result,), problems = decode(outer(payload, protocol))
    assert result is not None
    assert (result.protocol, result.tunnels) == (protocol, ())
    assert [problem.kind for problem in problems] == [kind]


def test_tunnels_are_entered_up_to_a_limit() -> None:
    packet = FOUR
    for _ in range(50):
        packet = ipv4(packet, 4)
    problems: list[Problem] = []
    result = Decoder(problems.append, DecoderLimits(tunnels=3)).packet(101, packet, 0, len(packet), len(packet), 0, 1)
    assert result is not None
    assert result.tunnels == ("ip-in-ip",) * 3
    assert [problem.kind for problem in problems] == ["tunnel-too-deep"]


@pytest.mark.parametrize(("link_type", "packet"), [(147, b"private"), (105, wifi(bytes(20), flags=0x41))])
def test_what_all_packets_have_is_said_once(link_type: int, packet: bytes) -> None:
    _, problems = decode(packet, packet, packet, link_type=link_type)
    assert len(problems) == 1


def test_joined_frames_yield_the_first() -> None:
    joined = bytes(12) + len(snap(FOUR)).to_bytes(2) + snap(FOUR)
    joined += bytes(-len(joined) % 4)
    (result,), problems = decode(wifi(joined * 2, 0x88, quality=b"\x80\0"), link_type=105)
    assert result is not None
    assert result.data[result.start : result.end] == udp()
    assert [problem.kind for problem in problems] == ["link-joined-frames"]


def test_the_packet_is_all_that_is_read() -> None:
    """Bytes of the next packet in the batch must not complete this one."""
    whole = ethernet(FOUR)
    data = whole[:20] + whole
    problems: list[Problem] = []
    assert Decoder(problems.append).packet(1, data, 0, 20, 20, 0, 1) is None
    assert [problem.kind for problem in problems] == ["ip-truncated"]


LINK_TYPES = st.sampled_from([*sorted({case.link_type for case in CASES}), 14, 50, 149])


@given(link_type=LINK_TYPES, data=st.binary(max_size=120), wire=st.integers(0, 2000))
def test_garbage_never_breaks_it(link_type: int, data: bytes, wire: int) -> None:
    decode(data, data, link_type=link_type, wire=wire)


@given(case=st.sampled_from(CASES), changes=st.dictionaries(st.integers(0, 200), st.integers(0, 255), max_size=4))
def test_damage_never_breaks_it(case: Case, changes: dict[int, int]) -> None:
    packet = bytearray(case.packet)
    for place, value in changes.items():
        packet[place % len(packet)] = value
    (result,), _ = decode(bytes(packet), link_type=case.link_type)
    if result is not None:
        assert result.start <= result.end <= len(result.data)
        assert result.missing >= 0
