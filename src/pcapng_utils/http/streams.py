"""What HTTP/2 and HTTP/3 have in common once frames are cut and fields are read: a stream carries one exchange.

Strategy: a `Stream` is told what each direction carried (sections, data, the end, a reset), in the direction's own
order, and builds the exchange. Nothing depends on how the two directions interleave: what cannot be judged before the
other direction is seen (is this DATA a body, or a tunnel's bytes?) is held until it can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pcapng_utils.http.exchange import Exchange, Header, Message, Request, Response
from pcapng_utils.http.field_coding import FieldSection
from pcapng_utils.http.sse import EventStreamReader, event_stream_reader, is_event_stream
from pcapng_utils.http.stream_services import Services
from pcapng_utils.http.websocket import WebSocketLayer
from pcapng_utils.layers import CLIENT, SERVER, ByteLayer, Stamp

_PIECE_COST: Final = 64
"""What a piece that is held counts beside its bytes."""


class Stream:
    """One exchange in the making."""

    __slots__ = (
        "_doubtful",
        "_end_stamps",
        "_ended",
        "_events",
        "_headed",
        "_held",
        "_held_size",
        "_layer",
        "_reset",
        "_sections",
        "_services",
        "_takes",
        "done",
        "exchange",
        "id",
    )

    def __init__(self, services: Services, stream: int, *, pushed: bool = False) -> None:
        self.id = stream
        self.exchange = Exchange(None, None, stream=stream, pushed=pushed)
        # All of these by direction:
        self.done = [False, False]
        """Whether the direction sends nothing more."""
        self._ended = [False, False]
        """Whether it ended in good order."""
        self._end_stamps: list[Stamp | None] = [None, None]
        self._sections = [0, 0]
        """How many field sections it sent."""
        self._headed = [False, False]
        """Whether its header section was seen: what follows are trailers."""
        self._doubtful = [False, False]
        """Whether bytes were lost that may have been its."""
        self._takes: list[Callable[[Stream, int, bytes, Stamp], None]] = [Stream._append, Stream._append]
        """What becomes of its data."""
        self._services = services
        self._reset: tuple[int, str] | None = None
        """Time of the first reset, and its name."""
        self._held: list[tuple[int, bytes, Stamp]] = []
        self._held_size = 0
        self._layer: ByteLayer | None = None
        self._events: EventStreamReader | None = None

    # What the frames say

    def section(
        self, direction: int, section: FieldSection, size: int, stamps: Sequence[Stamp], *, last: bool = True
    ) -> None:
        """A field section of `size` bytes: interim, final headers, or trailers (only if it may be the `last`)."""
        self._sections[direction] += 1
        if self._sections[direction] > self._services.limits.sections:
            self._services.problem("too-many-sections", "a message has more field sections than are kept", stamps[0])
            return
        if self._is_trailers(direction, section, last):
            message = self._message(direction)
            message.trailers += section.fields
        elif direction == CLIENT:
            message = self.request(section, size)
        else:
            message = self._response(section, size)
        if section.unknown or section.beyond or section.error:
            message.lacks("headers-unknown")
            self._report_fields(section, stamps[0])
        for stamp in stamps:
            message.carried(stamp)

    def _report_fields(self, section: FieldSection, stamp: Stamp) -> None:
        if section.unknown:
            message = "header fields refer to others that were not captured; they are left out"
            self._services.problem("unknown-fields", message, stamp, f"{section.unknown} fields")
        if section.beyond:
            message = "a message has more or longer header fields than are kept; the last of them are left out"
            self._services.problem("header-list", message, stamp, f"{section.beyond} fields")

    def section_lost(self, direction: int, stamps: Sequence[Stamp]) -> None:
        """A field section that cannot be read, because bytes of it were lost or it is too long."""
        message = self._existing(direction) or self._begin(direction)
        message.lacks("headers-unknown")
        for stamp in stamps:
            message.carried(stamp)

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        """Content; empty if the chunk carried only something around it."""
        self._takes[direction](self, direction, data, stamp)

    def data_lost(self, direction: int, size: int, stamp: Stamp) -> None:
        """`size` bytes of the content (0: unknown) were lost."""
        if self._layer is not None:
            self._layer.gap(direction, size, stamp)
        elif not self._is_tunnel:
            self._message(direction).lacks("lost-bytes")
            if self._events is not None and direction == SERVER:
                self._events.gap()

    def doubt(self, direction: int, stamp: Stamp) -> None:
        """Bytes of the direction were lost, perhaps of this stream."""
        if self.done[direction]:
            return
        self._doubtful[direction] = True
        if self._layer is not None:
            self._layer.gap(direction, 0, stamp)
        elif self._events is not None and direction == SERVER:
            self._events.gap()

    def end(self, direction: int, stamp: Stamp | None) -> None:
        """The direction ended in good order."""
        if self.done[direction]:
            return
        self.done[direction] = self._ended[direction] = True
        self._end_stamps[direction] = stamp
        if self._layer is not None:
            self._layer.end(direction, stamp)

    def reset(self, direction: int, reason: str, stamp: Stamp) -> None:
        """The direction gave the stream up: `reason` as in `Exchange.reset`."""
        self.done[direction] = True
        if self._reset is None or (stamp.first, reason) < self._reset:
            self._reset = stamp.first, reason

    def cut(self, direction: int) -> None:
        """The direction ended in the middle of something."""
        self.done[direction] = True

    def promise(self, section: FieldSection, size: int, stamps: Sequence[Stamp]) -> None:
        """The request that the server supposes, from a PUSH_PROMISE: all that the client would have sent."""
        self.section(CLIENT, section, size, stamps)
        self.end(CLIENT, stamps[-1])

    def refuse(self, reason: str) -> None:
        """The peer said that it did not look at this stream: `reason` as in `Exchange.reset`."""
        if self.exchange.response is None and self._reset is None:
            self._reset = 0, reason

    @property
    def was_reset(self) -> bool:
        return self._reset is not None

    # Messages

    def request(self, section: FieldSection, size: int) -> Request:
        """The request that a header section (or a promise) stands for."""
        request = self.exchange.request or Request(self._services.new_body(), self._services.version)
        self.exchange.request = request
        self._headed[CLIENT] = True
        self._doubtful[CLIENT] = False
        request.headers, request.headers_size = section.fields, size
        pseudo = _pseudo_headers(section.fields)
        request.method = pseudo.get(b":method", b"")
        request.scheme = pseudo.get(b":scheme", b"")
        request.target = pseudo.get(b":path", b"")
        request.authority = pseudo.get(b":authority") or request.header(b"host") or b""
        self._decide()
        return request

    def _response(self, section: FieldSection, size: int) -> Response:
        digits = _pseudo_headers(section.fields).get(b":status", b"")
        status = int(digits) if len(digits) == 3 and digits.isdigit() else 0
        interim = 100 <= status < 200
        response = self.exchange.response
        if response is not None and self._headed[SERVER]:
            # Its status could not be read. It was no final one, since another section of headers follows.
            self.exchange.interim.append(response)
        if response is None or interim or self._headed[SERVER]:
            response = Response(self._services.new_body(), self._services.version)
        response.status, response.headers, response.headers_size = status, section.fields, size
        if interim:
            self.exchange.interim.append(response)
            self.exchange.response = None
            self._headed[SERVER] = False
            return response
        self.exchange.response = response
        self._headed[SERVER] = True
        self._doubtful[SERVER] = False
        if is_event_stream(response):
            self.exchange.events = []
            self._events = event_stream_reader(response, self.exchange.events)
            self._takes[SERVER] = Stream._append_events
        self._decide()
        return response

    def _is_trailers(self, direction: int, section: FieldSection, last: bool) -> bool:
        """Whether a section is trailers: if the header section was seen, or if it looks like it."""
        headed = self._headed[direction]
        if any(name.startswith(b":") for name, _ in section.fields):
            response = self.exchange.response
            return headed and (direction == CLIENT or (response is not None and response.status != 0))
        if not last:
            return headed and direction == CLIENT
        return headed or self._existing(direction) is not None or not (section.unknown or section.error)

    def _existing(self, direction: int) -> Message | None:
        return self.exchange.request if direction == CLIENT else self.exchange.response

    def _message(self, direction: int) -> Message:
        """The direction's message; if its headers were not seen, there may have been more of it."""
        message = self._existing(direction)
        if message is None:
            message = self._begin(direction)
            self._doubtful[direction] = True
        return message

    def _begin(self, direction: int) -> Message:
        """A message without headers."""
        message: Request | Response
        services = self._services
        if direction == CLIENT:
            message = self.exchange.request = Request(services.new_body(), services.version)
        else:
            message = self.exchange.response = Response(services.new_body(), services.version)
            self._decide()
        message.lacks("headers-unknown")
        return message

    # Data: a body, or what goes through a tunnel

    def _append(self, direction: int, data: bytes, stamp: Stamp) -> None:
        message = self._existing(direction)
        if message is None:
            message = self._message(direction)
            if self._takes[direction] is not Stream._append:
                self.data(direction, data, stamp)
                return
        message.carried(stamp)
        if data:
            message.body.append(data)

    def _append_events(self, direction: int, data: bytes, stamp: Stamp) -> None:
        self._append(direction, data, stamp)
        if self._events is not None:
            self._events.feed(data, stamp.last)

    def _hold(self, direction: int, data: bytes, stamp: Stamp) -> None:
        self._held.append((direction, data, stamp))
        self._held_size += len(data) + _PIECE_COST
        if self._held_size > self._services.limits.held:
            self._release(Stream._append)

    @property
    def _is_tunnel(self) -> bool:
        return self._takes[CLIENT] is Stream._pass_on

    def _pass_on(self, direction: int, data: bytes, stamp: Stamp) -> None:
        if self._layer is not None and data:
            self._layer.data(direction, data, stamp)

    def _decide(self) -> None:
        """Find out, as each header section comes, whether the stream is a tunnel (CONNECT, RFC 8441, RFC 9220)."""
        request, response = self.exchange.request, self.exchange.response
        if request is None:
            # The response to a CONNECT has no content, so nothing would say its type.
            if response is not None and _opens_tunnel(response) and response.header(b"content-type") is None:
                self._takes[SERVER] = Stream._hold
        elif request.method != b"CONNECT":
            if self._held or self._takes[SERVER] is Stream._hold:
                self._release(Stream._append)
        elif response is None:
            self._takes[CLIENT] = Stream._hold
        elif _opens_tunnel(response):
            self._open_tunnel(request)
        else:
            self._release(Stream._append)

    def _open_tunnel(self, request: Request) -> None:
        services = self._services
        protocol = _pseudo_headers(request.headers).get(b":protocol", b"connect").decode("latin-1")
        self.exchange.tunnel = protocol
        if protocol == "websocket":
            self._layer = WebSocketLayer(
                self.exchange, self._emit, services.report, services.units, services.websocket_limits
            )
        elif services.upgrade is not None:
            self._layer = services.upgrade(self.exchange, protocol)
        self._release(Stream._pass_on)
        if self._layer is not None:
            for direction in (CLIENT, SERVER):
                if self._ended[direction]:
                    self._layer.end(direction, self._end_stamps[direction])

    def _release(self, take: Callable[[Stream, int, bytes, Stamp], None]) -> None:
        """It is known what the data is."""
        held, self._held, self._held_size = self._held, [], 0
        for direction in (CLIENT, SERVER):
            if self._takes[direction] is not Stream._append_events or take is Stream._pass_on:
                self._takes[direction] = take
        for direction, data, stamp in held:
            self._takes[direction](self, direction, data, stamp)

    # The end

    def finish(self) -> None:
        """Hand the exchange on, with what is missing said."""
        exchange = self.exchange
        if self._held:
            self._release(Stream._append)
        self._forget_unseen()
        if exchange.request is None and exchange.response is None:
            if not exchange.interim:
                return
            exchange.response = exchange.interim.pop()
        if self._reset is not None and not all(self._ended):
            exchange.reset = self._reset[1]
        if not self._is_tunnel:
            self._judge(CLIENT)
            self._judge(SERVER)
        if exchange.request is not None and exchange.response is None:
            exchange.request.lacks("no-response")
        if self._events is not None and self._events.problem:
            self._services.problem(
                "event-stream", "a stream of server-sent events is not whole", None, self._events.problem
            )
            if exchange.response is not None:
                exchange.response.lacks("events-left-out")
        if self._layer is not None:
            self._layer.close()
        if exchange.websocket is None:
            self._services.emit(exchange)

    def _emit(self, exchange: Exchange) -> None:
        """Hand on the exchange with what went through its tunnel."""
        self._forget_unseen()
        self._services.emit(exchange)

    def _forget_unseen(self) -> None:
        """A message of which nothing is known but that it was lost was not captured."""
        exchange = self.exchange
        if exchange.request is not None and _is_unseen(exchange.request):
            exchange.request = None
        if exchange.response is not None and _is_unseen(exchange.response):
            exchange.response = None

    def _judge(self, direction: int) -> None:
        """Say of a message that did not end in sight that it is not whole, unless its length proves that it is."""
        message = self._existing(direction)
        if message is None or (self._ended[direction] and not self._doubtful[direction]):
            return
        if message.header(b"content-length") == str(message.body.size).encode():
            return
        if not self._ended[direction]:
            message.lacks("truncated")
        if self._doubtful[direction]:
            message.lacks("lost-bytes")


def _is_unseen(message: Message) -> bool:
    return not message.frames and "headers-unknown" in message.incomplete


def _opens_tunnel(response: Response) -> bool:
    """Whether a CONNECT is granted, as far as can be seen: data follow one whose status could not be read, too."""
    return 200 <= response.status < 300 or not response.status


def _pseudo_headers(fields: Sequence[Header]) -> dict[bytes, bytes]:
    """The first of each pseudo-header (RFC 9113, section 8.3): they come before all others."""
    pseudo: dict[bytes, bytes] = {}
    for name, value in fields:
        if not name.startswith(b":"):
            break
        pseudo.setdefault(name, value)
    return pseudo
