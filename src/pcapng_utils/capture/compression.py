"""Compressed captures, decompressed a bounded step at a time.

A decompressor takes the raw bytes as they come and yields plain pieces of a bounded size, however well the input is
compressed; it goes on with the next member or frame where one ends, and ends with a `Problem` if the input is damaged
or cut short, once it has handed over all that came before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pcapng_utils.layers import Problem

if TYPE_CHECKING:
    import zstandard

#: Largest piece handed on.
STEP: Final = 256 * 1024


class Decoder(Protocol):
    """One member of a compressed stream."""

    def step(self, data: bytes) -> tuple[bytes, bytes]:
        """Decompress some of `data`: the plain bytes, and what is left of the input.

        Raises `CorruptedError`."""

    @property
    def finished(self) -> bool:
        """The member is complete; what `step` left is the next one's."""

    @property
    def pending(self) -> bool:
        """More plain bytes would come without more input."""


class CorruptedError(Exception):
    """The compressed data cannot be decompressed."""


class GzipDecoder:
    """RFC 1952."""

    def __init__(self) -> None:
        import zlib

        self._error = zlib.error
        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.pending = False

    def step(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            plain = self._inner.decompress(data, STEP)
        except self._error as error:
            raise CorruptedError(str(error)) from error
        self.pending = len(plain) == STEP
        return plain, self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail

    @property
    def finished(self) -> bool:
        return self._inner.eof


class Lz4Decoder:
    """LZ4 frame format."""

    def __init__(self) -> None:
        import lz4.frame  # type: ignore[import-untyped]

        self._inner = lz4.frame.LZ4FrameDecompressor()
        self.pending = False

    def step(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            plain: bytes = self._inner.decompress(data, STEP)
        except RuntimeError as error:
            raise CorruptedError(str(error)) from error
        # The decompressor keeps to itself what it did not consume, until the frame ends.
        self.pending = not self._inner.needs_input and not self._inner.eof
        return plain, (self._inner.unused_data or b"") if self._inner.eof else b""

    @property
    def finished(self) -> bool:
        eof: bool = self._inner.eof
        return eof


class ZstdDecoder:
    """RFC 8878. The library offers no limit on the output of a step, so the input of a step is kept small instead.

    A block takes 4 bytes of input at least and makes 128 KiB of output at most."""

    _SLICE: Final = 1024

    def __init__(self) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        self._inner: zstandard.ZstdDecompressionObj = zstandard.ZstdDecompressor().decompressobj()
        self._damage: CorruptedError | None = None
        self.pending = False

    def step(self, data: bytes) -> tuple[bytes, bytes]:
        if self._damage:
            raise self._damage
        plain: list[bytes] = []
        size = 0
        position = 0
        while position < len(data) and size < STEP and not self._inner.eof:
            try:
                piece = self._inner.decompress(data[position : position + self._SLICE])
            except self._error as error:
                # What came before the damage is handed over first.
                self._damage = CorruptedError(str(error))
                return b"".join(plain), data[position:]
            position += self._SLICE
            if piece:
                plain.append(piece)
                size += len(piece)
        rest = self._inner.unused_data + data[position:] if self._inner.eof else data[position:]
        return b"".join(plain), rest

    @property
    def finished(self) -> bool:
        return self._inner.eof


class Compression(NamedTuple):
    """A compression that is recognized by the first bytes."""

    name: str
    magic: bytes
    decoder: Callable[[], Decoder]


COMPRESSIONS: Final = (
    Compression("gzip", b"\x1f\x8b", GzipDecoder),
    Compression("zstd", b"\x28\xb5\x2f\xfd", ZstdDecoder),
    Compression("lz4", b"\x04\x22\x4d\x18", Lz4Decoder),
)


def decompress(compression: Compression, raw: Iterable[bytes]) -> Iterator[bytes | Problem]:
    """Yield the plain bytes of `raw`; last, a `Problem` if they are not all there."""
    decoder: Decoder | None = None
    for data in raw:
        while data or (decoder and decoder.pending):
            if decoder is None:
                # Between members, zeros are padding (tapes, archives).
                data = data.lstrip(b"\0")
                if not data:
                    break
                decoder = compression.decoder()
            try:
                plain, data = decoder.step(data)
            except CorruptedError as error:
                yield _corrupted(compression, str(error))
                return
            if plain:
                yield plain
            if decoder.finished:
                decoder = None
    if decoder is not None:
        yield Problem(
            "capture-truncated",
            "The compressed capture was cut short; all packets before that were read.",
            detail=compression.name,
        )


def _corrupted(compression: Compression, detail: str) -> Problem:
    return Problem(
        "capture-corrupted",
        "The compressed capture is damaged; all packets before that were read.",
        detail=f"{compression.name}: {detail}",
    )
