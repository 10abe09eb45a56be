"""Finished entries and connections on disk, until the whole capture was read and they can be written in order.

What stays in memory is one small row of numbers for each. The file has no name in any folder where the system can do
that, so that nothing is left of it however the process ends.
"""

from __future__ import annotations

import contextlib
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import msgspec

from pcapng_utils.har.body import Blob
from pcapng_utils.har.entry import Entry
from pcapng_utils.har.timings import Opening, Timeline, timing
from pcapng_utils.net.flow import Endpoint

_JSON: Final = msgspec.json.Encoder()


def private_file(folder: str | None = None) -> BinaryIO:
    """An empty file to write and read that nobody else can open and that is gone when closed."""
    return tempfile.TemporaryFile("w+b", dir=folder)


class StoredEntry(msgspec.Struct, array_like=True):
    """An `Entry` in the spool; its parts are JSON already."""

    connection: str
    client: Endpoint
    server: Endpoint
    timeline: Timeline
    opening: Opening
    url_host: str
    processes: tuple[str, ...]
    fields: bytes
    request: bytes
    response: bytes
    blobs: list[tuple[bytes, Blob]]
    """Markers, as JSON strings, and what stands in the spool for each."""


class StoredConnection(msgspec.Struct, array_like=True):
    """A row of `log._connections` but for what is only known at the end."""

    id: str
    client: Endpoint
    server: Endpoint
    first: int
    community_id: str
    transport: str
    sni: str | None
    fields: bytes


class Spool:
    """An append-only file of records, with the orders in which they are to be read."""

    def __init__(self, folder: str | None = None) -> None:
        """`folder`: where the file is made; None: the system's folder for temporary files."""
        self.folder = folder
        self._file = private_file(folder)
        self._end = 0
        self._offsets = array("Q")
        self._begins = array("q")
        self._started = array("q")
        self._connections = array("Q")
        self._connection_rows: list[tuple[int, int]] = []
        self._dns_rows: list[tuple[int, int]] = []
        self._encoder = msgspec.msgpack.Encoder()
        self._entry_decoder = msgspec.msgpack.Decoder(StoredEntry)
        self._connection_decoder = msgspec.msgpack.Decoder(StoredConnection)

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._offsets)

    def new_file(self) -> BinaryIO:
        """A private file of its own, for a body too large for memory."""
        return private_file(self.folder)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what still waits to be written is not needed any more
            self._file.close()

    def empty(self) -> None:
        """Forget the blobs that were written: whoever wanted them has read them."""
        if self._end:
            self._file.seek(0)
            self._file.truncate()
            self._end = 0

    def write_blob(self, pieces: Iterable[bytes]) -> Blob:
        """Append the inside of a JSON string."""
        offset = self._end
        for piece in pieces:
            self._file.write(piece)
            self._end += len(piece)
        return Blob(offset, self._end - offset)

    def read_blob(self, blob: Blob, piece_size: int = 1 << 20) -> Iterator[bytes]:
        done = 0
        while done < blob.length:
            self._file.seek(blob.offset + done)
            piece = self._file.read(min(piece_size, blob.length - done))
            done += len(piece)
            yield piece

    def append(self, entry: Entry) -> int:
        """Store an entry; returns its ordinal (0, 1, ... in the order of completion)."""
        self._begins.append(entry.timeline.begin)
        self._started.append(timing(entry.timeline, entry.opening).started)
        self._connections.append(int(entry.connection))
        self._offsets.append(self._end)
        self._write_record(self._encoder.encode(stored_entry(entry)))
        return len(self._offsets) - 1

    def append_connection(self, first_frame: int, connection: StoredConnection) -> None:
        self._connection_rows.append((first_frame, self._end))
        self._write_record(self._encoder.encode(connection))

    def append_dns(self, time: int, row: dict[str, Any]) -> None:
        self._dns_rows.append((time, self._end))
        self._write_record(_JSON.encode(row))

    def entries(self) -> Iterator[tuple[int, bool, StoredEntry]]:
        """Entries by start time: ordinal, whether it is the first of its connection, the entry."""
        firsts = self._first_of_connections()
        starts = [self._started[i] if i in firsts else self._begins[i] // 1000 for i in range(len(self._offsets))]
        order = sorted(range(len(starts)), key=lambda i: (starts[i], self._connections[i], i))
        for ordinal in order:
            yield ordinal, ordinal in firsts, self._entry_decoder.decode(self._read_record(self._offsets[ordinal]))

    def connections(self) -> Iterator[StoredConnection]:
        """Connections by the number of their first frame."""
        for _, offset in sorted(self._connection_rows):
            yield self._connection_decoder.decode(self._read_record(offset))

    def dns(self) -> Iterator[dict[str, Any]]:
        """`log._dns`, by time."""
        for _, offset in sorted(self._dns_rows):
            yield msgspec.json.decode(self._read_record(offset))

    def exchange_counts(self) -> dict[int, int]:
        """Number of entries for each connection, by its id as a number."""
        counts: dict[int, int] = {}
        for connection in self._connections:
            counts[connection] = counts.get(connection, 0) + 1
        return counts

    def _first_of_connections(self) -> set[int]:
        first: dict[int, int] = {}
        for ordinal, connection in enumerate(self._connections):
            known = first.get(connection)
            if known is None or self._begins[ordinal] < self._begins[known]:
                first[connection] = ordinal
        return set(first.values())

    def _write_record(self, data: bytes) -> None:
        header = len(data).to_bytes(8, "little")
        self._file.write(header)
        self._file.write(data)
        self._end += len(header) + len(data)

    def _read_record(self, offset: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(int.from_bytes(self._file.read(8), "little"))


def stored_entry(entry: Entry) -> StoredEntry:
    """The form in which an entry waits."""
    request, response = _JSON.encode(entry.request), _JSON.encode(entry.response)
    blobs = [(_JSON.encode(marker), blob) for marker, blob in entry.blobs.items()]
    return StoredEntry(
        connection=entry.connection,
        client=entry.client,
        server=entry.server,
        timeline=entry.timeline,
        opening=entry.opening,
        url_host=entry.url_host,
        processes=entry.processes,
        fields=_JSON.encode(entry.fields),
        request=request,
        response=response,
        blobs=[(marker, blob) for marker, blob in blobs if marker in request or marker in response],
    )


def encode_fields(fields: dict[str, Any]) -> bytes:
    """JSON of a record's fields, as the spool keeps it."""
    return _JSON.encode(fields)
