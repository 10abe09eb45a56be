"""WebSocket (RFC 6455) with permessage-deflate (RFC 7692), over HTTP/1.1, HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220).

Strategy: each direction has a reader of frames; frames are joined to messages, messages inflated, and all put into the
log of the exchange that opened the WebSocket. Nothing in the stream marks where a frame starts: a direction whose
place is lost is given up, and what was read before is kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pcapng_utils.http._websocket_frames import CLOSE, CONTINUATION, Frame, FrameReader, Trace
from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import (
    OVERHEAD,
    Emit,
    Exchange,
    Response,
    WebSocketClose,
    WebSocketLog,
    WebSocketMessage,
)
from pcapng_utils.layers import CLIENT, SERVER, Problem, Report, Stamp, UnitKind, UnitLog

_FLUSH: Final = b"\x00\x00\xff\xff"
"""What permessage-deflate leaves out at the end of a message (RFC 7692, section 7.2.2)."""
_WINDOW: Final = 1 << 15


class WebSocketLimits(Struct, frozen=True):
    message: int = 1 << 25
    """Bytes kept of one message, inflated."""
    retained: int = 1 << 26
    """Bytes of memory for one connection's messages."""


DEFAULT_LIMITS: Final = WebSocketLimits()

_LOST_SYNC: Final = "a WebSocket frame was expected, something else was found; the rest of the direction is skipped"
_GAP: Final = (
    "bytes were lost, and with them the place of the next WebSocket frame; the rest of the direction is skipped"
)
_AFTER_CLOSE: Final = "bytes came after a WebSocket's close frame; they are skipped"
_BAD_MESSAGE: Final = "a WebSocket message is not whole or could not be inflated; it is kept as far as it could be read"
_TOO_MUCH: Final = "a WebSocket carried more than is kept; its later messages are left out"


class _Message:
    """A message whose frames are coming in."""

    __slots__ = ("compressed", "fault", "opcode", "parts", "size", "trace")

    def __init__(self, opcode: int, compressed: bool) -> None:
        self.opcode = opcode
        self.compressed = compressed
        self.fault = ""
        self.parts: list[bytes] = []
        self.size = 0
        self.trace = Trace()

    def append(self, frame: Frame, limit: int) -> None:
        """Add a frame's payload. What comes after a hole is of no use to an inflater."""
        self.trace.extend(frame.trace)
        if not (self.compressed and self.fault):
            data = frame.intact() if self.compressed else frame.payload()
            if self.size + len(data) > limit:
                data = data[: limit - self.size]
                self.fault = self.fault or "too-long"
            if data:
                self.parts.append(data)
                self.size += len(data)
        self.fault = self.fault or frame.fault


class _Inflater:
    """permessage-deflate, one direction."""

    __slots__ = ("_broken", "_context", "_recent", "_stream")

    def __init__(self, *, context: bool) -> None:
        """`context`: messages may refer to the ones before (RFC 7692, section 7.1.1: context takeover)."""
        self._context = context
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._recent = bytearray()
        """What came out last, enough to fill the window: a block that ends the stream (RFC 7692, 7.2.3.4) does not
        end what the next may refer to."""
        self._broken = False

    def inflate(self, data: bytes, limit: int, fault: str) -> tuple[bytes, str]:
        """The message and what is wrong with it; `fault` says what was wrong before: its end is missing."""
        if self._broken:
            return data, fault or "not-inflated"
        parts: list[bytes] = []
        rest, room = data if fault else data + _FLUSH, limit
        while rest:
            try:
                part = self._stream.decompress(rest, room + 1)
            except zlib.error:
                fault = "bad-deflate"
                break
            parts.append(part[:room])
            self._remember(parts[-1])
            if len(part) > room:
                fault = fault or "too-long"
                break
            room -= len(part)
            rest = self._stream.unused_data
            if self._stream.eof:
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._recent[-_WINDOW:])
        if not self._context:
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            self._recent.clear()
        self._broken = bool(fault) and self._context
        return b"".join(parts), fault

    def _remember(self, part: bytes) -> None:
        recent = self._recent
        recent += part[-_WINDOW:]
        if len(recent) > 2 * _WINDOW:
            del recent[:-_WINDOW]


def _inflaters(response: Response | None) -> list[_Inflater] | None:
    """By direction, as Sec-WebSocket-Extensions says; None: the extension was not agreed on.

    Where the handshake's answer is not at hand, a frame that says it is compressed is believed.
    """
    if response is None:
        return [_Inflater(context=True), _Inflater(context=True)]
    for name, value in response.headers:
        if name.lower() != b"sec-websocket-extensions":
            continue
        for extension in value.lower().split(b","):
            token, *parameters = (part.strip() for part in extension.split(b";"))
            if token == b"permessage-deflate":
                return [
                    _Inflater(context=b"client_no_context_takeover" not in parameters),
                    _Inflater(context=b"server_no_context_takeover" not in parameters),
                ]
    return None


class WebSocketLayer:
    """Reads the bytes that follow a WebSocket's handshake, and emits the exchange once the WebSocket is over.

    Over means: both directions sent a close frame or ended; at the latest, `close`.
    """

    __slots__ = (
        "_emit",
        "_emitted",
        "_exchange",
        "_faults",
        "_inflaters",
        "_limits",
        "_log",
        "_memory",
        "_open",
        "_over",
        "_readers",
        "_report",
        "_retained",
        "_shaken",
        "_skipped",
        "_too_much",
        "_units",
    )

    def __init__(
        self,
        exchange: Exchange,
        emit: Emit,
        report: Report,
        units: UnitLog,
        limits: WebSocketLimits = DEFAULT_LIMITS,
    ) -> None:
        self._exchange = exchange
        self._emit = emit
        self._report = report
        self._units = units
        self._limits = limits
        self._shaken = exchange.response or exchange.request or Response(Body())
        self._memory = self._shaken.body.memory
        self._log = exchange.websocket = WebSocketLog()
        exchange.tunnel = exchange.tunnel or "websocket"
        self._inflaters = _inflaters(exchange.response)
        self._readers = [FrameReader(partial(self._frame, side), limits.message) for side in (CLIENT, SERVER)]
        self._open: list[_Message | None] = [None, None]
        self._over = [False, False]
        self._faults: list[Problem | None] = [None, None]
        self._skipped = [0, 0]
        self._retained = 0
        self._too_much = 0
        self._emitted = False

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        if self._emitted:
            return
        reader = self._readers[direction]
        if reader.lost_place:
            self._skipped[direction] += len(data)
            return
        used = reader.feed(data, stamp)
        if reader.lost_place:
            self._skipped[direction] += len(data) - used
            self._give_up(direction, "websocket-lost-sync", _LOST_SYNC, stamp)
        elif self._over[CLIENT] and self._over[SERVER]:
            self._finish()

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        reader = self._readers[direction]
        if self._emitted or reader.lost_place:
            return
        reader.gap(size)
        if reader.lost_place and not self._over[direction]:
            self._give_up(direction, "websocket-gap", _GAP, stamp)

    def end(self, direction: int, stamp: Stamp | None) -> None:
        if self._emitted:
            return
        self._end_messages(direction, "truncated")
        self._over[direction] = True
        if self._over[CLIENT] and self._over[SERVER]:
            self._finish()

    def close(self) -> None:
        if self._emitted:
            return
        self._end_messages(CLIENT, "truncated")
        self._end_messages(SERVER, "truncated")
        self._finish()

    def _frame(self, direction: int, frame: Frame) -> None:
        """Take a whole frame (or what there is of it)."""
        control = frame.opcode >= CLOSE
        for unit in frame.trace.units:
            self._units.mark(direction, unit, UnitKind.CONTROL if control else UnitKind.BODY)
        if self._over[direction]:
            self._fault(direction, "websocket-after-close", _AFTER_CLOSE, frame.trace.frames)
        elif control:
            if frame.opcode == CLOSE:
                self._closing(direction, frame.payload(), frame.trace.last)
            message = _Message(frame.opcode, compressed=False)
            message.append(frame, self._limits.message)
            self._keep(direction, message)
        else:
            self._data_frame(direction, frame)

    def _data_frame(self, direction: int, frame: Frame) -> None:
        message = self._open[direction]
        if frame.opcode != CONTINUATION:
            if message is not None:
                message.fault = message.fault or "unfinished"
                self._keep(direction, message)
            message = _Message(frame.opcode, frame.rsv1)
        elif message is None:
            message = _Message(CONTINUATION, frame.rsv1)
            message.fault = "no-start"
        message.append(frame, self._limits.message)
        if frame.fin:
            self._open[direction] = None
            self._keep(direction, message)
        else:
            self._open[direction] = message

    def _keep(self, direction: int, message: _Message) -> None:
        """Put a message into the log."""
        log = self._log.messages
        memory = self._memory
        stamp = message.trace.stamp()
        free = min(self._limits.retained - self._retained, memory.kept_room - memory.kept)
        room = min(self._limits.message, free - OVERHEAD - 8 * len(stamp.frames))
        if room <= 0:
            self._too_much += 1
            return
        data, fault = b"".join(message.parts), message.fault
        if message.compressed:
            data, fault = self._inflate(direction, data, room, fault)
        kept = WebSocketMessage(direction, message.opcode, data, stamp, tuple(message.trace.units), fault)
        if not memory.keep(kept.cost):
            self._too_much += 1
            return
        log.append(kept)
        self._retained += kept.cost
        if fault:
            self._report(
                Problem("websocket-bad-message", _BAD_MESSAGE, stamp.frames[-1], f"{fault}, {len(data)} bytes")
            )

    def _inflate(self, direction: int, data: bytes, room: int, fault: str) -> tuple[bytes, str]:
        if self._inflaters is None:
            return data, fault or "not-inflated"
        return self._inflaters[direction].inflate(data, room, fault)

    def _closing(self, direction: int, data: bytes, time: int) -> None:
        self._over[direction] = True
        first = self._log.close
        if first is None or time < first.time:
            code = int.from_bytes(data[:2], "big") if len(data) >= 2 else None
            self._log.close = WebSocketClose(direction, code, data[2:], time)

    def _give_up(self, direction: int, kind: str, message: str, stamp: Stamp) -> None:
        self._fault(direction, kind, message, stamp.frames)
        self._end_messages(direction, "lost-bytes")

    def _end_messages(self, direction: int, fault: str) -> None:
        """Keep what there is of the messages that will not be completed."""
        reader = self._readers[direction]
        frame, reader.frame = reader.frame, None
        if frame is not None:
            frame.fault = frame.fault or fault
            self._frame(direction, frame)
        message, self._open[direction] = self._open[direction], None
        if message is not None:
            message.fault = message.fault or fault
            self._keep(direction, message)

    def _fault(self, direction: int, kind: str, message: str, frames: Sequence[int]) -> None:
        """Note why the rest of a direction is skipped; told at the end, when it is known how much that was."""
        if self._faults[direction] is None:
            self._faults[direction] = Problem(kind, message, frames[0] if frames else None)

    def _finish(self) -> None:
        self._emitted = True
        for fault, skipped in zip(self._faults, self._skipped, strict=True):
            if fault is not None:
                self._report(replace(fault, lost=skipped))
                self._shaken.lacks(fault.kind.removeprefix("websocket-"))
        if self._too_much:
            self._shaken.lacks("messages-left-out")
            self._report(Problem("websocket-too-much", _TOO_MUCH, detail=f"{self._too_much} messages"))
        self._log.messages = _by_time(self._log.messages)
        self._emit(self._exchange)


def _by_time(messages: list[WebSocketMessage]) -> list[WebSocketMessage]:
    """The messages of both sides by time; those of one side stay in the order of its stream, whatever their times."""
    latest = [(0, 0), (0, 0)]
    keyed = []
    for message in messages:
        latest[message.direction] = max(latest[message.direction], (message.stamp.last, message.stamp.first))
        keyed.append((latest[message.direction], message))
    keyed.sort(key=itemgetter(0))
    return [message for _, message in keyed]
