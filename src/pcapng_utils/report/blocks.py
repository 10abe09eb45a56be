"""Blocks: pieces of data in the page, compressed, each opened by the page when somebody looks at it.

A block is a `<script>` of a type that no browser runs, with base64 of gzip inside: characters that can end no element.
Until it is known which blocks the page has room for, they wait, compressed, in a temporary file.
"""

from __future__ import annotations

import gzip
from typing import BinaryIO, Final, NamedTuple, Self

import pybase64

from pcapng_utils.har.temporary import private_file

_LEVEL: Final = 6


class Block(NamedTuple):
    """Where a block waits, and what it costs."""

    name: str
    offset: int
    size: int
    """Bytes in the spool."""
    content: int
    """Bytes before compression."""

    @property
    def page_size(self) -> int:
        """Bytes in the page."""
        return len(_opening(self.name)) + (self.size + 2) // 3 * 4 + len(_CLOSING)


_CLOSING: Final = b"</script>\n"


def _opening(name: str) -> bytes:
    return f'<script type="text/plain" id="{name}">'.encode("ascii")


def block_element(name: str, content: bytes) -> bytes:
    """A block as it stands in the page."""
    return _opening(name) + pybase64.b64encode(_compressed(content)) + _CLOSING


def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, _LEVEL, mtime=0)  # no time in it: the same data makes the same page


class BlockSpool:
    """Blocks that wait in a temporary file. Use as a context manager."""

    def __init__(self) -> None:
        self._file = private_file()
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def add(self, name: str, content: bytes) -> Block:
        compressed = _compressed(content)
        block = Block(name, self._end, len(compressed), len(content))
        self._file.seek(self._end)
        self._file.write(compressed)
        self._end += len(compressed)
        return block

    def write(self, block: Block, out: BinaryIO) -> None:
        """Write a block as it stands in the page."""
        self._file.seek(block.offset)
        out.write(_opening(block.name))
        out.write(pybase64.b64encode(self._file.read(block.size)))
        out.write(_CLOSING)
