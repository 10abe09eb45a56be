"""What an exchange says about a person or a device: one finding for each identifier, form, place and direction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from pcapng_utils.findings.identifiers import Identifier
from pcapng_utils.findings.places import Direction, Json, Place, places
from pcapng_utils.findings.search import Limits, Search

_REMEMBERED: Final = 4096
_SMALL: Final = 512
"""Bytes of a part that is remembered: header values come again and again."""
_WINDOW: Final = 1 << 20
"""Bytes of a large body that are looked at together, nested codings and all."""
_LEAST_OVERLAP: Final = 4096


class Found(NamedTuple):
    """An identifier in some data, and its form there."""

    identifier: str
    form: str


class Finding(NamedTuple):
    """An identifier that was sent."""

    identifier: str
    form: str
    where: str
    direction: Direction


class Matcher(Protocol):
    """Something that knows what to look for in a part of an exchange."""

    def match(self, data: bytes) -> Iterable[Found]: ...


class IdentifierMatcher:
    """Identifiers in all their forms; remembers what it found in small parts."""

    def __init__(self, identifiers: Sequence[Identifier], limits: Limits | None = None) -> None:
        self.search = Search(identifiers, limits)
        self.incomplete = 0
        """Parts in which there was more than could be looked at."""
        self._memory: dict[bytes, tuple[Found, ...]] = {}

    def match(self, data: bytes) -> tuple[Found, ...]:
        known = self._memory.get(data)
        if known is not None:
            return known
        hits, complete = self.search.search(data)
        self.incomplete += not complete
        found = tuple(dict.fromkeys(Found(hit.identifier.name, hit.form) for hit in hits))
        if len(data) <= _SMALL:
            if len(self._memory) >= _REMEMBERED:
                self._memory.clear()
            self._memory[data] = found
        return found


class Finder:
    """Finds what its matchers know in the entries of a HAR."""

    def __init__(self, matchers: Sequence[Matcher], overlap: int = _LEAST_OVERLAP) -> None:
        """`overlap`: bytes that two windows of a large body have in common: as many as the longest match."""
        self._matchers = matchers
        self._overlap = max(overlap, _LEAST_OVERLAP)

    def find(self, entry: Json, large: Mapping[str, Iterable[bytes]] | None = None) -> list[Finding]:
        """The findings of an entry, in the order of its parts.

        `large`: bodies that are not in the entry, in pieces, by the text that stands for each.
        """
        found: dict[Finding, None] = {}
        for place in places(entry):
            if place.data:
                pieces = large.get(place.data.decode("utf-8", "replace")) if large else None
                for window in (place.data,) if pieces is None else self._windows(pieces):
                    for matcher in self._matchers:
                        found.update(dict.fromkeys(_findings(place, matcher.match(window))))
        return [finding for finding in found if not _told_already(finding, found)]

    def _windows(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        window = bytearray()
        for piece in pieces:
            window += piece
            if len(window) >= _WINDOW:
                yield bytes(window)
                del window[: -self._overlap]
        yield bytes(window)


def _findings(place: Place, found: Iterable[Found]) -> Iterator[Finding]:
    for identifier, form in found:
        yield Finding(identifier, form, place.where, place.direction)


def _told_already(finding: Finding, found: Mapping[Finding, Any]) -> bool:
    """Whether a body's finding is that of an event in it."""
    return finding.where == "body" and finding._replace(where="event stream") in found


def finding_row(finding: Finding, entry: int, sdk: Mapping[str, Any] | None, host: str) -> dict[str, Any]:
    """A row of `log._findings`. `entry`: place in `log.entries`."""
    return {
        "identifier": finding.identifier,
        "form": finding.form,
        "where": finding.where,
        "entry": entry,
        "direction": finding.direction,
        "sdk": sdk["name"] if sdk else None,
        "host": host,
    }
