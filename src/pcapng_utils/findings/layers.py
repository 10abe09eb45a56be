"""Codings around and inside of data, undone: each gives the data inside, and tells where they stand in what is outside.

One function a coding, all of them lazy and linear in the data. What a layer gives is a guess: letters that are taken
for base64 are mostly words. A wrong guess yields bytes in which nothing is found.
"""

from __future__ import annotations

import binascii
import re
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import pybase64

URL: Final = "URL-encoded"
JSON: Final = "JSON-escaped"
BASE64: Final = "base64"
HEX: Final = "hex"

ESCAPES: Final = frozenset({URL, JSON})
"""Layers that only rewrite some characters of a text."""

LARGEST: Final = 8 << 20
"""Bytes of one decompressed piece that are looked at."""

_BASE64_LETTER: Final = re.compile(rb"[A-Za-z0-9+/_-]")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2}")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{16,}")
_RUN: Final = b"a" * 16
_AS_RUNS: Final = bytes(b"a"[0] if _BASE64_LETTER.match(bytes((byte,))) else 0 for byte in range(256))
"""Makes the letters of base64 alike: a row that is long enough is then found ten times as fast as by an expression."""
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_GZIP_LETTERS: Final = b"H4sI"
"""What base64 of gzip begins with."""
_GZIP: Final = b"\x1f\x8b\x08"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_MOST_STREAMS: Final = 64
_CONTROLS: Final = bytes.maketrans(b"nrtbf", b"\n\r\t\b\f")

Locate = Callable[[int, int], tuple[int, int]]
"""From a place in the data inside to the place, in what is outside, that stands for it."""


class Escaping(NamedTuple):
    """How a text is escaped."""

    token: re.Pattern[bytes]
    rewrite: Callable[[re.Match[bytes]], bytes]
    """What a token, or a row of them, stands for."""
    clear: Callable[[bytes], bytes]
    """The text without escapes: as if each token was rewritten, but quickly."""


class Inside(NamedTuple):
    """What one coding had inside."""

    layer: str
    data: bytes
    locate: Locate


def _percent(match: re.Match[bytes]) -> bytes:
    tokens = match[0]
    return b" " if tokens == b"+" else bytes.fromhex(tokens.replace(b"%", b"").decode())


def _backslash(match: re.Match[bytes]) -> bytes:
    tokens = match[0]
    if tokens[1:2] in {b"u", b"x"}:
        return chr(int.from_bytes(bytes.fromhex(tokens[2:].decode()))).encode("utf-8", "surrogatepass")
    return tokens[1::2].translate(_CONTROLS)


# Rows of tokens are rewritten together, for there can be millions. An expression that begins with one certain byte is
# looked for twenty times as fast as one with a choice.
_PERCENTS: Final = re.compile(rb"%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*")
_BACKSLASHES: Final = re.compile(rb"\\(?:[^ux](?:\\[^ux])*|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})")
_URL: Final = Escaping(
    re.compile(rb"%[0-9A-Fa-f]{2}|\+"), _percent, lambda data: _PERCENTS.sub(_percent, data.replace(b"+", b" "))
)
_JSON: Final = Escaping(
    re.compile(rb"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[^ux])"),
    _backslash,
    lambda data: _BACKSLASHES.sub(_backslash, data),
)


def inside(data: bytes, *, plus: bool = False) -> Iterator[Inside]:
    """What the data have inside, by any coding. `plus`: look for + as a space even where nothing else is encoded."""
    if b"%" in data or (plus and b"+" in data):
        yield from _rewritten(data, URL, _URL)
    if b"\\" in data:
        yield from _rewritten(data, JSON, _JSON)
    if _RUN in data.translate(_AS_RUNS):
        runs = list(_BASE64.finditer(data))
        for run in runs:
            yield from _base64_runs(run)
        for run in runs:  # hexadecimal digits are letters of base64
            yield from _hex_runs(data, run)
    if _GZIP in data or _ZSTD in data or data.startswith(_ZLIB):
        yield from _compressed(data)


def _rewritten(data: bytes, layer: str, escaping: Escaping) -> Iterator[Inside]:
    clear = escaping.clear(data)
    if clear != data:
        yield Inside(layer, clear, _Rewriting(data, escaping).locate)


class _Rewriting:
    """Where the characters of a rewritten text came from; found out when somebody asks."""

    def __init__(self, data: bytes, escaping: Escaping) -> None:
        self._data = data
        self._escaping = escaping
        self._inside: list[int] = []
        self._outside: list[tuple[int, int]] = []

    def locate(self, start: int, end: int) -> tuple[int, int]:
        if not self._inside:
            self._tabulate()
        return self._of(start)[0], self._of(end - 1)[1]

    def _of(self, place: int) -> tuple[int, int]:
        """Outside place of one byte: a token's whole length where it came from one."""
        index = bisect_right(self._inside, place) - 1
        start, end = self._outside[index]
        if end >= 0:
            return start, end
        begin = start + place - self._inside[index]
        return begin, begin + 1

    def _tabulate(self) -> None:
        """Runs: where each begins inside, and outside its begin and, for a token, its end (else -1)."""
        shift = 0
        self._inside.append(0)
        self._outside.append((0, -1))
        for match in self._escaping.token.finditer(self._data):
            size = len(self._escaping.rewrite(match))
            begin = match.start() - shift
            shift += match.end() - match.start() - size
            self._inside += (begin, begin + size)
            self._outside += ((match.start(), match.end()), (match.end(), -1))


def _at(start: int, end: int) -> Locate:
    """The whole of a piece stands for whatever is inside."""
    return lambda *_: (start, end)


def _base64_runs(run: re.Match[bytes]) -> Iterator[Inside]:
    letters, (start, end) = run[0], run.span()
    yield from _base64_run(letters, start, end)
    gzip = letters.find(_GZIP_LETTERS, 1)
    if gzip > 0:
        yield from _base64_run(letters[gzip:], start + gzip, end)


def _base64_run(run: bytes, start: int, end: int) -> Iterator[Inside]:
    letters = run.rstrip(b"=").translate(_TO_STANDARD, b"\r\n")
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        clear = pybase64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return
    yield Inside(BASE64, clear, _at(start, end))


def _hex_runs(data: bytes, run: re.Match[bytes]) -> Iterator[Inside]:
    for match in _HEX.finditer(data, *run.span()):
        start, end = match.span()
        end -= (end - start) % 2
        yield Inside(HEX, bytes.fromhex(data[start:end].decode()), _at(start, end))


def _compressed(data: bytes) -> Iterator[Inside]:
    start = data.find(_GZIP)
    for _ in range(_MOST_STREAMS):
        if start < 0:
            break
        yield from _deflated(data, start, "gzip")
        start = data.find(_GZIP, start + 1)
    if data.startswith(_ZLIB):
        yield from _deflated(data, 0, "deflate")
    start = data.find(_ZSTD)
    if start >= 0:
        yield from _zstandard(data, start)


def _deflated(data: bytes, start: int, layer: str) -> Iterator[Inside]:
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        clear = decoder.decompress(memoryview(data)[start:], LARGEST)
    except zlib.error:
        return
    if clear:
        yield Inside(layer, clear, _at(start, len(data) - len(decoder.unused_data)))


def _zstandard(data: bytes, start: int) -> Iterator[Inside]:
    import zstandard

    try:
        with zstandard.ZstdDecompressor(max_window_size=LARGEST).stream_reader(memoryview(data)[start:]) as reader:
            clear = reader.read(LARGEST)
    except zstandard.ZstdError:
        return
    if clear:
        yield Inside("zstd", clear, _at(start, len(data)))
