"""Finding the next message (or chunk) of HTTP/1.x in bytes whose place is not known: after a hole, in garbage, in a
connection whose beginning was not captured.

Strategy: a start line is so particular that it can be told from a body's bytes wherever it stands, if it is whole. So
bytes are let pass up to the last line end; the line that is not ended yet is held back (so much of it as a start line
may be long), that the cuts between packets make no difference.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final

from pcapng_utils.http.startline import TOKEN
from pcapng_utils.layers import Stamp

_LONGEST: Final = 8192
"""Bytes of a start line that can be found. No pattern matches more."""

_METHODS: Final = (
    b"GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND|PROPPATCH|MKCOL|MKCALENDAR|COPY|MOVE|LOCK|UNLOCK"
    b"|REPORT|SEARCH|MERGE|CHECKOUT|SUBSCRIBE|UNSUBSCRIBE|NOTIFY|M-SEARCH|PURGE|QUERY|LINK|UNLINK"
)
"""Those that are recognised in the middle of a line; others are at its start."""

REQUEST: Final = re.compile(rb"(?:%s|(?<=\n)%s{1,32}) [^ \r\n]{1,8000} HTTP/1\.[01]\r?\n" % (_METHODS, TOKEN))
RESPONSE: Final = re.compile(rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [^\r\n]{0,1000})?\r?\n")
_MARK: Final = b"HTTP/1."

_CHUNK: Final = rb"(?P<chunk>(?<=\r\n)[0-9A-Fa-f]{1,8}(?:;[^\r\n]{0,1000})?\r\n)"
START_LINES: Final = (REQUEST, RESPONSE)
"""By direction: where a message starts."""
CHUNKS: Final = tuple(re.compile(_CHUNK + b"|" + pattern.pattern) for pattern in START_LINES)
"""By direction: where a message or a chunk starts."""

Pass = Callable[[bytes, Stamp], None]
"""What is done with the bytes before a match."""


class Scanner:
    """Looks for the first match of a pattern, across the pieces it is fed."""

    __slots__ = ("_any_line", "_held", "_held_size", "_let_pass", "_pattern", "found_chunk", "head")

    def __init__(self, pattern: re.Pattern[bytes], let_pass: Pass) -> None:
        self._pattern = pattern
        self._any_line = pattern in CHUNKS
        self._let_pass = let_pass
        self._held: deque[tuple[bytes, Stamp]] = deque()
        self._held_size = 0
        self.head: list[tuple[bytes, Stamp]] = []
        """After a match: the part of it that came with earlier pieces."""
        self.found_chunk = False
        """After a match: whether it is a chunk that was found, not a message."""

    def feed(self, data: bytes, stamp: Stamp) -> int | None:
        """Where in `data` the match goes on (or begins); None: there is none yet."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._hold(data, stamp)
            self._trim()
            return None
        text = b"".join([piece for piece, _ in self._held] + [data[:end]])
        match = self._pattern.search(text) if self._any_line or _MARK in text else None
        if match is None:
            self._hold(data, stamp)
            # The line end stays: a pattern may ask for it.
            self._release(len(text) - 2)
            self._trim()
            return None
        self.found_chunk = match.lastgroup == "chunk"
        start = match.start()
        in_data = start - self._held_size
        if in_data >= 0:
            self.flush()
            self._let_pass(data[:in_data], stamp)
            return in_data
        self._release(start)
        self.head = list(self._held)
        return 0

    def flush(self) -> None:
        """Let pass what is held back: nothing that comes can make a match of it."""
        self._release(self._held_size)

    def _hold(self, data: bytes, stamp: Stamp) -> None:
        self._held.append((data, stamp))
        self._held_size += len(data)

    def _trim(self) -> None:
        while self._held_size - len(self._held[0][0]) >= _LONGEST:
            self._release(len(self._held[0][0]))

    def _release(self, size: int) -> None:
        """Let the first `size` of the bytes held back pass."""
        while size > 0:
            piece, stamp = self._held.popleft()
            if len(piece) > size:
                self._held.appendleft((piece[size:], stamp))
                piece = piece[:size]
            size -= len(piece)
            self._held_size -= len(piece)
            self._let_pass(piece, stamp)
