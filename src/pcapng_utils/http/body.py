"""Bodies: kept in memory while small, spilled to a file past a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

DEFAULT_MEMORY_LIMIT: Final = 1 << 20
"""Bytes of one body that are kept in memory."""

_READ_SIZE: Final = 1 << 18

Spill = Callable[[], BinaryIO]
"""Makes an empty, private, unnamed file that can be written and read."""


class Body:
    """The bytes of a message body, appended in order and then read, any number of times."""

    __slots__ = ("_file", "_limit", "_parts", "_spill", "size")

    def __init__(self, spill: Spill | None = None, memory_limit: int = DEFAULT_MEMORY_LIMIT) -> None:
        """`spill` None: everything stays in memory."""
        self.size = 0
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None
        self._spill = spill
        self._limit = memory_limit

    def append(self, data: bytes) -> None:
        self.size += len(data)
        if self._file is not None:
            self._file.write(data)
            return
        self._parts.append(data)
        if self.size > self._limit and self._spill is not None:
            self._file = self._spill()
            self._file.writelines(self._parts)
            self._parts.clear()

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces."""
        if self._file is None:
            yield from self._parts
            return
        self._file.seek(0)
        while piece := self._file.read(_READ_SIZE):
            yield piece

    def getvalue(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks())

    def discard(self) -> None:
        """Give back memory and file; the size stays."""
        self._parts.clear()
        if self._file is not None:
            self._file.close()
            self._file = None


BodyFactory = Callable[[], Body]
"""How an HTTP layer makes the body of a new message."""
