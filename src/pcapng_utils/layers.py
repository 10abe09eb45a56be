"""What the layers say to one another.

Bytes flow one way: a capture is cut into packets, packets are joined into flows, flows are decrypted, clear bytes
become HTTP messages. A layer is an object that is *fed* (it reads no file and no clock) and that hands on what it
understood to the layer above, which it was given when it was made. What a layer finds wrong is handed on too, as a
`Problem`; it never raises for what a capture holds.

Every byte keeps its stamp: the time and the number of the packet that carried it. Times are integer nanoseconds
since the Unix epoch, frame numbers count the capture's packets from 1, as Wireshark does.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from enum import IntFlag
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

#: Direction of bytes within a conversation: who sent them.
CLIENT: Final = 0
SERVER: Final = 1


#: Units that are told apart in one direction of a conversation; those beyond count as one.
MOST_UNITS: Final = 1 << 20


class Stamp(NamedTuple):
    """Where a run of clear bytes was on the wire."""

    first: int
    """Time of the packet that carried the first of the bytes, in ns."""
    last: int
    """Time of the packet that completed them (the latest one needed to read them), in ns."""
    frames: tuple[int, ...]
    """The packets that carried them, in order, no repeats."""
    unit: int
    """Index in the direction's `UnitLog` of the record, segment or datagram that carried them."""


class UnitKind(IntFlag):
    """What a unit (see `UnitLog`) carried; several may be joined."""

    NONE = 0
    CLIENT_HELLO = 1
    HANDSHAKE = 2
    FINISHED = 4
    CHANGE_CIPHER_SPEC = 8
    ALERT = 16
    HEADERS = 32
    BODY = 64
    CONTROL = 128
    """HTTP/2 or HTTP/3 frames that belong to no message: SETTINGS, WINDOW_UPDATE, PING, RST_STREAM, GOAWAY, ..."""
    UNREADABLE = 256
    """Encrypted with a key that is not at hand."""


class UnitLog:
    """The units of a conversation, by direction, in the order of the stream.

    A unit is what one write call of an application becomes on the wire, as far as it can be seen: a TLS record, a
    segment of a cleartext stream, a datagram. Attribution aligns the units of a direction with the socket calls of
    that direction.
    """

    __slots__ = ("frames", "kinds", "sizes", "times")

    def __init__(self) -> None:
        self.times: tuple[array[int], array[int]] = (array("q"), array("q"))
        """Time in ns of the packet that carried the unit's first byte, by direction."""
        self.frames: tuple[array[int], array[int]] = (array("I"), array("I"))
        """Number of that packet."""
        self.sizes: tuple[array[int], array[int]] = (array("I"), array("I"))
        """Bytes on the wire, the unit's own header included."""
        self.kinds: tuple[array[int], array[int]] = (array("H"), array("H"))
        """`UnitKind` flags."""

    def add(self, direction: int, time: int, frame: int, size: int, kind: int = 0) -> int:
        """Append a unit; returns its index in the direction."""
        times = self.times[direction]
        if len(times) >= MOST_UNITS:
            return MOST_UNITS - 1
        times.append(time)
        self.frames[direction].append(frame)
        self.sizes[direction].append(size)
        self.kinds[direction].append(kind)
        return len(times) - 1

    @property
    def full(self) -> bool:
        """Whether units are no longer told apart."""
        return max(map(len, self.times)) >= MOST_UNITS

    def mark(self, direction: int, unit: int, kind: int) -> None:
        """Add `kind` to what the unit is known to have carried."""
        self.kinds[direction][unit] |= int(kind)  # joining flags of an enumeration takes 20 times as long

    def swap(self) -> None:
        """Exchange the directions: the other side turned out to be the client."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name)[::-1])


class Problem(Struct, frozen=True):
    """Something that is wrong in the input, and what it cost.

    The layer that finds it knows the frame; the conversation it happened in is added on the way out.
    """

    kind: str
    """A stable name, `layer-what`: "tcp-gap", "tls-bad-record", "http1-bad-start-line", ..."""
    message: str
    """A sentence for people: what was expected, what was found, what it cost. The same for problems that are alike
    (numbers that differ each time go to `detail`), so that they can be grouped."""
    frame: int | None = None
    """The packet at which it was noticed."""
    detail: str = ""
    lost: int = 0
    """Bytes that could not be used."""
    connection: str | None = None
    """`Flow.id` of the conversation; None when it belongs to none."""


Report = Callable[[Problem], None]
"""How a layer hands on a problem."""


class ByteLayer(Protocol):
    """A layer that reads the two byte streams of one conversation: TLS, HTTP/1.x, HTTP/2, WebSocket, SOCKS, ..."""

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        """The next bytes that `direction` (CLIENT or SERVER) sent, in order, without repeats."""

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        """`size` bytes of the direction were lost (0: an unknown number) before those that follow.

        `stamp` is that of the first byte after the hole."""

    def end(self, direction: int, stamp: Stamp | None) -> None:
        """The direction's stream was closed in good order: FIN, close_notify, END_STREAM."""

    def close(self) -> None:
        """Nothing more will come in either direction (reset, time-out, end of the capture). Called once, last."""


class SegmentLayer(Protocol):
    """What a TCP flow hands its bytes to: `ByteLayer` for one packet at a time, without an object for each stamp."""

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        """The next bytes of the direction: the new part of one packet, with its time in ns and its frame number."""

    def gap(self, direction: int, size: int, time: int, frame: int) -> None:
        """`size` bytes are missing before those that follow; `time` and `frame` are of the packet behind the hole."""

    def end(self, direction: int, time: int, frame: int) -> None:
        """FIN, once all bytes before it were handed over or given up."""

    def close(self) -> None:
        """Nothing more will come: RST, time-out, the ports were used anew, end of the capture. Called once, last."""


class DatagramLayer(Protocol):
    """What a UDP flow hands its datagrams to."""

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        """One datagram's payload."""

    def close(self) -> None:
        """Nothing more will come. Called once, last."""


class StreamsLayer(Protocol):
    """A layer that reads the streams of one QUIC connection: HTTP/3, DNS over QUIC, ...

    A stream that both sides send on has one identifier and two directions (RFC 9000, section 2.1).
    """

    def stream_data(self, stream_id: int, direction: int, data: bytes, fin: bool, stamp: Stamp) -> None:
        """The next bytes that `direction` sent on the stream, in order, without repeats; `fin`: nothing follows."""

    def stream_gap(self, stream_id: int, direction: int, size: int, stamp: Stamp) -> None:
        """`size` bytes of the stream were lost before those that follow, whose stamp this is."""

    def stream_reset(self, stream_id: int, direction: int, error_code: int, stamp: Stamp) -> None:
        """`direction` ended its side of the stream early (RESET_STREAM); nothing follows."""

    def close(self) -> None:
        """Nothing more will come on any stream. Called once, last."""
