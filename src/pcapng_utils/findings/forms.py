"""The forms an identifier is sent in, as byte patterns: itself, its digests, and what their codings make of them.

*Folded* patterns are looked for in lower-cased data (texts and hexadecimal digits, whose case changes on the way),
*exact* ones in the data as they are (base64, bytes). Percent-encoding, escapes and whatever else stands around a value
are undone by `layers` before it is looked for; base64 is looked for in each of the three places a value can have in a
group of three bytes, so that it is found inside of encoded texts, however those are cut.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import pybase64

from pcapng_utils.findings.identifiers import Identifier

_DIGESTS: Final = ("md5", "sha1", "sha256")
_LEAST_CODED: Final = 8
"""Characters of base64 or hexadecimal digits: fewer are met by chance."""
_LEAST_BYTES: Final = 6
_LEAST_BARE: Final = 6
"""Characters of a value whose separators were taken out."""
_SHORT: Final = 8
"""Characters of a value that only counts where no letter or digit stands beside it."""

_SEPARATORS: Final = re.compile(r"[-: ]")
_NUMBER_SEPARATORS: Final = re.compile(r"[-: +().]")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_IPV4: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_DECIMAL: Final = re.compile(r"-?\d+\.\d+")
"""A coordinate: what was sent may have more digits than the value that is known."""

LOWER: Final = "lower-cased"
UPPER: Final = "upper-cased"
MIXED: Final = "case changed"
BARE: Final = "without separators"


class Edge(NamedTuple):
    """What may not stand beside a value, lest it be taken for a part of another one."""

    before: re.Pattern[bytes]
    behind: re.Pattern[bytes]

    def admits(self, data: bytes, start: int, end: int) -> bool:
        return not self.before.match(data, max(start - 1, 0), start) and not self.behind.match(data, end)


class Leaf(NamedTuple):
    """What a pattern means."""

    identifier: Identifier
    kind: str
    """"plain", "hex", "base64", "binary", or a digest's name."""
    notes: tuple[str, ...] = ()
    """What was done to the value before."""
    coding: str = ""
    """Of a digest: "base64", "binary"; empty for hexadecimal digits."""
    text: str = ""
    """For "plain": what the text is where its case was not changed."""
    edge: Edge | None = None

    @property
    def is_binary(self) -> bool:
        """Whether bytes are meant, rather than text: their hexadecimal digits are patterns of their own."""
        return "binary" in (self.kind, self.coding)

    def wrapped(self, layer: str) -> Leaf:
        """What a leaf inside of this coding is by itself."""
        match self.kind, self.coding, layer:
            case "plain", _, "base64" | "hex":
                return self._replace(kind=layer)
            case _, "binary", "base64":
                return self._replace(coding="base64")
            case _:
                return self

    def name(self, *more: str) -> str:
        """The form, for people: "sha256 (lower-cased)"."""
        notes = ", ".join(note for note in (self.coding, *self.notes, *more) if note)
        return f"{self.kind} ({notes})" if notes else self.kind


class Patterns(NamedTuple):
    """Patterns, and what each means."""

    folded: dict[bytes, list[Leaf]]
    exact: dict[bytes, list[Leaf]]


def patterns_of(identifiers: Iterable[Identifier]) -> Patterns:
    """All patterns of all identifiers."""
    patterns = Patterns({}, {})
    for identifier in identifiers:
        forms = _Forms(identifier, patterns)
        for variant, notes in _variants(identifier.value):
            forms.add(variant, notes)
    return patterns


class _Forms:
    """Puts the patterns of one identifier among the others; of two forms with one pattern, the first stays."""

    def __init__(self, identifier: Identifier, patterns: Patterns) -> None:
        self._identifier = identifier
        self._patterns = patterns
        self._edge = _edge(identifier.value)

    def add(self, value: str, notes: tuple[str, ...]) -> None:
        """The forms of a value; `notes`: what was done to it."""
        data = value.encode("utf-8", "surrogatepass")
        kept = tuple(note for note in notes if note not in {LOWER, UPPER})
        plain = Leaf(self._identifier, "plain", kept, text=value, edge=self._edge)
        self._put(self._patterns.folded, data.lower(), plain)
        wide = value.lower().encode("utf-16-le", "surrogatepass")
        self._put(self._patterns.folded, wide, plain._replace(notes=(*kept, "UTF-16"), text="", edge=None))
        if _HEX.fullmatch(value) and len(value) >= 2 * _LEAST_BYTES:
            self._put(self._patterns.exact, bytes.fromhex(value), Leaf(self._identifier, "binary", kept))
        self._put_coded(data, Leaf(self._identifier, "base64", notes))
        if 2 * len(data) >= _LEAST_CODED:
            self._put(self._patterns.folded, data.hex().encode(), Leaf(self._identifier, "hex", notes))
        for name in _DIGESTS:
            digest = hashlib.new(name, data, usedforsecurity=False).digest()
            leaf = Leaf(self._identifier, name, notes)
            self._put(self._patterns.folded, digest.hex().encode(), leaf)
            self._put(self._patterns.exact, digest, leaf._replace(coding="binary"))
            self._put_coded(digest, leaf._replace(coding="base64"))

    def _put_coded(self, data: bytes, leaf: Leaf) -> None:
        for letters in _base64_of(data):
            if len(letters) >= _LEAST_CODED:
                self._put(self._patterns.exact, letters, leaf)

    def _put(self, patterns: dict[bytes, list[Leaf]], pattern: bytes, leaf: Leaf) -> None:
        leaves = patterns.setdefault(pattern, [])
        if not any(known.identifier is leaf.identifier for known in leaves):
            leaves.append(leaf)


def _variants(value: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The value as it is, in other cases, and without separators."""
    bare = _SEPARATORS.sub("", value)
    number = _NUMBER_SEPARATORS.sub("", value)
    if number.isdigit() and not (_IPV4.fullmatch(value) or _DECIMAL.fullmatch(value)):
        bare = number
    for text, notes in ((value, ()), (bare, (BARE,))):
        if text != value and len(text) < _LEAST_BARE:
            continue
        yield text, notes
        yield text.lower(), (*notes, LOWER)
        yield text.upper(), (*notes, UPPER)


def _base64_of(data: bytes) -> Iterator[bytes]:
    """The letters that stand for the data alone, in each of the three places, in both alphabets."""
    for before in range(3):
        letters = pybase64.b64encode(bytes(before) + data)
        core = letters[-(-8 * before // 6) : 8 * (before + len(data)) // 6]
        yield core
        if b"+" in core or b"/" in core:
            yield core.translate(bytes.maketrans(b"+/", b"-_"))


_NEVER: Final = re.compile(rb"(?!)")
_ADDRESS_EDGE: Final = Edge(re.compile(rb"[0-9.]"), re.compile(rb"\.?[0-9]"))
_DECIMAL_EDGE: Final = Edge(re.compile(rb"[0-9.]"), _NEVER)
_WORD_EDGE: Final = Edge(re.compile(rb"[0-9A-Za-z%]"), re.compile(rb"[0-9A-Za-z]"))
_NUMBER_EDGE: Final = Edge(re.compile(rb"[0-9]"), re.compile(rb"[0-9]"))


def _edge(value: str) -> Edge | None:
    if _IPV4.fullmatch(value):
        return _ADDRESS_EDGE
    if _DECIMAL.fullmatch(value):
        return _DECIMAL_EDGE
    if len(value) < _SHORT:
        return _WORD_EDGE
    return _NUMBER_EDGE if _NUMBER_SEPARATORS.sub("", value).isdigit() else None
