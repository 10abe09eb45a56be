"""Packets inside packets: IP in IP, GRE, MPLS, and what travels in UDP (VXLAN, GTP-U, Teredo).

A tunnel in UDP is known by its port alone, which other traffic may use by chance: where the bytes are not the
tunnel's, the handler stops and the datagram is taken as it is.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from pcapng_utils.net.cursor import ETHERTYPE, IPV4, IPV6, LINK, PPP, PROTOCOL, STOP, Cursor, Handler

_ETHERNET: Final = LINK + 1

_U16: Final = Struct(">H")
_TWO_U16: Final = Struct(">HH")
_U32: Final = Struct(">I")

_GRE_CHECKSUM: Final = 0x8000
_GRE_ROUTING: Final = 0x4000
_GRE_KEY: Final = 0x2000
_GRE_SEQUENCE: Final = 0x1000
_GRE_ACKNOWLEDGEMENT: Final = 0x0080
_GRE_VERSION: Final = 0x0007
_ERSPAN_2: Final = 0x88BE
_ERSPAN_3: Final = 0x22EB
_PPTP: Final = 0x880B

_GTP_PDU: Final = 255


def ip_in_ip(cursor: Cursor) -> int:
    """RFC 2003."""
    cursor.enter("ip-in-ip")
    return IPV4


def ipv6_in_ip(cursor: Cursor) -> int:
    """RFC 4213."""
    cursor.enter("6in4")
    return IPV6


def gre(cursor: Cursor) -> int:
    """RFC 2784 and 2890; version 1 is PPTP's (RFC 2637)."""
    start = cursor.take(4, "tunnel")
    flags: int
    protocol: int
    flags, protocol = _TWO_U16.unpack_from(cursor.data, start)
    version = flags & _GRE_VERSION
    if version == 1 and protocol == _PPTP:
        return _pptp(cursor, flags)
    if version or flags & _GRE_ROUTING:
        return STOP
    cursor.take(4 * (bool(flags & _GRE_CHECKSUM) + bool(flags & _GRE_KEY) + bool(flags & _GRE_SEQUENCE)), "tunnel")
    if protocol == _ERSPAN_2:
        # Type I has neither a sequence number nor a header of its own.
        cursor.take(8 if flags & _GRE_SEQUENCE else 0, "tunnel")
        cursor.enter("erspan")
        return _ETHERNET
    if protocol == _ERSPAN_3:
        begin = cursor.take(12, "tunnel")
        cursor.take(8 if cursor.data[begin + 11] & 1 else 0, "tunnel")
        cursor.enter("erspan")
        return _ETHERNET
    cursor.enter("gre")
    return ETHERTYPE + protocol


def _pptp(cursor: Cursor, flags: int) -> int:
    cursor.take(4 + 4 * (bool(flags & _GRE_SEQUENCE) + bool(flags & _GRE_ACKNOWLEDGEMENT)), "tunnel")
    if cursor.start == cursor.end:
        return STOP
    cursor.enter("pptp")
    return ppp(cursor)


def ppp(cursor: Cursor) -> int:
    """The protocol field of PPP (RFC 1661), behind address and control where they are not left out (RFC 1662)."""
    start = cursor.take(1, "link")
    if cursor.data.startswith(b"\xff\x03", start):
        cursor.take(1, "link")
        start = cursor.take(1, "link")
    protocol: int = cursor.data[start]
    if not protocol & 1:
        cursor.start = start
        (protocol,) = _U16.unpack_from(cursor.data, cursor.take(2, "link"))
    return PPP + protocol


def pppoe(cursor: Cursor) -> int:
    """The session stage of RFC 2516."""
    start = cursor.take(6, "link")
    if cursor.data[start] != 0x11 or cursor.data[start + 1]:
        return STOP
    return ppp(cursor)


def mpls(cursor: Cursor) -> int:
    """A stack of labels (RFC 3032); what follows is told by its first four bits, for lack of anything better."""
    bottom = False
    while not bottom:
        start = cursor.take(4, "link")
        bottom = bool(cursor.data[start + 2] & 1)
    return _ip_key(cursor)


def udp(cursor: Cursor) -> int:
    """Look into a datagram to or from the port of a tunnel."""
    if cursor.end - cursor.start < 8:
        return STOP
    source, destination = _TWO_U16.unpack_from(cursor.data, cursor.start)
    tunnel = _PORTS.get(destination) or _PORTS.get(source)
    if tunnel is None:
        return STOP
    cursor.start += 8
    return tunnel(cursor)


def _vxlan(cursor: Cursor) -> int:
    """RFC 7348: a flag that must be set, reserved bits that must not."""
    if cursor.end - cursor.start < 8 or _U32.unpack_from(cursor.data, cursor.start)[0] != 0x08000000:
        return STOP
    cursor.start += 8
    cursor.enter("vxlan")
    return _ETHERNET


def _gtp_u(cursor: Cursor) -> int:
    """3GPP TS 29.281, section 5: version 1, a G-PDU; optional fields, extension headers."""
    data, start, end = cursor.data, cursor.start, cursor.end
    if end - start < 8 or data[start] & 0xF0 != 0x30 or data[start + 1] != _GTP_PDU:
        return STOP
    extension = 0
    if data[start] & 7:
        if end - start < 12:
            return STOP
        extension = data[start + 11] if data[start] & 4 else 0
        start += 4
    start += 8
    while extension:
        size = data[start] * 4 if start < end else 0
        if not size or start + size > end:
            return STOP
        start += size
        extension = data[start - 1]
    cursor.start = start
    key = _ip_key(cursor)
    if key != STOP:
        cursor.enter("gtp-u")
    return key


def _teredo(cursor: Cursor) -> int:
    """RFC 4380, section 5.1.1: IPv6, behind an authentication and an origin indication if there are any.

    Its length must be that of the datagram, for one byte in sixteen begins like IPv6; less if trailers follow."""
    data, start, end = cursor.data, cursor.start, cursor.end
    if data.startswith(b"\x00\x01", start) and end - start >= 4:
        start += 13 + data[start + 2] + data[start + 3]
    if data.startswith(b"\x00\x00", start):
        start += 8
    if end - start < 40 or data[start] >> 4 != 6:
        return STOP
    stop = start + 40 + _U16.unpack_from(data, start + 4)[0]
    while stop < end - 1:
        stop += 2 + data[stop + 1]  # a trailer (RFC 6081, section 4): type, length, value
    if stop != end + cursor.missing:
        return STOP
    cursor.start = start
    cursor.enter("teredo")
    return IPV6


def _ip_key(cursor: Cursor) -> int:
    """IP of either version, if the first four bits say so."""
    if cursor.start >= cursor.end:
        return STOP
    return _IP_VERSIONS.get(cursor.data[cursor.start] >> 4, STOP)


_IP_VERSIONS: Final = {4: IPV4, 6: IPV6}


_PORTS: Final[dict[int, Handler]] = {
    2152: _gtp_u,
    3544: _teredo,
    4789: _vxlan,
    8472: _vxlan,
}

UDP_PORTS: Final = frozenset(_U16.pack(port) for port in _PORTS)
"""Ports of tunnels, as they stand in a packet."""

HANDLERS: Final[dict[int, Handler]] = {
    PROTOCOL + 4: ip_in_ip,
    PROTOCOL + 17: udp,
    PROTOCOL + 41: ipv6_in_ip,
    PROTOCOL + 47: gre,
    PROTOCOL + 137: mpls,
    ETHERTYPE + 0x8847: mpls,
    ETHERTYPE + 0x8848: mpls,
    ETHERTYPE + 0x8864: pppoe,
    PPP + 0x0021: lambda _: IPV4,
    PPP + 0x0057: lambda _: IPV6,
    PPP + 0x0281: mpls,
}
