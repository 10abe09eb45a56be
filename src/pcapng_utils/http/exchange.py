"""What HTTP layers yield: exchanges, of a request and its response, in the form of their bytes.

Everything here is as it was on the wire: names and values are bytes, bodies are as transferred (after the transfer
coding, before the content coding is undone). The HAR layer turns them into text.

They are msgspec's structs, not dataclasses: those take longer to be made, and half a millisecond each to be defined.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from pcapng_utils.http.body import Body
from pcapng_utils.layers import ByteLayer, Stamp

Header = tuple[bytes, bytes]
"""Name and value, case kept; HTTP/2 and HTTP/3 pseudo-headers are in the list, first, as sent."""

#: Packets among which one that is named again is looked for: more than a record is spread over.
_RECENT: Final = 64

#: Bytes of memory that it takes to keep an event or a message, besides its text.
OVERHEAD: Final = 400


class Message(Struct):
    """What requests and responses share."""

    body: Body
    version: str = "HTTP/1.1"
    """"HTTP/1.0", "HTTP/1.1", "HTTP/2" or "HTTP/3"."""
    headers: list[Header] = field(default_factory=list)
    trailers: list[Header] = field(default_factory=list)
    headers_size: int = 0
    """Bytes on the wire of the start line and the headers, the empty line included; HTTP/2 and HTTP/3: size of the
    compressed field section."""
    first: int = 0
    """Time of the packet with the first byte of the message, in ns."""
    last: int = 0
    """Time of the packet with the last byte of the message, in ns (never before `first`)."""
    frames: array[int] = field(default_factory=lambda: array("I"))
    """Packets that carried the message, in the order of its bytes; repeats are rare, but may occur."""
    units: array[int] = field(default_factory=lambda: array("I"))
    """Indices into the direction's `UnitLog`, in order, no repeats: units[0] carried the first byte of the headers."""
    incomplete: list[str] = field(default_factory=list)
    """Why the message is not whole, a short reason each: "lost-bytes", "headers-unknown", "truncated", ..."""

    def carried(self, stamp: Stamp) -> None:
        """Note that (some of) the bytes stamped so belong to this message."""
        if not self.frames:
            self.first = self.last = stamp.first
        if stamp.last > self.last:
            self.last = stamp.last
        frames = self.frames
        for frame in stamp.frames:
            # Parts of one record, and records that share a packet, name the same packets again.
            if not frames or frame > frames[-1] or frame not in frames[-_RECENT:]:
                frames.append(frame)
        if not self.units or self.units[-1] != stamp.unit:
            self.units.append(stamp.unit)

    def lacks(self, reason: str) -> None:
        """Note a reason why the message is not whole, once."""
        if reason not in self.incomplete:
            self.incomplete.append(reason)

    def header(self, name: bytes) -> bytes | None:
        """Value of the first header of that name (given in lower case), or None."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None


class Request(Message):
    method: bytes = b""
    """Empty when the request was not captured or its headers could not be read."""
    target: bytes = b""
    """HTTP/1: the request target as sent (origin, absolute, authority or asterisk form). HTTP/2 and 3: `:path`."""
    scheme: bytes = b""
    """HTTP/2 and 3: `:scheme`. HTTP/1: empty (known from the connection)."""
    authority: bytes = b""
    """HTTP/2 and 3: `:authority`, else Host. HTTP/1: Host (empty if none)."""


class Response(Message):
    status: int = 0
    reason: bytes = b""
    """HTTP/1: the reason phrase as sent; empty for HTTP/2 and 3."""


class WebSocketMessage(Struct, frozen=True):
    """One message (its fragments joined, permessage-deflate undone) or one control frame."""

    direction: int
    opcode: int
    """RFC 6455, section 11.8: 1 text, 2 binary, 8 close, 9 ping, 10 pong."""
    data: bytes
    stamp: Stamp
    """From its first frame's first byte to its last frame's last byte; `frames` of all of them."""
    units: tuple[int, ...]
    """Indices into the direction's `UnitLog`."""
    incomplete: str = ""

    @property
    def cost(self) -> int:
        """Bytes of memory that it takes, about."""
        return OVERHEAD + len(self.data) + 8 * len(self.stamp.frames)


class WebSocketClose(Struct, frozen=True):
    """The first close frame (RFC 6455, section 7.1.5)."""

    direction: int
    code: int | None
    """None: the frame carried no status code (1005 is never on the wire)."""
    reason: bytes
    time: int


class WebSocketLog(Struct):
    messages: list[WebSocketMessage] = field(default_factory=list)
    close: WebSocketClose | None = None


class ServerSentEvent(Struct, frozen=True):
    """An event as dispatched (WHATWG HTML, section 9.2.6)."""

    time: int
    """Time of the packet that completed the event, in ns."""
    event: str
    id: str
    data: str

    @property
    def cost(self) -> int:
        """Bytes of memory that it takes, about, here or where it is written."""
        return OVERHEAD + len(self.data) + len(self.event) + len(self.id)


class Exchange(Struct):
    """A request and its final response; either may be missing, never both."""

    request: Request | None
    response: Response | None
    stream: int | None = None
    """HTTP/2 or HTTP/3 stream identifier; the parent's for none. None for HTTP/1."""
    interim: list[Response] = field(default_factory=list)
    """Informational responses (1xx), in order."""
    websocket: WebSocketLog | None = None
    events: list[ServerSentEvent] | None = None
    pushed: bool = False
    """The request is a PUSH_PROMISE: the client did not send it."""
    reset: str = ""
    """How the stream was ended early: "client RST_STREAM CANCEL", "server RST_STREAM ...", "TCP reset"; else empty."""
    tunnel: str = ""
    """The connection (or stream) became something else after it: "websocket", "h2c", "connect", or the token."""

    @property
    def kept(self) -> int:
        """Bytes that its events and messages count for in `BodyMemory.kept`."""
        messages = self.websocket.messages if self.websocket else ()
        return sum(one.cost for one in messages) + sum(one.cost for one in self.events or ())


Emit = Callable[[Exchange], None]
"""How an HTTP layer hands on an exchange: once, when it is complete (or will never be)."""

Upgrade = Callable[[Exchange, str], ByteLayer | None]
"""Asked by an HTTP/1 layer when an exchange turned the connection into something else (the second argument is the
kind, as in `Exchange.tunnel`): the layer that reads the bytes that follow, or None if nothing can read them."""
