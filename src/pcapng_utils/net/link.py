"""Link-layer headers, by LINKTYPE_ value (https://www.tcpdump.org/linktypes.html), but for 802.11 (see `wireless`)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from pcapng_utils.net.cursor import ETHERTYPE, IPV4, IPV6, LINK, STOP, Cursor, Handler, Malformed
from pcapng_utils.net.ip import raw
from pcapng_utils.net.tunnels import ppp, pppoe

_LLC: Final = ETHERTYPE + 4  # ETH_P_802_2, Linux's own number for it

_U16: Final = Struct(">H")
_U32: Final = Struct(">I")
_LITTLE_U32: Final = Struct("<I")

#: Size of the header, kind of record, link type.
_PKTAP: Final = Struct("<III")
_PKTAP_PACKET: Final = 1

_NFLOG_PAYLOAD: Final = 9
_NFLOG_UID: Final = 11

#: Below this, what stands in the place of an EtherType is a length (IEEE 802.3).
_SMALLEST_ETHERTYPE: Final = 0x0600

#: AF_INET and the AF_INET6 of Windows, the BSDs and Linux.
_ADDRESS_FAMILIES: Final = {2: IPV4, 10: IPV6, 23: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}


def ethernet(cursor: Cursor) -> int:
    """IEEE 802.3, with an EtherType or with a length and LLC."""
    start = cursor.take(14, "link")
    kind: int = _U16.unpack_from(cursor.data, start + 12)[0]
    return ETHERTYPE + kind if kind >= _SMALLEST_ETHERTYPE else llc(cursor)


def vlan(cursor: Cursor) -> int:
    """An IEEE 802.1Q or 802.1ad tag; another may follow."""
    start = cursor.take(4, "link")
    kind: int = _U16.unpack_from(cursor.data, start + 2)[0]
    return ETHERTYPE + kind if kind >= _SMALLEST_ETHERTYPE else llc(cursor)


def llc(cursor: Cursor) -> int:
    """IEEE 802.2 with a SNAP header (RFC 1042); nothing else of it carries IP."""
    start = cursor.take(8, "link")
    if not cursor.data.startswith((b"\xaa\xaa\x03\x00\x00\x00", b"\xaa\xaa\x03\x00\x00\xf8"), start):
        return STOP
    kind: int = _U16.unpack_from(cursor.data, start + 6)[0]
    return ETHERTYPE + kind


def linux_cooked(cursor: Cursor) -> int:
    """What `tcpdump -i any` wrote for long."""
    start = cursor.take(16, "link")
    kind: int = _U16.unpack_from(cursor.data, start + 14)[0]
    return ETHERTYPE + kind


def linux_cooked_2(cursor: Cursor) -> int:
    """What it writes now."""
    start = cursor.take(20, "link")
    kind: int = _U16.unpack_from(cursor.data, start)[0]
    return ETHERTYPE + kind


def loopback(cursor: Cursor) -> int:
    """BSD loopback: an address family in the byte order of the machine, or (OpenBSD) of the network."""
    start = cursor.take(4, "link")
    family: int = _LITTLE_U32.unpack_from(cursor.data, start)[0]
    if family > 0xFFFF:
        family = _U32.unpack_from(cursor.data, start)[0]
    return _ADDRESS_FAMILIES.get(family, STOP)


def pktap(cursor: Cursor) -> int:
    """Apple's header, little-endian: how long it is, the link type of what follows, which process it belongs to."""
    start = cursor.take(108, "link")
    data = cursor.data
    size, record, link_type = _PKTAP.unpack_from(data, start)
    if size < 108:
        raise Malformed("link-bad-header", "A link-layer header makes no sense; the packet could not be read.", "PKTAP")
    cursor.start = start
    cursor.take(size, "link")
    if record != _PKTAP_PACKET:
        return STOP
    # The process on whose behalf another one acts comes first: it is the app.
    name = _name(data[start + 88 : start + 108]) or _name(data[start + 56 : start + 76])
    cursor.process = name or cursor.process
    return LINK + link_type if link_type <= 0xFFFF else STOP


def nflog(cursor: Cursor) -> int:
    """Linux netfilter's log: a family, then attributes in the byte order of the machine, one of them the packet."""
    cursor.take(4, "link")
    order = _attribute_order(cursor)
    while cursor.end - cursor.start >= 4:
        size, kind = order.unpack_from(cursor.data, cursor.start)
        begin = cursor.start + 4
        if size < 4 or cursor.start + size > cursor.end + cursor.missing:
            raise Malformed(
                "link-bad-header", "A link-layer header makes no sense; the packet could not be read.", "NFLOG"
            )
        if kind & 0x7FFF == _NFLOG_PAYLOAD:
            cursor.missing = max(0, cursor.start + size - cursor.end)
            cursor.end = min(cursor.end, cursor.start + size)
            cursor.start = begin
            return raw(cursor)
        if kind & 0x7FFF == _NFLOG_UID and size >= 8 and begin + 4 <= cursor.end:
            cursor.uid = _U32.unpack_from(cursor.data, begin)[0]
        cursor.start += (size + 3) & ~3
    return STOP


def _attribute_order(cursor: Cursor) -> Struct:
    """Types are small numbers: read in the wrong byte order they are large ones."""
    kind = cursor.data[cursor.start + 2 : cursor.start + 4]
    return Struct(">HH") if kind[:1] == b"\0" else Struct("<HH")


#: PCAPdroid's trailer, in network byte order: magic, user ID, name of the app, a frame check sequence.
TRAILER_SIZE: Final = 32
TRAILER_MAGIC: Final = b"\x01\x07\x20\x21"
_TRAILER: Final = Struct(">4si20s4x")

#: Link types that PCAPdroid writes: Ethernet (made up), raw IP.
TRAILED: Final = frozenset((1, 12, 14, 101, 228, 229))


def trailer(cursor: Cursor) -> None:
    """Take PCAPdroid's trailer off the end of the packet, if it is there."""
    start = cursor.end - TRAILER_SIZE
    if start >= cursor.start and cursor.data.startswith(TRAILER_MAGIC, start):
        _, uid, name = _TRAILER.unpack_from(cursor.data, start)
        cursor.end = start
        # Negative: the system would not tell.
        cursor.uid = uid if uid >= 0 else None
        cursor.process = _name(name) or None


def _name(text: bytes) -> str:
    return text.partition(b"\0")[0].decode("utf-8", "replace")


HANDLERS: Final[dict[int, Handler]] = {
    LINK + 0: loopback,
    LINK + 1: ethernet,
    LINK + 9: ppp,
    LINK + 12: raw,  # DLT_RAW of most systems
    LINK + 14: raw,  # DLT_RAW of OpenBSD
    LINK + 50: ppp,
    LINK + 51: pppoe,
    LINK + 101: raw,
    LINK + 108: loopback,
    LINK + 113: linux_cooked,
    LINK + 149: pktap,  # DLT_USER2, what Apple's tcpdump wrote before 258 was assigned
    LINK + 228: raw,
    LINK + 229: raw,
    LINK + 239: nflog,
    LINK + 258: pktap,
    LINK + 276: linux_cooked_2,
    _LLC: llc,
    ETHERTYPE + 0x6558: ethernet,
    ETHERTYPE + 0x8100: vlan,
    ETHERTYPE + 0x88A8: vlan,
    ETHERTYPE + 0x9100: vlan,
}
