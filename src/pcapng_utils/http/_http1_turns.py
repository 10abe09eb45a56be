"""Pairing HTTP/1.x responses with requests.

Strategy: the order pairs them (RFC 9112, section 9.3). Where the order may be broken, after a hole or in a connection
whose beginning was not captured, times help: a response does not begin before its request does, and a client that was
not seen to pipeline has one request open at a time.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct

from pcapng_utils.http.exchange import Emit, Exchange, Request, Response
from pcapng_utils.layers import Problem, Report

_CLOCK_TOLERANCE: Final = 1_000_000
"""ns that a response may seem to begin before its request: captures are not always in order."""

_UNANSWERED: Final = "an HTTP/1 client sent more requests than can wait for a response; the oldest stand alone"
_NOTHING_READ: Final = "an HTTP/1 stream breaks off inside a request line, and nothing answers it"


class Turn(Struct, eq=False):
    """An exchange in the making."""

    exchange: Exchange
    request_done: bool = False
    response_done: bool = False
    may_switch: bool = False
    """The client asked for another protocol and was not refused (yet): what follows may not be HTTP."""

    @property
    def unanswered(self) -> bool:
        """No final response has begun."""
        return self.exchange.response is None and not self.response_done


class Turns:
    """The turns of a connection whose request has begun, in order, until they are emitted."""

    __slots__ = ("_emit", "_limit", "_pipelined", "_report", "_turns")

    def __init__(self, emit: Emit, report: Report, limit: int) -> None:
        """`limit`: how many may be open."""
        self._emit = emit
        self._report = report
        self._limit = limit
        self._turns: deque[Turn] = deque()
        self._pipelined = False

    @property
    def last(self) -> Turn | None:
        return self._turns[-1] if self._turns else None

    def add(self, request: Request) -> Turn:
        turn = Turn(Exchange(request, None))
        self._turns.append(turn)
        if len(self._turns) > self._limit:
            oldest = self._turns[0] if self._turns[0].unanswered else self._turns[1]
            self._turns.remove(oldest)
            self._report(Problem("http1-unanswered", _UNANSWERED, request.frames[0] if request.frames else None))
            self.emit(oldest)
        return turn

    def turn_for(self, response: Response, *, whole: bool, after_hole: bool, alone: bool) -> Turn | None:
        """The turn that a response belongs to: one of these, or a new one without a request; None: its request may
        still come.

        `whole`: nothing of the connection is missing, so that the order alone pairs. `after_hole`: whole responses may
        have been lost before this one. `alone`: no request will come any more.
        """
        latest = response.first + _CLOCK_TOLERANCE
        waiting = [turn for turn in self._turns if turn.unanswered] if after_hole else self._first_two_unanswered()
        asked = [
            turn for turn in waiting if whole or turn.exchange.request is None or turn.exchange.request.first <= latest
        ]
        if not asked:
            return Turn(Exchange(None, None), request_done=True) if waiting or alone else None
        if len(asked) > 1 and after_hole and not self._pipelined:
            for turn in asked[:-1]:
                turn.response_done = True
            return asked[-1]
        if len(asked) > 1:
            self._pipelined = True
        return asked[0]

    def _first_two_unanswered(self) -> list[Turn]:
        """At most the first can be answered while it is still among the turns: when its request is not complete."""
        return [self._turns[at] for at in range(min(2, len(self._turns))) if self._turns[at].unanswered]

    def flush(self, *, no_more_responses: bool) -> None:
        """Emit those that are complete, up to the first that is not."""
        turns = self._turns
        while turns:
            turn = turns[0]
            if not turn.request_done:
                return
            if not turn.response_done and (turn.may_switch or not no_more_responses or not turn.unanswered):
                return
            self.emit(turns.popleft())

    def close(self, but: Turn | None = None) -> None:
        """Emit all, complete or not, except one."""
        while self._turns:
            turn = self._turns.popleft()
            if turn is not but:
                self.emit(turn)

    def emit(self, turn: Turn) -> None:
        exchange = turn.exchange
        request = exchange.request
        if request is None and exchange.response is None:
            # A final response never came.
            exchange.response = exchange.interim.pop()
        if request is not None and exchange.response is None:
            if not request.method:
                place = request.frames[0] if request.frames else None
                self._report(Problem("http1-truncated", _NOTHING_READ, place, lost=request.headers_size))
                return
            request.lacks("no-response")
        self._emit(exchange)
