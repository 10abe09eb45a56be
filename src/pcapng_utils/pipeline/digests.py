"""Digests of the files that are read: evidence names what it was made from."""

from __future__ import annotations

import hashlib
import os
import queue
import stat
import threading
from pathlib import Path
from typing import Any, BinaryIO, Final

from msgspec import Struct

from pcapng_utils.errors import file_name, unreadable

_HASHED_AT_ONCE: Final = 2 << 20
_READ_AT_ONCE: Final = 8 << 20

Hashes = tuple["hashlib._Hash", ...]


class FileDigest(Struct, frozen=True):
    name: str
    size: int
    sha256: str
    digest: str
    """By the algorithm that was asked for (`Options.hash_algorithm`)."""

    def to_har(self) -> dict[str, Any]:
        return {"name": self.name, "size": self.size, "sha256": self.sha256}


def file_digest(path: Path, algorithm: str) -> FileDigest:
    """Digest a whole file. Raises OSError, InputError."""
    with path.open("rb") as file:
        source = DigestedSource(file, algorithm, str(path))
        source.skip_rest()
        return source.finish(file_name(path))


def digest_of(data: bytes, algorithm: str, name: str) -> FileDigest:
    """The digest of what was read of a file."""
    other = hashlib.new(algorithm, data, usedforsecurity=False)
    return FileDigest(name, len(data), hashlib.sha256(data).hexdigest(), other.hexdigest())


class Source:
    """A binary stream whose errors name it."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        """`name` is what messages call it."""
        # From a pipe, what is there: nobody should wait for the rest.
        self._read = getattr(source, "read1", source.read)
        self._name = name
        self.size = 0
        """Bytes read so far."""

    def read(self, size: int = -1) -> bytes:
        """As a stream's; what goes wrong is raised as InputError."""
        try:
            data: bytes = self._read(size)
        except OSError as error:
            raise unreadable(self._name, error) from None
        self.size += len(data)
        return data

    def skip_rest(self) -> None:
        """Read to the end, for its size and digests alone."""
        while self.read(1 << 20):
            pass

    def finish(self, name: str) -> FileDigest:
        """What is known of what was read."""
        return FileDigest(name, self.size, "", "")


class DigestedSource(Source):
    """A binary stream that is hashed while it is read.

    The hashing is done by a thread of its own: hashlib works outside the interpreter's lock, so that it costs the
    reader next to nothing where there is a second core.
    """

    def __init__(self, source: BinaryIO, algorithm: str, name: str) -> None:
        """Raises ValueError for an algorithm that hashlib does not know."""
        super().__init__(source, name)
        self._hashes = (hashlib.sha256(), hashlib.new(algorithm, usedforsecurity=False))
        self._hasher = _Follower(source, self._hashes) if _is_file(source) else _Taker(self._hashes)

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self._hasher.take(data)
        return data

    def finish(self, name: str) -> FileDigest:
        """Wait for the digests. What was not read does not count."""
        self._hasher.finish(self.size)
        sha256, other = self._hashes
        return FileDigest(name, self.size, sha256.hexdigest(), other.hexdigest())


class _Taker(threading.Thread):
    """Hashes what it is given: much at a time, for it has to wait for the lock whenever it wants more."""

    def __init__(self, hashes: Hashes) -> None:
        super().__init__(name="digests", daemon=True)
        self._hashes = hashes
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._pieces: queue.Queue[bytes] = queue.Queue(maxsize=2)
        self.start()

    def take(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_size += len(data)
        if self._waiting_size >= _HASHED_AT_ONCE:
            self._hand_over()

    def finish(self, size: int) -> None:
        if self._waiting_size:
            self._hand_over()
        self._pieces.put(b"")
        self.join()

    def _hand_over(self) -> None:
        self._pieces.put(b"".join(self._waiting))
        self._waiting.clear()
        self._waiting_size = 0

    def run(self) -> None:
        while data := self._pieces.get():
            for one in self._hashes:
                one.update(data)


class _Follower(threading.Thread):
    """Hashes a file that another thread reads, which costs that one nothing at all: it reads the file for itself."""

    def __init__(self, file: BinaryIO, hashes: Hashes) -> None:
        super().__init__(name="digests", daemon=True)
        self._file = file
        self._own = os.dup(file.fileno())
        self._hashes = hashes
        self._start = self._place = file.tell()
        self._end = os.fstat(self._own).st_size
        self.start()

    def take(self, data: bytes) -> None:
        """Nothing is to be done."""

    def finish(self, size: int) -> None:
        self.join()
        self._hash(self._file.fileno(), self._start + size)  # the file may have grown since

    def run(self) -> None:
        try:
            self._hash(self._own, self._end)
        finally:
            os.close(self._own)

    def _hash(self, descriptor: int, end: int) -> None:
        view = memoryview(bytearray(min(_READ_AT_ONCE, max(end - self._place, 0))))
        while self._place < end and (count := os.preadv(descriptor, [view[: end - self._place]], self._place)):
            for one in self._hashes:
                one.update(view[:count])
            self._place += count


def _is_file(source: BinaryIO) -> bool:
    """Whether it can be read twice at the same time."""
    try:
        return hasattr(os, "preadv") and stat.S_ISREG(os.fstat(source.fileno()).st_mode)
    except OSError:
        return False
