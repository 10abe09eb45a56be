"""Large bodies on disk, each as the inside of a JSON string, until the entries they belong to are written.

They are spread over several files, so that the space of those that were written is given back while the others still
wait. It halves what a conversion needs of the disk, and the system has less memory to find for its cache of files,
which is what writing many bodies takes its time for.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO, Final, NamedTuple

_PLACE_BITS: Final = 40
_PLACE: Final = (1 << _PLACE_BITS) - 1
_NUMBER_BITS: Final = 10
"""Files of one process: as each may be larger than the one before, so many are never needed."""

_FILE_SIZE: Final = 1 << 26
_SHARE: Final = 16
"""A file takes a body more while it has less than `_FILE_SIZE` bytes, or less than this part of all that was written:
100 GB are in 90 files or so, for a process may not have many open."""

_SENT: Final = 1 << 30
"""Bytes that the system is asked to copy at once."""
_NOT_MADE_FOR_THAT: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.ENOTSUP, errno.EOPNOTSUPP}


class Blob(NamedTuple):
    """The inside of a JSON string that waits in a file."""

    offset: int
    """Which file it is in, and where."""
    length: int


WriteBlob = Callable[[Iterable[bytes]], Blob]
"""Appends pieces to the blobs."""


class Blobs:
    """Blobs that were written, to be read until they are dropped."""

    def __init__(self, new_file: Callable[[], BinaryIO], number: int = 0) -> None:
        """`number`: no two that are joined may have the same."""
        self._new_file = new_file
        self._next = number << _NUMBER_BITS
        self._files: dict[int, BinaryIO] = {}
        self._waiting: dict[int, int] = {}
        """For each file, its blobs that were not dropped."""
        self._last: BinaryIO | None = None
        """The file that is written to, and the offset of what is written next."""
        self._end = 0
        self._written = 0

    def write(self, pieces: Iterable[bytes]) -> Blob:
        """Append a blob. Raises OSError."""
        file = self._last
        if file is None or self._end & _PLACE >= max(_FILE_SIZE, self._written // _SHARE):
            file = self._begin_file()
        offset = self._end
        for piece in pieces:
            file.write(piece)
            self._end += len(piece)
        length = self._end - offset
        self._written += length
        self._waiting[offset >> _PLACE_BITS] += 1
        return Blob(offset, length)

    def read(self, blob: Blob, piece_size: int = 1 << 20) -> Iterator[bytes]:
        file, place, left = self._files[blob.offset >> _PLACE_BITS], blob.offset & _PLACE, blob.length
        while left:
            file.seek(place)
            piece = file.read(min(piece_size, left))
            if not piece:
                raise OSError(errno.EIO, "a temporary file is shorter than what was written to it")
            place += len(piece)
            left -= len(piece)
            yield piece

    def send(self, blob: Blob, descriptor: int) -> int:
        """Have the system copy a blob to an open file; returns how many of its bytes it did, which may be none where
        systems or files are not made for that.

        Raises OSError as writing does."""
        if not hasattr(os, "sendfile"):
            return 0
        file, place = self._files[blob.offset >> _PLACE_BITS], blob.offset & _PLACE
        file.flush()
        done = 0
        try:
            while done < blob.length:
                sent = os.sendfile(descriptor, file.fileno(), place + done, min(blob.length - done, _SENT))
                if not sent:
                    break
                done += sent
        except OSError as error:
            if error.errno not in _NOT_MADE_FOR_THAT:
                raise
        return done

    def drop(self, blob: Blob) -> None:
        """It will not be read again: with the last one of its file, the file is gone."""
        number = blob.offset >> _PLACE_BITS
        self._waiting[number] -= 1
        if not self._waiting[number]:
            self._close(number)

    def clear(self) -> None:
        """Drop them all."""
        for number in tuple(self._files):
            self._close(number)

    def flush(self) -> None:
        """Let other processes see what was written."""
        for file in self._files.values():
            file.flush()

    def descriptors(self) -> dict[int, tuple[int, int]]:
        """What another process needs to read them, for each file: its descriptor, and how many blobs it has."""
        return {number: (file.fileno(), self._waiting[number]) for number, file in self._files.items()}

    def open(self, files: Mapping[int, tuple[int, int]]) -> None:
        """Read what another process wrote under the same number: what it needs, with descriptors of this process, which
        are closed with the files."""
        for number, (descriptor, count) in files.items():
            self._files[number] = os.fdopen(descriptor, "r+b")
            self._waiting[number] = count

    def take_over(self, other: Blobs) -> None:
        """Have the blobs of another one, too, which is not to be used any more."""
        self._files |= other._files
        self._waiting |= other._waiting

    def _begin_file(self) -> BinaryIO:
        number = self._next
        self._next += 1
        self._files[number] = self._last = file = self._new_file()
        self._waiting[number] = 0
        self._end = number << _PLACE_BITS
        return file

    def _close(self, number: int) -> None:
        file = self._files.pop(number)
        del self._waiting[number]
        if file is self._last:
            self._last = None
        with contextlib.suppress(OSError):  # what still waits to be written is not needed any more
            file.close()
