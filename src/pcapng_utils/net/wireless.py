"""IEEE 802.11 data frames that are not encrypted, and the headers that capturing systems put before them."""

from __future__ import annotations

from struct import Struct
from typing import Final

from pcapng_utils.net.cursor import LINK, NOTHING, Cursor, Handler, Malformed
from pcapng_utils.net.link import llc

IEEE_802_11: Final = LINK + 105

_RADIOTAP: Final = Struct("<BxHI")
_LITTLE_U32: Final = Struct("<I")
_BIG_TWO_U32: Final = Struct(">II")
_U16: Final = Struct(">H")

_AVS_MAGIC: Final = 0x80211000
_PRISM_SIZE: Final = 144

_DATA_FRAME: Final = 0x08
_TYPE: Final = 0x0C
_NO_DATA: Final = 0x40
_QOS: Final = 0x80
_BOTH_WAYS: Final = 0x03
_MORE_FRAGMENTS: Final = 0x04
_PROTECTED: Final = 0x40
_ORDER: Final = 0x80
_A_MSDU: Final = 0x80

#: Radiotap's flags field: the body begins at a multiple of 4.
_PADDED: Final = 0x20


def radiotap(cursor: Cursor) -> int:
    """https://www.radiotap.org: little-endian, only its length and one flag matter here."""
    start = cursor.take(8, "link")
    version, size, present = _RADIOTAP.unpack_from(cursor.data, start)
    if version or size < 8:
        raise _bad_header("radiotap")
    cursor.start = start
    cursor.take(size, "link")
    return _frame(cursor, padded=bool(_radiotap_flags(cursor.data, start, cursor.start, present) & _PADDED))


def prism(cursor: Cursor) -> int:
    """Either the Prism header proper, of a fixed size, or AVS's under the same link type."""
    start = cursor.take(8, "link")
    magic, size = _BIG_TWO_U32.unpack_from(cursor.data, start)
    if magic & 0xFFFFF000 != _AVS_MAGIC:
        size = _PRISM_SIZE
    cursor.start = start
    cursor.take(size, "link")
    return _frame(cursor, padded=False)


def ieee_802_11(cursor: Cursor) -> int:
    """IEEE 802.11-2020, section 9.2."""
    return _frame(cursor, padded=False)


def _frame(cursor: Cursor, *, padded: bool) -> int:
    start = cursor.take(2, "link")
    kind, flags = cursor.data[start], cursor.data[start + 1]
    if kind & _TYPE != _DATA_FRAME or kind & _NO_DATA:
        return NOTHING
    if flags & _PROTECTED:
        raise Malformed("link-encrypted", "Wi-Fi frames are encrypted; what they carry could not be read.")
    size = 24
    if flags & _BOTH_WAYS == _BOTH_WAYS:
        size += 6
    quality = size
    if kind & _QOS:
        size += 6 if flags & _ORDER else 2
    cursor.start = start
    cursor.take(size + (-size % 4 if padded else 0), "link")
    fragmented = flags & _MORE_FRAGMENTS or cursor.data[start + 22] & 0x0F
    if fragmented:
        raise Malformed("link-fragment", "A Wi-Fi frame is one fragment of several; it could not be read.")
    if kind & _QOS and cursor.data[start + quality] & _A_MSDU:
        return _first_of_several(cursor)
    return llc(cursor)


def _first_of_several(cursor: Cursor) -> int:
    """An A-MSDU joins several packets in one frame; a packet of the capture stands for one, so the first is read."""
    start = cursor.take(14, "link")
    size: int = _U16.unpack_from(cursor.data, start + 12)[0]
    rest = cursor.end - cursor.start - size
    if rest > 14:
        cursor.problem(
            "link-joined-frames", "A Wi-Fi frame joins several packets; all but the first were left out.", lost=rest
        )
    if rest >= 0:
        cursor.end = cursor.start + size
        cursor.missing = 0
    return llc(cursor)


def _radiotap_flags(data: bytes, start: int, end: int, present: int) -> int:
    """The flags field, the second one, behind the words that say which fields there are; 0 where it is not there."""
    position = start + 8
    more = present >> 31
    while more and position + 4 <= end:
        more = _LITTLE_U32.unpack_from(data, position)[0] >> 31
        position += 4
    if not present & 2:
        return 0
    if present & 1:
        # The time stamp before it: 8 bytes, at a multiple of 8.
        position += -(position - start) % 8 + 8
    return data[position] if position < end else 0


def _bad_header(detail: str) -> Malformed:
    return Malformed("link-bad-header", "A link-layer header makes no sense; the packet could not be read.", detail)


HANDLERS: Final[dict[int, Handler]] = {
    IEEE_802_11: ieee_802_11,
    LINK + 119: prism,
    LINK + 127: radiotap,
    LINK + 163: prism,
}
