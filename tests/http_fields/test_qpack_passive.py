"""QPACK, overheard: the RFC's examples, an encoder as counterpart, late and lost encoder streams."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylsqpack import Decoder, Encoder, StreamBlocked

from pcapng_utils.http import qpack_passive
from pcapng_utils.http.field_coding import FieldSection
from pcapng_utils.http.qpack_passive import Blocked, QpackReader

Fields = list[tuple[bytes, bytes]]


def reader_of(capacity: int | None = 4096) -> QpackReader:
    reader = QpackReader()
    reader.max_capacity = capacity
    return reader


def test_examples_of_the_rfc() -> None:
    """RFC 9204, appendix B: one connection, sections in the order they are acknowledged."""
    reader = reader_of(220)
    encoder_stream = [
        "3fbd01c00f7777772e6578616d706c652e636f6dc10c2f73616d706c652f70617468",
        "4a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        "02",
        "810d637573746f6d2d76616c756532",
    ]
    authority, path = (b":authority", b"www.example.com"), (b":path", b"/sample/path")
    assert reader.read(bytes.fromhex("0000510b2f696e6465782e68746d6c"), 0) == FieldSection([(b":path", b"/index.html")])
    assert reader.read(bytes.fromhex("03811011"), 1) is Blocked.INSERTS
    reader.encoder_data(bytes.fromhex(encoder_stream[0]), 1)
    assert reader.read(bytes.fromhex("03811011"), 1) == FieldSection([authority, path])
    reader.encoder_data(bytes.fromhex(encoder_stream[1]), 2)
    reader.encoder_data(bytes.fromhex(encoder_stream[2]), 3)
    assert reader.inserted == 4
    expected = FieldSection([authority, (b":path", b"/"), (b"custom-key", b"custom-value")])
    assert reader.read(bytes.fromhex("050080c181"), 3) == expected
    reader.encoder_data(bytes.fromhex(encoder_stream[3]), 4)
    assert reader.inserted == 5
    assert reader.read(bytes.fromhex("060080"), 5) == FieldSection([(b"custom-key", b"custom-value2")])


class Lab:
    """An encoder and the decoder it trusts; what passes between them, frame by frame."""

    def __init__(self, capacity: int = 4096) -> None:
        self.encoder = Encoder()
        self.decoder = Decoder(capacity, 100)
        self.frame = 0
        self.encoder_stream: list[tuple[bytes, int]] = []
        self.sections: list[tuple[bytes, int, Fields]] = []
        self.send(self.encoder.apply_settings(capacity, 100))

    def send(self, data: bytes) -> None:
        self.frame += 1
        self.encoder_stream.append((data, self.frame))
        self.decoder.feed_encoder(data)

    def request(self, fields: Fields, *, acknowledged: bool = True) -> None:
        stream = 4 * len(self.sections)
        instructions, section = self.encoder.encode(stream, fields)
        if instructions:
            self.send(instructions)
        self.frame += 1
        self.sections.append((section, self.frame, fields))
        acknowledgement, decoded = self.decoder.feed_header(stream, section)
        assert decoded == fields
        if acknowledged:
            self.encoder.feed_decoder(acknowledgement)


names = st.sampled_from([b":path", b"cookie", b"user-agent", b"x-a", b"x-b", b"x-long-name", b"accept"])
values = st.sampled_from([b"", b"1", b"*/*", b"v" * 40, b"w" * 200]) | st.binary(max_size=20)
written = st.lists(st.lists(st.tuples(names, values), min_size=1, max_size=8), min_size=1, max_size=15)
capacities = st.sampled_from([0, 64, 256, 4096])


@given(written, capacities, st.randoms(use_true_random=False))
def test_the_order_of_the_streams_makes_no_difference(
    sections: list[Fields], capacity: int, source: random.Random
) -> None:
    lab = Lab(capacity)
    for fields in sections:
        lab.request(fields + fields, acknowledged=source.random() < 0.7)
    reader = reader_of(capacity)
    steps: list[tuple[bytes, int] | int] = [*range(len(sections))]
    places = sorted(source.choices(range(len(steps) + 1), k=len(lab.encoder_stream)))
    for place, piece in reversed(list(zip(places, lab.encoder_stream, strict=True))):
        steps.insert(place, piece)
    waiting: list[int] = []
    for step in steps:
        if isinstance(step, tuple):
            assert reader.encoder_data(*step) == ""
        else:
            waiting.append(step)
        for number in list(waiting):
            section, frame, fields = lab.sections[number]
            read = reader.read(section, frame)
            if read is not Blocked.INSERTS:
                assert read == FieldSection(fields)
                waiting.remove(number)
    assert not waiting


def test_late_sections_of_a_long_connection_are_read_right() -> None:
    lab = Lab(256)
    for number in range(300):
        lab.request([(b"x-number", b"%d" % (number // 2))])
    reader = reader_of(256)
    for piece in lab.encoder_stream:
        reader.encoder_data(*piece)
    assert reader.inserted > 16 * (256 // 32), "Required Insert Counts wrapped around many times"
    assert [reader.read(section, frame) for section, frame, _ in lab.sections] == [
        FieldSection(fields) for _, _, fields in lab.sections
    ]


def test_the_encoder_stream_may_come_in_any_pieces() -> None:
    lab = Lab()
    for number in range(20):
        lab.request([(b"x-number", b"%d" % (number // 2)), (b"cookie", b"c" * 90)])
    whole = b"".join(data for data, _ in lab.encoder_stream)
    for size in (1, 2, 3, 7, 1000):
        reader = reader_of()
        for start in range(0, len(whole), size):
            assert reader.encoder_data(whole[start : start + size], 1) == ""
        assert all(reader.read(section, 1) == FieldSection(fields) for section, _, fields in lab.sections)


@given(written, st.integers(0, 20), st.booleans(), st.sampled_from([64, 256, 4096]))
def test_after_a_hole_in_the_encoder_stream_no_field_is_wrong(
    sections: list[Fields], hole: int, sized: bool, capacity: int
) -> None:
    lab = Lab(capacity)
    for fields in sections:
        lab.request(fields + fields)
    reader = reader_of(capacity)
    hole %= len(lab.encoder_stream)
    for number, (data, frame) in enumerate(lab.encoder_stream):
        if number == hole:
            reader.encoder_gap(len(data) if sized else 0)
        else:
            reader.encoder_data(data, frame)
    for section, frame, fields in lab.sections:
        read = reader.read(section, frame)
        assert isinstance(read, FieldSection), "nothing waits for what will not come"
        assert len(read.fields) + read.unknown == len(fields)
        rest = iter(fields)
        assert all(field in rest for field in read.fields), "in order, and no others"


def test_what_came_before_a_hole_is_still_known() -> None:
    lab = Lab()
    for _ in range(3):
        lab.request([(b"x-a", b"1"), (b"x-a", b"1")])
    reader = reader_of()
    for piece in lab.encoder_stream:
        reader.encoder_data(*piece)
    lab.request([(b"x-b", b"2"), (b"x-a", b"1")])
    reader.encoder_gap(len(lab.encoder_stream[-1][0]))
    section, frame, fields = lab.sections[-2]
    assert reader.read(section, frame) == FieldSection(fields)


def test_sections_that_nothing_unblocks_are_read_as_far_as_they_go() -> None:
    lab = Lab()
    for _ in range(3):
        lab.request([(b":method", b"GET"), (b"x-a", b"1"), (b"x-a", b"1")])
    reader = reader_of()
    section, frame, _ = lab.sections[-1]
    assert reader.read(section, frame) is Blocked.INSERTS
    assert reader.read(section, frame, final=True) == FieldSection([(b":method", b"GET")], 2)


def test_without_the_peers_settings_a_section_waits_and_is_then_read_if_it_is_certain() -> None:
    lab = Lab(4096)
    for _ in range(3):
        lab.request([(b"x-a", b"1"), (b"x-a", b"1")])
    reader = reader_of(None)
    for piece in lab.encoder_stream:
        reader.encoder_data(*piece)
    section, frame, fields = lab.sections[-1]
    assert reader.read(section, frame) is Blocked.SETTINGS
    assert reader.read(section, frame, final=True) == FieldSection(fields)
    for number in range(300):
        lab.request([(b"x-n", b"%d" % number), (b"x-n", b"%d" % number)])
    for piece in lab.encoder_stream[2:]:
        reader.encoder_data(*piece)
    assert reader.read(section, frame, final=True) == FieldSection([], 2), "it may be 256 inserts later"


def test_a_hole_that_hides_many_inserts_makes_no_wrong_field() -> None:
    """While the encoder stream is held up, Required Insert Counts go a whole round further."""
    lab = Lab(256)
    reader = reader_of(256)
    held: list[int] = []
    heard = 0
    for number in range(60):
        lab.request([(b"x-n", b"%d" % (number // 2)), (b"x-n", b"%d" % (number // 2))])
        section, frame, fields = lab.sections[-1]
        if number < 4:
            for piece in lab.encoder_stream[heard:]:
                reader.encoder_data(*piece)
            heard = len(lab.encoder_stream)
        read = reader.read(section, frame)
        if isinstance(read, Blocked):
            held.append(number)
        else:
            assert read == FieldSection(fields)
    assert held


@pytest.mark.parametrize("data", ["ff2400", "ffff7f00", "5f" + "ff" * 12, "3f" + "ff" * 12])
def test_an_encoder_stream_that_breaks_the_format_is_given_up(data: str) -> None:
    reader = reader_of()
    assert reader.encoder_data(bytes.fromhex(data), 1)
    assert reader.encoder_data(b"\x4a" + b"custom-key\x01v", 2) == ""
    assert reader.inserted == 0


def test_an_instruction_without_end_is_not_kept() -> None:
    reader = reader_of()
    problems = [reader.encoder_data(b"\xc0\x7f\xff\xff\xff\x7f" + b"x" * 100_000, 1)]
    problems += [reader.encoder_data(b"x" * 100_000, 1) for _ in range(10)]
    assert [bool(problem) for problem in problems].count(True) == 1


def test_old_entries_are_dropped_past_the_limit() -> None:
    reader = reader_of(1 << 20)
    value = b"v" * 60_000
    insert = (
        b"\x43x-n" + b"\x7f" + bytes((60_000 - 127 & 0x7F | 0x80, 60_000 - 127 >> 7 & 0x7F | 0x80, 60_000 - 127 >> 14))
    )
    count = 2 * qpack_passive.MAX_RETAINED // 60_000
    for frame in range(count):
        assert reader.encoder_data(insert + value, frame) == ""
    assert reader.inserted == count
    # Base is the count: relative index 0 is the newest, count - 1 the oldest entry.
    newest = reader.read(bytes((count + 1, 0, 0x80)), count)
    oldest = reader.read(bytes((count + 1, 0, 0x80 | count - 1)), count)
    assert newest == FieldSection([(b"x-n", value)])
    assert oldest == FieldSection([], 1)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=20))
def test_any_bytes_are_survived(pieces: list[tuple[bool, bytes]]) -> None:
    reader = reader_of()
    for number, (section, data) in enumerate(pieces):
        if section:
            assert isinstance(reader.read(data, number, final=True), FieldSection)
        else:
            assert isinstance(reader.encoder_data(data, number), str)


def test_the_counterpart_blocks_where_ours_does() -> None:
    """pylsqpack is an endpoint's decoder: it keeps a section that is never unblocked, and cannot say what it holds."""
    lab = Lab()
    for _ in range(2):
        lab.request([(b"x-a", b"1"), (b"x-a", b"1")])
    fresh = Decoder(4096, 100)
    with pytest.raises(StreamBlocked):
        fresh.feed_header(0, lab.sections[-1][0])
    assert reader_of().read(lab.sections[-1][0], lab.sections[-1][1]) is Blocked.INSERTS
