"""The pcap format (draft-ietf-opsawg-pcap): a file header, then packets, each behind a header of its own.

Strategy: one loop over the buffer with one precompiled `Struct`, whose byte order and header size come from the file's
magic number. Nothing in the format marks where a packet begins, so a header that makes no sense is met by a search for
the next place where two headers in a row do: lengths within the limits, and times within a day of the last good packet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from pcapng_utils.capture.events import CaptureEvent, PacketBatch
from pcapng_utils.capture.parser import CaptureParser, Progress
from pcapng_utils.layers import Problem

FILE_HEADER_SIZE: Final = 24

#: Largest packet believed where the file's own limit (snaplen) does not say more; Wireshark's limit as well.
USUAL_PACKET_LIMIT: Final = 256 * 1024
#: Largest packet believed whatever the file says.
PACKET_LIMIT: Final = 1024 * 1024

#: How far, in seconds, the time of a packet found behind garbage may be from that of the last good one.
_RESYNC_WINDOW: Final = 86_400


class Variant(NamedTuple):
    """What a magic number says of a file."""

    byte_order: str
    tick: int
    """ns in one unit of a time's fraction."""
    record_header: int
    """Size of a packet's header, in bytes."""


#: The first four bytes of a file. 24-byte packet headers: the variant of Alexey Kuznetzov's patches to libpcap, whose
#: headers also hold interface, protocol and packet type.
VARIANTS: Final = {
    b"\xa1\xb2\xc3\xd4": Variant(">", 1000, 16),
    b"\xd4\xc3\xb2\xa1": Variant("<", 1000, 16),
    b"\xa1\xb2\x3c\x4d": Variant(">", 1, 16),
    b"\x4d\x3c\xb2\xa1": Variant("<", 1, 16),
    b"\xa1\xb2\xcd\x34": Variant(">", 1000, 24),
    b"\x34\xcd\xb2\xa1": Variant("<", 1000, 24),
}


class PcapParser(CaptureParser):
    """Reads a pcap file of any variant."""

    __slots__ = ("_ancient", "_header", "_limit", "_link_type", "_lost", "_seconds", "_started", "_stopped", "_variant")

    def __init__(self) -> None:
        super().__init__()
        self._need = FILE_HEADER_SIZE
        self._variant = VARIANTS[b"\xd4\xc3\xb2\xa1"]
        self._header = Struct("<IIII")
        self._link_type = 0
        self._limit = USUAL_PACKET_LIMIT
        self._ancient = False
        """Of a version before 2.4, whose packet headers may have their two lengths in the other order."""
        self._started = False
        self._stopped = False
        self._lost = 0
        """Bytes passed over so far in search of a packet; 0 while there is nothing to search for."""
        self._seconds: int | None = None
        """Time of the last good packet."""

    def _parse(self, data: bytes, events: list[CaptureEvent], *, final: bool) -> Progress:
        offset = 0
        if not self._started:
            if len(data) < FILE_HEADER_SIZE:
                return Progress(0, FILE_HEADER_SIZE)
            self._start(data, events)
            offset = FILE_HEADER_SIZE
        need = self._variant.record_header
        while not self._stopped:
            if self._lost:
                offset, need = self._search(data, offset, events, final=final)
                if self._lost:
                    break
            offset, need = self._packets(data, offset, events)
            if not self._lost:
                break
        return Progress(len(data), 1) if self._stopped else Progress(offset, need)

    def _start(self, data: bytes, events: list[CaptureEvent]) -> None:
        self._started = True
        variant = VARIANTS.get(data[:4])
        if variant is None:
            self._stopped = True
            events.append(Problem("pcap-bad-header", "The file does not begin with the magic number of a pcap file."))
            return
        self._variant = variant
        self._header = Struct(variant.byte_order + "IIII")
        major, minor, snaplen, link = Struct(variant.byte_order + "HH8xII").unpack_from(data, 4)
        self._ancient = (major, minor) < (2, 4)
        # The upper half tells of frame check sequences, which IP's own lengths make it needless to know.
        self._link_type = link & 0xFFFF
        self._limit = max(USUAL_PACKET_LIMIT, min(snaplen, PACKET_LIMIT))

    def _packets(self, data: bytes, offset: int, events: list[CaptureEvent]) -> tuple[int, int]:
        """Read whole packets as long as they come; returns where it stopped and how many bytes are needed there."""
        _, tick, header_size = self._variant
        unpack = self._header.unpack_from
        limit = self._limit
        ancient = self._ancient
        frame = self.frame
        packets: list[tuple[int, int, int, int, int]] = []
        append = packets.append
        size = len(data)
        last_header = size - header_size
        need = header_size
        while offset <= last_header:
            seconds, fraction, captured, wire = unpack(data, offset)
            if captured > wire and ancient:
                captured, wire = wire, captured
            if captured > limit:
                self._lost = 1
                break
            start = offset + header_size
            end = start + captured
            if end > size:
                need = end - offset
                break
            frame += 1
            append((frame, seconds * 1_000_000_000 + fraction * tick, start, end, wire))
            offset = end
        if packets:
            self.frame = frame
            self._seconds = packets[-1][1] // 1_000_000_000
            events.append(PacketBatch(data, self._link_type, packets))
        if self._lost:
            offset += 1
        return offset, need

    def _search(self, data: bytes, offset: int, events: list[CaptureEvent], *, final: bool) -> tuple[int, int]:
        """Look for the next packet; returns where it is, or where to go on looking and how many bytes that takes."""
        origin = offset
        header_size = self._variant.record_header
        for offset in self._candidates(data, origin):
            need = self._judge(data, offset, final=final)
            if need is None:
                continue
            self._lost += offset - origin
            if need == 0:
                events.append(self._bad_record())
                self._lost = 0
                need = header_size
            return offset, need
        # Keep what may be the beginning of a candidate.
        offset = len(data) if final else max(origin, len(data) - header_size)
        self._lost += offset - origin
        if final:
            events.append(self._bad_record())
            self._stopped = True
        return offset, header_size + 1

    def _candidates(self, data: bytes, offset: int) -> Iterator[int]:
        """Where a packet's header may begin, going by its time; nowhere, if there is none to compare it with."""
        if self._seconds is None:
            return
        # The upper half of the seconds stays the same for 18 hours: the one thing to search for at the speed of C.
        first = (self._seconds - _RESYNC_WINDOW) >> 16
        last = (self._seconds + _RESYNC_WINDOW) >> 16
        little = self._variant.byte_order == "<"
        halves = [(half & 0xFFFF).to_bytes(2, "little" if little else "big") for half in range(first, last + 1)]
        pattern = re.compile(b"(?=" + b"|".join(map(re.escape, halves)) + b")", re.DOTALL)
        lead = 2 if little else 0
        for match in pattern.finditer(data, offset + lead):
            yield match.start() - lead

    def _judge(self, data: bytes, offset: int, *, final: bool) -> int | None:
        """Whether two packets in a row begin at `offset`: 0 yes, None no, else the bytes it takes to tell."""
        header_size = self._variant.record_header
        for _ in range(2):
            if offset + header_size > len(data):
                return None if final else header_size * 2 + self._limit
            seconds, fraction, captured, wire = self._header.unpack_from(data, offset)
            if captured > wire and self._ancient:
                captured, wire = wire, captured
            near = self._seconds is not None and abs(seconds - self._seconds) <= _RESYNC_WINDOW
            if not (near and fraction * self._variant.tick < 1_000_000_000 and 0 < captured <= min(self._limit, wire)):
                return None
            offset += header_size + captured
            if final and offset == len(data):
                return 0
        return 0

    def _bad_record(self) -> Problem:
        return Problem(
            "pcap-bad-record",
            "A packet's header gives an impossible length; bytes were passed over in search of the next packet.",
            frame=self.frame or None,
            lost=self._lost,
        )
