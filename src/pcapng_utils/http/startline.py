"""Start lines of HTTP/1.x messages (RFC 9112, sections 3 and 4), read leniently.

Strategy: what nearly all senders write is read by a few slices; what is left is read a second time, with leave for odd
spacing, lower case, and a missing reason phrase. A version is always asked for: it is what tells HTTP from RTSP, SIP
and plain text.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

LONGEST_METHOD: Final = 64
"""Longer tokens are no methods, but bytes of a body before a request line."""

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
"""A character of a token (RFC 9110, section 5.6.2)."""

_SPACE: Final = b" \t"
_METHOD: Final = re.compile(rb"(%s{1,%d})[ \t]" % (TOKEN, LONGEST_METHOD))
_PATH: Final = re.compile(rb"/|https?://", re.IGNORECASE)
"""How a target with spaces inside must begin: "GET /a b HTTP/1.1" is a request, prose before a version is not."""
_VERSION: Final = re.compile(rb"HTTP/1\.[0-9]", re.IGNORECASE)
_STATUS: Final = re.compile(rb"(?i:HTTP/1\.([0-9])|ICY)[ \t]+([0-9]{3})(?:[ \t]+(.*))?", re.DOTALL)

_VERSIONS: Final = {b"HTTP/1.1": "HTTP/1.1", b"HTTP/1.0": "HTTP/1.0"}
_STATUS_VERSIONS: Final = {b"HTTP/1.1 ": "HTTP/1.1", b"HTTP/1.0 ": "HTTP/1.0"}


class RequestLine(NamedTuple):
    method: bytes
    target: bytes
    version: str


class StatusLine(NamedTuple):
    version: str
    """"HTTP/1.0" also for ICY, SHOUTcast's name for it."""
    status: int
    reason: bytes


def parse_request_line(line: bytes) -> RequestLine | None:
    """`line` without its line end; None if it is no request line of HTTP/1.x."""
    parts = line.split(b" ")
    if (
        len(parts) == 3
        and parts[1]
        and (known := _VERSIONS.get(parts[2]))
        and parts[0].isalpha()
        and len(parts[0]) <= LONGEST_METHOD
    ):
        return RequestLine(parts[0], parts[1], known)
    method = _METHOD.match(line)
    if method is None:
        return None
    rest = line[method.end() :].strip(_SPACE)
    target, version = rest[:-9].rstrip(_SPACE), rest[-8:]
    if not target or rest[-9] not in _SPACE or not _VERSION.fullmatch(version):
        return None
    if (b" " in target or b"\t" in target) and not _PATH.match(target):
        return None
    return RequestLine(method[1], target, version.decode().upper())


def parse_status_line(line: bytes) -> StatusLine | None:
    """`line` without its line end; None if it is no status line of HTTP/1.x."""
    known = _STATUS_VERSIONS.get(line[:9])
    if known and line[12:13] == b" " and line[9:12].isdigit():
        return StatusLine(known, int(line[9:12]), line[13:].strip(_SPACE))
    match = _STATUS.fullmatch(line)
    if match is None:
        return None
    minor, status, reason = match.groups()
    return StatusLine(f"HTTP/1.{(minor or b'0').decode()}", int(status), (reason or b"").strip(_SPACE))
