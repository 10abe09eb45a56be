"""Packets made for tests, header by header, innermost first."""

from __future__ import annotations

from ipaddress import ip_address
from struct import pack

A, B = "192.0.2.1", "192.0.2.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
OUTER_A, OUTER_B = "198.51.100.1", "198.51.100.2"


def udp(payload: bytes = b"payload", source: int = 5000, destination: int = 6000) -> bytes:
    return pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def ipv4(
    payload: bytes,
    protocol: int = 17,
    source: str = A,
    destination: str = B,
    *,
    options: bytes = b"",
    fragment: int = 0,
    identification: int = 1,
    total: int | None = None,
) -> bytes:
    """`fragment`: flags and offset as they stand in the header."""
    size = 20 + len(options)
    total = size + len(payload) if total is None else total
    first = 0x40 | size // 4
    head = pack(">BBHHHBBH", first, 0, total, identification, fragment, 64, protocol, 0)
    return head + ip_address(source).packed + ip_address(destination).packed + options + payload


def ipv6(
    payload: bytes, protocol: int = 17, source: str = A6, destination: str = B6, *, length: int | None = None
) -> bytes:
    length = len(payload) if length is None else length
    head = pack(">IHBB", 6 << 28, length, protocol, 64)
    return head + ip_address(source).packed + ip_address(destination).packed + payload


def fragment6(payload: bytes, offset: int, more: bool, identification: int = 1, protocol: int = 17) -> bytes:
    return pack(">BBHI", protocol, 0, offset | more, identification) + payload


def ethernet(payload: bytes, kind: int = 0x0800) -> bytes:
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + pack(">H", kind) + payload


def vlan(payload: bytes, kind: int = 0x0800) -> bytes:
    return pack(">HH", 100, kind) + payload


def snap(payload: bytes, kind: int = 0x0800) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + pack(">H", kind) + payload


def cooked(payload: bytes, kind: int = 0x0800) -> bytes:
    return pack(">HHH8sH", 0, 1, 6, bytes(8), kind) + payload


def cooked2(payload: bytes, kind: int = 0x0800) -> bytes:
    return pack(">HHIHBB8s", kind, 0, 1, 1, 0, 6, bytes(8)) + payload


def pppoe(payload: bytes) -> bytes:
    return pack(">BBHH", 0x11, 0, 1, len(payload)) + payload


def pktap(payload: bytes, link_type: int, name: bytes, effective: bytes = b"", size: int = 108) -> bytes:
    head = pack("<III24sIIIIi20sIHHi20s", size, 1, link_type, b"en0", 1, 2, 14, 0, 77, name, 0, 6, 0, 78, effective)
    return head + bytes(size - len(head)) + payload


def nflog(payload: bytes, order: str = "<", uid: int | None = None) -> bytes:
    attributes = pack(order + "HHHBB", 8, 1, 0x0008, 3, 0)
    if uid is not None:
        attributes += pack(order + "HH", 8, 11) + pack(">I", uid)
    attributes += pack(order + "HH", 5, 10) + b"\0" + bytes(3)
    return b"\x02\0\0\0" + attributes + pack(order + "HH", 4 + len(payload), 9) + payload + bytes(-len(payload) % 4)


def wifi(payload: bytes, kind: int = 0x08, flags: int = 0x01, quality: bytes = b"", extra: bytes = b"") -> bytes:
    """A data frame; `extra`: fourth address or HT control, where they belong."""
    return bytes([kind, flags]) + bytes(2) + bytes.fromhex("020000000001" * 3) + bytes(2) + extra + quality + payload


def radiotap(frame: bytes, flags: int | None = None, timed: bool = True) -> bytes:
    present = (1 if timed else 0) | (0 if flags is None else 2)
    fields = (bytes(8) if timed else b"") + (b"" if flags is None else bytes([flags]))
    return pack("<BBHI", 0, 0, 8 + len(fields), present) + fields + frame


def gre(payload: bytes, kind: int = 0x0800, flags: int = 0, fields: bytes = b"") -> bytes:
    return pack(">HH", flags, kind) + fields + payload


def vxlan(payload: bytes) -> bytes:
    return udp(pack(">II", 0x08000000, 42 << 8) + payload, 40_000, 4789)


def gtp_u(payload: bytes, flags: int = 0x30, fields: bytes = b"", kind: int = 255) -> bytes:
    return udp(pack(">BBHI", flags, kind, len(fields) + len(payload), 1) + fields + payload, 2152, 2152)


def trailer(uid: int, name: bytes) -> bytes:
    return b"\x01\x07\x20\x21" + pack(">i20s", uid, name) + bytes(4)
