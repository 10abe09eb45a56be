"""Content codings (RFC 9110, section 8.4.1): gzip, deflate, br (RFC 7932), zstd (RFC 8878), compress, alone or stacked.

Strategy: one small class a coding, each fed pieces and handing on pieces, none of them large, so that a bomb costs
neither memory nor, past its limit, time. `Decoder` chains them; `decode` and `decode_body` run a whole body through it.

A body that cannot be decoded stays as it was: half a result that looks whole would be worse than none. Only where the
message itself is known to be cut short is the part that could be decoded kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from pcapng_utils.http._lzw import LzwDecoder
from pcapng_utils.http.exchange import Message

DEFAULT_LIMIT: Final = 1 << 30
"""Bytes that may come out of one body."""

_MAX_STACK: Final = 8
_ZSTD_MAX_WINDOW: Final = 1 << 23
"""RFC 9659, section 3: a decoder need not support more for the content coding."""
_ZSTD_SLICE: Final = 256
"""The library has no limit on what one call yields: 4 bytes may become 128 KiB, so little goes in at a time."""
_SLICE: Final = 1 << 12
"""Bytes that go in at a time: what is left of them is copied with each piece that comes out and with each further
gzip member; of a body cut short, the slice with the fault in it is lost."""
_PIECE: Final = 1 << 18
"""Bytes that come out at a time, about."""
_CUT_SHORT: Final = "the data ends before the stream does"


class DecodedBody(NamedTuple):
    data: bytes
    """The decoded body; where `decoded` is False, the body as it was."""
    decoded: bool | None
    """None: it had no coding."""
    problem: str
    """What was wrong, a short phrase; empty if all went well."""


class _CodingError(ValueError):
    """The data is not what the coding's name says."""


class _Codec(Protocol):
    """One coding, undone piece by piece."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` stands for. Raises `_CodingError`."""

    def finish(self) -> bytes:
        """What is left. Raises `_CodingError` if the data ended before the coded stream did."""


class _Inflate:
    """gzip (any number of members; what follows them is padding) and deflate (zlib's form or raw deflate)."""

    __slots__ = ("_gzip", "_head", "_inflater", "_made", "_members", "_over")

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._inflater: zlib._Decompress | None = None
        self._head = b""
        self._members = 0
        self._made = False
        self._over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inflater is None and not self._gzip and not self._over:
            data = self._head + data
            self._head = data if len(data) < 2 else b""
            if self._head:
                return
        while not self._over:
            if self._inflater is None:
                if not data:
                    return
                self._inflater = zlib.decompressobj(47 if self._gzip else zlib.MAX_WBITS if _is_zlib(data) else -15)
            inflater = self._inflater
            try:
                out = inflater.decompress(data, _PIECE)
            except zlib.error as error:
                if not self._members:
                    raise _CodingError(str(error)) from error
                self._over = True
                return
            self._made = self._made or bool(out)
            if out:
                yield out
            if inflater.eof:
                data = inflater.unused_data
                self._end_member()
            else:
                data = inflater.unconsumed_tail
                if not data and len(out) < _PIECE:
                    return

    def _end_member(self) -> None:
        self._members += 1
        self._made = False
        self._over = not self._gzip
        self._inflater = None

    def finish(self) -> bytes:
        if not self._members or (self._made and not self._over):
            raise _CodingError(_CUT_SHORT)
        return b""


def _is_zlib(data: bytes) -> bool:
    """RFC 1950, section 2.2: method 8, and the first two bytes a multiple of 31."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0


class _Brotli:
    __slots__ = ("_decoder", "_error")

    def __init__(self) -> None:
        import brotli  # type: ignore[import-untyped]

        self._decoder = brotli.Decompressor()
        self._error = brotli.error

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while out := self._decoder.process(data, output_buffer_limit=_PIECE):
                yield out
                data = b""
        except self._error as error:
            raise _CodingError(str(error)) from error

    def finish(self) -> bytes:
        if not self._decoder.is_finished():
            raise _CodingError(_CUT_SHORT)
        return b""


class _Zstandard:
    """Any number of frames, skippable ones among them; what follows them is padding."""

    __slots__ = ("_decoder", "_error", "_frames", "_new", "_over")

    def __init__(self) -> None:
        import zstandard

        self._new = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW).decompressobj
        self._error = zstandard.ZstdError
        self._decoder = self._new()
        self._frames = 0
        self._over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_SLICE):
            piece = data[start : start + _ZSTD_SLICE]
            while piece and not self._over:
                if self._decoder.eof:
                    self._decoder = self._new()
                try:
                    clear = self._decoder.decompress(piece)
                except self._error as error:
                    if not self._frames:
                        raise _CodingError(str(error)) from error
                    self._over = True
                    return
                if clear:
                    yield clear
                self._frames += self._decoder.eof
                piece = self._decoder.unused_data

    def finish(self) -> bytes:
        if not self._frames:
            raise _CodingError(_CUT_SHORT)
        return b""


class _Compress:
    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder = LzwDecoder()

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while out := self._decoder.feed(data, _PIECE):
                yield out
                data = b""
        except ValueError as error:
            raise _CodingError(str(error)) from error

    def finish(self) -> bytes:
        if not self._decoder.begun:
            raise _CodingError(_CUT_SHORT)
        try:
            return self._decoder.finish()
        except ValueError as error:
            raise _CodingError(str(error)) from error


def _gzip() -> _Codec:
    return _Inflate(gzip=True)


def _deflate() -> _Codec:
    return _Inflate(gzip=False)


_CODECS: Final[dict[str, Callable[[], _Codec]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _Brotli,
    "zstd": _Zstandard,
    "compress": _Compress,
    "x-compress": _Compress,
}


class _Stage(Struct):
    """A coding at work in a `Decoder`, and what came out of it."""

    name: str
    codec: _Codec
    made: int = 0


class Decoder:
    """Undoes a stack of codings, piece by piece. Never raises for its input: `problem` says what was wrong, and once it
    does, nothing more comes out."""

    __slots__ = ("_limit", "_stages", "problem")

    def __init__(self, codings: Sequence[str], *, limit: int = DEFAULT_LIMIT) -> None:
        """`codings` in the order they were applied, as `parse_codings` yields them; `limit`: bytes that may come out,
        of the last and of each coding between."""
        self.problem = ""
        self._limit = limit
        self._stages: list[_Stage] = []
        if len(codings) > _MAX_STACK:
            self.problem = f"more than {_MAX_STACK} codings"
            return
        for name in reversed(codings):
            codec = _CODECS.get(name)
            if codec is None:
                self.problem = f"unknown coding {name!r}"
                return
            self._stages.append(_Stage(name, codec()))

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out, in pieces that are never large; take all of them."""
        for start in range(0, len(data), _SLICE):
            yield from self._run((data[start : start + _SLICE],), 0)

    def finish(self) -> Iterator[bytes]:
        """The rest; call it once, last. A stream cut short becomes a `problem` here."""
        for number, stage in enumerate(self._stages):
            if self.problem:
                return
            try:
                rest = stage.codec.finish()
            except _CodingError as error:
                self.problem = f"{stage.name}: {error}"
                return
            yield from self._run((rest,), number + 1)

    def _run(self, pieces: Iterable[bytes], first: int) -> Iterator[bytes]:
        """Pass pieces through the stages from number `first` on."""
        for stage in self._stages[first:]:
            pieces = self._undo(stage, pieces)
        for piece in pieces:
            if self.problem:
                return
            if piece:
                yield piece

    def _undo(self, stage: _Stage, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if self.problem:
                return
            try:
                for clear in stage.codec.feed(piece):
                    stage.made += len(clear)
                    if stage.made > self._limit:
                        self.problem = f"{stage.name}: more than {self._limit} bytes come out"
                        return
                    yield clear
            except _CodingError as error:
                self.problem = f"{stage.name}: {error}"
                return


def parse_codings(value: bytes | None) -> list[str]:
    """The codings a Content-Encoding or Transfer-Encoding value names, in order, lower case; "identity" and "chunked",
    for which nothing is to be undone in a body, are left out."""
    if not value:
        return []
    names = (name.partition(";")[0].strip() for name in value.decode("latin-1").lower().split(","))
    return [name for name in names if name not in ("", "identity", "chunked")]


def message_codings(message: Message) -> list[str]:
    """All codings of a message's body, in the order they were applied: content codings, then transfer codings."""
    content: list[str] = []
    transfer: list[str] = []
    for name, value in message.headers:
        if (key := name.lower()) == b"content-encoding":
            content += parse_codings(value)
        elif key == b"transfer-encoding":
            transfer += parse_codings(value)
    return content + transfer


def decode(raw: bytes, codings: Sequence[str], *, limit: int = DEFAULT_LIMIT, whole: bool = True) -> DecodedBody:
    """Undo all the codings (given in the order they were applied), or none.

    `whole` False: the message was cut short, so what could be decoded of it is kept, with the problem said.
    """
    if not codings or not raw:
        return DecodedBody(raw, None, "")
    decoder = Decoder(codings, limit=limit)
    parts = [*decoder.feed(raw), *decoder.finish()]
    if not decoder.problem:
        return DecodedBody(b"".join(parts), True, "")
    if not whole and any(parts):
        return DecodedBody(b"".join(parts), True, decoder.problem)
    return DecodedBody(raw, False, decoder.problem)


def decode_body(
    raw: bytes, content_encoding: bytes | None, limit: int = DEFAULT_LIMIT, *, whole: bool = True
) -> DecodedBody:
    """`decode` with the value of a Content-Encoding header (RFC 9110, section 8.4)."""
    return decode(raw, parse_codings(content_encoding), limit=limit, whole=whole)
