"""Finished entries and connections on disk, until the whole capture was read and they can be written in order.

What stays in memory is one small row of numbers for each.
"""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec

from pcapng_utils.har.blobs import Blob, Blobs, WriteBlob
from pcapng_utils.har.entry import Entry
from pcapng_utils.har.temporary import private_file
from pcapng_utils.har.timings import Opening, Timeline, timing
from pcapng_utils.har.waits import Lookup, Waits
from pcapng_utils.net.flow import Endpoint

_JSON: Final = msgspec.json.Encoder()
_NUMBER_SHIFT: Final = 48
_PLACE: Final = (1 << _NUMBER_SHIFT) - 1


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
    """Markers, as JSON strings, and what is to stand in their place."""


class StoredConnection(msgspec.Struct, array_like=True):
    """A row of `log._connections` but for what is only known at the end."""

    id: str
    client: Endpoint
    server: Endpoint
    first: int
    community_id: str
    transport: str
    sni: str | None
    """The name that the client gave the server (SNI)."""
    fields: bytes
    inner_names: tuple[str, ...] = ()
    """The same of servers behind tunnels in the connection."""


class Index(msgspec.Struct):
    """Where the records of a spool are, and in which orders they are to be read: a few numbers for each."""

    offsets: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    """Of entries, by ordinal; so are the next three."""
    begins: array[int] = msgspec.field(default_factory=lambda: array("q"))
    started: array[int] = msgspec.field(default_factory=lambda: array("q"))
    connections: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    connection_frames: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    connection_offsets: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    dns_times: array[int] = msgspec.field(default_factory=lambda: array("q"))
    dns_frames: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    dns_offsets: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    waits: Waits = msgspec.field(default_factory=Waits)

    def join(self, other: Index) -> None:
        for name in self.__struct_fields__:
            if name != "waits":
                getattr(self, name).extend(getattr(other, name))
        self.waits.join(other.waits)


class Spool:
    """An append-only file of records, with the orders in which they are to be read, and the large bodies of entries.

    Several spools that were filled at the same time, by as many processes, can be joined. So each has a number, and an
    offset says in its upper bits in which file it is.
    """

    def __init__(self, folder: str | None = None, number: int = 0) -> None:
        """`folder`: where the file is made; None: the system's folder for temporary files."""
        self.folder = folder
        self.index = Index()
        self.blobs = Blobs(self.new_file, number)
        self._base = number << _NUMBER_SHIFT
        self._file = private_file(folder)
        self._files = {number: self._file}
        self._end = self._base
        self._encoder = msgspec.msgpack.Encoder()
        self._entry_decoder = msgspec.msgpack.Decoder(StoredEntry)
        self._connection_decoder = msgspec.msgpack.Decoder(StoredConnection)

    def __len__(self) -> int:
        """Number of entries."""
        return len(self.index.offsets)

    @property
    def write_blob(self) -> WriteBlob:
        return self.blobs.write

    def new_file(self) -> BinaryIO:
        """A private file of its own, for a body too large for memory."""
        return private_file(self.folder)

    def flush(self) -> None:
        """Let other processes see what was written."""
        self._file.flush()
        self.blobs.flush()

    def take_over(self, other: Spool) -> None:
        """Read what another spool holds, too; its index was joined to this one's."""
        self._files |= other._files
        self.blobs.take_over(other.blobs)

    def clear(self) -> None:
        """Forget everything."""
        self.blobs.clear()
        self._file.seek(0)
        self._file.truncate()
        self._end = self._base
        self.index = Index()

    def close(self) -> None:
        self.blobs.clear()
        for file in self._files.values():
            with contextlib.suppress(OSError):  # what still waits to be written is not needed any more
                file.close()

    def append(self, entry: Entry) -> int:
        """Store an entry; returns its ordinal (0, 1, ... in the order of completion)."""
        index = self.index
        index.begins.append(entry.timeline.begin)
        index.started.append(timing(entry.timeline, entry.opening).started)
        index.connections.append(int(entry.connection))
        index.offsets.append(self._end)
        self._write_record(self._encoder.encode(stored_entry(entry)))
        return len(index.offsets) - 1

    def append_connection(self, first_frame: int, connection: StoredConnection) -> None:
        index = self.index
        index.connection_frames.append(first_frame)
        index.connection_offsets.append(self._end)
        index.waits.add_connection(first_frame, connection.first, connection.client, connection.server)
        self._write_record(self._encoder.encode(connection))

    def append_dns(self, time: int, row: dict[str, Any]) -> None:
        self.index.dns_times.append(time)
        self.index.dns_frames.append(row["frame"])
        self.index.dns_offsets.append(self._end)
        self._write_record(_JSON.encode(row))

    def append_lookup(self, client: str, address: str, lookup: Lookup) -> None:
        """An answer that connections may wait for."""
        self.index.waits.add_lookup(client, address, lookup)

    def entries(self) -> Iterator[tuple[int, bool, StoredEntry]]:
        """Entries by start time: ordinal, whether it is the first of its connection, the entry."""
        index = self.index
        firsts = self._first_of_connections()
        lookups = index.waits.found()
        opened = {firsts[connection]: lookup for connection, lookup in lookups.items() if connection in firsts}
        starts = array("q", (begin // 1000 for begin in index.begins))
        for ordinal in firsts.values():
            starts[ordinal] = index.started[ordinal]
        for ordinal, lookup in opened.items():
            stored = _opened_after(self._entry(ordinal), lookup)
            starts[ordinal] = timing(stored.timeline, stored.opening).started
        first_ordinals = set(firsts.values())
        for ordinal in sorted(range(len(self)), key=lambda one: (starts[one], index.connections[one], one)):
            stored = self._entry(ordinal)
            if ordinal in opened:
                stored = _opened_after(stored, opened[ordinal])
            yield ordinal, ordinal in first_ordinals, stored

    def connections(self) -> Iterator[StoredConnection]:
        """Connections by the number of their first frame."""
        frames, offsets = self.index.connection_frames, self.index.connection_offsets
        for place in sorted(range(len(frames)), key=frames.__getitem__):
            yield self._connection_decoder.decode(self._read_record(offsets[place]))

    def dns(self) -> Iterator[dict[str, Any]]:
        """`log._dns`, by time."""
        index = self.index
        for _, _, offset in sorted(zip(index.dns_times, index.dns_frames, index.dns_offsets, strict=True)):
            yield msgspec.json.decode(self._read_record(offset))

    def exchange_counts(self) -> dict[int, int]:
        """Number of entries for each connection, by its id as a number."""
        counts: dict[int, int] = {}
        for connection in self.index.connections:
            counts[connection] = counts.get(connection, 0) + 1
        return counts

    def _first_of_connections(self) -> dict[int, int]:
        """The ordinal of each connection's first entry."""
        first: dict[int, int] = {}
        begins = self.index.begins
        for ordinal, connection in enumerate(self.index.connections):
            known = first.get(connection)
            if known is None or begins[ordinal] < begins[known]:
                first[connection] = ordinal
        return first

    def _entry(self, ordinal: int) -> StoredEntry:
        return self._entry_decoder.decode(self._read_record(self.index.offsets[ordinal]))

    def _write_record(self, data: bytes) -> None:
        self._end += self._file.write(len(data).to_bytes(8, "little") + data)

    def _read_record(self, offset: int) -> bytes:
        file = self._at(offset)
        return file.read(int.from_bytes(file.read(8), "little"))

    def _at(self, offset: int) -> BinaryIO:
        """The file that an offset is in, which is read next from there."""
        file = self._files[offset >> _NUMBER_SHIFT]
        file.seek(offset & _PLACE)
        return file


def _opened_after(stored: StoredEntry, lookup: Lookup) -> StoredEntry:
    """The first entry of a connection that waited for a look-up."""
    opening = stored.opening._replace(asked=lookup.asked, answered=lookup.answered)
    return msgspec.structs.replace(stored, opening=opening)


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
