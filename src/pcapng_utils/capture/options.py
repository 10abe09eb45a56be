"""The parts of pcapng blocks that are lists: an interface's options, the records of a Name Resolution Block."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from pcapng_utils.capture.events import ResolvedName

_IF_TSRESOL: Final = 9
_IF_TSOFFSET: Final = 14

_NRB_IPV4: Final = 1
_NRB_IPV6: Final = 2

_NS: Final = 1_000_000_000

#: Latest time believed, in ns: in the year 2116. Sums of it and an offset like it still fit in 64 bits.
TIME_LIMIT: Final = 1 << 62


class Interface(NamedTuple):
    """What an Interface Description Block says: a time of `t` units is at `t * tick // divisor + shift` ns."""

    link_type: int
    tick: int
    divisor: int
    shift: int
    late: int
    """Times whose upper 32 bits are this or more are too far in the future to be true (and for 64 bits of ns)."""
    snaplen: int
    """0: no limit."""


def interface(data: bytes, start: int, end: int, byte_order: str) -> Interface:
    """Read the Interface Description Block `data[start:end]` (without its final length), of 16 bytes at least."""
    link_type, _, snaplen = Struct(byte_order + "HHI").unpack_from(data, start + 8)
    resolution = 6
    shift = 0
    for code, value in _items(data, start + 16, end, byte_order):
        if code == _IF_TSRESOL and len(value) >= 1:
            resolution = value[0]
        elif code == _IF_TSOFFSET and len(value) >= 8:
            shift = Struct(byte_order + "q").unpack_from(value)[0] * _NS
            if abs(shift) > TIME_LIMIT:
                shift = 0
    units = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    tick, divisor = (_NS // units, 1) if _NS % units == 0 else (_NS, units)
    late = max(1, (TIME_LIMIT * divisor // tick) >> 32)
    return Interface(link_type, tick, divisor, shift, late, snaplen)


def resolved_names(data: bytes, start: int, end: int, byte_order: str) -> Iterator[ResolvedName]:
    """Read the records `data[start:end]` of a Name Resolution Block."""
    from socket import AF_INET, AF_INET6, inet_ntop

    families = {_NRB_IPV4: (AF_INET, 4), _NRB_IPV6: (AF_INET6, 16)}
    for kind, value in _items(data, start, end, byte_order):
        if kind not in families:
            continue
        family, size = families[kind]
        if len(value) <= size:
            continue
        address = inet_ntop(family, value[:size])
        for name in value[size:].split(b"\0"):
            if name:
                yield ResolvedName(address, name.decode("utf-8", "replace"))


def _items(data: bytes, start: int, end: int, byte_order: str) -> Iterator[tuple[int, bytes]]:
    """The (code, value) pairs of a list that ends with code 0; values are padded to 32 bits."""
    header = Struct(byte_order + "HH")
    while start + 4 <= end:
        code, length = header.unpack_from(data, start)
        start += 4
        if code == 0 or start + length > end:
            return
        yield code, data[start : start + length]
        start += (length + 3) & ~3
