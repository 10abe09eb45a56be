"""Exchanges as lines of JSON, each as soon as it is complete: for captures that do not end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO

from pcapng_utils.errors import naming
from pcapng_utils.har.blobs import WriteBlob
from pcapng_utils.har.entry import Entry
from pcapng_utils.har.spool import Spool, StoredConnection, stored_entry
from pcapng_utils.har.waits import Lookup
from pcapng_utils.har.writer import Annotations, HarWriter, Piece
from pcapng_utils.net.names import Names
from pcapng_utils.pipeline.examining import examine
from pcapng_utils.pipeline.lookups import FreshLookups
from pcapng_utils.pipeline.options import Options
from pcapng_utils.pipeline.output import add_names

if TYPE_CHECKING:
    from pcapng_utils.findings.examination import Examination


class LineSink:
    """A `Sink` that keeps nothing: of attribution, which needs whole flows, and of connections it knows nothing.

    What is found in an exchange is said in its own line: `_findings`.
    """

    def __init__(
        self, out: BinaryIO, name: str, spool: Spool, names: Names, options: Options, examination: Examination
    ) -> None:
        """`name` is what an error calls `out`; `spool` holds large bodies while their entry is written."""
        self._out = out
        self._name = name
        self._spool = spool
        self._names = names
        self._options = options
        self._examination = examination
        self._writer = HarWriter(out, indent=0, ensure_ascii=options.ensure_ascii)
        self._lookups = FreshLookups()
        self._count = 0
        self.written = 0
        """Lines that were written, whole."""
        self.left_out = 0
        """Exchanges that the filters did not admit."""

    @property
    def write_blob(self) -> WriteBlob:
        return self._spool.write_blob

    def new_file(self) -> BinaryIO:
        return self._spool.new_file()

    def append(self, entry: Entry) -> int:
        if entry.first and (lookup := self._lookups.take(entry.client.ip, entry.server.ip, entry.opened)) is not None:
            entry.opening = entry.opening._replace(asked=lookup.asked, answered=lookup.answered)
        stored = stored_entry(entry)
        if self._options.filters.admits(entry.timeline.begin, {entry.url_host, entry.server.ip}, set(entry.processes)):
            late = Annotations()
            add_names(self._names, stored, late)
            self._examination.begin()
            stored, late = examine(self._examination, self._count - self.left_out, stored, late, self._spool.blobs)
            if self._examination.finders:
                late.entry["_findings"] = list(self._examination.findings())
            self._write(self._writer.entry(self._spool.blobs, stored, first=entry.first, late=late))
        else:
            self.left_out += 1
        self._spool.blobs.clear()
        self._count += 1
        return self._count - 1

    def _write(self, pieces: Iterable[Piece]) -> None:
        with naming(self._name):
            for piece in pieces:
                self._writer.put(piece)
            self._out.write(b"\n")
            self._out.flush()
        self.written += 1

    def append_connection(self, first_frame: int, connection: StoredConnection) -> None:
        pass

    def append_dns(self, time: int, row: dict[str, Any]) -> None:
        pass

    def append_lookup(self, client: str, address: str, lookup: Lookup) -> None:
        self._lookups.add(client, address, lookup)
