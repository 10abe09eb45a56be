"""Is it HTTP? A look at the first bytes of one direction, on any port."""

from __future__ import annotations

import re
from typing import Final

from pcapng_utils.http.startline import TOKEN, parse_request_line, parse_status_line
from pcapng_utils.layers import CLIENT

HTTP2_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113, section 3.4."""

MAX_START_LINE: Final = 1 << 14
"""The end of a start line is not waited for past so many bytes."""

_REQUEST_BEGINS: Final = re.compile(rb"%s{1,64}(?:[ \t][^\r\n\x00-\x08]*\r?)?" % TOKEN)
_LONG_REQUEST: Final = re.compile(rb"[A-Z]{3,10} (?:/|https?://)")
_STATUS_BEGINS: Final = re.compile(rb"HTTP/1\.[0-9][ \t]+(?:[0-9]{1,3}|[0-9]{3}[ \t][^\n]*|[0-9]{3}\r)?", re.IGNORECASE)
_VERSION: Final = b"HTTP/1.1"


def looks_like_http1(data: bytes, direction: int) -> bool | None:
    """Whether `data`, the first bytes of a direction, begins with a request line (CLIENT) or a status line (SERVER).

    None: that cannot be said before there is more. Empty lines before it are allowed (RFC 9112, section 2.2).
    """
    data = data[:MAX_START_LINE].lstrip(b"\r\n")
    line, end, _ = data.partition(b"\n")
    if end:
        parse = parse_request_line if direction == CLIENT else parse_status_line
        return parse(line.removesuffix(b"\r")) is not None
    if len(data) == MAX_START_LINE:
        return direction == CLIENT and _LONG_REQUEST.match(data) is not None
    if direction == CLIENT:
        possible = not data or _REQUEST_BEGINS.fullmatch(data) is not None
    else:
        start = data[:8].upper()
        possible = _VERSION[:7].startswith(start[:7]) if len(data) < 9 else _STATUS_BEGINS.fullmatch(data) is not None
    return None if possible else False


def looks_like_http2_preface(data: bytes) -> bool | None:
    """Whether `data`, the first bytes of a client, is the connection preface of HTTP/2; None: too few to say."""
    if data.startswith(HTTP2_PREFACE):
        return True
    return None if HTTP2_PREFACE.startswith(data) else False
