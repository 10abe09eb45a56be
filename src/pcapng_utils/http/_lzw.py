"""The "compress" content coding (RFC 9110, section 8.4.1.1): adaptive Lempel-Ziv-Welch in the form of Unix's `.Z`.

Strategy: an entry of the dictionary is what one code stood for plus the byte that came next, and those bytes stand
next to each other in the output. So the dictionary holds places in the output, not strings, and no input can make it
grow faster than the output does.

Codes are written in groups of eight, `width` bytes a group, lowest bits first; when the width changes, what is left
of the group is padding. All known encoders widen their codes to 10 bits even where the header allows 9 (the dictionary
then holds 512 entries all the same).
"""

from __future__ import annotations

from typing import Final

_MAGIC: Final = b"\x1f\x9d"
_CLEAR: Final = 256
_FIRST_WIDTH: Final = 9
_LAST_WIDTH: Final = 16
_LITERALS: Final = [bytes((value,)) for value in range(256)]


class LzwDecoder:
    """Undoes one `.Z` stream, fed in pieces."""

    __slots__ = ("_block_mode", "_ends", "_input", "_max_width", "_out", "_previous", "_starts", "_width")

    def __init__(self) -> None:
        self._input = bytearray()
        self._out = bytearray()
        self._max_width = 0
        self._block_mode = False
        self._width = _FIRST_WIDTH
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._previous = -1

    @property
    def begun(self) -> bool:
        """Whether the three bytes of the header were there."""
        return self._max_width > 0

    def feed(self, data: bytes, room: int) -> bytes:
        """Decode; stops once more than `room` bytes came out. Raises ValueError for data that is no such stream."""
        self._input += data
        if not self.begun and not self._read_header():
            return b""
        before = len(self._out)
        group, used = self._width, 0
        while len(self._input) - used >= group and len(self._out) - before <= room:
            self._decode_group(bytes(self._input[used : used + group]))
            used += group
            group = self._width
        del self._input[:used]
        return bytes(self._out[before:])

    def finish(self) -> bytes:
        """Decode the last group, which need not be full."""
        before = len(self._out)
        if self.begun and self._input:
            self._decode_group(bytes(self._input))
            self._input.clear()
        return bytes(self._out[before:])

    def _read_header(self) -> bool:
        if len(self._input) < 3:
            return False
        if self._input[:2] != _MAGIC:
            raise ValueError("no .Z header")
        flags = self._input[2]
        width = flags & 0x1F
        if not _FIRST_WIDTH <= width <= _LAST_WIDTH:
            raise ValueError("code width out of range")
        self._max_width = width
        self._block_mode = bool(flags & 0x80)
        self._forget()
        del self._input[:3]
        return True

    def _forget(self) -> None:
        """Begin a new dictionary. The 256 literals and the code CLEAR have no place in the output."""
        unused = 257 if self._block_mode else 256
        self._starts = [0] * unused
        self._ends = [0] * unused
        self._previous = -1
        self._width = _FIRST_WIDTH

    def _decode_group(self, group: bytes) -> None:
        width = self._width
        bits = int.from_bytes(group, "little")
        mask = (1 << width) - 1
        starts, ends, out = self._starts, self._ends, self._out
        for _ in range(len(group) * 8 // width):
            code = bits & mask
            bits >>= width
            if code == _CLEAR and self._block_mode:
                self._forget()
                return
            place = len(out)
            if code < 256:
                out += _LITERALS[code]
            elif code < len(starts):
                out += out[starts[code] : ends[code]]
            elif code == len(starts) and self._previous >= 0:
                out += out[self._previous :]
                out.append(out[self._previous])
            else:
                raise ValueError("a code that was not defined")
            if self._previous >= 0 and len(starts) < 1 << self._max_width:
                starts.append(self._previous)
                ends.append(place + 1)
            self._previous = place
            if len(starts) > mask and width < max(self._max_width, _FIRST_WIDTH + 1):
                self._width = width + 1
                return
