"""Bytes that a fuzzer makes, read as what a layer is fed, and the other way.

One event is three bytes and its data: a byte that says what it is and for which direction, and a length. What is too
short for that is left out, so that nearly every input means something.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

DATA, GAP, END, MARK = 0, 1, 2, 3
_HEADER: Final = struct.Struct("!BH")


class Event(NamedTuple):
    direction: int
    kind: int
    data: bytes = b""
    size: int = 0
    """Of a gap."""
    option: int = 0
    """Six more bits, for whoever needs them."""


def read_events(data: bytes) -> Iterator[Event]:
    at = 0
    while at + _HEADER.size <= len(data):
        flags, size = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        kind = flags >> 1 & 3
        if kind in (DATA, MARK):
            yield Event(flags & 1, kind, data[at : at + size], 0, flags >> 3)
            at += size
        else:
            yield Event(flags & 1, kind, b"", size, flags >> 3)


def write_events(events: Iterable[Event]) -> bytes:
    parts = []
    for event in events:
        size = event.size if event.kind in (GAP, END) else len(event.data)
        parts.append(_HEADER.pack(event.direction | event.kind << 1 | event.option << 3, min(size, 0xFFFF)))
        parts.append(event.data[:0xFFFF])
    return b"".join(parts)
