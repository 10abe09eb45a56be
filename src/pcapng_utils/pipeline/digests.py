"""Digests of the files that are read: evidence names what it was made from."""

from __future__ import annotations

import hashlib
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from pcapng_utils.errors import unreadable

_HASHED_AT_ONCE: Final = 2 << 20


@dataclass(frozen=True, slots=True)
class FileDigest:
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
        return source.finish(path.name)


class DigestedSource:
    """A binary stream that is hashed while it is read.

    The hashing is done by a thread of its own: hashlib works outside the interpreter's lock, so that it costs the
    reader next to nothing where there is a second core. The thread gets much at a time, for it has to wait for that
    lock whenever it wants more.
    """

    def __init__(self, source: BinaryIO, algorithm: str, name: str) -> None:
        """`name` is what messages call it. Raises ValueError for an algorithm that hashlib does not know."""
        # From a pipe, what is there: nobody should wait for the rest.
        self._read = getattr(source, "read1", source.read)
        self._name = name
        self._hashes = [hashlib.sha256(), hashlib.new(algorithm, usedforsecurity=False)]
        self._size = 0
        self._waiting: list[bytes] = []
        self._due = _HASHED_AT_ONCE
        """Size at which what waits goes to the thread."""
        self._pieces: queue.Queue[bytes] = queue.Queue(maxsize=2)
        self._thread = threading.Thread(target=self._work, name="digests", daemon=True)
        self._thread.start()

    def read(self, size: int = -1) -> bytes:
        """As a stream's; what goes wrong is raised as InputError."""
        try:
            data = self._read(size)
        except OSError as error:
            raise unreadable(self._name, error) from None
        if data:
            self._size += len(data)
            self._waiting.append(data)
            if self._size >= self._due:
                self._hand_over()
        return data

    def skip_rest(self) -> None:
        """Read to the end, for the digests alone."""
        while self.read(1 << 20):
            pass

    def finish(self, name: str) -> FileDigest:
        """Wait for the digests. What was not read does not count."""
        if self._waiting:
            self._hand_over()
        self._pieces.put(b"")
        self._thread.join()
        sha256, other = self._hashes
        return FileDigest(name, self._size, sha256.hexdigest(), other.hexdigest())

    def _hand_over(self) -> None:
        self._pieces.put(b"".join(self._waiting))
        self._waiting.clear()
        self._due = self._size + _HASHED_AT_ONCE

    def _work(self) -> None:
        while data := self._pieces.get():
            for digest in self._hashes:
                digest.update(data)
