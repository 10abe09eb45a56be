"""What an exchange says about a person or a device: one finding for each identifier, form, place and direction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from pcapng_utils.findings.identifiers import Identifier
from pcapng_utils.findings.places import Direction, Json, Large, places
from pcapng_utils.findings.search import Limits, Search

_REMEMBERED: Final = 4096
_SMALL: Final = 512
"""Bytes of a part that is remembered: header values come again and again."""
_LEAST_OVERLAP: Final = 4096


class Finding(NamedTuple):
    """An identifier that was sent, or a rule that something matched."""

    identifier: str
    form: str
    where: str
    direction: Direction


class Finder(Protocol):
    """Knows what to look for in an entry."""

    incomplete: int
    """Parts of which not everything could be looked at."""

    def find(self, entry: Json, large: Large | None = None) -> list[Finding]:
        """The findings of an entry, in the order of its parts, each once."""


class IdentifierFinder:
    """Finds identifiers in all their forms."""

    def __init__(self, identifiers: Sequence[Identifier], limits: Limits | None = None) -> None:
        self.search = Search(identifiers, limits)
        self.incomplete = 0
        """Parts in which there was more than could be looked at."""
        self._overlap = max(self.search.longest, _LEAST_OVERLAP)
        self._memory: dict[bytes, list[tuple[str, str]]] = {}

    def find(self, entry: Json, large: Large | None = None) -> list[Finding]:
        found: dict[Finding, None] = {}
        for place in places(entry, large):
            for window in place.windows(self._overlap):
                for identifier, form in self._forms(window):
                    found[Finding(identifier, form, place.where, place.direction)] = None
        return [finding for finding in found if not _told_already(finding, found)]

    def _forms(self, data: bytes) -> list[tuple[str, str]]:
        """Names and forms; those of small parts are remembered."""
        known = self._memory.get(data)
        if known is not None:
            return known
        hits, complete = self.search.search(data)
        self.incomplete += not complete
        found = [(hit.identifier.name, hit.form) for hit in hits]
        if len(data) <= _SMALL:
            if len(self._memory) >= _REMEMBERED:
                self._memory.clear()
            self._memory[data] = found
        return found


def _told_already(finding: Finding, found: Iterable[Finding]) -> bool:
    """Whether a body's finding is that of an event in it."""
    return finding.where == "body" and finding._replace(where="event stream") in found


class Sent(NamedTuple):
    """A finding, with whose it is."""

    finding: Finding
    entry: int
    """Place in `log.entries`."""
    code: str | None
    """Class of the responsible frame."""
    sdk: str | None
    sdk_source: str | None
    """Whether the SDK's code sent it ("code"), or it went to the SDK's host ("host")."""
    host: str

    def row(self) -> dict[str, Any]:
        """A row of `log._findings`."""
        return {
            **self.finding._asdict(),
            "entry": self.entry,
            "code": self.code,
            "sdk": self.sdk,
            "sdkSource": self.sdk_source,
            "host": self.host,
        }
