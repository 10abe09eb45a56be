"""Bodies: kept in memory while they are small, or while there is room; else spilled to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

SMALL: Final = 1 << 20
"""Bytes of a body that stay in memory whatever else is there: files are not to be had without end."""
DEFAULT_ROOM: Final = 32 << 20
"""Bytes of memory that larger bodies may take together."""

_READ_SIZE: Final = 1 << 18

Spill = Callable[[], BinaryIO]
"""Makes an empty, private, unnamed file that can be written and read."""


class BodyMemory:
    """The memory that the bodies of a conversion share."""

    __slots__ = ("room", "used")

    def __init__(self, room: int = DEFAULT_ROOM) -> None:
        self.room = room
        self.used = 0


class Body:
    """The bytes of a message body, appended in order and then read, any number of times."""

    __slots__ = ("_file", "_memory", "_parts", "_spill", "size")

    def __init__(self, spill: Spill | None = None, memory: BodyMemory | None = None) -> None:
        """`spill` None: everything stays in memory. `memory` None: whatever is not small is spilled."""
        self.size = 0
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None
        self._spill = spill
        self._memory = memory or _NO_ROOM

    def append(self, data: bytes) -> None:
        self.size += len(data)
        if self._file is not None:
            self._file.write(data)
            return
        self._parts.append(data)
        memory = self._memory
        memory.used += len(data)
        if memory.used > memory.room and self.size > SMALL and self._spill is not None:
            self._file = self._spill()
            self._file.writelines(self._parts)
            self._forget()

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
        if self._file is not None:
            self._file.close()
            self._file = None
        else:
            self._forget()

    def _forget(self) -> None:
        self._memory.used -= sum(map(len, self._parts))
        self._parts.clear()


_NO_ROOM: Final = BodyMemory(-1 << 63)


BodyFactory = Callable[[], Body]
"""How an HTTP layer makes the body of a new message."""
