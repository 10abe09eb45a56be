"""What people want to know of an entry beyond what was on the wire, in one step: label, findings, redaction.

The order matters: the label needs the stack, the findings need what redaction takes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from pcapng_utils.findings.finder import Finder, IdentifierFinder, Sent
from pcapng_utils.findings.identifiers import Identifier
from pcapng_utils.findings.places import Json, Large
from pcapng_utils.findings.redaction import Redactor
from pcapng_utils.labels.labeller import Labeller


class Examination(Struct):
    """Examines the entries of one HAR, in place."""

    labeller: Labeller
    finders: Sequence[Finder] = ()
    redactor: Redactor | None = None
    _found: list[Sent] = field(default_factory=list)

    @property
    def reads_content(self) -> bool:
        """Whether more of an entry is needed than its host and its stack."""
        return bool(self.finders or self.redactor)

    def label(self, entry: Json) -> Json | None:
        """`_sdk` of an entry: by the request's stack, or the response's where the request has none."""
        return self.labeller.label(_stack_of(entry), host_of(entry["request"].get("url")))

    def entry(self, number: int, entry: Json, large: Large | None = None) -> None:
        """Examine an entry: `number` is its place in `log.entries`; `large` as for `Finder.find`."""
        sdk = entry["_sdk"] = self.label(entry)
        before = sum(finder.incomplete for finder in self.finders)
        findings = [finding for finder in self.finders for finding in finder.find(entry, large)]
        if sum(finder.incomplete for finder in self.finders) > before:
            entry["_searchIncomplete"] = True
        if findings:
            code, host = self.labeller.responsible(_stack_of(entry)), host_of(entry["request"].get("url"))
            name, source = (sdk["name"], sdk["source"]) if sdk else (None, None)
            self._found += (Sent(finding, number, code, name, source, host) for finding in findings)
        if self.redactor is not None:
            self.redactor.entry(entry, large)

    def connection(self, row: Json) -> Json:
        """A row of `log._connections`, with its label, redacted."""
        stack = (row.get("_stacktrace") or {}).get("stack")
        host = (row.get("tls") or {}).get("sni") or (row.get("server") or {}).get("host")
        row["_sdk"] = self.labeller.label(stack, host)
        return self.row(row)

    def row(self, row: Json) -> Json:
        """Any other object of the HAR, redacted."""
        if self.redactor is not None:
            self.redactor.row(row)
        return row

    def begin(self) -> None:
        """Forget what was found."""
        self._found.clear()

    def findings(self) -> Iterator[Json]:
        """`log._findings`, by entry."""
        for found in self._found:
            yield self.row(found.row())


def examination(
    *,
    identifiers: Sequence[Identifier] = (),
    trackers: Path | None = None,
    system_frames: Sequence[str] = (),
    rules: Path | None = None,
    redaction_key: bytes | None = None,
) -> Examination:
    """An examination for what was asked. `redaction_key` None: nothing is redacted. Raises InputError, UsageError."""
    finders: list[Finder] = []
    if identifiers:
        finders.append(IdentifierFinder(identifiers))
    if rules is not None:
        from pcapng_utils.findings.rules import YaraFinder

        finders.append(YaraFinder(rules))
    known = None
    if trackers is not None:
        from pcapng_utils.labels.trackers import Trackers

        known = Trackers(trackers)
    redactor = None if redaction_key is None else Redactor(identifiers, redaction_key)
    return Examination(Labeller(known, system_frames), finders, redactor)


def _stack_of(entry: Json) -> list[Json] | None:
    """The stack of the request's call; of the response's, where the request has none."""
    for side in ("request", "response"):
        stack = ((entry.get(side) or {}).get("_stacktrace") or {}).get("stack")
        if isinstance(stack, list) and stack:
            return stack
    return None


def host_of(url: Any) -> str:
    """Host of a URL, lower case; empty where there is none."""
    try:
        return urlsplit(str(url)).hostname or ""
    except ValueError:  # brackets that are no IPv6 address
        return ""
