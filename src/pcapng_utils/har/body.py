"""A message's body as HAR wants it: decoded, then as text or base64; large ones without holding them in memory.

A small body becomes a value of the entry like any other. A large one is written to the spool as the inside of a JSON
string, piece by piece, and the entry holds a marker in its place, which the writer exchanges for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import pybase64

from pcapng_utils.har.blobs import Blob, WriteBlob
from pcapng_utils.har.text import body_text, text_pieces
from pcapng_utils.http.body import Body, BodyFactory
from pcapng_utils.http.codings import Decoder

#: Bodies up to this many bytes (before and after decoding) are values of the entry, unless another limit is asked for.
SMALL_BODY: Final = 1 << 18

#: Bytes that any body may become.
_PLAUSIBLE: Final = 1 << 20

_BASE64_PIECE: Final = 3 << 16


class BodyLimits(msgspec.Struct, frozen=True):
    """What a decompression bomb is stopped at."""

    decoded: int = 1 << 28
    """Bytes a decoded body may have."""
    expansion: int = 1100
    """What may become of a byte, where more than a megabyte comes out. gzip makes 1032 at most; brotli, zstd and a
    coding in a coding make millions."""


_DEFAULT_LIMITS: Final = BodyLimits()


class Content(msgspec.Struct):
    """A decoded body."""

    size: int
    sha256: str
    text: str | Blob | None = None
    """None: left out by request."""
    encoding: str | None = None
    """"base64" where the body is not text."""
    decoded: bool | None = None
    """Whether the codings were undone; None where there are none."""
    problem: str = ""


def read_body(
    body: Body,
    codings: Sequence[str],
    content_type: str,
    new_body: BodyFactory,
    write_blob: WriteBlob | None,
    *,
    small: int = SMALL_BODY,
    whole: bool = True,
    limits: BodyLimits = _DEFAULT_LIMITS,
) -> Content:
    """Undo the codings of a body (`message_codings`) and find its form.

    `write_blob` None: the bodies are not wanted, their sizes and digests alone. `whole` False: the body was cut short,
    and what can be decoded of it is its content.
    """
    clear, decoded, problem = _decode(body, codings, new_body, limits, whole=whole)
    if clear.size <= small:
        content = _small(clear.getvalue(), content_type, wanted=write_blob is not None)
    else:
        content = _large(clear, content_type, write_blob)
    content.decoded, content.problem = decoded, problem
    if clear is not body:
        clear.discard()
    return content


def _decode(
    body: Body, codings: Sequence[str], new_body: BodyFactory, limits: BodyLimits, *, whole: bool
) -> tuple[Body, bool | None, str]:
    """The decoded body, or the body as it is; whether it was decoded (None: nothing to do); what was wrong."""
    if not codings or not body.size:
        return body, None, ""
    decoder = Decoder(codings, limit=min(limits.decoded, max(_PLAUSIBLE, limits.expansion * body.size)))
    clear = new_body()
    for piece in body.chunks():
        for part in decoder.feed(piece):
            clear.append(part)
        if decoder.problem:
            break
    for part in decoder.finish():
        clear.append(part)
    if not decoder.problem:
        return clear, True, ""
    if not whole and clear.size:
        return clear, True, decoder.problem
    clear.discard()
    return body, False, decoder.problem


def _small(data: bytes, content_type: str, *, wanted: bool) -> Content:
    content = Content(len(data), hashlib.sha256(data).hexdigest())
    if wanted:
        content.text = body_text(data, content_type)
        if content.text is None:
            content.text, content.encoding = pybase64.b64encode_as_string(data), "base64"
    return content


def _large(body: Body, content_type: str, write_blob: WriteBlob | None) -> Content:
    digest = hashlib.sha256()
    for piece in body.chunks():
        digest.update(piece)
    content = Content(body.size, digest.hexdigest())
    if write_blob is None:
        return content
    if _is_text(body, content_type):
        content.text = write_blob(map(_json_inside, text_pieces(body.chunks(), content_type)))
    else:
        content.text, content.encoding = write_blob(_base64_pieces(body.chunks())), "base64"
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
    """Base64 of pieces of any length as if they were one, in large pieces: those of a body are as short as records."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _BASE64_PIECE:
            data = memoryview(b"".join(waiting))
            whole = size - size % 3
            for start in range(0, whole, _BASE64_PIECE):
                yield pybase64.b64encode(data[start : min(start + _BASE64_PIECE, whole)])
            waiting, size = [bytes(data[whole:])], size - whole
    if size:
        yield pybase64.b64encode(b"".join(waiting))
