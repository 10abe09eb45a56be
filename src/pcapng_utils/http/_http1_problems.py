"""What is wrong with a direction of HTTP/1.x, in words."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "http1-not-at-start": "an HTTP/1 stream does not begin with a start line; bytes before the first one are skipped",
    "http1-bad-start-line": "an HTTP/1 start line was expected, other bytes were found; those before the next are lost",
    "http1-gap": "bytes of an HTTP/1 stream were lost, and with them the place of the next message; it is searched for",
    "http1-head-too-long": "the header section of an HTTP/1 message is longer than any in use; it is skipped",
    "http1-trailers-too-long": "the trailers of an HTTP/1 message are longer than any in use; their end is left out",
    "http1-bad-field": "a header line of an HTTP/1 message has no name or no colon; it is left out",
    "http1-bad-chunk": "the size of a chunk was expected, other bytes were found; the next chunk is searched for",
    "http1-not-chunked": "a body was said to be chunked and is not; it is kept as it is, up to the next message",
    "http1-bad-event-stream": "a stream of server-sent events could not be read to its end",
}

AT_START: Final = frozenset(("http1-bad-start-line", "http1-gap"))
"""Called "http1-not-at-start" where nothing was read before."""
OF_NO_ACCOUNT: Final = frozenset(("http1-not-at-start", "http1-gap"))
"""Not worth telling where they cost nothing: the layer below has told what was lost."""
