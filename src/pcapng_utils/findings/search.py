"""One pass over some bytes finds every identifier in every form; then the same inside of whatever they contain.

An automaton (Aho-Corasick) holds all patterns of all identifiers, so that the time does not depend on their number. It
reads everything in lower case; a pattern whose case matters is compared again where it was found.
What is inside is searched breadth first, to a depth and a number of bytes: past them the search says that it was not
complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import ahocorasick_rs
from msgspec import Struct

from pcapng_utils.findings.forms import LOWER, MIXED, UPPER, Leaf, patterns_of
from pcapng_utils.findings.identifiers import Identifier
from pcapng_utils.findings.layers import ESCAPES, HEX, Inside, inside

_PIECE_COST: Final = 64
"""What a small piece counts, in bytes: it costs time of its own."""


class Limits(Struct, frozen=True):
    """What is looked at of what is inside of some data."""

    depth: int = 5
    """Codings inside of codings."""
    bytes: int = 64 << 20
    """Bytes of all that was decoded, together."""


class Hit(NamedTuple):
    """An identifier, and where in the outermost data it stands."""

    identifier: Identifier
    form: str
    start: int
    end: int


class _Nested(NamedTuple):
    """Data to be searched, and how they came out of the data around them."""

    data: bytes
    around: _Nested | None = None
    how: Inside | None = None

    def layers(self) -> Iterator[Inside]:
        """Innermost first."""
        nested: _Nested = self
        while nested.how is not None and nested.around is not None:
            yield nested.how
            nested = nested.around


class _Meaning(NamedTuple):
    """What a lower-cased pattern may be."""

    exact: bytes | None
    """What has to stand there; None: the case does not matter."""
    leaves: Sequence[Leaf]


class Search:
    """Looks for identifiers in bytes."""

    def __init__(self, identifiers: Sequence[Identifier], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        folded, exact = patterns_of(identifiers)
        meanings: dict[bytes, list[_Meaning]] = {
            pattern: [_Meaning(None, leaves)] for pattern, leaves in folded.items()
        }
        for pattern, leaves in exact.items():
            meanings.setdefault(pattern.lower(), []).append(_Meaning(pattern, leaves))
        self._automaton = ahocorasick_rs.BytesAhoCorasick(list(meanings))
        self._meanings = list(meanings.values())
        self._plus = any(" " in identifier.value for identifier in identifiers)
        self.longest = max(map(len, (*folded, *exact)), default=0)
        """Bytes of the longest pattern."""

    def search(self, data: bytes) -> tuple[list[Hit], bool]:
        """What was found, by depth, and whether everything inside was looked at."""
        outermost = _Nested(data)
        hits = list(self._hits(outermost))
        seen = {data}
        left = self.limits.bytes
        level = [outermost]
        for _ in range(self.limits.depth):
            deeper: list[_Nested] = []
            for around in level:
                for how in inside(around.data, plus=self._plus):
                    if how.data in seen:
                        continue
                    left -= len(how.data) + _PIECE_COST
                    if left < 0:
                        return hits, False
                    seen.add(how.data)
                    nested = _Nested(how.data, around, how)
                    hits += self._hits(nested)
                    deeper.append(nested)
            if not deeper:
                break
            level = deeper
        return hits, True

    def _hits(self, nested: _Nested) -> Iterator[Hit]:
        data = nested.data
        found = self._automaton.find_matches_as_indexes(data.lower(), overlapping=True)
        for exact in (False, True) if found else ():
            for index, start, end in found:
                for pattern, leaves in self._meanings[index]:
                    if exact == (pattern is not None) and (pattern is None or data[start:end] == pattern):
                        yield from self._told(leaves, nested, start, end)

    def _told(self, leaves: Iterable[Leaf], nested: _Nested, start: int, end: int) -> Iterator[Hit]:
        for leaf in leaves:
            if leaf.is_binary and nested.how is not None and nested.how.layer == HEX:
                continue  # found already, as digits
            if leaf.edge is not None and not leaf.edge.admits(nested.data, start, end):
                continue
            if leaf.text:
                leaf = _with_case(leaf, nested.data[start:end])
            yield Hit(leaf.identifier, *_described(leaf, nested, start, end))


def _with_case(leaf: Leaf, found: bytes) -> Leaf:
    """The leaf, with how the text's case was changed."""
    text = found.decode("utf-8", "surrogatepass")
    if text == leaf.text:
        return leaf
    note = LOWER if text == leaf.text.lower() else UPPER if text == leaf.text.upper() else MIXED
    return leaf._replace(notes=(*leaf.notes, note))


def _described(leaf: Leaf, nested: _Nested, start: int, end: int) -> tuple[str, int, int]:
    """The form, and the place in the outermost data."""
    escapes: list[str] = []
    codings: list[str] = []
    found, innermost = nested.data[start:end], True
    for depth, how in enumerate(nested.layers()):
        start, end = how.locate(start, end)
        if how.layer in ESCAPES:
            around = _around(nested, depth)
            if innermost and around[start:end] != found:
                escapes.append(how.layer)
                found = around[start:end]
            continue
        wrapped = leaf if codings else leaf.wrapped(how.layer)
        if wrapped is leaf:
            codings.append(how.layer)
        leaf, innermost = wrapped, False
    return " in ".join((leaf.name(*escapes), *codings)), start, end


def _around(nested: _Nested, depth: int) -> bytes:
    """The data around the layer that is so deep, counted from the innermost."""
    for _ in range(depth + 1):
        assert nested.around is not None  # noqa: S101 - as many as there are layers
        nested = nested.around
    return nested.data
