"""The HAR document: what waits in the spool, with what is only known now that everything was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from pcapng_utils.har.problems import ProblemLog
from pcapng_utils.har.spool import Spool, StoredConnection, StoredEntry
from pcapng_utils.har.writer import Annotations, HarWriter, Piece
from pcapng_utils.net.flow import Endpoint
from pcapng_utils.net.names import Names
from pcapng_utils.pipeline.examining import examine
from pcapng_utils.pipeline.options import Options

if TYPE_CHECKING:
    from pcapng_utils.findings.examination import Examination

Annotate = Callable[[int], Annotations]
"""What attribution knows of an entry, by its ordinal in the spool."""
AnnotateConnection = Callable[[str], dict[str, Any]]
"""What attribution knows of a connection, by its id."""


class Output:
    """Writes what was found, in order, as far as the filters admit it."""

    def __init__(
        self,
        spool: Spool,
        names: Names,
        problems: ProblemLog,
        options: Options,
        annotate: Annotate,
        annotate_connection: AnnotateConnection,
        examination: Examination,
    ) -> None:
        self._spool = spool
        self._names = names
        self._problems = problems
        self._options = options
        self._annotate = annotate
        self._annotate_connection = annotate_connection
        self._examination = examination
        self.left_out = 0
        """Entries that the filters did not admit."""

    def write(self, out: BinaryIO, creator: dict[str, Any]) -> None:
        """The whole document, once: large bodies are not kept longer than until they are written."""
        examination = self._examination
        writer = HarWriter(out, indent=self._options.indent, ensure_ascii=self._options.ensure_ascii)
        lists = {
            "_connections": self.connections(),
            "_tlsErrors": map(examination.row, self._tls_errors()),
            "_dns": map(examination.row, self._spool.dns()),
            "_problems": map(examination.row, self._problems.rows()),
        }
        log = {"version": "1.2", "creator": examination.row(creator), "pages": []}
        after = {"_findings": examination.findings()} if examination.finders else {}
        writer.write(log, lists, self._entries(writer), after)

    def findings(self) -> Iterator[dict[str, Any]]:
        """`log._findings`, without writing anything."""
        for _ in self._examined():
            pass
        yield from self._examination.findings()

    def connections(self) -> Iterator[dict[str, Any]]:
        """`log._connections`, by first frame."""
        counts = self._spool.exchange_counts()
        for stored in self._spool.connections():
            fields = msgspec.json.decode(stored.fields)
            fields.pop("_tlsErrors", None)
            late = self._annotate_connection(stored.id)
            if not self._admits_connection(stored, fields, late):
                continue
            row = {
                "id": stored.id,
                "client": self._named_end(stored.client, stored),
                "server": self._named_end(stored.server, stored),
                "_communityId": stored.community_id,
                **fields,
                "exchanges": counts.get(int(stored.id), 0),
                **late,
            }
            yield self._examination.connection(row)

    def _entries(self, writer: HarWriter) -> Iterator[Iterator[Piece]]:
        for first, stored, late in self._examined():
            yield writer.entry(self._spool.blobs, stored, first=first, late=late)
            for _, blob in stored.blobs:  # it was written when the next is asked for
                self._spool.blobs.drop(blob)

    def _examined(self) -> Iterator[tuple[bool, StoredEntry, Annotations]]:
        """The entries that the filters admit: whether each is its connection's first, it, and what is added to it."""
        self._examination.begin()
        number = 0
        for ordinal, first, stored in self._spool.entries():
            late = self._annotate(ordinal)
            if self._admits(stored, late):
                add_names(self._names, stored, late)
                yield first, *examine(self._examination, number, stored, late, self._spool.blobs)
                number += 1
            else:
                self.left_out += 1

    def _admits(self, stored: StoredEntry, late: Annotations) -> bool:
        traces = (late.request.get("_stacktrace"), late.response.get("_stacktrace"))
        processes = {*stored.processes, *(trace["process"] for trace in traces if trace and trace.get("process"))}
        return self._options.filters.admits(stored.timeline.begin, {stored.url_host, stored.server.ip}, processes)

    def _admits_connection(self, stored: StoredConnection, fields: dict[str, Any], late: dict[str, Any]) -> bool:
        hosts = {
            stored.server.ip,
            stored.sni or "",
            *stored.inner_names,
            self._named_end(stored.server, stored)["host"],
        }
        processes = set(fields.get("processes") or ())
        trace = late.get("_stacktrace")
        if trace and trace.get("process"):
            processes.add(trace["process"])
        return self._options.filters.admits(stored.first, hosts, processes)

    def _named_end(self, endpoint: Endpoint, stored: StoredConnection) -> dict[str, Any]:
        name = self._names.lookup(endpoint.ip, client=stored.client.ip, time=stored.first)
        if name is None and endpoint == stored.server:
            name = stored.sni
        return {"ip": endpoint.ip, "host": name or endpoint.ip, "port": endpoint.port}

    def _tls_errors(self) -> Iterator[dict[str, Any]]:
        for stored in self._spool.connections():
            yield from msgspec.json.decode(stored.fields).get("_tlsErrors", ())


def add_names(names: Names, stored: StoredEntry, late: Annotations) -> None:
    """Add `_communication` to both messages: who they went between, by name where one is known."""
    client, server = (
        {
            "ip": end.ip,
            "host": names.lookup(end.ip, client=stored.client.ip, time=stored.timeline.begin) or end.ip,
            "port": end.port,
        }
        for end in (stored.client, stored.server)
    )
    late.request["_communication"] = {"src": client, "dst": server}
    late.response["_communication"] = {"src": server, "dst": client}
