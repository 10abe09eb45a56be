"""One pass over some bytes finds every identifier in every form; then the same inside of whatever they contain.

Two automata (Aho-Corasick) hold all patterns of all identifiers, so that the time does not depend on their number.
What is inside is searched breadth first, to a depth and a number of bytes: past them the search says that it was not
complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import ahocorasick_rs

from pcapng_utils.findings.forms import LOWER, MIXED, UPPER, Leaf, patterns_of
from pcapng_utils.findings.identifiers import Identifier
from pcapng_utils.findings.layers import ESCAPES, HEX, Inside, inside

_PIECE_COST: Final = 64
"""What a small piece counts, in bytes: it costs time of its own."""


@dataclass(frozen=True, slots=True)
class Limits:
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


class Search:
    """Looks for identifiers in bytes."""

    def __init__(self, identifiers: Sequence[Identifier], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        folded, exact = patterns_of(identifiers)
        self._folded = ahocorasick_rs.BytesAhoCorasick(list(folded))
        self._folded_leaves = list(folded.values())
        self._exact = ahocorasick_rs.BytesAhoCorasick(list(exact))
        self._exact_leaves = list(exact.values())
        self._plus = any(" " in identifier.value for identifier in identifiers)
        self.longest = max(map(len, (*folded, *exact)), default=0)
        """Bytes of the longest pattern."""

    def search(self, data: bytes) -> tuple[list[Hit], bool]:
        """What was found, by depth, and whether everything inside was looked at."""
        hits = list(self._hits(_Nested(data)))
        seen = {data}
        left = self.limits.bytes
        level = [_Nested(data)]
        for _ in range(self.limits.depth):
            deeper: list[_Nested] = []
            for nested in self._inside(level):
                if nested.data in seen:
                    continue
                left -= len(nested.data) + _PIECE_COST
                if left < 0:
                    return hits, False
                seen.add(nested.data)
                hits += self._hits(nested)
                deeper.append(nested)
            level = deeper
        return hits, True

    def _inside(self, level: Iterable[_Nested]) -> Iterator[_Nested]:
        for nested in level:
            for how in inside(nested.data, plus=self._plus):
                yield _Nested(how.data, nested, how)

    def _hits(self, nested: _Nested) -> Iterator[Hit]:
        data = nested.data
        for index, start, end in self._folded.find_matches_as_indexes(data.lower(), overlapping=True):
            yield from self._told(self._folded_leaves[index], nested, start, end)
        for index, start, end in self._exact.find_matches_as_indexes(data, overlapping=True):
            yield from self._told(self._exact_leaves[index], nested, start, end)

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
