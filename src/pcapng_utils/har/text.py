"""Bytes of headers and bodies as text, where they are text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_CHARSET = re.compile(r""";\s*charset\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+)""", re.IGNORECASE)

#: Codecs of Python that are no charsets of text, or that read escapes as characters.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7", "undefined"})

#: What stands under the name of an older, smaller charset: everybody reads it so (WHATWG Encoding, section 4.2).
_MEANT: Final = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}

_BYTE_ORDER_MARKS: Final = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}


def header_text(value: bytes) -> str:
    """A header's name or value, a method, a target: UTF-8 where it is valid, else ISO 8859-1 (RFC 9110, 5.5)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def declared_charset(content_type: str) -> str | None:
    """The charset parameter of a Content-Type value, as declared."""
    match = _CHARSET.search(content_type)
    return match[1].strip('"') if match else None


@lru_cache(maxsize=256)
def _codec_name(charset: str) -> str | None:
    """Python's name for a charset; None if it has none for text."""
    try:
        name = codecs.lookup(charset).name
        b"a".decode(name)  # a LookupError for codecs that are none of text
    except UnicodeError:
        pass
    except (LookupError, ValueError):
        return None
    return None if name in _NO_CHARSETS else name


@lru_cache(maxsize=256)
def charset_of(content_type: str) -> str:
    """Python's name of the charset a body is read in: the declared one where it is known, else UTF-8."""
    declared = declared_charset(content_type)
    name = (_codec_name(declared) if declared else None) or "utf-8"
    return _MEANT.get(name, name)


def body_text(data: bytes, content_type: str) -> str | None:
    """The body as text, or None if it is not text.

    Text decodes as its charset (`charset_of`) and has no control characters but tab, CR and LF. A byte order mark of
    UTF-8 is kept, as a character.
    """
    charset = charset_of(content_type)
    try:
        text = (b"".join(_marked([data], charset)) if charset in _BYTE_ORDER_MARKS else data).decode(charset)
    except (UnicodeError, ValueError):
        return None
    return None if _CONTROL.search(text) else text


def text_pieces(pieces: Iterable[bytes], content_type: str) -> Iterator[str]:
    """`body_text` for a body that is read in pieces: raises ValueError as soon as it is seen not to be text."""
    charset = charset_of(content_type)
    decoder = codecs.getincrementaldecoder(charset)()
    for piece in _marked(pieces, charset):
        text = decoder.decode(piece)
        if _CONTROL.search(text):
            raise ValueError("control characters")
        yield text
    yield decoder.decode(b"", final=True)


def _marked(pieces: Iterable[bytes], charset: str) -> Iterator[bytes]:
    """The pieces, behind the byte order mark that is assumed where there is none: little endian (WHATWG Encoding,
    section 4.2), whatever the order of this machine."""
    rest = iter(pieces)
    marks = _BYTE_ORDER_MARKS.get(charset)
    if marks is not None:
        head = b""
        for piece in rest:
            head += piece
            if len(head) >= len(marks[0]):
                break
        yield head if head.startswith(marks) else marks[0] + head
    yield from rest
