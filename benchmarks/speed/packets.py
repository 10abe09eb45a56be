"""Packets like a phone's (Ethernet, IPv4, MTU 1,500, no segmentation offload), written as pcap while they come."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from socket import inet_aton
from typing import BinaryIO, Final

MSS: Final = 1448
"""Payload of a full segment: MTU 1,500, less 20 bytes of IP, 20 of TCP and 12 of time stamps."""
FIN: Final = 0x01
SYN: Final = 0x02
PUSH: Final = 0x08
ACK: Final = 0x10

BEGIN: Final = 1_764_000_000_000_000
"""Time of the first packet, in µs since the epoch."""
_PER_PACKET: Final = 120
"""Time from one packet to the next on a busy link of 100 Mbit/s, in µs."""
_ETHERNET: Final = (b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0", b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0")
_RECORD: Final = struct.Struct("<IIII")
_IP: Final = struct.Struct("!BBHHHBBH4s4s")
_TCP: Final = struct.Struct("!HHIIBBHHHBBBBII")
_UDP: Final = struct.Struct("!HHHH")
_MASK: Final = 0xFFFFFFFF

FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)


class Recorder:
    """What stands on the router: it sees every packet, one after the other."""

    def __init__(self, file: BinaryIO, begin: int = BEGIN) -> None:
        self.now = begin
        """Time of the last packet, in µs since the epoch."""
        self.packets = 0
        self._write = file.write

    def wait(self, microseconds: int) -> None:
        self.now += microseconds

    def record(self, direction: int, ip: bytes, payload: bytes) -> None:
        self.now += _PER_PACKET
        self.packets += 1
        size = 14 + len(ip) + len(payload)
        seconds, fraction = divmod(self.now, 1_000_000)
        self._write(_RECORD.pack(seconds, fraction, size, size) + _ETHERNET[direction] + ip + payload)


@dataclass(frozen=True, slots=True)
class Ends:
    """Addresses and ports, client first."""

    client: tuple[str, int]
    server: tuple[str, int]


class TcpFlow:
    """One TCP connection: numbers bytes, cuts them into segments, acknowledges every second one."""

    def __init__(self, recorder: Recorder, ends: Ends) -> None:
        self._recorder = recorder
        self._addresses = (inet_aton(ends.client[0]), inet_aton(ends.server[0]))
        self._ports = (ends.client[1], ends.server[1])
        self._next = [ends.client[1] * 7919 & _MASK, ends.client[1] * 104_729 & _MASK]
        self._unacknowledged = [0, 0]
        self._packet(0, SYN)
        self._packet(1, SYN | ACK)
        self._packet(0, ACK)

    def send(self, direction: int, data: bytes) -> None:
        for start in range(0, len(data), MSS):
            segment = data[start : start + MSS]
            last = start + MSS >= len(data)
            self._packet(direction, ACK | PUSH if last else ACK, segment)
            self._unacknowledged[direction] += 1
            if self._unacknowledged[direction] == 2:
                self._packet(1 - direction, ACK)

    def close(self) -> None:
        self._packet(0, FIN | ACK)
        self._packet(1, FIN | ACK)
        self._packet(0, ACK)

    def _packet(self, direction: int, flags: int, data: bytes = b"") -> None:
        other = 1 - direction
        self._unacknowledged[other] = 0
        seq, ack = self._next[direction], self._next[other] if flags & ACK else 0
        self._next[direction] = seq + len(data) + bool(flags & (SYN | FIN)) & _MASK
        size = _IP.size + _TCP.size + len(data)
        stamp = self._recorder.now // 1000 & _MASK
        ip = _IP.pack(0x45, 0, size, 0, 0x4000, 64, 6, 0, self._addresses[direction], self._addresses[other])
        tcp = _TCP.pack(
            self._ports[direction], self._ports[other], seq, ack, 0x80, flags, 65535, 0, 0, 1, 1, 8, 10, stamp, stamp
        )
        self._recorder.record(direction, ip + tcp, data)


class UdpFlow:
    """One UDP conversation."""

    def __init__(self, recorder: Recorder, ends: Ends) -> None:
        self._recorder = recorder
        self._addresses = (inet_aton(ends.client[0]), inet_aton(ends.server[0]))
        self._ports = (ends.client[1], ends.server[1])

    def send(self, direction: int, data: bytes) -> None:
        other = 1 - direction
        size = _UDP.size + len(data)
        ip = _IP.pack(
            0x45, 0, _IP.size + size, 0, 0x4000, 64, 17, 0, self._addresses[direction], self._addresses[other]
        )
        udp = _UDP.pack(self._ports[direction], self._ports[other], size, 0)
        self._recorder.record(direction, ip + udp, data)
