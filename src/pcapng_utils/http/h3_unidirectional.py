"""HTTP/3's unidirectional streams (RFC 9114, section 6.2): control, push, and QPACK's (RFC 9204, section 4.2).

Strategy: a stream says first what it is. Once that is read, a receiver for its kind takes over; streams of kinds that
are of no use here (QPACK's decoder streams, reserved kinds, extensions) have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from pcapng_utils.http.h3_frames import FrameReader, FrameType, read_varint
from pcapng_utils.http.h3_messages import MessageReceiver
from pcapng_utils.layers import SERVER, Stamp, UnitKind

if TYPE_CHECKING:
    from pcapng_utils.http.http3 import Http3Connection

_PUSH_STREAM: Final = 0x01
_CONTROL_MARK: Final = int(UnitKind.CONTROL)


class Receiver(Protocol):
    """Takes in one direction of one stream."""

    def data(self, data: bytes, stamp: Stamp) -> None:
        """The next bytes."""

    def gap(self, size: int, stamp: Stamp) -> None:
        """`size` bytes (0: unknown) were lost before those that follow."""

    def end(self, stamp: Stamp) -> None:
        """Nothing follows."""

    def reset(self, reason: str, stamp: Stamp) -> None:
        """Nothing follows, since the sender gave up: `reason` as in `Exchange.reset`."""


class UnidirectionalReceiver:
    """Reads what a stream is for, and passes on the rest."""

    __slots__ = ("_connection", "_direction", "_head", "_next", "_stream_id")

    def __init__(self, connection: Http3Connection, stream_id: int, direction: int) -> None:
        self._connection = connection
        self._direction = direction
        self._stream_id = stream_id
        self._head: bytes | None = b""
        """What came so far of the stream's kind (and of a push's number); None once it is known."""
        self._next: Receiver | None = None

    def data(self, data: bytes, stamp: Stamp) -> None:
        if self._head is not None:
            data = self._open(self._head + data)
        if not isinstance(self._next, MessageReceiver):
            self._connection.services.units.mark(self._direction, stamp.unit, _CONTROL_MARK)
        if self._next is not None and data:
            self._next.data(data, stamp)

    def gap(self, size: int, stamp: Stamp) -> None:
        self._head = None
        if self._next is not None:
            self._next.gap(size, stamp)

    def end(self, stamp: Stamp) -> None:
        if self._next is not None:
            self._next.end(stamp)

    def reset(self, reason: str, stamp: Stamp) -> None:
        if self._next is not None:
            self._next.reset(reason, stamp)

    def _open(self, head: bytes) -> bytes:
        """Find the receiver by the stream's beginning; returns what is behind it."""
        self._head = head
        kind = read_varint(head, 0)
        if kind is None:
            return b""
        number, position = kind
        if number == _PUSH_STREAM and self._direction == SERVER:
            push = read_varint(head, position)
            if push is None:
                return b""
            position = push[1]
            stream = self._connection.push(push[0], self._stream_id)
            if stream is not None and not stream.done[SERVER]:
                self._next = MessageReceiver(self._connection, stream, SERVER)
        elif number in _RECEIVERS:
            self._next = _RECEIVERS[number](self._connection, self._direction)
        self._head = None
        return head[position:]


class ControlReceiver:
    """A control stream: of interest are SETTINGS and GOAWAY."""

    __slots__ = ("_connection", "_direction", "_reader")

    def __init__(self, connection: Http3Connection, direction: int) -> None:
        services = connection.services
        self._connection = connection
        self._direction = direction
        self._reader = FrameReader(direction, self, services.units, services.limits.header_block)

    def data(self, data: bytes, stamp: Stamp) -> None:
        self._reader.data(data, stamp)

    def gap(self, size: int, stamp: Stamp) -> None:
        self._reader.gap(size, stamp)

    def end(self, stamp: Stamp) -> None:
        """An error between endpoints, of no consequence here."""

    def reset(self, reason: str, stamp: Stamp) -> None:
        """The same."""

    def frame(self, kind: int, payload: bytes, stamps: list[Stamp]) -> None:
        if kind == FrameType.SETTINGS:
            self._connection.settings(self._direction, payload)
        elif kind == FrameType.GOAWAY:
            self._connection.goaway(self._direction, payload)

    def damaged(self, kind: int, stamps: list[Stamp]) -> None:
        """What it said is not known: as if it had not been sent."""

    def content(self, data: bytes, stamp: Stamp) -> None:
        """DATA has no place here."""

    def content_lost(self, size: int, stamp: Stamp) -> None:
        """The same."""


class EncoderReceiver:
    """A QPACK encoder stream."""

    __slots__ = ("_connection", "_direction")

    def __init__(self, connection: Http3Connection, direction: int) -> None:
        self._connection = connection
        self._direction = direction

    def data(self, data: bytes, stamp: Stamp) -> None:
        self._connection.encoder_data(self._direction, data, stamp)

    def gap(self, size: int, stamp: Stamp) -> None:
        self._connection.encoder_gap(self._direction, size, stamp)

    def end(self, stamp: Stamp) -> None:
        """An error between endpoints, of no consequence here."""

    def reset(self, reason: str, stamp: Stamp) -> None:
        """The same."""


#: Who reads which kind of stream; a push stream needs more than its kind to be opened.
_RECEIVERS: Final[dict[int, Callable[[Http3Connection, int], Receiver]]] = {
    0x00: ControlReceiver,
    0x02: EncoderReceiver,
}
