"""The pcapng format (draft-ietf-opsawg-pcapng): blocks of many types, in sections, packets from several interfaces.

Strategy: Enhanced Packet Blocks, which are nearly all of a file, are read by one tight loop that keeps the current
interface in locals and makes nothing but a tuple a packet. Any other block leaves the loop and goes to its handler, by
type. A block says its length before and behind its body: where the two differ, or are absurd, the next block whose two
lengths agree is searched for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from pcapng_utils.capture.events import CaptureEvent, PacketBatch, Secrets
from pcapng_utils.capture.options import TIME_LIMIT, Interface, interface, resolved_names
from pcapng_utils.capture.parser import CaptureParser, Progress
from pcapng_utils.layers import Problem

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
PACKET: Final = 2
SIMPLE_PACKET: Final = 3
NAME_RESOLUTION: Final = 4
ENHANCED_PACKET: Final = 6
DECRYPTION_SECRETS: Final = 10

#: What a Section Header Block holds at offset 8, and the byte order that it means.
BYTE_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

#: "TLSK": the secrets are an NSS key log.
_TLS_KEY_LOG: Final = 0x544C534B

PACKET_LIMIT: Final = 1024 * 1024
BLOCK_LIMIT: Final = 16 * 1024 * 1024
INTERFACE_LIMIT: Final = 65_536

#: Smallest block: type, length, length.
_BLOCK_MIN: Final = 12
#: An Enhanced Packet Block without packet data or options.
_ENHANCED_MIN: Final = 32


class ByteOrder(NamedTuple):
    """The structures of a section, in its byte order."""

    mark: str
    u32: Struct
    block: Struct
    """Type and length of any block."""
    enhanced: Struct
    """An Enhanced Packet Block up to the packet: type, length, interface, time (high, low), captured, on the wire."""
    obsolete: Struct
    """A Packet Block from its type to the packet: the same, but for the drop count behind the interface."""
    known_type: re.Pattern[bytes]
    """Where a block of a known type may begin."""


def _byte_order(mark: str) -> ByteOrder:
    types = rb"[\x01-\x06\x0a]\x00\x00\x00" if mark == "<" else rb"\x00\x00\x00[\x01-\x06\x0a]"
    return ByteOrder(
        mark,
        Struct(mark + "I"),
        Struct(mark + "II"),
        Struct(mark + "7I"),
        Struct(mark + "IIHHIIII"),
        re.compile(rb"(?=" + types + rb"|\n\r\r\n)", re.DOTALL),
    )


_ORDERS: Final = {mark: _byte_order(mark) for mark in "<>"}


class PcapngParser(CaptureParser):
    """Reads a pcapng file."""

    __slots__ = ("_interfaces", "_last_time", "_lost", "_order")

    def __init__(self) -> None:
        super().__init__()
        self._need = _BLOCK_MIN
        self._order = _ORDERS["<"]
        self._interfaces: list[Interface] = []
        self._last_time = 0
        self._lost = 0
        """Bytes passed over so far in search of a block; 0 while there is nothing to search for."""

    def _parse(self, data: bytes, events: list[CaptureEvent], *, final: bool) -> Progress:
        size = len(data)
        offset = 0
        while True:
            if self._lost:
                offset, need = self._search(data, offset, events, final=final)
                if self._lost:
                    return Progress(offset, need)
            offset = self._enhanced_packets(data, offset, events)
            if size - offset < _BLOCK_MIN:
                return Progress(offset, _BLOCK_MIN)
            length = self._measure(data, offset)
            if length is not None and offset + length > size:
                return Progress(offset, length)
            if length is None or not self._ends(data, offset, length):
                self._lost = 1
                offset += 1
                continue
            block_type: int = self._order.u32.unpack_from(data, offset)[0]
            if handler := self._HANDLERS.get(block_type):
                handler(self, data, offset, offset + length - 4, events)
            offset += length

    def _measure(self, data: bytes, offset: int) -> int | None:
        """Length of the block at `offset`, None where it cannot be one; a section header sets the byte order."""
        if data.startswith(b"\n\r\r\n", offset):
            mark = BYTE_ORDERS.get(data[offset + 8 : offset + 12])
            if mark is None:
                return None
            length: int = _ORDERS[mark].block.unpack_from(data, offset)[1]
            return length if 28 <= length <= BLOCK_LIMIT else None
        length = self._order.block.unpack_from(data, offset)[1]
        return length if _BLOCK_MIN <= length <= BLOCK_LIMIT else None

    def _ends(self, data: bytes, offset: int, length: int) -> bool:
        """Whether the block's length is repeated at its end."""
        return data[offset + 4 : offset + 8] == data[offset + length - 4 : offset + length]

    def _search(self, data: bytes, offset: int, events: list[CaptureEvent], *, final: bool) -> tuple[int, int]:
        """Look for the next block; returns where it is, or where to go on looking and how many bytes that takes."""
        origin = offset
        size = len(data)
        for match in self._order.known_type.finditer(data, offset):
            offset = match.start()
            if size - offset < _BLOCK_MIN:
                break
            length = self._measure(data, offset)
            if length is None or (final and offset + length > size):
                continue
            self._lost += offset - origin
            if offset + length > size:
                return offset, length
            if self._ends(data, offset, length):
                events.append(self._bad_block())
                self._lost = 0
                return offset, _BLOCK_MIN
            origin = offset
        offset = size if final else max(origin, size - _BLOCK_MIN + 1)
        self._lost += offset - origin
        if final:
            events.append(self._bad_block())
        return offset, _BLOCK_MIN

    def _bad_block(self) -> Problem:
        return Problem(
            "pcapng-bad-block",
            "A block's length makes no sense; bytes were passed over in search of the next block.",
            frame=self.frame or None,
            lost=self._lost,
        )

    def _enhanced_packets(self, data: bytes, offset: int, events: list[CaptureEvent]) -> int:
        """Read Enhanced Packet Blocks as long as one follows the other; returns where something else begins."""
        unpack = self._order.enhanced.unpack_from
        unpack_length = self._order.u32.unpack_from
        interfaces = self._interfaces
        frame = self.frame
        packets: list[tuple[int, int, int, int, int]] = []
        append = packets.append
        current = upper = -1
        link_type = tick = divisor = base = time = 0
        size = len(data)
        last_header = size - _ENHANCED_MIN
        limit = PACKET_LIMIT
        while offset <= last_header:
            block_type, length, index, high, low, captured, wire = unpack(data, offset)
            end = offset + length
            if block_type != ENHANCED_PACKET or end > size or captured > length - _ENHANCED_MIN or captured > limit:
                break
            if unpack_length(data, end - 4)[0] != length:
                break
            if index != current or high != upper:
                if index >= len(interfaces) or high >= interfaces[index].late:
                    break
                current, upper = index, high
                link, tick, divisor, shift, _, _ = interfaces[index]
                base = (high << 32) * tick + shift * divisor
                if link != link_type:
                    if packets:
                        events.append(PacketBatch(data, link_type, packets))
                        packets = []
                        append = packets.append
                    link_type = link
            frame += 1
            time = base + low * tick
            if divisor != 1:
                time //= divisor
            start = offset + 28
            append((frame, time, start, start + captured, wire))
            offset = end
        if packets:
            events.append(PacketBatch(data, link_type, packets))
            self.frame = frame
            self._last_time = time
        return offset

    # Handlers of the blocks that are not read in the loop: `data[start:end]` is a block without its final length.

    def _section(self, data: bytes, start: int, end: int, events: list[CaptureEvent]) -> None:
        self._order = _ORDERS[BYTE_ORDERS[data[start + 8 : start + 12]]]
        self._interfaces = []
        major, minor = Struct(self._order.mark + "HH").unpack_from(data, start + 12)
        if major != 1:
            events.append(
                Problem(
                    "pcapng-unknown-version",
                    "A section is of a version of pcapng that is not known; it was read as version 1.",
                    frame=self.frame or None,
                    detail=f"version {major}.{minor}",
                )
            )

    def _interface(self, data: bytes, start: int, end: int, events: list[CaptureEvent]) -> None:
        if len(self._interfaces) < INTERFACE_LIMIT and end - start >= 16:
            self._interfaces.append(interface(data, start, end, self._order.mark))
        else:
            events.append(self._malformed("an interface description"))

    def _enhanced_packet(self, data: bytes, start: int, end: int, events: list[CaptureEvent]) -> None:
        """One that the loop would not take."""
        if end - start < 28:
            events.append(self._malformed("a packet"))
            return
        _, _, index, high, low, captured, wire = self._order.enhanced.unpack_from(data, start)
        self._packet(data, start + 28, end, index, high << 32 | low, captured, wire, events)

    def _obsolete_packet(self, data: bytes, start: int, end: int, events: list[CaptureEvent]) -> None:
        if end - start < 28:
            events.append(self._malformed("a packet"))
            return
        _, _, index, _, high, low, captured, wire = self._order.obsolete.unpack_from(data, start)
        self._packet(data, start + 28, end, index, high << 32 | low, captured, wire, events)

    def _simple_packet(self, data: bytes, start: int, end: int, events: list[CaptureEvent]) -> None:
        """A packet without a time, from the section's first interface."""
        if end - start < 12:
            events.append(self._malformed("a packet"))
            return
        wire: int = self._order.u32.unpack_from(data, start + 8)[0]
        captured = min(wire, end - start - 12)
        if self._interfaces and self._interfaces[0].snaplen:
            captured = min(captured, self._interfaces[0].snaplen)
        self._packet(data, start + 12, end, 0, None, captured, wire, events)

    def _packet(
        self,
        data: bytes,
        start: int,
        end: int,
        index: int,
        ticks: int | None,
        captured: int,
        wire: int,
        events: list[CaptureEvent],
    ) -> None:
        """`ticks` None: the time of the packet before is the best guess."""
        self.frame += 1
        if index >= len(self._interfaces):
            events.append(
                Problem(
                    "pcapng-unknown-interface",
                    "A packet is from an interface that the section does not describe; it was left out.",
                    frame=self.frame,
                    detail=f"interface {index} of {len(self._interfaces)}",
                    lost=captured,
                )
            )
        elif captured > min(end - start, PACKET_LIMIT):
            events.append(self._malformed("a packet"))
        else:
            link_type, tick, divisor, shift, _, _ = self._interfaces[index]
            if ticks is not None:
                time = ticks * tick // divisor + shift
                if time <= TIME_LIMIT:
                    self._last_time = time
                else:
                    events.append(self._bad_time(time))
            packet = (self.frame, self._last_time, start, start + captured, wire)
            events.append(PacketBatch(data, link_type, [packet]))

    def _bad_time(self, time: int) -> Problem:
        return Problem(
            "pcapng-bad-time",
            "A packet's time is too far in the future; the time of the packet before it was taken.",
            frame=self.frame,
            detail=f"{time} ns since the epoch",
        )

    def _names(self, data: bytes, start: int, end: int, events: list[CaptureEvent]) -> None:
        events.extend(resolved_names(data, start + 8, end, self._order.mark))

    def _secrets(self, data: bytes, start: int, end: int, events: list[CaptureEvent]) -> None:
        if end - start < 16:
            events.append(self._malformed("secrets"))
            return
        kind, length = self._order.block.unpack_from(data, start + 8)
        if kind == _TLS_KEY_LOG:
            events.append(Secrets(data[start + 16 : min(start + 16 + length, end)]))

    def _malformed(self, what: str) -> Problem:
        return Problem(
            "pcapng-malformed-block",
            "A block's fields do not fit into the block; it was left out.",
            frame=self.frame or None,
            detail=what,
        )

    _HANDLERS: Final[dict[int, Callable[[PcapngParser, bytes, int, int, list[CaptureEvent]], None]]] = {
        SECTION_HEADER: _section,
        INTERFACE_DESCRIPTION: _interface,
        PACKET: _obsolete_packet,
        SIMPLE_PACKET: _simple_packet,
        NAME_RESOLUTION: _names,
        ENHANCED_PACKET: _enhanced_packet,
        DECRYPTION_SECRETS: _secrets,
    }
