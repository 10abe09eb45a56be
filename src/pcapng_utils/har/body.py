"""A message's body as HAR wants it: decoded, then as text or base64; large ones without holding them in memory.

A small body becomes a value of the entry like any other. A large one is written to the spool as the inside of a JSON
string, piece by piece, and the entry holds a marker in its place, which the writer exchanges for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import pybase64

from pcapng_utils.har.text import body_text, text_pieces
from pcapng_utils.http.body import Body, BodyFactory
from pcapng_utils.http.codings import Decoder, decode_body

#: Bodies up to this many bytes (before and after decoding) are values of the entry, unless another limit is asked for.
SMALL_BODY: Final = 1 << 18

#: Bytes a decoded body may have: what a decompression bomb is cut at.
DECODED_LIMIT: Final = 1 << 30

_BASE64_PIECE: Final = 3 << 16


class Blob(NamedTuple):
    """The inside of a JSON string that waits in the spool."""

    offset: int
    length: int


WriteBlob = Callable[[Iterable[bytes]], Blob]
"""Appends pieces to the spool."""


@dataclass(slots=True)
class Content:
    """A decoded body."""

    size: int
    sha256: str
    text: str | Blob | None
    """None: left out by request, or there is none."""
    encoding: str | None
    """"base64" where the body is not text."""
    decoded: bool | None
    """Whether the content codings were undone; None where there are none."""
    problem: str = ""


def read_body(
    body: Body,
    content_encoding: bytes | None,
    content_type: str,
    new_body: BodyFactory,
    write_blob: WriteBlob | None,
    small: int = SMALL_BODY,
) -> Content:
    """Undo the content codings of a body and find its form.

    `write_blob` None: the bodies are not wanted, their sizes and digests alone.
    """
    if body.size <= small:
        result = decode_body(body.getvalue(), content_encoding, limit=DECODED_LIMIT)
        if len(result.data) <= small:
            return _small(result.data, content_type, result.decoded, result.problem, wanted=write_blob is not None)
        body = new_body()
        body.append(result.data)
        return _large(body, content_type, result.decoded, result.problem, write_blob)
    decoder = Decoder.for_header(content_encoding, limit=DECODED_LIMIT) if content_encoding else None
    if decoder is None:
        return _large(body, content_type, None, "", write_blob)
    clear = new_body()
    for piece in body.chunks():
        clear.append(decoder.feed(piece))
    clear.append(decoder.finish())
    if decoder.problem and not decoder.decoded:
        clear.discard()
        return _large(body, content_type, False, decoder.problem, write_blob)
    return _large(clear, content_type, decoder.decoded, decoder.problem, write_blob)


def _small(data: bytes, content_type: str, decoded: bool | None, problem: str, *, wanted: bool) -> Content:
    digest = hashlib.sha256(data).hexdigest()
    if not wanted or not data:
        return Content(len(data), digest, None, None, decoded, problem)
    text = body_text(data, content_type)
    if text is not None:
        return Content(len(data), digest, text, None, decoded, problem)
    return Content(len(data), digest, pybase64.b64encode_as_string(data), "base64", decoded, problem)


def _large(body: Body, content_type: str, decoded: bool | None, problem: str, write_blob: WriteBlob | None) -> Content:
    digest = hashlib.sha256()
    for piece in body.chunks():
        digest.update(piece)
    content = Content(body.size, digest.hexdigest(), None, None, decoded, problem)
    if write_blob is None:
        return content
    if _is_text(body, content_type):
        content.text = write_blob(map(_json_inside, text_pieces(body.chunks(), content_type)))
    else:
        content.text = write_blob(_base64_pieces(body.chunks()))
        content.encoding = "base64"
    return content


def _is_text(body: Body, content_type: str) -> bool:
    try:
        for _ in text_pieces(body.chunks(), content_type):
            pass
    except ValueError:
        return False
    return True


def _json_inside(text: str) -> bytes:
    return msgspec.json.encode(text)[1:-1]


def _base64_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Base64 of pieces of any length as if they were one."""
    rest = b""
    for piece in pieces:
        data = rest + piece if rest else piece
        whole = len(data) - len(data) % 3
        rest = data[whole:]
        view = memoryview(data)
        for start in range(0, whole, _BASE64_PIECE):
            yield pybase64.b64encode(view[start : min(start + _BASE64_PIECE, whole)])
    if rest:
        yield pybase64.b64encode(rest)
