"""A JSON array of objects, read a block at a time.

Decoding whole blocks of objects with one typed call is ten times as quick as decoding them one by one, so the work is
to find where a block may be cut. Objects of one file begin alike: the first key of the first object is learnt, and a
`}`, comma, `{` and that key stand between two objects (inside a string the key's quotes would be escaped). Where that
does not hold (keys in another order, a damaged record), the brackets are counted instead, which is exact and slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

#: A string, or what there is of one that is cut short; a bracket.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_FIRST_KEY: Final = re.compile(rb'\s*\{\s*("(?:[^"\\]|\\.){1,64}")\s*:')
SEPARATORS: Final = b" \t\r\n,"
_BOM: Final = b"\xef\xbb\xbf"
_SHOWN: Final = 40
"""Bytes of something else that a message shows."""


class NotAnArrayError(ValueError):
    """The input does not begin as a JSON array of objects."""


class Block(NamedTuple):
    """Whole objects, separated by commas, and where each begins."""

    data: bytes
    starts: list[int]
    """Offsets in `data`; object `i` ends at or before `starts[i + 1]` less its comma. Empty pieces do not occur."""
    offset: int
    """Offset of `data` in the input."""

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Each object's offset in the input and its text."""
        ends = [*self.starts[1:], len(self.data)]
        for start, end in zip(self.starts, ends, strict=True):
            yield self.offset + start, self.data[start:end].rstrip(SEPARATORS)


def _described(data: bytes) -> str:
    """What a file begins with that is something else, for people."""
    first = data[:_SHOWN].partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r\ufffd")
    return f"the text {first}" if first.isprintable() else "no text at all"


def balanced_objects(text: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each `{...}` of `text` that is not inside another, by counting brackets."""
    depth = start = 0
    for token in _TOKEN.finditer(text):
        character = text[token.start()]
        if character in b"{[":
            if not depth:
                start = token.start()
            depth += 1
        elif character in b"}]":
            depth -= 1
            if depth == 0 and character == 0x7D:
                yield start, token.end()
            depth = max(depth, 0)


class ArrayReader:
    """Fed the bytes of a JSON array; yields its objects in blocks."""

    BLOCK: Final = 1 << 20
    """Bytes gathered before a block is cut."""
    LARGEST: Final = 64 << 20
    """Bytes an object may have; a longer one ends the reading."""

    def __init__(self) -> None:
        self.truncated = False
        """The input ended inside the array (known after `finish`)."""
        self._buffer = bytearray()
        self._offset = 0
        self._enough = self.BLOCK
        """Bytes to wait for: where a block could not be cut, it is tried again only when there is twice as much."""
        self._begun = False
        self._ended = False
        self._between: re.Pattern[bytes] | None = None

    def feed(self, data: bytes) -> Iterator[Block]:
        """Take the next bytes of the input; raises `NotAnArrayError` if it does not begin as an array of objects."""
        self._buffer += data
        if len(self._buffer) >= self._enough and not self._ended:
            self._begin()
            yield from self._cut()

    def finish(self) -> Iterator[Block]:
        """Yield what is left; an object that was cut short is left out."""
        if self._ended or not self._begin():
            return
        yield from self._cut()
        rest = bytes(self._buffer)
        ends = [end for _, end in balanced_objects(rest)]
        if ends:
            yield self._block(ends[-1])
        self.truncated = bytes(self._buffer).strip(SEPARATORS) != b"]"

    def _begin(self) -> bool:
        """Skip what precedes the first object; returns whether there was anything at all."""
        if self._begun:
            return True
        head = bytes(self._buffer)
        body = head.removeprefix(_BOM).lstrip()
        if not body:
            return False
        if body[:1] != b"[" or body[1:].lstrip()[:1] not in (b"{", b"]", b""):
            raise NotAnArrayError(f"expected a JSON array of objects, found {_described(body)}")
        self._begun = True
        self._drop(len(head) - len(body) + 1)
        if first := _FIRST_KEY.match(self._buffer):
            self._between = re.compile(rb"\}\s*,\s*(?=\{\s*" + re.escape(first[1]) + rb"\s*:)")
        return True

    def _cut(self) -> Iterator[Block]:
        end = 0
        if self._between is not None:
            for match in self._between.finditer(self._buffer):
                end = match.end()
        if end:
            yield self._block(end)
        elif len(self._buffer) >= 4 * self.BLOCK:
            ends = [end for _, end in balanced_objects(bytes(self._buffer))]
            if ends:
                yield self._block(ends[-1])
            elif len(self._buffer) > self.LARGEST:
                self._ended = self.truncated = True
                self._buffer.clear()
        self._enough = max(self.BLOCK, min(2 * len(self._buffer), self.LARGEST + 1))

    def _block(self, end: int) -> Block:
        """Take the first `end` bytes of the buffer."""
        data = bytes(self._buffer[:end])
        offset = self._offset
        self._drop(end)
        begin = len(data) - len(data.lstrip(SEPARATORS))
        starts = [begin]
        if self._between is not None:
            starts += [match.end() for match in self._between.finditer(data) if match.end() < len(data)]
        return Block(data, starts, offset)

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._offset += size
