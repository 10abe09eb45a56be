"""HPACK, overheard: the RFC's examples, an encoder as counterpart, and what happens where blocks were missed."""

from __future__ import annotations

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.http.field_coding import FieldSection
from pcapng_utils.http.hpack_passive import MAX_TABLE_SIZE, HpackReader

REQUESTS = [
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")],
    [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"www.example.com"),
        (b"cache-control", b"no-cache"),
    ],
    [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ],
]
_EARLIER, _LATER = b"Mon, 21 Oct 2013 20:13:21 GMT", b"Mon, 21 Oct 2013 20:13:22 GMT"
_COOKIE = b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
RESPONSES = [
    [
        (b":status", b"302"),
        (b"cache-control", b"private"),
        (b"date", _EARLIER),
        (b"location", b"https://www.example.com"),
    ],
    [
        (b":status", b"307"),
        (b"cache-control", b"private"),
        (b"date", _EARLIER),
        (b"location", b"https://www.example.com"),
    ],
    [
        (b":status", b"200"),
        (b"cache-control", b"private"),
        (b"date", _LATER),
        (b"location", b"https://www.example.com"),
        (b"content-encoding", b"gzip"),
        (b"set-cookie", _COOKIE),
    ],
]
SIZE_256 = "3fe101"


@pytest.mark.parametrize(
    ("blocks", "sections"),
    [
        pytest.param(
            ["400a637573746f6d2d6b65790d637573746f6d2d686561646572"], [[(b"custom-key", b"custom-header")]], id="C.2.1"
        ),
        pytest.param(["040c2f73616d706c652f70617468"], [[(b":path", b"/sample/path")]], id="C.2.2"),
        pytest.param(["100870617373776f726406736563726574"], [[(b"password", b"secret")]], id="C.2.3"),
        pytest.param(["82"], [[(b":method", b"GET")]], id="C.2.4"),
        pytest.param(
            [
                "828684410f7777772e6578616d706c652e636f6d",
                "828684be58086e6f2d6361636865",
                "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
            ],
            REQUESTS,
            id="C.3",
        ),
        pytest.param(
            [
                "828684418cf1e3c2e5f23a6ba0ab90f4ff",
                "828684be5886a8eb10649cbf",
                "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
            ],
            REQUESTS,
            id="C.4",
        ),
        pytest.param(
            [
                SIZE_256 + "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
                "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
                "4803333037c1c0bf",
                "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48"
                "514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
            ],
            RESPONSES,
            id="C.5",
        ),
        pytest.param(
            [
                SIZE_256
                + "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8"
                "e9ae82ae43d3",
                "4883640effc1c0bf",
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af"
                "27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
            ],
            RESPONSES,
            id="C.6",
        ),
    ],
)
def test_examples_of_the_rfc(blocks: list[str], sections: list[list[tuple[bytes, bytes]]]) -> None:
    reader = HpackReader()
    assert [reader.read(bytes.fromhex(block)) for block in blocks] == [FieldSection(fields) for fields in sections]


names = st.sampled_from([b":path", b"cookie", b"user-agent", b"x-a", b"x-b", b"x-long-name", b"accept"])
fields = st.tuples(
    names, st.sampled_from([b"", b"1", b"gzip, deflate", b"v" * 40, b"w" * 300]) | st.binary(max_size=20)
)
sections = st.lists(st.lists(fields, max_size=8), min_size=1, max_size=12)


@given(sections, st.lists(st.none() | st.integers(0, 9000), min_size=12, max_size=12), st.booleans())
def test_what_an_encoder_writes_is_read(
    written: list[list[tuple[bytes, bytes]]], sizes: list[int | None], huffman: bool
) -> None:
    encoder, reader = Encoder(), HpackReader()
    for section, size in zip(written, sizes, strict=False):
        if size is not None:
            encoder.header_table_size = size
        assert reader.read(encoder.encode(section, huffman)) == FieldSection(section)


@given(sections, st.sets(st.integers(0, 11)), st.integers(0, 3))
def test_after_missed_blocks_no_field_is_wrong(
    written: list[list[tuple[bytes, bytes]]], missed: set[int], unheard: int
) -> None:
    encoder, reader = Encoder(), HpackReader()
    if unheard:
        reader.forget()
    for number, section in enumerate(written):
        block = encoder.encode(section)
        if number in missed or number < unheard:
            reader.forget()
            continue
        read = reader.read(block)
        assert not read.error
        assert len(read.fields) + read.unknown == len(section)
        rest = iter(section)
        assert all(field in rest for field in read.fields), "in order, and no others"


def test_what_is_inserted_after_a_miss_is_known() -> None:
    encoder, reader = Encoder(), HpackReader()
    encoder.encode([(b"x-a", b"1"), (b"x-b", b"2")])
    reader.forget()
    assert reader.read(encoder.encode([(b"x-a", b"1"), (b"x-c", b"3")])) == FieldSection([(b"x-c", b"3")], 1)
    assert reader.read(encoder.encode([(b"x-c", b"3"), (b"x-b", b"2")])) == FieldSection([(b"x-c", b"3")], 1)


def test_a_field_with_an_unknown_name_keeps_its_place_in_the_table() -> None:
    encoder, reader = Encoder(), HpackReader()
    encoder.encode([(b"x-a", b"1")])
    reader.forget()
    assert reader.read(encoder.encode([(b"x-z", b"0"), (b"x-a", b"2")])) == FieldSection([(b"x-z", b"0")], 1)
    assert reader.read(encoder.encode([(b"x-a", b"2"), (b"x-z", b"0")])) == FieldSection([(b"x-z", b"0")], 1)


def test_a_bad_huffman_string_costs_its_field_alone() -> None:
    section = HpackReader().read(b"\x40\x01a\x81\xff" + b"\x82\xbe")
    assert section == FieldSection([(b":method", b"GET")], 2)


@pytest.mark.parametrize("block", ["80", "ff", "ffffffffffffffffffffff", "4003", "40", "0085aa", "3f"])
def test_a_block_that_breaks_the_format_is_read_up_to_there(block: str) -> None:
    section = HpackReader().read(b"\x82" + bytes.fromhex(block))
    assert section.fields == [(b":method", b"GET")]
    assert section.error


def test_a_list_that_would_be_huge_is_cut() -> None:
    encoder, reader = Encoder(), HpackReader(max_list=10_000)
    reader.read(encoder.encode([(b"x-bomb", b"b" * 3000)]))
    section = reader.read(b"\xbe" * 100_000 + b"\x82")
    assert section.fields == [(b"x-bomb", b"b" * 3000)] * 3
    assert (section.unknown, section.beyond) == (0, 100_000 - 3 + 1)


def test_a_list_is_cut_where_references_alone_make_it_large() -> None:
    encoder, reader = Encoder(), HpackReader()
    reader.read(encoder.encode([(b"x-bomb", b"b" * 3000)]))
    section = reader.read(b"\xbe" * 100)
    assert len(section.fields) == (1 << 16) // (3000 + 6 + 32)
    assert section.beyond == 100 - len(section.fields)


def test_a_table_never_grows_past_the_limit() -> None:
    encoder, reader = Encoder(), HpackReader()
    encoder.header_table_size = 100 * MAX_TABLE_SIZE
    value = b"v" * (MAX_TABLE_SIZE // 8)

    def read(number: int) -> FieldSection:
        return reader.read(encoder.encode([(b"x-%d" % number, value)], huffman=False))

    for number in range(3):
        read(number)
    assert read(0) == FieldSection([(b"x-0", value)])
    for number in range(3, 12):
        read(number)
    assert read(0) == FieldSection([], 1)


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_are_survived(blocks: list[bytes]) -> None:
    reader = HpackReader()
    for block in blocks:
        section = reader.read(block)
        assert isinstance(section, FieldSection)
