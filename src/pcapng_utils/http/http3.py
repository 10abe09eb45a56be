"""HTTP/3 (RFC 9114): the exchanges of one connection, from the streams of QUIC.

Strategy: each direction of each stream has a receiver. That of a request stream cuts frames and tells a `Stream`,
where the two directions meet, as in HTTP/2. That of a unidirectional stream first finds out what it is for. Field
sections are read by the sender's `QpackReader`; one that has to wait for the encoder stream (or for SETTINGS) holds up
what follows it on its stream, and nothing else.

Streams come in any order. Whatever is still waiting at the end is read as far as it can be.
"""

from __future__ import annotations

from typing import Final

from pcapng_utils.http.body import BodyFactory
from pcapng_utils.http.exchange import Emit, Upgrade
from pcapng_utils.http.field_coding import FieldSection
from pcapng_utils.http.h3_frames import read_varint
from pcapng_utils.http.h3_messages import MessageReceiver
from pcapng_utils.http.h3_unidirectional import Receiver, UnidirectionalReceiver
from pcapng_utils.http.qpack_passive import QpackReader
from pcapng_utils.http.stream_services import Limits, Services
from pcapng_utils.http.stream_table import StreamTable
from pcapng_utils.http.streams import Stream
from pcapng_utils.http.websocket import DEFAULT_LIMITS, WebSocketLimits
from pcapng_utils.layers import CLIENT, SERVER, Report, Stamp, UnitLog

_SENDERS: Final = ("client", "server")

_QPACK_MAX_TABLE_CAPACITY: Final = 0x01

#: RFC 9114, section 8.1, and RFC 9204, section 6.
_ERROR_NAMES: Final = {
    0x33: "H3_DATAGRAM_ERROR",
    **dict(
        enumerate(
            (
                "H3_NO_ERROR",
                "H3_GENERAL_PROTOCOL_ERROR",
                "H3_INTERNAL_ERROR",
                "H3_STREAM_CREATION_ERROR",
                "H3_CLOSED_CRITICAL_STREAM",
                "H3_FRAME_UNEXPECTED",
                "H3_FRAME_ERROR",
                "H3_EXCESSIVE_LOAD",
                "H3_ID_ERROR",
                "H3_SETTINGS_ERROR",
                "H3_MISSING_SETTINGS",
                "H3_REQUEST_REJECTED",
                "H3_REQUEST_CANCELLED",
                "H3_REQUEST_INCOMPLETE",
                "H3_MESSAGE_ERROR",
                "H3_CONNECT_ERROR",
                "H3_VERSION_FALLBACK",
            ),
            start=0x100,
        )
    ),
    0x200: "QPACK_DECOMPRESSION_FAILED",
    0x201: "QPACK_ENCODER_STREAM_ERROR",
    0x202: "QPACK_DECODER_STREAM_ERROR",
}


class Http3Connection:
    """A `StreamsLayer` that reads HTTP/3 and emits an exchange as soon as both sides of its stream are done."""

    def __init__(
        self,
        emit: Emit,
        report: Report,
        new_body: BodyFactory,
        units: UnitLog,
        *,
        upgrade: Upgrade | None = None,
        limits: Limits | None = None,
        websocket_limits: WebSocketLimits = DEFAULT_LIMITS,
    ) -> None:
        """`upgrade` is asked for the layer that reads a CONNECT tunnel's bytes. Without it, or an answer, they are
        skipped. WebSockets (RFC 9220) are read in any case.
        """
        limits = limits or Limits()
        self.services = Services(emit, report, new_body, units, upgrade, "HTTP/3", limits, websocket_limits)
        self.streams = StreamTable(self.services, self._forget)
        self.qpack = (QpackReader(limits.header_list), QpackReader(limits.header_list))
        """By direction: of what it sent."""
        self._receivers: dict[int, Receiver] = {}
        """By stream and direction (the lowest bit)."""
        self._unidirectional = 0
        """How many of them are of unidirectional streams."""
        self._waiting: list[list[MessageReceiver]] = [[], []]
        """By direction: those whose next field section cannot be read yet."""
        self._goaway: int | None = None
        """The first request stream that the server did not look at."""

    # StreamsLayer

    def stream_data(self, stream_id: int, direction: int, data: bytes, fin: bool, stamp: Stamp) -> None:
        receiver = self._receiver(stream_id, direction, stamp)
        if receiver is not None:
            if data:
                receiver.data(data, stamp)
            if fin:
                self._drop(stream_id, direction)
                receiver.end(stamp)

    def stream_gap(self, stream_id: int, direction: int, size: int, stamp: Stamp) -> None:
        receiver = self._receiver(stream_id, direction, stamp)
        if receiver is not None:
            receiver.gap(size, stamp)

    def stream_reset(self, stream_id: int, direction: int, error_code: int, stamp: Stamp) -> None:
        receiver = self._receiver(stream_id, direction, stamp)
        if receiver is not None:
            self._drop(stream_id, direction)
            name = _ERROR_NAMES.get(error_code, f"0x{error_code:x}")
            receiver.reset(f"{_SENDERS[direction]} RESET_STREAM {name}", stamp)

    def close(self) -> None:
        for direction in (CLIENT, SERVER):
            while self._waiting[direction]:
                self.retry(direction, final=True)
        if self._goaway is not None:
            for stream in self.streams:
                if stream.id >= self._goaway:
                    stream.refuse("server GOAWAY")
        self.streams.close()

    def _receiver(self, stream_id: int, direction: int, stamp: Stamp) -> Receiver | None:
        """What reads this direction of the stream; None if nothing does."""
        receiver = self._receivers.get(stream_id << 1 | direction)
        if receiver is None:
            receiver = self._open(stream_id, direction, stamp)
            if receiver is not None:
                self._receivers[stream_id << 1 | direction] = receiver
        return receiver

    def _open(self, stream_id: int, direction: int, stamp: Stamp) -> Receiver | None:
        if stream_id & 2:
            if self._unidirectional >= self.services.limits.streams:
                self.services.problem("too-many-streams", "more streams are open than can be kept", stamp)
                return None
            self._unidirectional += 1
            return UnidirectionalReceiver(self, stream_id, direction)
        if stream_id & 1:
            # HTTP/3 has no use for streams that a server opens in both directions.
            return None
        stream = self.streams.open(stream_id)
        return None if stream is None or stream.done[direction] else MessageReceiver(self, stream, direction)

    def _drop(self, stream_id: int, direction: int) -> None:
        if self._receivers.pop(stream_id << 1 | direction, None) is not None and stream_id & 2:
            self._unidirectional -= 1

    def _forget(self, stream_id: int) -> None:
        """A stream of the table is over."""
        for direction in (CLIENT, SERVER):
            self._receivers.pop(stream_id << 1 | direction, None)

    # What receivers tell

    def wait(self, receiver: MessageReceiver, direction: int) -> bool:
        """Have the receiver's field section tried again when more is known; False if too many wait already."""
        waiting = self._waiting[direction]
        if len(waiting) >= self.services.limits.blocked:
            message = "more field sections wait for QPACK's encoder stream than can be kept"
            self.services.problem("too-many-blocked", message)
            return False
        waiting.append(receiver)
        return True

    def retry(self, direction: int, *, final: bool = False) -> None:
        """More is known of what the field sections of a direction refer to; `final`: all that ever will be."""
        waiting, self._waiting[direction] = self._waiting[direction], []
        for receiver in waiting:
            receiver.retry(final=final)

    def settings(self, direction: int, payload: bytes) -> None:
        """SETTINGS (RFC 9114, section 7.2.4): of interest is what the other endpoint's encoder may use."""
        capacity = 0
        position = 0
        while (identifier := read_varint(payload, position)) and (value := read_varint(payload, identifier[1])):
            position = value[1]
            if identifier[0] == _QPACK_MAX_TABLE_CAPACITY:
                capacity = value[0]
        reader = self.qpack[1 - direction]
        if reader.max_capacity is None:
            reader.max_capacity = capacity
            self.retry(1 - direction)

    def goaway(self, direction: int, payload: bytes) -> None:
        first = read_varint(payload, 0)
        if first is not None and direction == SERVER:
            self._goaway = first[0]

    def encoder_data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        reader = self.qpack[direction]
        inserted = reader.inserted
        error = reader.encoder_data(data, stamp.frames[-1])
        if error:
            message = "a QPACK encoder stream could not be read: header fields that refer to it are unknown"
            self.services.problem("bad-encoder-stream", message, stamp, error, len(data))
        if error or reader.inserted != inserted:
            self.retry(direction)

    def encoder_gap(self, direction: int, size: int, stamp: Stamp) -> None:
        message = "bytes of a QPACK encoder stream were lost: header fields that refer to them are unknown"
        self.services.problem("encoder-gap", message, stamp, lost=size)
        self.qpack[direction].encoder_gap(size)
        self.retry(direction)

    def promise(self, push: int, section: FieldSection, size: int, stamps: list[Stamp]) -> None:
        """PUSH_PROMISE (RFC 9114, section 7.2.5); it may be sent on several streams."""
        stream = self.push(push)
        if stream is not None and stream.exchange.request is None:
            stream.promise(section, size, stamps)
            self.streams.settle(stream)

    def push(self, push: int, stream_id: int | None = None) -> Stream | None:
        """The stream of a push; which of QUIC's it is is known once it is opened.

        It may come before its promise, so the table has it under the push's number, made negative.
        """
        known = self.streams.get(-1 - push)
        stream = known or self.streams.open(-1 - push, pushed=True)
        if stream is not None and (known is None or stream_id is not None):
            stream.exchange.stream = stream_id
        return stream
