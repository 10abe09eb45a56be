"""HTTP/1.0 and 1.1 (RFC 9110, RFC 9112): the exchanges of one connection, read as a bystander.

Strategy: each direction is read on its own (`_http1_reader`); here it is decided what a message means to the other
direction. A response belongs to a request (`_http1_turns`); one to HEAD has no body; after CONNECT or an upgrade the
bytes are no longer HTTP. A direction that is ahead of the other waits for it, so that it makes no difference in which
order the packets of the two were captured.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Final

from pcapng_utils.http._http1_expectation import Expectation, asks_first
from pcapng_utils.http._http1_kinds import REQUESTS, RESPONSES
from pcapng_utils.http._http1_reader import DEFAULT_LIMITS, SWITCHED, Limits, MessageReader
from pcapng_utils.http._http1_turns import Turn, Turns
from pcapng_utils.http._http1_waiting import Input, InputKind, WaitingReader
from pcapng_utils.http.body import BodyFactory
from pcapng_utils.http.detect import looks_like_http1
from pcapng_utils.http.exchange import Emit, Exchange, Message, Request, Response, Upgrade
from pcapng_utils.http.framing import UNTIL_CLOSE, body_length
from pcapng_utils.http.sse import event_stream_reader, is_event_stream
from pcapng_utils.layers import CLIENT, SERVER, ByteLayer, Problem, Report, Stamp, UnitLog

__all__ = ["DEFAULT_LIMITS", "Http1Connection", "Limits"]

_EMITTED_ABOVE: Final = frozenset(("websocket", "h2c"))
"""Protocols that the exchange becomes part of."""

_BAD_LENGTH: Final = "the headers of an HTTP/1 message are at odds about the length of its body (RFC 9112, section 6.3)"
_NO_REQUESTS: Final = "HTTP/1 responses came whose requests were not captured; they stand alone"
_TOO_MANY_INTERIM: Final = "an HTTP/1 request has more interim responses than are kept; the others are left out"
_NO_SWITCH: Final = "an HTTP/1 response changes the protocol amid other requests; it is taken for a plain response"


class _Nowhere:
    """A `ByteLayer` for bytes that nothing can read."""

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        """Dropped."""

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        """Nothing is missed."""

    def end(self, direction: int, stamp: Stamp | None) -> None:
        """Nothing ends."""

    def close(self) -> None:
        """Nothing is open."""


class Http1Connection:
    """A `ByteLayer` that reads HTTP/1.x and emits exchanges in the order of their requests, each once complete."""

    __slots__ = (
        "_answering",
        "_asking",
        "_client",
        "_emit",
        "_layer",
        "_limits",
        "_readers",
        "_report",
        "_server",
        "_stirred",
        "_switching",
        "_turns",
        "_unasked",
        "_upgrade",
        "_whole",
    )

    def __init__(
        self,
        emit: Emit,
        report: Report,
        new_body: BodyFactory,
        units: UnitLog,
        upgrade: Upgrade,
        limits: Limits = DEFAULT_LIMITS,
        *,
        whole: bool = False,
    ) -> None:
        """`whole`: these are the first bytes of the connection; in one that was joined later, or has holes, times help
        to tell which response belongs to which request.

        `upgrade` is asked once the connection becomes something else. Where it gives a layer for "websocket" or
        "h2c", that layer emits the exchange; in all other cases it is emitted here, before `upgrade`'s layer is fed."""
        self._emit = emit
        self._report = report
        self._upgrade = upgrade
        self._limits = limits
        self._client = MessageReader(
            REQUESTS, self._begin_request, self._complete_request, report, new_body, units, limits
        )
        self._server = MessageReader(
            RESPONSES, self._begin_response, self._complete_response, report, new_body, units, limits
        )
        self._readers: tuple[WaitingReader, WaitingReader] = (self._client, self._server)
        self._turns = Turns(emit, report, limits.outstanding)
        self._asking: Turn | None = None
        """Whose request is being read."""
        self._answering: Turn | None = None
        """Whose response is being read, from its first interim response on."""
        self._switching: Turn | None = None
        """After which the connection is no longer HTTP/1."""
        self._layer: ByteLayer | None = None
        """What reads the bytes from there on."""
        self._stirred = False
        """Something happened that the other direction may wait for."""
        self._unasked = False
        """Responses no longer wait for requests."""
        self._whole = whole

    # ByteLayer

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        if self._layer is not None:
            self._layer.data(direction, data, stamp)
            return
        reader = self._readers[direction]
        reader.data(data, stamp)
        if self._stirred:
            self._settle()
        if reader.held_cost > self._limits.held:
            self._stop_waiting(direction, stamp)

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        if self._layer is not None:
            self._layer.gap(direction, size, stamp)
            return
        self._whole = False
        self._readers[direction].gap(size, stamp)
        self._settle()

    def end(self, direction: int, stamp: Stamp | None) -> None:
        if self._layer is not None:
            self._layer.end(direction, stamp)
            return
        self._readers[direction].end(stamp)
        self._settle()

    def close(self) -> None:
        self._finish(CLIENT)
        self._unasked = True
        self._finish(SERVER)
        if self._client.waiting:
            self._assume_switch()
            self._finish(CLIENT)
        if self._layer is not None:
            self._layer.close()
        self._give_up_answer()
        self._turns.close()

    def _finish(self, direction: int) -> None:
        """Let the direction end here, if it has not ended and does not wait."""
        self._settle()
        reader = self._readers[direction]
        if self._layer is None and not reader.ended and not reader.waiting:
            reader.end(None, clean=False)
            self._settle()

    # Requests

    def _begin_request(self, request: Request) -> int:
        request.authority = request.header(b"host") or b""
        turn = self._asking = self._turns.add(request)
        turn.may_switch = request.method.upper() == b"CONNECT" or request.header(b"upgrade") is not None
        if asks_first(request):
            self._client.expectation = Expectation(turn.exchange, self._no_more_responses)
        self._stirred = True
        return self._length(request, 0)

    def _no_more_responses(self) -> bool:
        return self._unasked or self._server.ended

    def _complete_request(self, request: Request) -> bool:
        turn = self._asking
        if turn is None:
            return False
        turn.request_done = True
        self._stirred = True
        return turn.may_switch

    # Responses

    def _begin_response(self, response: Response) -> int | None:
        turn = self._turn_for(response)
        if turn is None:
            return None
        self._answering = turn
        self._stirred = self._stirred or self._client.waiting
        exchange = turn.exchange
        status = response.status
        if 100 <= status < 200 and status != 101:
            self._keep_interim(exchange, response)
            return 0
        exchange.response = response
        method = exchange.request.method.upper() if exchange.request is not None else b""
        if (status == 101 or (method == b"CONNECT" and 200 <= status < 300)) and self._can_switch(turn, response):
            self._switching = turn
            self._stirred = True
            self._client.waiting = turn.request_done
            return SWITCHED
        if turn.may_switch:
            turn.may_switch = False
            self._stirred = True
        if method == b"HEAD" or status in (101, 204, 304):
            return 0
        if is_event_stream(response):
            exchange.events = []
            self._server.events = event_stream_reader(response, exchange.events)
        return self._length(response, UNTIL_CLOSE)

    def _keep_interim(self, exchange: Exchange, response: Response) -> None:
        if len(exchange.interim) < self._limits.interim:
            exchange.interim.append(response)
        else:
            self._report(Problem("http1-too-many-interim", _TOO_MANY_INTERIM, response.frames[-1]))
            exchange.interim[-1].lacks("interim-left-out")

    def _turn_for(self, response: Response) -> Turn | None:
        after_hole = self._server.heads_lost
        if self._answering is not None:
            if not after_hole:
                return self._answering
            self._give_up_answer()
        turn = self._turns.turn_for(
            response, whole=self._whole, after_hole=after_hole, alone=self._unasked or self._client.ended
        )
        if turn is not None:
            self._server.heads_lost = False
        return turn

    def _give_up_answer(self) -> None:
        """Interim responses were read, but the final one will not be."""
        turn, self._answering = self._answering, None
        if turn is not None and turn.exchange.request is None:
            self._turns.emit(turn)

    def _complete_response(self, response: Response) -> bool:
        turn = self._answering
        if turn is None or turn.exchange.response is not response:
            return False
        self._answering = None
        turn.response_done = True
        if turn.exchange.request is None:
            self._turns.emit(turn)
        self._stirred = True
        return False

    def _length(self, message: Message, otherwise: int) -> int:
        size, fault = body_length(message.headers, otherwise)
        if fault:
            self._report(Problem("http1-bad-length", _BAD_LENGTH, message.frames[0] if message.frames else None, fault))
        return size

    # What one direction means to the other

    def _settle(self) -> None:
        """Emit what is complete, and let a direction go on that need not wait any longer."""
        while True:
            self._stirred = False
            switching = self._switching
            if switching is not None:
                if switching.request_done and self._layer is None:
                    self._switch(switching)
                return
            self._turns.flush(no_more_responses=self._server.ended)
            if self._server.waiting:
                self._server.retry()
            if self._client.waiting and not self._asked_to_switch():
                self._client.retry()
            if not self._stirred:
                return

    def _asked_to_switch(self) -> bool:
        last = self._turns.last
        return last is not None and last.may_switch

    def _stop_waiting(self, direction: int, stamp: Stamp) -> None:
        """The direction holds all that it may."""
        if self._switching is not None:
            request = self._switching.exchange.request
            if request is not None:
                request.lacks("truncated")
            self._switching.request_done = True
        elif direction == CLIENT:
            self._client.expectation.give_up()
            self._assume_switch()
        else:
            self._report(Problem("http1-no-requests", _NO_REQUESTS, stamp.frames[0] if stamp.frames else None))
            self._unasked = True
        self._settle()

    def _assume_switch(self) -> None:
        """The answer to an upgrade will not be read: does the client go on with HTTP?"""
        turn = self._turns.last
        if turn is not None and turn.may_switch:
            turn.may_switch = False
            following = self._client.first_held()
            if following and looks_like_http1(following, CLIENT) is False:
                self._switching = turn
                if turn.exchange.request is not None:
                    turn.exchange.request.lacks("no-response")
        self._settle()

    def _can_switch(self, turn: Turn, response: Response) -> bool:
        """Whether no byte after the request was read as HTTP."""
        last = self._turns.last
        if turn.may_switch or (last in (None, turn) and self._client.between_messages):
            return True
        self._report(Problem("http1-no-switch", _NO_SWITCH, response.frames[0] if response.frames else None))
        return False

    def _switch(self, turn: Turn) -> None:
        """Hand over to the layer that reads what the connection has become, with all that was held for it."""
        exchange = turn.exchange
        exchange.tunnel = _new_protocol(exchange)
        self._answering = None
        self._turns.close(but=turn)
        layer = self._upgrade(exchange, exchange.tunnel)
        if layer is None or exchange.tunnel not in _EMITTED_ABOVE:
            self._emit(exchange)
        self._layer = layer = layer or _Nowhere()
        held = [_timed(direction, reader.take_held()) for direction, reader in enumerate(self._readers)]
        for _, direction, item in heapq.merge(*held, key=itemgetter(0)):
            _FEED[item.kind](layer, direction, item)
        for direction, reader in enumerate(self._readers):
            if reader.ended:
                layer.end(direction, None)


def _new_protocol(exchange: Exchange) -> str:
    """`Exchange.tunnel`: what a response (or, if none is at hand, the request) says the connection becomes."""
    request, response = exchange.request, exchange.response
    if request is not None and request.method.upper() == b"CONNECT":
        return "connect"
    for message in (response, request):
        names = message.header(b"upgrade") if message is not None else None
        if names:
            return names.partition(b",")[0].strip().lower().decode("latin-1")
    return "unknown"


def _timed(direction: int, held: list[Input]) -> Iterator[tuple[int, int, Input]]:
    """With the time at which each was captured, never falling."""
    time = 0
    for item in held:
        if item.stamp is not None:
            time = max(time, item.stamp.first)
        yield time, direction, item


def _feed_data(layer: ByteLayer, direction: int, item: Input) -> None:
    if item.stamp is not None:
        layer.data(direction, item.data, item.stamp)


def _feed_gap(layer: ByteLayer, direction: int, item: Input) -> None:
    if item.stamp is not None:
        layer.gap(direction, item.size, item.stamp)


def _feed_end(layer: ByteLayer, direction: int, item: Input) -> None:
    layer.end(direction, item.stamp)


_FEED: Final[dict[InputKind, Callable[[ByteLayer, int, Input], None]]] = {
    InputKind.DATA: _feed_data,
    InputKind.GAP: _feed_gap,
    InputKind.END: _feed_end,
}
