"""The HAR document: written entry by entry, from the spool."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from pcapng_utils.har.blobs import Blob, Blobs
from pcapng_utils.har.spool import StoredEntry
from pcapng_utils.har.timings import timing

_ENTRY_DEPTH: Final = 3
_LARGE: Final = 1 << 16
"""Bytes that are worth a call of the system of their own."""


class Annotations(msgspec.Struct):
    """What is added to an entry when everything is known."""

    request: dict[str, Any] = {}
    response: dict[str, Any] = {}
    entry: dict[str, Any] = {}
    websocket: list[dict[str, Any]] = []
    """For each of `_webSocketMessages`, in order; may be shorter."""


class Waiting(NamedTuple):
    """A part of an entry that waits on disk: the inside of a JSON string."""

    blobs: Blobs
    blob: Blob


Piece = bytes | Waiting


class HarWriter:
    """Writes one HAR document to `out`; `log` and `lists` come first, then the entries.

    `indent` 0 writes each entry on a line of its own; `ensure_ascii` escapes everything that is not ASCII.
    """

    def __init__(self, out: BinaryIO, *, indent: int = 2, ensure_ascii: bool = False) -> None:
        self._out = out
        self._write = out.write
        self._indent = indent
        # A character may be cut by the pieces a body is read in.
        self._decoder = codecs.getincrementaldecoder("utf-8")() if ensure_ascii else None

    def write(
        self,
        log: dict[str, Any],
        lists: Mapping[str, Iterable[dict[str, Any]]],
        entries: Iterable[Iterable[Piece]],
        after: Mapping[str, Iterable[dict[str, Any]]] | None = None,
    ) -> None:
        """`log`: small members; `lists`: members that are written item by item; `entries`: each as pieces of JSON;
        `after`: lists of which nothing is asked before the last entry was written.
        """
        newline = b"\n" + b" " * self._indent if self._indent else b"\n"
        deeper = newline + b" " * self._indent
        self._write(b"{" + newline + b'"log": {')
        for name, value in log.items():
            self._write(deeper + msgspec.json.encode(name) + b": ")
            self.put(self._formatted(msgspec.json.encode(value), 2))
            self._write(b",")
        for name, items in lists.items():
            self._write_items(name, items, deeper)
            self._write(b",")
        self._write(deeper + b'"entries": ')
        self._write_list(entries, deeper)
        for name, items in (after or {}).items():
            self._write(b",")
            self._write_items(name, items, deeper)
        self._write(newline + b"}\n}\n")

    def entry(self, blobs: Blobs, stored: StoredEntry, *, first: bool, late: Annotations) -> Iterator[Piece]:
        """The JSON of an entry, in pieces."""
        times = timing(stored.timeline, stored.opening if first else None)
        skeleton = b"".join(
            (
                msgspec.json.encode(times.to_har())[:-1],
                b",",
                _with_websocket(stored.fields, late.websocket)[1:-1],
                _inside(late.entry),
                b',"request":',
                stored.request[:-1],
                _inside(late.request),
                b'},"response":',
                stored.response[:-1],
                _inside(late.response),
                b"}}",
            )
        )
        rest = self._formatted(skeleton, _ENTRY_DEPTH)
        for marker, blob in stored.blobs:
            before, _, rest = rest.partition(marker)
            yield before + b'"'
            yield Waiting(blobs, blob)
            yield b'"'
        yield rest

    def _write_items(self, name: str, items: Iterable[dict[str, Any]], newline: bytes) -> None:
        """A member that is a list of small objects."""
        self._write(newline + msgspec.json.encode(name) + b": ")
        self._write_list(([self._formatted(msgspec.json.encode(item), _ENTRY_DEPTH)] for item in items), newline)

    def _write_list(self, items: Iterable[Iterable[Piece]], newline: bytes) -> None:
        item_line = newline + b" " * self._indent
        separator = b"[" + item_line
        for item in items:
            self._write(separator)
            for piece in item:
                self.put(piece)
            separator = b"," + item_line
        self._write(b"[]" if separator.startswith(b"[") else newline + b"]")

    def _formatted(self, json: bytes, depth: int) -> bytes:
        if not self._indent:
            return json
        return msgspec.json.format(json, indent=self._indent).replace(b"\n", b"\n" + b" " * (self._indent * depth))

    def put(self, piece: Piece) -> None:
        """Write a piece of JSON; of what waits on disk, little at a time."""
        if isinstance(piece, Waiting):
            done = self._send(piece) if self._decoder is None and piece.blob.length >= _LARGE else 0
            offset, length = piece.blob
            for part in piece.blobs.read(Blob(offset + done, length - done)):
                self._put(part)
        else:
            self._put(piece)

    def _send(self, piece: Waiting) -> int:
        """Let the system copy what needs no change, if this is a file."""
        try:
            descriptor = self._out.fileno()
        except (AttributeError, OSError):
            return 0
        self._out.flush()
        return piece.blobs.send(piece.blob, descriptor)

    def _put(self, piece: bytes) -> None:
        if self._decoder is not None and not piece.isascii():
            piece = self._decoder.decode(piece).encode("ascii", "json-escape")
        self._write(piece)


def _inside(fields: dict[str, Any]) -> bytes:
    """Members to be added behind others."""
    return b"," + msgspec.json.encode(fields)[1:-1] if fields else b""


def _with_websocket(fields: bytes, additions: list[dict[str, Any]]) -> bytes:
    if not any(additions):
        return fields
    decoded = msgspec.json.decode(fields)
    for message, addition in zip(decoded.get("_webSocketMessages", ()), additions, strict=False):
        message.update(addition)
    return msgspec.json.encode(decoded)


def _json_escape(error: UnicodeError) -> tuple[str, int]:
    """Error handler for "ascii": the characters as JSON escapes, those beyond U+FFFF as surrogate pairs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)), error.end


codecs.register_error("json-escape", _json_escape)
