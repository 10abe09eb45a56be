"""A capture from a file or a pipe: what it is, what it is wrapped in, its events, and the digests of its bytes.

The one part of `capture/` that reads something. It never seeks, so that standard input does as well as a file, and
reads 64 KiB at a time: measured faster than larger pieces (for which the allocator fetches fresh memory each time) and
than mapping the file, in a tenth of the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Final, NamedTuple

from pcapng_utils.capture import pcap, pcapng
from pcapng_utils.capture.compression import COMPRESSIONS, Compression, decompress
from pcapng_utils.capture.errors import CaptureError
from pcapng_utils.capture.events import CaptureEvent
from pcapng_utils.capture.parser import CaptureParser
from pcapng_utils.layers import Problem

CHUNK: Final = 64 * 1024

_MAGIC_SIZE: Final = 4
_PCAPNG_MAGIC: Final = b"\n\r\r\n"

#: What else people hand over, by its first bytes, and what to do about it.
_OTHER_FORMATS: Final = (
    (b"PK\x03\x04", "a ZIP archive: unpack it first"),
    (b"BZh", "compressed with bzip2: decompress it first"),
    (b"\xfd7zXZ", "compressed with xz: decompress it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it first"),
    (b"snoop\0", "a snoop capture: convert it to pcapng with editcap"),
    (b"RTSS", "a Network Monitor capture: convert it to pcapng with editcap"),
    (b"GMBU", "a Network Monitor capture: convert it to pcapng with editcap"),
    (b"CLIENT_", "a TLS key log: it goes with a capture, but is none"),
    (b"{", "JSON text"),
    (b"[", "JSON text"),
    (b"<", "XML or HTML text"),
)


class Digests(NamedTuple):
    """Of the input as it was stored, compressed or not; hex, lower case."""

    sha1: str
    sha256: str


class CaptureReader:
    """Iterates over the `CaptureEvent`s of a capture, once.

    `source` is read from where it stands to its end, and left open. `name` is what messages call it. With `digests`,
    every byte is hashed on its way.

    Raises `CaptureError` when made, if `source` does not hold a capture; afterwards only what `source.read` raises.
    """

    def __init__(self, source: BinaryIO, name: str, *, digests: bool = False) -> None:
        self.name = name
        self.size = 0
        """Bytes read so far; after the iteration, the size of the input."""
        self._source = source
        self._hashes = _Hashes() if digests else None
        self._damage: Problem | None = None
        raw = self._raw()
        head, raw = _peek(raw)
        if not head:
            raise CaptureError(
                f"{name} is empty: a pcap or pcapng capture was expected. Did the capture stop too soon?"
            )
        compression = next((one for one in COMPRESSIONS if head.startswith(one.magic)), None)
        self.compression = compression.name if compression else None
        """What the capture was compressed with: "gzip", "zstd", "lz4" or None."""
        self._plain = raw
        if compression:
            head, self._plain = _peek(self._decompressed(compression, raw))
        self._parser = self._choose(head)

    @property
    def format(self) -> str:
        """ "pcap" or "pcapng"."""
        return "pcapng" if isinstance(self._parser, pcapng.PcapngParser) else "pcap"

    @property
    def digests(self) -> Digests | None:
        """Of the whole input, once the iteration has come to its end; None if they were not asked for."""
        return self._hashes.digests() if self._hashes else None

    def __iter__(self) -> Iterator[CaptureEvent]:
        feed = self._parser.feed
        for data in self._plain:
            yield from feed(data)
        yield from [self._damage] if self._damage else []
        yield from self._end()
        # What follows the damage in a compressed capture still counts for size and digests.
        for _ in self._raw():
            pass

    def _end(self) -> list[CaptureEvent]:
        """What the parser has left to say; that the capture was cut short need not be said twice."""
        events = self._parser.close()
        if self._damage:
            return [event for event in events if not (isinstance(event, Problem) and event.kind == "capture-truncated")]
        return events

    def _raw(self) -> Iterator[bytes]:
        read = self._source.read
        while data := read(CHUNK):
            self.size += len(data)
            if self._hashes:
                self._hashes.update(data)
            yield data

    def _decompressed(self, compression: Compression, raw: Iterator[bytes]) -> Iterator[bytes]:
        for piece in decompress(compression, raw):
            if isinstance(piece, Problem):
                self._damage = piece
            else:
                yield piece

    def _choose(self, head: bytes) -> CaptureParser:
        if head[:_MAGIC_SIZE] == _PCAPNG_MAGIC and head[8:12] in pcapng.BYTE_ORDERS:
            return pcapng.PcapngParser()
        if head[:_MAGIC_SIZE] in pcap.VARIANTS:
            return pcap.PcapParser()
        raise CaptureError(self._refusal(head))

    def _refusal(self, head: bytes) -> str:
        inside = f", decompressed with {self.compression}," if self.compression else ""
        if not head:
            reason = self._damage.detail if self._damage else "no error in it, just no data"
            return f"{self.name}{inside} holds nothing: a pcap or pcapng capture was expected ({reason})."
        found = next((what for magic, what in _OTHER_FORMATS if head.startswith(magic)), None)
        if found is None:
            found = f"unknown: its first bytes are {head[:8].hex(' ')}"
        return f"{self.name}{inside} is no capture: pcap or pcapng was expected, but it is {found}."


class _Hashes:
    def __init__(self) -> None:
        import hashlib

        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self._sha1.update(data)
        self._sha256.update(data)

    def digests(self) -> Digests:
        return Digests(self._sha1.hexdigest(), self._sha256.hexdigest())


def _peek(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, enough to tell a format by (or all there are), and all pieces, those included."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= pcap.FILE_HEADER_SIZE:
            break
    return head, chain([head], pieces)
