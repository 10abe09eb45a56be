"""Where plain IP begins in the packets of the usual link types, and its headers as the fast path reads them."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

#: From the IPv6 header: payload length, next header, addresses and ports, sequence number, acknowledgement, flags.
UNPACK_IPV6: Final = Struct("!4xHBx36sIIH").unpack_from


class Layout(NamedTuple):
    """Where a link layer puts what the fast path reads."""

    start: int
    """Where to unpack `header`, from the packet's start."""
    ip: int
    """Where the IP header is, from the packet's start."""
    header: Struct
    """Ethertype (nothing, where there is none), version and IHL, total length, fragment field, protocol, addresses and
    ports, sequence number, acknowledgement, flags."""
    tag4: bytes
    tag6: bytes


_IPV4: Final = "BxHxxHxB2x12sIIH"
_RAW: Final = Layout(0, 0, Struct("!0s" + _IPV4), b"", b"")
LAYOUTS: Final = {
    1: Layout(12, 14, Struct("!2s" + _IPV4), b"\x08\x00", b"\x86\xdd"),  # Ethernet
    12: _RAW,
    14: _RAW,
    101: _RAW,
    113: Layout(14, 16, Struct("!2s" + _IPV4), b"\x08\x00", b"\x86\xdd"),  # Linux cooked
    228: _RAW,
    229: _RAW,
    276: Layout(0, 20, Struct("!2s18x" + _IPV4), b"\x08\x00", b"\x86\xdd"),  # Linux cooked, version 2
}
"""By link type."""
