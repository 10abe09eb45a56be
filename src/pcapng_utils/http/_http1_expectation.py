"""Whether the body of a request with `Expect: 100-continue` came (RFC 9110, section 10.1.1).

Strategy: a client that is answered with a final status instead of 100 need not send the body, and may go on with its
next request. So where that status came first, and what follows begins with a request line, there is no body. Bytes
that are no request line are the body's, whatever the answer: clients do not wait for it for long.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from pcapng_utils.http._http1_waiting import Input, InputKind
from pcapng_utils.http.detect import looks_like_http1
from pcapng_utils.http.exchange import Exchange, Request
from pcapng_utils.layers import CLIENT, Stamp


class Verdict(Enum):
    """What stands behind the head."""

    BODY = auto()
    NO_BODY = auto()
    """The next request, or nothing."""
    MORE = auto()
    """Too few bytes to say."""
    WAIT = auto()
    """The response will say."""


class Expectation:
    """Takes in bytes behind the head until it is known what they are."""

    __slots__ = ("_exchange", "_no_more_responses", "_pieces", "_sent")

    def __init__(self, exchange: Exchange, no_more_responses: Callable[[], bool]) -> None:
        self._exchange = exchange
        self._no_more_responses = no_more_responses
        self._pieces: list[Input] = []
        self._sent = 0
        """When the first of the bytes came."""

    def add(self, data: bytes, stamp: Stamp) -> Verdict:
        if not self._pieces:
            self._sent = stamp.first
        self._pieces.append(Input(InputKind.DATA, data, 0, stamp))
        looks = looks_like_http1(b"".join([piece.data for piece in self._pieces]), CLIENT)
        if looks is None:
            return Verdict.MORE
        return self._answer(self._sent) if looks else Verdict.BODY

    def end(self) -> Verdict:
        """The stream ended here."""
        return Verdict.BODY if self._pieces else self._answer()

    def give_up(self) -> None:
        """The response will not be waited for any longer."""
        self._no_more_responses = lambda: True

    def take(self) -> list[Input]:
        """What was taken in."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def _answer(self, before: int | None = None) -> Verdict:
        """Whether a final status came (before that time), and no 100."""
        response = self._exchange.response
        if any(interim.status == 100 for interim in self._exchange.interim):
            return Verdict.BODY
        if response is None:
            return Verdict.BODY if self._no_more_responses() else Verdict.WAIT
        return Verdict.NO_BODY if before is None or response.first <= before else Verdict.BODY


UNCONDITIONAL: Final = Expectation(Exchange(None, None), lambda: True)
"""The body comes."""


def asks_first(request: Request) -> bool:
    """Whether the client may wait for a status before it sends the body."""
    return b"100-continue" in (request.header(b"expect") or b"").lower()
