"""Finding HTTP/2 frames in a stream whose place was lost.

Strategy: the nine bytes of a frame's header leave little to chance: the length (of a frame no larger than every
endpoint must take), a known type with the flags, the length and the kind of stream that this type has. A regular
expression finds the candidates; one is believed if the next two headers, where its length says they are, are plausible
too, and of streams that are not far from one another. Only the bytes decide, never how they were cut into chunks. At
the end of the stream a shorter chain will do, if it is not broken.
"""

from __future__ import annotations

import re
from typing import Final

from pcapng_utils.layers import Stamp

HEADER_SIZE: Final = 9

Run = tuple[bytes, Stamp]
"""Successive bytes and where they were."""

_CHAIN: Final = 3
"""Headers that must follow from one another."""

_MAX_SPREAD: Final = 1 << 14
"""Between the identifiers of streams that are in use at the same time."""

#: RFC 9113, section 6: the length (some, up to 0x4000), type, flags and stream (some, with the reserved bit clear, or
#: none) of each type of frame that is of any use.
_STREAM: Final = rb"(?!\x00{4})[\x00-\x7f].{3}"
_SOME: Final = rb"(?!\x00{3})\x00(?:[\x00-\x3f].|\x40\x00)"
_USEFUL: Final = (
    _SOME + rb"\x00[\x00\x01\x08\x09]" + _STREAM,  # DATA
    _SOME + rb"\x01[\x00\x01\x04\x05\x08\x09\x0c\x0d\x20\x21\x24\x25\x28\x29\x2c\x2d]" + _STREAM,  # HEADERS
    rb"\x00\x00\x05\x02\x00" + _STREAM,  # PRIORITY
    rb"\x00\x00\x04\x03\x00" + _STREAM,  # RST_STREAM
    rb"\x00\x00[\x06\x0c\x12\x18\x1e\x24\x2a\x30\x36\x3c]\x04\x00\x00{4}",  # SETTINGS
    rb"\x00{3}\x04\x01\x00{4}",  # SETTINGS, acknowledged
    _SOME + rb"\x05[\x00\x04\x08\x0c]" + _STREAM,  # PUSH_PROMISE
    rb"\x00\x00\x08\x06[\x00\x01]\x00{4}",  # PING
    rb"\x00[\x00-\x3f][\x08-\xff]\x07\x00\x00{4}",  # GOAWAY
    rb"\x00\x00\x04\x08\x00[\x00-\x7f].{3}(?!\x00{4})",  # WINDOW_UPDATE, by some
    _SOME + rb"\x09[\x00\x04]" + _STREAM,  # CONTINUATION
)
_FIRST: Final = re.compile(b"|".join(_USEFUL), re.DOTALL)
#: The mere end of a stream, too: but five bytes like these may stand in the middle of a header.
_NEXT: Final = re.compile(b"|".join((*_USEFUL, rb"\x00{4}\x01" + _STREAM)), re.DOTALL)


class FrameSearch:
    """Takes in one direction's bytes until it knows where a frame begins."""

    __slots__ = ("_at", "_buffer", "_hopeless", "_runs", "skipped")

    def __init__(self, *, hopeless: bool = False) -> None:
        """`hopeless`: what comes is not worth looking at."""
        self._hopeless = hopeless
        self._buffer = bytearray()
        """What may yet be frames; `_runs` are the same bytes."""
        self._runs: list[Run] = []
        self._at = 0
        """Where in the buffer the search goes on."""
        self.skipped = 0
        """Bytes that were found to be no frames, or parts of frames that began before."""

    def add(self, data: bytes, stamp: Stamp) -> None:
        """Take in the next bytes."""
        if self._hopeless:
            self.skipped += len(data)
            return
        self._buffer += data
        self._runs.append((data, stamp))

    def find(self, *, final: bool = False) -> list[Run] | None:
        """The bytes from the first frame on, once it is found; the search is over then.

        `final`: nothing follows, what there is must do.
        """
        buffer = self._buffer
        while candidate := _FIRST.search(buffer, self._at):
            verdict = self._follow(candidate.start(), final)
            if verdict:
                self._skip(candidate.start())
                return self._runs
            self._at = candidate.start()
            if verdict is None:
                break
            self._at += 1
        else:
            self._at = max(self._at, len(buffer) - HEADER_SIZE + 1)
        self._skip(len(buffer) if final else self._at)
        return None

    def _follow(self, position: int, final: bool) -> bool | None:
        """Whether a chain of headers begins here; None: the bytes that would tell are still to come."""
        buffer = self._buffer
        # A single frame up to the very end is one if nothing of it had to be guessed.
        enough = 1 if position == self.skipped == 0 else 2
        streams: list[int] = []
        for length in range(_CHAIN):
            if position + HEADER_SIZE > len(buffer):
                return (position == len(buffer) and length >= enough) if final else None
            if not _NEXT.match(buffer, position):
                return False
            stream = int.from_bytes(buffer[position + 5 : position + HEADER_SIZE], "big")
            if stream:
                streams.append(stream)
                if max(streams) - min(streams) > _MAX_SPREAD:
                    return False
            position += HEADER_SIZE + int.from_bytes(buffer[position : position + 3], "big")
        return True

    def _skip(self, count: int) -> None:
        """Let go of the first `count` bytes of the buffer."""
        del self._buffer[:count]
        self._at -= count
        self.skipped += count
        runs = self._runs
        passed = 0
        while passed < len(runs) and count >= len(runs[passed][0]):
            count -= len(runs[passed][0])
            passed += 1
        del runs[:passed]
        if count:
            data, stamp = runs[0]
            runs[0] = data[count:], stamp
