from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.capture.events import CaptureEvent, ResolvedName, Secrets
from pcapng_utils.capture.pcapng import PcapngParser
from pcapng_utils.layers import Problem
from tests.capture.making import block, cut, enhanced, interface, option, read, section

NS = 1_000_000_000
T = 1_700_000_000
TICKS = T * 1_000_000


def problems(events: list[CaptureEvent]) -> list[tuple[str, int]]:
    return [(event.kind, event.lost) for event in events if isinstance(event, Problem)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_enhanced_packets(order: str) -> None:
    data = section(order) + interface(113, order=order)
    data += enhanced(b"abc", TICKS + 5, order=order, wire=1500) + enhanced(b"", TICKS + 6, order=order)
    packets, others = read(PcapngParser(), [data])
    assert packets == [(1, T * NS + 5000, 113, b"abc", 1500), (2, T * NS + 6000, 113, b"", 0)]
    assert others == []


@pytest.mark.parametrize(
    ("resolution", "ticks", "ns"),
    [
        (6, 1_000_001, 1_000_001_000),
        (9, 5, 5),
        (3, 7, 7_000_000),
        (0, 4, 4 * NS),
        (12, 1_999, 1),
        (0x80 | 10, 1024 + 512, NS + NS // 2),
        (0x80 | 0, 3, 3 * NS),
    ],
)
def test_time_resolution(resolution: int, ticks: int, ns: int) -> None:
    data = section() + interface(options=option(9, bytes([resolution])) + option(0, b"")) + enhanced(b"abc", ticks)
    assert read(PcapngParser(), [data])[0][0][1] == ns


def test_time_offset_is_in_seconds() -> None:
    data = section() + interface(options=option(14, pack("<q", T))) + enhanced(b"abc", 1)
    assert read(PcapngParser(), [data])[0][0][1] == T * NS + 1000


def test_interfaces_have_link_types_and_clocks_of_their_own() -> None:
    data = section() + interface(1) + interface(101, option(9, b"\x09"))
    data += enhanced(b"a", 1, 0) + enhanced(b"b", 2, 1) + enhanced(b"c", 3, 1) + enhanced(b"d", 4, 0)
    packets, _ = read(PcapngParser(), [data])
    assert packets == [(1, 1000, 1, b"a", 1), (2, 2, 101, b"b", 1), (3, 3, 101, b"c", 1), (4, 4000, 1, b"d", 1)]


def test_sections_begin_anew_and_frames_count_on() -> None:
    data = section("<") + interface(1) + enhanced(b"a", 1)
    data += section(">") + interface(101, order=">") + enhanced(b"b", 2, order=">")
    packets, others = read(PcapngParser(), [data])
    assert packets == [(1, 1000, 1, b"a", 1), (2, 2000, 101, b"b", 1)]
    assert others == []


def test_simple_packets_take_the_time_before_and_the_snaplen() -> None:
    simple = block(3, pack("<I", 10) + b"abcd")
    data = section() + interface(1, snaplen=4) + enhanced(b"a", 7) + simple
    assert read(PcapngParser(), [data])[0] == [(1, 7000, 1, b"a", 1), (2, 7000, 1, b"abcd", 10)]


def test_obsolete_packet_block() -> None:
    data = section() + interface(1) + block(2, pack("<HHIIII", 0, 3, 0, 9, 3, 60) + b"abc\0")
    assert read(PcapngParser(), [data])[0] == [(1, 9000, 1, b"abc", 60)]


def test_packet_options_are_no_part_of_the_packet() -> None:
    data = section() + interface() + enhanced(b"abcde", 1, options=option(1, b"a comment") + option(0, b""))
    assert read(PcapngParser(), [data])[0] == [(1, 1000, 1, b"abcde", 5)]


def test_secrets() -> None:
    text = b"CLIENT_RANDOM 00 11\n"
    data = (
        section()
        + block(10, pack("<II", 0x544C534B, len(text)) + text)
        + block(10, pack("<II", 0x57474B4C, 3) + b"abc\0")
    )
    assert read(PcapngParser(), [data]) == ([], [Secrets(text)])


def test_names() -> None:
    records = option(1, bytes([192, 0, 2, 1]) + b"one.example\0alias.example\0")
    records += option(2, bytes.fromhex("20010db8000000000000000000000001") + b"six.example\0") + option(0, b"")
    data = section() + block(4, records + option(2, b"an option"))
    assert read(PcapngParser(), [data])[1] == [
        ResolvedName("192.0.2.1", "one.example"),
        ResolvedName("192.0.2.1", "alias.example"),
        ResolvedName("2001:db8::1", "six.example"),
    ]


def test_unknown_blocks_are_skipped() -> None:
    data = section() + block(0x80000001, b"Apple") + interface() + block(5, bytes(12)) + enhanced(b"a", 1)
    assert read(PcapngParser(), [data]) == ([(1, 1000, 1, b"a", 1)], [])


def test_packet_of_an_unknown_interface_counts_but_is_left_out() -> None:
    data = section() + interface() + enhanced(b"abc", 1, interface=1) + enhanced(b"d", 2)
    packets, others = read(PcapngParser(), [data])
    assert packets == [(2, 2000, 1, b"d", 1)]
    assert problems(others) == [("pcapng-unknown-interface", 3)]


def test_packet_longer_than_its_block_is_left_out() -> None:
    bad = block(6, pack("<IIIII", 0, 0, 1, 100, 100) + b"abcd")
    packets, others = read(PcapngParser(), [section() + interface() + bad + enhanced(b"d", 2)])
    assert packets == [(2, 2000, 1, b"d", 1)]
    assert problems(others) == [("pcapng-malformed-block", 0)]


def test_time_out_of_this_world_is_replaced() -> None:
    packets, others = read(PcapngParser(), [section() + interface() + enhanced(b"a", 5) + enhanced(b"b", 2**63)])
    assert [packet[1] for packet in packets] == [5000, 5000]
    assert problems(others) == [("pcapng-bad-time", 0)]


def test_unknown_major_version_is_said() -> None:
    packets, others = read(PcapngParser(), [section(major=2) + interface() + enhanced(b"a", 5)])
    assert len(packets) == 1
    assert problems(others) == [("pcapng-unknown-version", 0)]


@pytest.mark.parametrize("missing", [1, 4, 20, 36])
def test_capture_cut_short_keeps_what_was_complete(missing: int) -> None:
    data = section() + interface() + enhanced(b"one", 1) + enhanced(b"two", 2)
    packets, others = read(PcapngParser(), [data[:-missing]])
    assert [packet[3] for packet in packets] == [b"one"]
    assert problems(others) == ([("capture-truncated", 36 - missing)] if missing < 36 else [])


@pytest.mark.parametrize(
    "bad",
    [
        pack("<II", 6, 0xFFFFFFF0) + bytes(24),
        pack("<II", 6, 0) + bytes(24),
        enhanced(b"damaged", 3)[:-4] + b"\xff\xff\xff\xff",
        pack("<II", 6, 36) + b"\x06\x00\x00\x00\x24\x00\x00\x00" * 6,
        b"\n\r\r\n" + bytes(40),
    ],
    ids=["too long", "too short", "lengths differ", "false starts", "no byte order"],
)
def test_bad_block_is_passed_over(bad: bytes) -> None:
    data = section() + interface() + enhanced(b"one", 1) + bad + enhanced(b"two", 2)
    packets, others = read(PcapngParser(), [data])
    assert [(packet[0], packet[3]) for packet in packets] == [(1, b"one"), (2, b"two")]
    assert problems(others) == [("pcapng-bad-block", len(bad))]


def test_garbage_up_to_the_end_is_counted() -> None:
    packets, others = read(PcapngParser(), [section() + interface() + enhanced(b"one", 1) + b"\xff" * 500])
    assert len(packets) == 1
    assert problems(others) == [("pcapng-bad-block", 500)]


MESSY = (
    section(">")
    + interface(101, option(9, b"\x89"), ">")
    + enhanced(b"zero", 5 << 32 | 1, order=">")
    + section()
    + interface(1)
    + interface(276, option(9, b"\x09") + option(14, pack("<q", 7)))
    + enhanced(b"one", TICKS)
    + enhanced(b"two", 2, 1, options=option(1, b"comment"))
    + block(0x0BAD, b"unknown")
    + enhanced(b"three", 3, 7)
    + pack("<II", 6, 36)
    + b"\x06\x00\x00\x00\x24\x00\x00\x00" * 6
    + b"\x01"
    + enhanced(b"four", 4)
    + block(3, pack("<I", 4) + b"five")
    + block(10, pack("<II", 0x544C534B, 3) + b"abc\0")
    + enhanced(b"six", 2**63)
    + enhanced(b"seven" * 20, 7)
    + pack("<II", 6, 0xFFFF)
    + bytes(range(50))
)


@given(places=st.lists(st.integers(0, len(MESSY)), max_size=40), length=st.integers(0, len(MESSY)))
def test_any_split_gives_the_same_events(places: list[int], length: int) -> None:
    data = MESSY[:length]
    assert read(PcapngParser(), cut(data, places)) == read(PcapngParser(), [data])


def test_single_bytes_give_the_same_events() -> None:
    whole = read(PcapngParser(), [MESSY])
    assert len(whole[0]) == 7
    assert read(PcapngParser(), [bytes([byte]) for byte in MESSY]) == whole


@given(data=st.binary(max_size=300), valid=st.booleans(), place=st.integers(0, 300))
def test_no_input_breaks_it_and_splits_do_not_matter(data: bytes, valid: bool, place: int) -> None:
    data = (section() + interface() if valid else b"") + data
    assert read(PcapngParser(), cut(data, [place])) == read(PcapngParser(), [data])
