"""IPv4 (RFC 791) and IPv6 (RFC 8200) headers, up to their payload.

Checksums are not verified: network cards fill them in after the capture was taken. A total length of 0 is believed to
be the capturing system's (segmentation left to the network card), and means all there is.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from pcapng_utils.net.cursor import IPV4, IPV6, NOTHING, PROTOCOL, Cursor, Handler, Malformed

_IPV4_HEADER: Final = Struct(">BxHHHxBxx4s4s")
_IPV6_HEADER: Final = Struct(">BxxxHBx16s16s")
_FRAGMENT_HEADER: Final = Struct(">BxHI")

_MORE_FRAGMENTS: Final = 0x2000
_FRAGMENT_OFFSET: Final = 0x1FFF

_HOP_BY_HOP: Final = 0
_ROUTING: Final = 43
_FRAGMENT: Final = 44
_AUTHENTICATION: Final = 51
_DESTINATION_OPTIONS: Final = 60

_EXTENSIONS: Final = frozenset((_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION_OPTIONS))


def ipv4(cursor: Cursor) -> int:
    """An IPv4 header, with its options."""
    start = cursor.take(20, "ip")
    first, total, identification, fragment, protocol, source, destination = _IPV4_HEADER.unpack_from(cursor.data, start)
    size = (first & 0x0F) * 4
    if first >> 4 != 4 or size < 20 or (total and total < size):
        raise _bad_header("version, header length and total length do not make sense")
    cut = _clip(cursor, start + total if total else 0)
    cursor.start = start
    cursor.take(size, "ip")
    if fragment & (_MORE_FRAGMENTS | _FRAGMENT_OFFSET):
        key = (source, destination, identification, protocol)
        more = bool(fragment & _MORE_FRAGMENTS)
        if not _fragment(cursor, key, (fragment & _FRAGMENT_OFFSET) * 8, more=more, cut=cut):
            return NOTHING
    return cursor.accept(source, destination, protocol)


def ipv6(cursor: Cursor) -> int:
    """An IPv6 header, with its extension headers."""
    start = cursor.take(40, "ip")
    first, length, protocol, source, destination = _IPV6_HEADER.unpack_from(cursor.data, start)
    if first >> 4 != 6:
        raise _bad_header("version is not 6")
    # 0: a jumbogram (RFC 2675), or segmentation left to the network card.
    cut = _clip(cursor, cursor.start + length if length else 0)
    while protocol in _EXTENSIONS:
        if protocol == _FRAGMENT:
            begin = cursor.take(8, "ip")
            protocol, fragment, identification = _FRAGMENT_HEADER.unpack_from(cursor.data, begin)
            # Offset 0 and nothing to follow: an "atomic" fragment (RFC 6946), whole in itself.
            if fragment & ~6:
                key = (source, destination, identification)
                if not _fragment(cursor, key, fragment & ~7, more=bool(fragment & 1), cut=cut):
                    return NOTHING
        else:
            protocol = _extension(cursor, protocol)
    return cursor.accept(source, destination, protocol)


def authentication(cursor: Cursor) -> int:
    """An Authentication Header (RFC 4302) in IPv4; in IPv6 it is one extension header among others."""
    protocol = _extension(cursor, _AUTHENTICATION)
    outer = cursor.result
    return cursor.accept(outer.source, outer.destination, protocol) if outer else NOTHING


def raw(cursor: Cursor) -> int:
    """IP of either version, told by the first four bits."""
    start = cursor.take(1, "ip")
    cursor.start = start
    version = cursor.data[start] >> 4
    if version == 4:
        return ipv4(cursor)
    if version == 6:
        return ipv6(cursor)
    raise _bad_header(f"version {version}")


def _extension(cursor: Cursor, kind: int) -> int:
    """Step over an extension header; returns the protocol of what follows."""
    begin = cursor.take(8, "ip")
    protocol, length = cursor.data[begin], cursor.data[begin + 1]
    cursor.start = begin
    cursor.take(8 + length * (4 if kind == _AUTHENTICATION else 8), "ip")
    return protocol


def _clip(cursor: Cursor, end: int) -> bool:
    """The packet ends at `end`, says its header (0: it does not say), and what follows is padding.

    Returns whether it was cut before. Where the header claims more than there was on the wire, the wire is believed."""
    if not end:
        return cursor.missing > 0
    if end > cursor.end:
        cursor.missing = min(cursor.missing, end - cursor.end)
        return True
    cursor.end = end
    cursor.missing = 0
    return False


def _fragment(cursor: Cursor, key: tuple[object, ...], offset: int, *, more: bool, cut: bool) -> bool:
    """Put the fragment at the cursor to its like; whether that made a datagram, which the cursor is in then."""
    if cut:
        cursor.problem(
            "ip-fragment-cut",
            "A fragment was not captured to its end; its datagram cannot be put together.",
            lost=cursor.end - cursor.start,
        )
        # The first one is worth something by itself: it tells the ports.
        return offset == 0 and cursor.end - cursor.start >= 4
    data = cursor.data[cursor.start : cursor.end]
    datagram = cursor.fragments.add(key, offset, more, data, cursor.frames, cursor.time)
    if datagram is None:
        return False
    cursor.data, cursor.frames = datagram
    cursor.start = 0
    cursor.end = len(cursor.data)
    return True


def _bad_header(detail: str) -> Malformed:
    return Malformed("ip-bad-header", "A packet's IP header makes no sense; the packet could not be read.", detail)


HANDLERS: Final[dict[int, Handler]] = {
    IPV4: ipv4,
    IPV6: ipv6,
    PROTOCOL + _AUTHENTICATION: authentication,
}
