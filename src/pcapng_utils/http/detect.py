"""Is it HTTP? A look at the first bytes of one direction, on any port."""

from __future__ import annotations

import re
from typing import Final

from pcapng_utils.http.startline import LONGEST_METHOD, TOKEN, parse_request_line, parse_status_line
from pcapng_utils.layers import CLIENT

HTTP2_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113, section 3.4."""

MAX_START_LINE: Final = 1 << 14
"""The end of a start line is not waited for past so many bytes."""


def _begins(*parts: bytes) -> re.Pattern[bytes]:
    """A pattern for the beginnings of what consists of these parts, each of which is optional if all after it are."""
    pattern = b""
    for part in reversed(parts):
        pattern = b"(?:" + part + pattern + b")?"
    return re.compile(pattern, re.IGNORECASE)


_REQUEST_BEGINS: Final = _begins(rb"%s{1,%d}" % (TOKEN, LONGEST_METHOD), rb"[ \t][^\n]*")
_STATUS: Final = (rb"[ \t]+", b"[0-9]", b"[0-9]", b"[0-9]", rb"(?:\r+|[ \t][^\n]*)")
_STATUS_BEGINS: Final = _begins(b"H", b"T", b"T", b"P", b"/", b"1", rb"\.", b"[0-9]", *_STATUS)
_ICY_BEGINS: Final = _begins(b"I", b"C", b"Y", *_STATUS)
_BEGINS: Final = ((_REQUEST_BEGINS,), (_STATUS_BEGINS, _ICY_BEGINS))
"""By direction."""
_SETTINGS_BEGIN: Final = re.compile(
    rb"\x00(?:\x00(?:[%s](?:\x04(?:\x00{0,5}))?)?)?" % re.escape(bytes(range(0, 256, 6))), re.DOTALL
)
"""The header of the frame: a length of so many settings, its type, no flag, no stream."""
_LONG_REQUEST: Final = re.compile(rb"[A-Z]{3,10} (?:/|https?://)")


def looks_like_http1(data: bytes, direction: int) -> bool | None:
    """Whether `data`, the first bytes of a direction, begins with a request line (CLIENT) or a status line (SERVER).

    None: that cannot be said before there is more. Empty lines before it are allowed (RFC 9112, section 2.2).
    """
    data = data[:MAX_START_LINE].lstrip(b"\r\n")
    line, end, _ = data.partition(b"\n")
    if end:
        parse = parse_request_line if direction == CLIENT else parse_status_line
        return parse(line.rstrip(b"\r")) is not None
    if len(data) == MAX_START_LINE:
        return direction == CLIENT and _LONG_REQUEST.match(data) is not None
    return None if any(pattern.fullmatch(data) for pattern in _BEGINS[direction]) else False


def looks_like_http2_preface(data: bytes) -> bool | None:
    """Whether `data`, the first bytes of a client, is the connection preface of HTTP/2; None: too few to say."""
    if data.startswith(HTTP2_PREFACE):
        return True
    return None if HTTP2_PREFACE.startswith(data) else False


def may_be_http2_settings(data: bytes) -> bool:
    """Whether `data` may begin with the SETTINGS that a server sends first (RFC 9113, section 3.4)."""
    return _SETTINGS_BEGIN.fullmatch(data[:9]) is not None
