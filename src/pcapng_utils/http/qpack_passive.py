"""QPACK (RFC 9204) for somebody who overhears.

One reader serves one endpoint's field sections and the encoder stream they refer to. The endpoint's peer evicts table
entries as capacity demands, since it reads everything in the order it arrives. A passive reader may be given the
encoder stream long before a field section that was held up, so:

- Entries have absolute indices and are kept well beyond the table's capacity: late sections can still be read.
- A section tells how many inserts it requires only modulo twice the table's largest number of entries. Which of the
  possible numbers is meant is decided by how many inserts had been sent when the section was (by frame number), not by
  how many were read so far. So the order in which the streams are handed over makes no difference.
- After a hole in the encoder stream nothing behind the hole can be read: it has no framing to find one's way by, and
  absolute indices are lost. Sections that provably refer to what came before it are still read; other dynamic
  references are unknown fields.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from enum import Enum
from typing import Final

from pcapng_utils.http.exchange import Header
from pcapng_utils.http.field_coding import (
    FIELD_OVERHEAD,
    MAX_STRING,
    CodingError,
    FieldSection,
    Incomplete,
    read_integer,
    read_string,
    room_for,
)
from pcapng_utils.http.static_tables import QPACK_STATIC

MAX_RETAINED: Final = 1 << 20
"""Bytes of inserted entries (names, values, 32 more each) that are kept; older entries are unknown."""

_MAX_PENDING: Final = 2 * MAX_STRING + 64
"""An instruction that is longer than this is none."""


class Blocked(Enum):
    """Why a field section cannot be read yet."""

    INSERTS = "inserts"
    """Entries it requires were not seen on the encoder stream yet."""
    SETTINGS = "settings"
    """The table's largest size, which the other endpoint's SETTINGS tell, is not known yet."""


class QpackReader:
    """Reads the encoder stream and the field sections that one endpoint sent."""

    __slots__ = (
        "_bytes",
        "_capacity",
        "_dropped",
        "_entries",
        "_frames",
        "_max_list",
        "_pending",
        "_required_so_far",
        "_unread",
        "max_capacity",
    )

    def __init__(self, max_list: int = 1 << 20) -> None:
        """`max_list`: bytes of names and values (32 more a field) kept of one section; what is beyond is unknown."""
        self.max_capacity: int | None = None
        """SETTINGS_QPACK_MAX_TABLE_CAPACITY of the other endpoint; None while it is not known."""
        self._capacity = 0
        self._entries: list[Header | None] = []
        self._frames = array("q")
        """The frame that completed each entry: the latest of those that carried the stream up to there."""
        self._dropped = 0
        """Entries that were inserted before `_entries[0]`."""
        self._bytes = 0
        self._pending = bytearray()
        self._unread: int | None = 0
        """Bytes of the encoder stream that could not be read, from the first on that could not; None: unlimited."""
        self._required_so_far = 0
        """Most inserts that a section was seen to require: so many were sent, read or not."""
        self._max_list = max_list

    @property
    def inserted(self) -> int:
        """Insert count: entries ever seen inserted."""
        return self._dropped + len(self._entries)

    # Encoder stream (RFC 9204, section 4.3)

    def encoder_data(self, data: bytes, frame: int) -> str:
        """The next bytes of the encoder stream, carried by `frame`. Returns what is wrong with them, or ""."""
        if self._unread != 0:
            if self._unread is not None:
                self._unread += len(data)
            return ""
        pending = self._pending
        pending += data
        position = 0
        try:
            while position < len(pending):
                position = self._instruction(pending, position, frame)
        except Incomplete:
            del pending[:position]
            if len(pending) <= _MAX_PENDING:
                return ""
            error = "an instruction is longer than any that makes sense"
        except CodingError as failure:
            del pending[:position]
            error = str(failure)
        else:
            pending.clear()
            return ""
        self._stop(len(pending))
        return error

    def encoder_gap(self, size: int) -> None:
        """`size` bytes of the encoder stream (0: an unknown number) were lost: what follows cannot be read."""
        self._stop(size + len(self._pending) if size else None)

    def _stop(self, unread: int | None) -> None:
        self._pending.clear()
        self._unread = None if unread is None or self._unread is None else self._unread + unread

    def _instruction(self, data: bytearray, position: int, frame: int) -> int:
        octet = data[position]
        if octet & 0x80:  # insert with name reference
            index, position = read_integer(data, position, 0x3F)
            entry = self._static(index) if octet & 0x40 else self._relative(index)
            value, position = read_string(data, position, 0x7F)
            self._insert(None if entry is None or value is None else (entry[0], value), frame)
        elif octet & 0x40:  # insert with literal name
            name, position = read_string(data, position, 0x1F)
            value, position = read_string(data, position, 0x7F)
            self._insert(None if name is None or value is None else (name, value), frame)
        elif octet & 0x20:  # set dynamic table capacity
            self._capacity, position = read_integer(data, position, 0x1F)
        else:  # duplicate
            index, position = read_integer(data, position, 0x1F)
            self._insert(self._relative(index), frame)
        return position

    def _insert(self, field: Header | None, frame: int) -> None:
        frames = self._frames
        frames.append(max(frame, frames[-1]) if frames else frame)
        self._entries.append(field)
        self._bytes += _size_of(field)
        if self._bytes > MAX_RETAINED:
            self._drop()

    def _drop(self) -> None:
        """Forget the older half of the entries, so that it happens seldom."""
        half = (len(self._entries) + 1) // 2
        self._bytes -= sum(_size_of(entry) for entry in self._entries[:half])
        del self._entries[:half], self._frames[:half]
        self._dropped += half

    def _relative(self, index: int) -> Header | None:
        """The entry that an instruction refers to: 0 is the latest."""
        return self._absolute(self.inserted - 1 - index)

    def _absolute(self, index: int) -> Header | None:
        """Entry by absolute index (section 3.2.4); None if it was not seen, or not kept."""
        place = index - self._dropped
        return self._entries[place] if 0 <= place < len(self._entries) else None

    @staticmethod
    def _static(index: int) -> Header:
        if index >= len(QPACK_STATIC):
            raise CodingError("a field refers beyond the static table")
        return QPACK_STATIC[index]

    # Field sections (RFC 9204, section 4.5)

    def read(self, section: bytes, frame: int, final: bool = False) -> FieldSection | Blocked:
        """The fields of a section that `frame` carried, or why it has to wait.

        With `final`, it does not wait: fields that refer to entries that were not seen are unknown.
        """
        base: int | None = None
        try:
            encoded, position = read_integer(section, 0, 0xFF)
            sign = section[position] & 0x80 if position < len(section) else 0
            delta, position = read_integer(section, position, 0x7F)
        except CodingError as error:
            return FieldSection([], 0, str(error))
        if encoded:
            required = self._required(encoded - 1, frame, final)
            if isinstance(required, Blocked):
                return required
            if required is not None:
                base = required - delta - 1 if sign else required + delta
        return self._lines(section, position, base)

    def _required(self, encoded: int, frame: int, final: bool) -> int | Blocked | None:
        """Required Insert Count from its value modulo 2 * MaxEntries (section 4.5.1.1); None if it is not certain.

        An encoder refers to no entry that a decoder might have evicted, and inserts no more than fit before they are
        acknowledged: so the count is within MaxEntries of the number of inserts sent at the time. That number is
        certain if a later insert was read; otherwise there may be more of them than were read.
        """
        if self.max_capacity is None:
            return self._required_without_settings(encoded) if final else Blocked.SETTINGS
        entries = self.max_capacity // FIELD_OVERHEAD
        if encoded >= 2 * entries:
            return None
        sent = highest = self._dropped + bisect_right(self._frames, frame)
        lossless = self._unread == 0
        if sent == self.inserted:
            if self._unread is None:
                return None
            # Each unread byte may have been one insert (Duplicate).
            highest = max(sent, self._required_so_far) + self._unread
        lowest = max(sent - entries + 1, 1)
        required = lowest + (encoded - lowest) % (2 * entries)
        if required + 2 * entries <= highest + entries:
            return Blocked.INSERTS if lossless and not final else None
        self._required_so_far = max(required, self._required_so_far)
        if required > self.inserted and lossless and not final:
            return Blocked.INSERTS
        return required

    def _required_without_settings(self, encoded: int) -> int | None:
        """The same, the other endpoint's SETTINGS having been missed: certain only while few entries were inserted."""
        if not encoded or self._unread is None:
            return None
        # MaxEntries is no less than what the capacity in use allows.
        return encoded if encoded + 2 * (self._capacity // FIELD_OVERHEAD) > self.inserted + self._unread else None

    def _lines(self, section: bytes, position: int, base: int | None) -> FieldSection:
        fields: list[Header] = []
        unknown = beyond = 0
        room = room_for(len(section), self._max_list)
        end = len(section)
        try:
            while position < end:
                field, position = _LINES[section[position] >> 4](self, section, position, base)
                if field is None:
                    unknown += 1
                    continue
                room -= len(field[0]) + len(field[1]) + FIELD_OVERHEAD
                if room < 0:
                    beyond += 1
                    continue
                fields.append(field)
        except CodingError as error:
            return FieldSection(fields, unknown, str(error), beyond)
        return FieldSection(fields, unknown, "", beyond)

    def _indexed_static(self, section: bytes, position: int, base: int | None) -> _Line:
        index, position = read_integer(section, position, 0x3F)
        return self._static(index), position

    def _indexed(self, section: bytes, position: int, base: int | None) -> _Line:
        index, position = read_integer(section, position, 0x3F)
        return (None if base is None else self._absolute(base - index - 1)), position

    def _indexed_post_base(self, section: bytes, position: int, base: int | None) -> _Line:
        index, position = read_integer(section, position, 0x0F)
        return (None if base is None else self._absolute(base + index)), position

    def _named_static(self, section: bytes, position: int, base: int | None) -> _Line:
        index, position = read_integer(section, position, 0x0F)
        return self._with_value(self._static(index), section, position)

    def _named(self, section: bytes, position: int, base: int | None) -> _Line:
        index, position = read_integer(section, position, 0x0F)
        return self._with_value(None if base is None else self._absolute(base - index - 1), section, position)

    def _named_post_base(self, section: bytes, position: int, base: int | None) -> _Line:
        index, position = read_integer(section, position, 0x07)
        return self._with_value(None if base is None else self._absolute(base + index), section, position)

    def _literal(self, section: bytes, position: int, base: int | None) -> _Line:
        name, position = read_string(section, position, 0x07)
        return self._with_value(None if name is None else (name, b""), section, position)

    @staticmethod
    def _with_value(named: Header | None, section: bytes, position: int) -> _Line:
        """The field that has the name of `named` and the value that follows."""
        value, position = read_string(section, position, 0x7F)
        return (None if named is None or value is None else (named[0], value)), position


_Line = tuple[Header | None, int]
"""A field, or None if it is unknown, and the position behind it."""

#: How a field line is read (RFC 9204, sections 4.5.2 to 4.5.6), by the upper four bits of its first byte.
_LINES: Final[tuple[Callable[[QpackReader, bytes, int, int | None], _Line], ...]] = (
    QpackReader._named_post_base,
    QpackReader._indexed_post_base,
    *(QpackReader._literal,) * 2,
    *(QpackReader._named, QpackReader._named_static) * 2,
    *(QpackReader._indexed,) * 4,
    *(QpackReader._indexed_static,) * 4,
)


def _size_of(field: Header | None) -> int:
    return FIELD_OVERHEAD if field is None else len(field[0]) + len(field[1]) + FIELD_OVERHEAD
