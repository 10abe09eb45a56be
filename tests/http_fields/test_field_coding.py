"""Integers and strings, against the RFC's examples and another decoder."""

from __future__ import annotations

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.hpack import encode_integer
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman as decode_huffman_in_python
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.http.field_coding import (
    MAX_STRING,
    CodingError,
    Incomplete,
    decode_huffman,
    read_integer,
    read_string,
)

encode_huffman = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode


@pytest.mark.parametrize(
    ("data", "mask", "value", "size"),
    [("0a", 0x1F, 10, 1), ("1f9a0a", 0x1F, 1337, 3), ("2a", 0xFF, 42, 1)],  # RFC 7541, appendix C.1
)
def test_integers_of_the_rfc(data: str, mask: int, value: int, size: int) -> None:
    assert read_integer(bytes.fromhex(data), 0, mask) == (value, size)


@given(st.integers(0, 2**62 - 1), st.integers(1, 8), st.binary(max_size=3))
def test_an_integer_is_read_and_what_follows_it_is_not(value: int, bits: int, rest: bytes) -> None:
    coded = bytes(encode_integer(value, bits))
    assert read_integer(coded + rest, 0, (1 << bits) - 1) == (value, len(coded))


def test_an_integer_that_never_ends_is_an_error() -> None:
    with pytest.raises(CodingError):
        read_integer(b"\xff" * 100, 0, 0x7F)


@pytest.mark.parametrize("data", ["", "7f", "7f80", "05616263"])
def test_what_is_cut_short_is_incomplete(data: str) -> None:
    with pytest.raises(Incomplete):
        read_string(bytes.fromhex(data), 0, 0x7F)


@given(st.binary(max_size=400), st.sampled_from([0x07, 0x1F, 0x7F]))
def test_a_string_is_read_in_both_codings(string: bytes, mask: int) -> None:
    bits = mask.bit_length()
    for huffman, coded in ((0, string), (mask + 1, encode_huffman(string))):
        length = encode_integer(len(coded), bits)
        length[0] |= huffman
        literal = bytes(length) + coded
        assert read_string(literal + b"rest", 0, mask) == (string, len(literal))


@given(st.binary(max_size=12))
def test_huffman_strings_are_judged_as_by_a_decoder_written_in_python(coded: bytes) -> None:
    expected: bytes | None
    try:
        expected = decode_huffman_in_python(coded)
    except HPACKDecodingError:
        expected = None
    assert decode_huffman(coded) == expected


def test_all_huffman_strings_of_two_bytes_are_judged_so() -> None:
    for number in range(1 << 16):
        coded = number.to_bytes(2, "big")
        try:
            expected = decode_huffman_in_python(coded)
        except HPACKDecodingError:
            assert decode_huffman(coded) is None
        else:
            assert decode_huffman(coded) == expected


def test_a_string_that_is_too_long_is_unknown_and_stepped_over() -> None:
    size = MAX_STRING + 1
    literal = bytes(encode_integer(size, 7)) + b"x" * size
    assert read_string(literal + b"rest", 0, 0x7F) == (None, len(literal))
