"""Field lines of HTTP/1.x headers and trailers (RFC 9112, section 5), read leniently."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pcapng_utils.http.exchange import Header

_SPACE: Final = b" \t\r"
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")


class Fields(NamedTuple):
    headers: list[Header]
    unreadable: list[bytes]
    """Lines that are no field lines: they have no colon, or no name before it."""


def parse_fields(block: bytes) -> Fields:
    """The lines of `block`, up to and with the empty one or not; they may end in LF alone.

    Names and values are as sent, without the white space around them; folded lines (RFC 9112, section 5.2) are joined
    by one space.
    """
    if b"\n " in block or b"\n\t" in block:
        block = _FOLD.sub(b" ", block)
    headers: list[Header] = []
    unreadable: list[bytes] = []
    for line in block.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and (name := name.strip(_SPACE)):
            headers.append((name, value.strip(_SPACE)))
        elif line := line.strip(_SPACE):
            unreadable.append(line)
    return Fields(headers, unreadable)
