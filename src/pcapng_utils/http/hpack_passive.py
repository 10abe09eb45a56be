"""HPACK (RFC 7541) for somebody who overhears.

An endpoint's decoder may give up at the first reference it cannot resolve: its peer is at fault. Here it may just be
that the capture began late or lost packets. The strategy rests on one property: an index counts back from the newest
entry, so what an encoder inserts *from now on* can be resolved however much was missed before. Therefore the dynamic
table holds what was seen inserted, newest first; a reference beyond it is an unknown field, and reading goes on. When
bytes that may have held header blocks are lost, all entries are forgotten, since nobody knows how far they moved:
better an unknown field than a wrong one.

An encoder never refers to an entry it evicted, so evicting too late does no harm. That is how a table whose size was
not seen (late start, loss) is handled: the largest size is assumed until the next size update.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from pcapng_utils.http.exchange import Header
from pcapng_utils.http.field_coding import (
    FIELD_OVERHEAD,
    CodingError,
    FieldSection,
    read_integer,
    read_string,
    room_for,
)
from pcapng_utils.http.static_tables import HPACK_STATIC

DEFAULT_TABLE_SIZE: Final = 4096
"""SETTINGS_HEADER_TABLE_SIZE where it is not announced (RFC 9113, section 6.5.2)."""

MAX_TABLE_SIZE: Final = 1 << 18
"""Largest dynamic table that is kept, whatever the endpoints agreed on; older entries are unknown."""

_FIRST_DYNAMIC: Final = len(HPACK_STATIC)


class HpackReader:
    """Reads the header blocks that one endpoint sent, in order."""

    __slots__ = ("_capacity", "_entries", "_max_list", "_size")

    def __init__(self, max_list: int = 1 << 20) -> None:
        """`max_list`: bytes of names and values (32 more a field) kept of one block."""
        self._entries: deque[Header | None] = deque()
        self._size = 0
        self._capacity = DEFAULT_TABLE_SIZE
        self._max_list = max_list

    def forget(self) -> None:
        """Header blocks were, or may have been, missed: what the table holds is not known any more."""
        self._entries.clear()
        self._size = 0
        self._capacity = MAX_TABLE_SIZE

    def read(self, block: bytes) -> FieldSection:
        """The fields of the next header block. If it does not follow the format, the table is forgotten."""
        fields: list[Header] = []
        unknown = beyond = 0
        room = room_for(len(block), self._max_list)
        position, end = 0, len(block)
        try:
            while position < end:
                octet = block[position]
                if octet >= 0x80:
                    index, position = read_integer(block, position, 0x7F)
                    field = self._entry(index)
                elif octet & 0xE0 == 0x20:
                    capacity, position = read_integer(block, position, 0x1F)
                    self._resize(capacity)
                    continue
                else:
                    field, position = self._literal(block, position, octet)
                if field is None:
                    unknown += 1
                    continue
                room -= len(field[0]) + len(field[1]) + FIELD_OVERHEAD
                if room < 0:
                    beyond += 1
                    continue
                fields.append(field)
        except CodingError as error:
            self.forget()
            return FieldSection(fields, unknown, str(error), beyond)
        return FieldSection(fields, unknown, "", beyond)

    def _entry(self, index: int) -> Header | None:
        if index < _FIRST_DYNAMIC:
            if not index:
                raise CodingError("a field refers to index 0")
            return HPACK_STATIC[index]
        try:
            return self._entries[index - _FIRST_DYNAMIC]
        except IndexError:
            return None

    def _literal(self, block: bytes, position: int, octet: int) -> tuple[Header | None, int]:
        """A literal, of one of the three kinds (RFC 7541, section 6.2); None if its name or value is unknown."""
        inserted = octet & 0x40
        name: bytes | None
        index, position = read_integer(block, position, 0x3F if inserted else 0x0F)
        if index:
            entry = self._entry(index)
            name = None if entry is None else entry[0]
        else:
            name, position = read_string(block, position, 0x7F)
        value, position = read_string(block, position, 0x7F)
        field = None if name is None or value is None else (name, value)
        if inserted:
            self._insert(field)
        return field, position

    def _insert(self, field: Header | None) -> None:
        self._entries.appendleft(field)
        self._size += _size_of(field)
        if self._size > self._capacity:
            self._evict()

    def _resize(self, capacity: int) -> None:
        self._capacity = min(capacity, MAX_TABLE_SIZE)
        self._evict()

    def _evict(self) -> None:
        """Drop the oldest entries until the rest fits; an entry larger than the table leaves it empty (section 4.4)."""
        while self._size > self._capacity:
            self._size -= _size_of(self._entries.pop())


def _size_of(field: Header | None) -> int:
    return FIELD_OVERHEAD if field is None else len(field[0]) + len(field[1]) + FIELD_OVERHEAD
