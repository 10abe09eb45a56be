from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.capture.events import CaptureEvent
from pcapng_utils.capture.pcap import FILE_HEADER_SIZE, PcapParser
from pcapng_utils.layers import Problem
from tests.capture.making import cut, pcap_header, read, record

T = 1_700_000_000
NS = 1_000_000_000


def problems(events: list[CaptureEvent]) -> list[tuple[str, int]]:
    return [(event.kind, event.lost) for event in events if isinstance(event, Problem)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_byte_order_and_resolution_come_from_the_magic_number(order: str, magic: int, tick: int) -> None:
    data = pcap_header(order, magic, link=113) + record(b"abc", T, 5, order=order) + record(b"", T + 1, 6, order=order)
    packets, others = read(PcapParser(), [data])
    assert packets == [(1, T * NS + 5 * tick, 113, b"abc", 3), (2, (T + 1) * NS + 6 * tick, 113, b"", 0)]
    assert others == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_modified_variant_has_longer_packet_headers(order: str) -> None:
    extra = pack(order + "IHBB", 2, 0x0800, 0, 0)
    head = pack(order + "IIII", T, 7, 3, 9)
    packets, others = read(PcapParser(), [pcap_header(order, 0xA1B2CD34) + (head + extra + b"abc") * 2])
    assert packets == [(1, T * NS + 7000, 1, b"abc", 9), (2, T * NS + 7000, 1, b"abc", 9)]
    assert others == []


def test_link_type_is_the_lower_half_of_its_field() -> None:
    """The upper half tells of the frame check sequence: here that it is 4 bytes long."""
    packets, _ = read(PcapParser(), [pcap_header(link=0x44000001) + record(b"abc", T)])
    assert packets[0][2] == 1


@pytest.mark.parametrize("missing", [1, 3, 4, 10])
def test_capture_cut_short_keeps_what_was_complete(missing: int) -> None:
    data = pcap_header() + record(b"one", T) + record(b"two", T)
    packets, others = read(PcapParser(), [data[:-missing]])
    assert [packet[3] for packet in packets] == [b"one"]
    assert problems(others) == [("capture-truncated", 16 + 3 - missing)]


def test_capture_that_ends_within_the_file_header() -> None:
    packets, others = read(PcapParser(), [pcap_header()[:10]])
    assert packets == []
    assert problems(others) == [("capture-truncated", 10)]


def test_capture_without_packets() -> None:
    assert read(PcapParser(), [pcap_header()]) == ([], [])


def test_lengths_of_ancient_versions_come_in_either_order() -> None:
    header = pack("<IHHiIII", 0xA1B2C3D4, 2, 2, 0, 0, 65_535, 1)
    packets, _ = read(PcapParser(), [header + pack("<IIII", T, 0, 60, 3) + b"abc" + record(b"de", T, wire=60)])
    assert [packet[3:] for packet in packets] == [(b"abc", 60), (b"de", 60)]


def test_foreign_magic_number_is_a_problem() -> None:
    packets, others = read(PcapParser(), [b"\0" * 100, b"\0" * 100])
    assert packets == []
    assert problems(others) == [("pcap-bad-header", 0)]


def test_impossible_length_is_passed_over() -> None:
    garbage = pack("<IIII", T, 0, 0x7FFFFFFF, 60) + b"\xff" * 61
    data = pcap_header() + record(b"one", T) + garbage + record(b"two", T + 1) + record(b"three", T + 2)
    packets, others = read(PcapParser(), [data])
    assert [(packet[0], packet[3]) for packet in packets] == [(1, b"one"), (2, b"two"), (3, b"three")]
    assert problems(others) == [("pcap-bad-record", len(garbage))]


def test_packet_at_the_very_end_is_found_behind_garbage() -> None:
    garbage = pack("<IIII", T, 0, 0x7FFFFFFF, 60)
    packets, others = read(PcapParser(), [pcap_header() + record(b"one", T) + garbage + record(b"two", T)])
    assert [packet[3] for packet in packets] == [b"one", b"two"]
    assert problems(others) == [("pcap-bad-record", len(garbage))]


def test_garbage_up_to_the_end_is_counted() -> None:
    garbage = b"\xff" * 1000
    packets, others = read(PcapParser(), [pcap_header() + record(b"one", T) + garbage])
    assert len(packets) == 1
    assert problems(others) == [("pcap-bad-record", 1000)]


@pytest.mark.parametrize("places", [[], [30, 60, 140]])
def test_garbage_before_the_first_packet_ends_the_reading(places: list[int]) -> None:
    """There is no time yet to know a packet by."""
    packets, others = read(PcapParser(), cut(pcap_header() + b"\xff" * 100 + record(b"one", T), places))
    assert packets == []
    assert problems(others) == [("pcap-bad-record", 119)]


def test_larger_packets_are_believed_if_the_file_allows_them() -> None:
    packet = bytes(500_000)
    assert len(read(PcapParser(), [pcap_header(snaplen=1_000_000) + record(packet, T)])[0]) == 1
    assert len(read(PcapParser(), [pcap_header() + record(packet, T)])[0]) == 0


MESSY = (
    pcap_header()
    + record(b"one", T, 1)
    + record(b"", T, 2)
    + pack("<IIII", 0xFFFFFFFF, 0, 0xFFFFFFFF, 0)
    + b"\xaa" * 7
    + pack("<I", T)
    + record(bytes(range(200)), T, 3, wire=1500)
    + record(b"x" * 31, T, 4)
    + pack("<IIII", T, 5, 0xFFFFFFFF, 60)
    + record(b"last but one", T, 6)
    + record(b"last", T, 7)
    + b"\x01\x02"
)


@given(places=st.lists(st.integers(0, len(MESSY)), max_size=40), length=st.integers(FILE_HEADER_SIZE, len(MESSY)))
def test_any_split_gives_the_same_events(places: list[int], length: int) -> None:
    data = MESSY[:length]
    assert read(PcapParser(), cut(data, places)) == read(PcapParser(), [data])


def test_single_bytes_give_the_same_events() -> None:
    assert read(PcapParser(), [bytes([byte]) for byte in MESSY]) == read(PcapParser(), [MESSY])


@given(data=st.binary(max_size=300), valid=st.booleans(), place=st.integers(0, 300))
def test_no_input_breaks_it_and_splits_do_not_matter(data: bytes, valid: bool, place: int) -> None:
    data = (pcap_header() + record(b"one", T) if valid else b"") + data
    assert read(PcapParser(), cut(data, [place])) == read(PcapParser(), [data])
