"""What HPACK and QPACK share: integers with a prefix, string literals, and the result of reading a field section.

Both formats cut a section of header fields into representations made of two primitives (RFC 7541, section 5, which
RFC 9204, section 4.1, takes over). They are read here for somebody who overhears: what cannot be known (an entry of
a dynamic table that was not seen, a string that is not what its coding allows) is counted as unknown, and what
follows it is read.

Huffman strings are decoded by pylsqpack, in C, through its public decoder: a string is wrapped in a QPACK field
section of one literal. That is twenty times as quick as decoding in Python.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pylsqpack import Decoder, DecompressionFailed

from pcapng_utils.http.exchange import Header

MAX_STRING: Final = 1 << 16
"""Longest string literal that is read, in bytes as coded; longer ones are unknown (pylsqpack's limit, too)."""

FIELD_OVERHEAD: Final = 32
"""What a field counts in a table or a list beside its name and value (RFC 7541, section 4.1)."""

#: A QPACK field section without dynamic references whose only line names static entry 0 and begins its value as a
#: Huffman string of n bytes (RFC 9204, section 4.5.4): what pylsqpack needs before the string itself.
_WRAPPED: Final = tuple(bytes((0, 0, 0x50, 0x80 | n)) for n in range(0x7F))
_WRAPPED_LONG: Final = bytes((0, 0, 0x50, 0xFF))

#: Seven bits each: enough for 62-bit values, the largest in any of the formats.
_PLAUSIBLE: Final = 1 << 16
"""Bytes that any section may become: most servers take less."""
_EXPANSION: Final = 64
"""What becomes of a byte, if it is more."""

_MAX_INTEGER_OCTETS: Final = 9

_decode_section: Final = Decoder(0, 0).feed_header


class FieldSection(NamedTuple):
    """The fields of one header or trailer section, in wire order."""

    fields: list[Header]
    unknown: int = 0
    """Fields that are left out: what they refer to was not seen, or is not allowed."""
    error: str = ""
    """Why the rest of the section could not be read; empty if it was read to its end."""
    beyond: int = 0
    """Fields that are left out: the section holds more than is kept."""


def room_for(size: int, most: int) -> int:
    """Bytes of names and values that are kept of a section of `size` bytes, of which references may make any number:
    not more than `most`, nor than a section of that size has in earnest."""
    return min(most, max(_PLAUSIBLE, _EXPANSION * size))


class CodingError(ValueError):
    """A representation does not follow its format: where the next one begins is not known."""


class Incomplete(CodingError):  # noqa: N818 - for a stream of instructions it is no error
    """The bytes end before the representation does."""


def read_integer(data: bytes | bytearray, position: int, mask: int) -> tuple[int, int]:
    """An integer whose prefix is the bits `mask` of the byte at `position` (RFC 7541, section 5.1).

    Returns it with the position behind it. Raises `CodingError`.
    """
    try:
        value = data[position] & mask
        position += 1
        if value < mask:
            return value, position
        for shift in range(0, 7 * _MAX_INTEGER_OCTETS, 7):
            octet = data[position]
            position += 1
            value += (octet & 0x7F) << shift
            if octet < 0x80:
                return value, position
    except IndexError:
        raise Incomplete("an integer is cut short") from None
    raise CodingError("an integer is longer than any that makes sense")


def read_string(data: bytes | bytearray, position: int, mask: int) -> tuple[bytes | None, int]:
    """A string literal whose length has the prefix `mask`, the bit above it telling Huffman (RFC 7541, section 5.2).

    Returns it, or None if it cannot be decoded, with the position behind it. Raises `CodingError`.
    """
    try:
        huffman = data[position] & (mask + 1)
    except IndexError:
        raise Incomplete("a string is missing") from None
    length, position = read_integer(data, position, mask)
    end = position + length
    if end > len(data):
        raise Incomplete("a string is cut short")
    if length > MAX_STRING:
        return None, end
    string = bytes(data[position:end])
    return (decode_huffman(string) if huffman else string), end


def decode_huffman(string: bytes) -> bytes | None:
    """The string that was coded as in RFC 7541, appendix B; None if no string is coded so."""
    length = len(string)
    section = _WRAPPED[length] + string if length < 127 else _WRAPPED_LONG + _continuation(length - 127) + string
    try:
        return _decode_section(0, section)[1][0][1]
    except DecompressionFailed:
        return None


def _continuation(value: int) -> bytes:
    """The octets of an integer behind its prefix."""
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)
