"""Bodies: kept in memory while they are small, or while there is room; else spilled to a file.

What is kept of a message besides its body (events, messages of a WebSocket) has room of its own, and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

SMALL: Final = 1 << 20
"""Bytes of a body that stay in memory whatever else is there: files are not to be had without end."""
DEFAULT_ROOM: Final = 32 << 20
"""Bytes of memory that larger bodies may take together."""
_NO_LIMIT: Final = 1 << 63

_READ_SIZE: Final = 1 << 18
_PIECE: Final = 48
"""Bytes of memory that each piece takes besides its own."""

Spill = Callable[[], BinaryIO]
"""Makes an empty, private, unnamed file that can be written and read."""


class BodyMemory:
    """The memory that the messages of a conversion share."""

    __slots__ = ("kept", "kept_room", "room", "used")

    def __init__(self, room: int = DEFAULT_ROOM, kept_room: int = _NO_LIMIT) -> None:
        """`kept_room`: for what is kept besides bodies."""
        self.room = room
        self.used = 0
        self.kept_room = kept_room
        self.kept = 0

    def keep(self, size: int) -> bool:
        """Whether there is room to keep so many bytes more; whoever lets go of them subtracts them from `kept`."""
        if self.kept + size > self.kept_room:
            return False
        self.kept += size
        return True


class Body:
    """The bytes of a message body, appended in order and then read, any number of times."""

    __slots__ = ("_file", "_parts", "_spill", "memory", "size")

    def __init__(self, spill: Spill | None = None, memory: BodyMemory | None = None) -> None:
        """`spill` None: everything stays in memory. `memory` None: whatever is not small is spilled."""
        self.size = 0
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None
        self._spill = spill
        self.memory = memory or _NO_ROOM

    def append(self, data: bytes) -> None:
        self.size += len(data)
        if self._file is not None:
            self._file.write(data)
            return
        self._parts.append(data)
        memory = self.memory
        memory.used += len(data) + _PIECE
        if memory.used > memory.room and self.size + _PIECE * len(self._parts) > SMALL and self._spill is not None:
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
        self.memory.used -= sum(map(len, self._parts)) + _PIECE * len(self._parts)
        self._parts.clear()


_NO_ROOM: Final = BodyMemory(-_NO_LIMIT)


BodyFactory = Callable[[], Body]
"""How an HTTP layer makes the body of a new message."""
