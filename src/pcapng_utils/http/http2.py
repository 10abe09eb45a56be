"""HTTP/2 (RFC 9113): the exchanges of one connection, from the bytes of both directions.

Strategy: each direction has a `FrameReader` that cuts its bytes into frames and an `HpackReader` that turns header
blocks into fields; both are wholly independent of the other direction's. Frames of a stream go to its `Stream`,
where the two directions meet. A frame that makes no sense where it stands is left out and reported; endpoints would
have closed the connection.

A stream's frames may come from the server before the client's HEADERS were read (the directions are not in step), so
either side opens it. But identifiers only rise: once the client has opened a higher one, a request that was not seen
will not be.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from msgspec import Struct

from pcapng_utils.http.body import BodyFactory
from pcapng_utils.http.exchange import Emit, Exchange, Upgrade
from pcapng_utils.http.field_coding import FieldSection
from pcapng_utils.http.h2_frames import END_HEADERS, END_STREAM, PADDED, PRIORITY_FIELDS, FrameReader, FrameType
from pcapng_utils.http.h2_search import HEADER_SIZE
from pcapng_utils.http.hpack_passive import HpackReader
from pcapng_utils.http.stream_services import Limits, Services
from pcapng_utils.http.stream_table import StreamTable
from pcapng_utils.http.streams import Stream
from pcapng_utils.http.websocket import DEFAULT_LIMITS, WebSocketLimits
from pcapng_utils.layers import CLIENT, SERVER, Report, Stamp, UnitLog

_SENDERS: Final = ("client", "server")

_SETTING: Final = struct.Struct(">HI")
_MAX_FRAME_SIZE: Final = 5
"""RFC 9113, section 6.5.2."""

#: RFC 9113, section 7.
_ERROR_NAMES: Final = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)

_LOSSES: Final = {
    "gap": "bytes of an HTTP/2 connection were lost, frames perhaps too; header fields that refer back are unknown",
    "late-start": "the beginning of an HTTP/2 connection was not captured; header fields that refer to it are unknown",
    "not-a-frame": "an HTTP/2 frame was expected, other bytes were found; header fields that refer back are unknown",
}


class _Block(Struct):
    """A header block (RFC 9113, section 4.3), and the frames that carry it."""

    stream: int
    promised: int | None
    """PUSH_PROMISE: the stream that is promised."""
    flags: int
    """Of the frame that began it."""
    fragments: list[bytes]
    stamps: list[Stamp]
    cost: int = 0
    """Bytes of the CONTINUATION frames so far, their headers included."""


class Http2Connection:
    """A `ByteLayer` that reads HTTP/2 and emits an exchange as soon as both sides of its stream are done."""

    def __init__(
        self,
        emit: Emit,
        report: Report,
        new_body: BodyFactory,
        units: UnitLog,
        *,
        upgraded: Exchange | None = None,
        upgrade: Upgrade | None = None,
        limits: Limits | None = None,
        websocket_limits: WebSocketLimits = DEFAULT_LIMITS,
    ) -> None:
        """`upgraded`: the HTTP/1.1 exchange that turned the connection into HTTP/2 (h2c); its request is stream 1.

        `upgrade` is asked for the layer that reads a CONNECT tunnel's bytes. Without it, or an answer, they are
        skipped. WebSockets (RFC 8441) are read in any case.
        """
        limits = limits or Limits()
        self._services = Services(emit, report, new_body, units, upgrade, "HTTP/2", limits, websocket_limits)
        self._streams = StreamTable(self._services)
        self._readers = (FrameReader(CLIENT, self, units), FrameReader(SERVER, self, units))
        self._hpack = (HpackReader(limits.header_list), HpackReader(limits.header_list))
        self._blocks: list[_Block | None] = [None, None]
        self._newest = 0
        """Highest stream that the client opened."""
        self._unrequested: list[int] = []
        """A heap of streams that the server is done with, but whose request was not seen."""
        self._goaway: list[tuple[int, str] | None] = [None, None]
        """By direction: the last stream that its sender looked at, and why it goes away."""
        if upgraded is not None:
            self._adopt(upgraded)

    def _adopt(self, upgraded: Exchange) -> None:
        """RFC 7540, section 3.2: the request that asked for the upgrade is answered on stream 1."""
        stream = self._streams.open(1)
        if stream is not None:
            stream.exchange.request = upgraded.request
            stream.exchange.tunnel = upgraded.tunnel
            stream.exchange.interim += upgraded.interim
            if upgraded.response is not None:
                stream.exchange.interim.append(upgraded.response)
            stream.end(CLIENT, None)
            self._newest = 1

    # ByteLayer

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        self._readers[direction].data(data, stamp)

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        self._readers[direction].gap(size, stamp)

    def end(self, direction: int, stamp: Stamp | None) -> None:
        missing = self._readers[direction].end()
        if missing:
            message = "an HTTP/2 connection ends inside a frame"
            self._problem(direction, "truncated", message, stamp, f"{missing} bytes are missing")

    def close(self) -> None:
        for direction in (CLIENT, SERVER):
            self._readers[direction].end()
            self._refuse(direction)
        self._streams.close()

    def _refuse(self, direction: int) -> None:
        """Streams above the last one that a GOAWAY names were not looked at (RFC 9113, section 6.8)."""
        goaway = self._goaway[direction]
        if goaway is not None:
            last, reason = goaway
            for stream in self._streams:
                if stream.id > last and stream.id % 2 == direction:
                    stream.refuse(reason)

    # FrameSink

    def frame(self, direction: int, kind: int, flags: int, stream: int, payload: bytes, stamps: list[Stamp]) -> None:
        _FRAMES[kind](self, direction, flags, stream, payload, stamps)

    def content(self, direction: int, stream: int, data: bytes, stamp: Stamp) -> None:
        found = self._streams.get(stream)
        if found is None or found.done[direction]:
            found = self._open(direction, stream, stamp, len(data))
        if found is not None:
            found.data(direction, data, stamp)

    def content_lost(self, direction: int, stream: int, size: int, stamp: Stamp) -> None:
        found = self._open(direction, stream, stamp)
        if found is not None:
            found.data_lost(direction, size, stamp)

    def content_end(self, direction: int, stream: int, flags: int, stamp: Stamp) -> None:
        found = self._streams.get(stream)
        if found is not None and flags & END_STREAM:
            self._end(found, direction, stamp)

    def damaged(self, direction: int, kind: int, flags: int, stream: int, stamp: Stamp) -> None:
        if kind == FrameType.RST_STREAM:
            self._reset(direction, stream, "RST_STREAM", stamp)
        elif kind in _BLOCK_KINDS:
            self._give_up_block(direction)
            if kind == FrameType.HEADERS:
                self._lose_block(direction, _Block(stream, None, flags, [], [stamp]))
            self._hpack[direction].forget()

    def lost_place(self, direction: int, reason: str, stamp: Stamp) -> None:
        self._problem(direction, reason, _LOSSES[reason], stamp)
        self._give_up_block(direction)
        self._hpack[direction].forget()
        for stream in self._streams:
            stream.doubt(direction, stamp)

    def found_place(self, direction: int, skipped: int, stamp: Stamp | None) -> None:
        if skipped:
            message = "bytes of an HTTP/2 connection could not be read as frames"
            self._problem(direction, "skipped", message, stamp, lost=skipped)

    # Header blocks

    def _headers(self, direction: int, flags: int, stream: int, payload: bytes, stamps: list[Stamp]) -> None:
        start = 5 if flags & PRIORITY_FIELDS else 0
        self._begin_block(direction, _Block(stream, None, flags, [], stamps), payload, start)

    def _push_promise(self, direction: int, flags: int, stream: int, payload: bytes, stamps: list[Stamp]) -> None:
        at = 1 if flags & PADDED else 0
        promised = int.from_bytes(payload[at : at + 4], "big") & 0x7FFF_FFFF
        self._begin_block(direction, _Block(stream, promised, flags & ~END_STREAM, [], stamps), payload, 4)

    def _begin_block(self, direction: int, block: _Block, payload: bytes, start: int) -> None:
        """The frame that begins a block: its first fragment is `start` bytes into the payload, and without padding."""
        self._give_up_block(direction)
        end = len(payload)
        if block.flags & PADDED and payload:
            start += 1
            end -= payload[0]
        if start > end:
            message = "an HTTP/2 header frame has no room for its fields"
            self._problem(direction, "bad-padding", message, block.stamps[0])
            self._lose_block(direction, block)
            return
        block.fragments.append(payload[start:end])
        if block.flags & END_HEADERS:
            self._read_block(direction, block)
        else:
            self._blocks[direction] = block

    def _continuation(self, direction: int, flags: int, stream: int, payload: bytes, stamps: list[Stamp]) -> None:
        block = self._blocks[direction]
        if block is None or block.stream != stream:
            message = "an HTTP/2 CONTINUATION frame continues nothing that was read"
            self._problem(direction, "orphan", message, stamps[0])
            self._give_up_block(direction)
            self._hpack[direction].forget()
            return
        block.fragments.append(payload)
        block.stamps += stamps
        block.cost += len(payload) + HEADER_SIZE
        if block.cost > self._services.limits.header_block:
            self._problem(direction, "header-block", "an HTTP/2 header block is larger than what is read", stamps[0])
            self._give_up_block(direction)
        elif flags & END_HEADERS:
            self._blocks[direction] = None
            self._read_block(direction, block)

    def _give_up_block(self, direction: int) -> None:
        """The block that is being gathered, if any, will not be whole."""
        block = self._blocks[direction]
        if block is not None:
            self._blocks[direction] = None
            self._lose_block(direction, block)

    def _lose_block(self, direction: int, block: _Block) -> None:
        self._hpack[direction].forget()
        if block.promised is not None:
            return
        stream = self._open(direction, block.stream, block.stamps[0])
        if stream is not None:
            stream.section_lost(direction, block.stamps)
            if block.flags & END_STREAM:
                self._end(stream, direction, block.stamps[-1])

    def _read_block(self, direction: int, block: _Block) -> None:
        """A whole block: its fields count for the compression even if its stream is over."""
        compressed = block.fragments[0] if len(block.fragments) == 1 else b"".join(block.fragments)
        section = self._hpack[direction].read(compressed)
        if section.error:
            message = "an HTTP/2 header block could not be read"
            self._problem(direction, "bad-block", message, block.stamps[0], section.error)
        if block.promised is not None:
            self._promise(direction, block.promised, section, len(compressed), block.stamps)
            return
        stream = self._open(direction, block.stream, block.stamps[0])
        if stream is None:
            return
        last = bool(block.flags & END_STREAM)
        stream.section(direction, section, len(compressed), block.stamps, last=last)
        if last:
            self._end(stream, direction, block.stamps[-1])

    def _promise(self, direction: int, number: int, section: FieldSection, size: int, stamps: list[Stamp]) -> None:
        if direction == CLIENT or not number or number % 2:
            message = "an HTTP/2 PUSH_PROMISE promises a stream that cannot be pushed"
            self._problem(direction, "bad-stream", message, stamps[0])
            return
        stream = self._streams.open(number, pushed=True)
        if stream is not None and stream.exchange.request is None:
            stream.promise(section, size, stamps)
            self._settle(stream)

    # Streams

    def _open(self, direction: int, number: int, stamp: Stamp, size: int = 0) -> Stream | None:
        """The stream that a frame (with `size` bytes of content) is for; None if it is over, or cannot be."""
        pushed = number % 2 == 0
        if direction == CLIENT:
            if pushed:
                message = "an HTTP/2 client sent on a stream that only servers open"
                self._problem(direction, "bad-stream", message, stamp, lost=size)
                return None
            if number > self._newest:
                self._newest = number
                self._pass_unrequested()
        stream = self._streams.open(number, pushed=pushed)
        if stream is None or stream.done[direction]:
            self._problem(direction, "late-frame", "HTTP/2 frames came on a stream that was over", stamp, lost=size)
            return None
        return stream

    def _pass_unrequested(self) -> None:
        """Requests on streams below the client's newest that were not seen will not be; the rest of a body may."""
        while self._unrequested and self._unrequested[0] <= self._newest:
            number = heappop(self._unrequested)
            stream = self._streams.get(number)
            if stream is not None and number < self._newest:
                self._streams.linger(stream)

    def _end(self, stream: Stream, direction: int, stamp: Stamp) -> None:
        stream.end(direction, stamp)
        self._settle(stream)

    def _settle(self, stream: Stream) -> None:
        self._streams.settle(stream)
        if stream.done[SERVER] and not stream.done[CLIENT] and stream.exchange.request is None:
            if stream.id < self._newest or stream.exchange.pushed:
                self._streams.linger(stream)
            else:
                heappush(self._unrequested, stream.id)

    def _rst_stream(self, direction: int, flags: int, stream: int, payload: bytes, stamps: list[Stamp]) -> None:
        code = int.from_bytes(payload, "big")
        self._reset(direction, stream, f"RST_STREAM {_error_name(code)}", stamps[0])

    def _reset(self, direction: int, number: int, reason: str, stamp: Stamp) -> None:
        # Either side may reset a stream that the other opened, and be read first.
        stream = self._streams.open(number, pushed=number % 2 == 0)
        if stream is not None:
            stream.reset(direction, f"{_SENDERS[direction]} {reason}", stamp)
            self._settle(stream)

    def _settings(self, direction: int, flags: int, stream: int, payload: bytes, stamps: list[Stamp]) -> None:
        for identifier, value in _SETTING.iter_unpack(payload):
            if identifier == _MAX_FRAME_SIZE:
                reader = self._readers[1 - direction]
                reader.longest = max(reader.longest, value)  # frames from before a smaller one may be on their way

    def _go_away(self, direction: int, flags: int, stream: int, payload: bytes, stamps: list[Stamp]) -> None:
        last = int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF
        code = int.from_bytes(payload[4:8], "big")
        self._goaway[direction] = last, f"{_SENDERS[direction]} GOAWAY {_error_name(code)}"

    # Problems

    def _problem(
        self, direction: int, kind: str, message: str, stamp: Stamp | None, detail: str = "", lost: int = 0
    ) -> None:
        sender = f"sent by the {_SENDERS[direction]}"
        self._services.problem(kind, message, stamp, f"{sender}: {detail}" if detail else sender, lost)


def _error_name(code: int) -> str:
    return _ERROR_NAMES[code] if code < len(_ERROR_NAMES) else f"0x{code:x}"


_BLOCK_KINDS: Final = frozenset((FrameType.HEADERS, FrameType.PUSH_PROMISE, FrameType.CONTINUATION))

#: What the frames that are told whole are read by.
_FRAMES: Final[dict[int, Callable[[Http2Connection, int, int, int, bytes, list[Stamp]], None]]] = {
    FrameType.HEADERS: Http2Connection._headers,
    FrameType.RST_STREAM: Http2Connection._rst_stream,
    FrameType.SETTINGS: Http2Connection._settings,
    FrameType.PUSH_PROMISE: Http2Connection._push_promise,
    FrameType.GOAWAY: Http2Connection._go_away,
    FrameType.CONTINUATION: Http2Connection._continuation,
}
