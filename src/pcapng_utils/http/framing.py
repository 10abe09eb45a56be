"""How long is the body? RFC 9112, section 6.3, for a reader that must go on where an endpoint would give up."""

from __future__ import annotations

from typing import Final, NamedTuple

from pcapng_utils.http.exchange import Header

CHUNKED: Final = -1
"""The body is in chunks (RFC 9112, section 7.1)."""
UNTIL_CLOSE: Final = -2
"""The body ends with the stream."""

_MAX_DIGITS: Final = 18


class BodyLength(NamedTuple):
    size: int
    """Bytes, or `CHUNKED`, or `UNTIL_CLOSE`."""
    fault: str = ""
    """What is wrong with the headers that say so; empty if nothing."""


def body_length(headers: list[Header], otherwise: int) -> BodyLength:
    """What Transfer-Encoding and Content-Length say; `otherwise`: the length where they say nothing (a request has no
    body, a response one until the connection closes)."""
    codings: list[bytes] = []
    lengths: list[bytes] = []
    for name, value in headers:
        # The lengths of the two names: most headers need no copy in lower case.
        if len(name) == 14 and name.lower() == b"content-length":
            lengths += value.split(b",")
        elif len(name) == 17 and name.lower() == b"transfer-encoding":
            codings += value.lower().split(b",")
    if codings:
        last = codings[-1].partition(b";")[0].strip()
        if last == b"chunked":
            return BodyLength(CHUNKED, "both Transfer-Encoding and Content-Length" if lengths else "")
        if any(coding.strip() not in (b"", b"identity") for coding in codings):
            fault = "Transfer-Encoding does not end in chunked"
            return BodyLength(_content_length(lengths, otherwise).size if otherwise == 0 else otherwise, fault)
    return _content_length(lengths, otherwise) if lengths else BodyLength(otherwise)


def _content_length(lengths: list[bytes], otherwise: int) -> BodyLength:
    sizes = [length.strip(b' \t"') for length in lengths]
    readable = [int(size) for size in sizes if size.isdigit() and len(size) <= _MAX_DIGITS]
    if not readable:
        return BodyLength(otherwise, "Content-Length is no number" if sizes else "")
    if len(readable) < len(sizes) or len(set(readable)) > 1:
        return BodyLength(readable[0], "Content-Length contradicts itself")
    return BodyLength(readable[0])
