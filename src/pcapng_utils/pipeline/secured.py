"""The TLS and QUIC connections of one conversation, and what they come to together.

As a rule there is one. There are more where a proxy's connection has TLS in its tunnels, and where one pair of sockets
carried several QUIC connections.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pcapng_utils.quic.facts import QuicFacts
from pcapng_utils.tls.facts import TlsFacts


class Secured(Struct, frozen=True):
    """One of them. Its facts are filled in as its handshake and its records are seen."""

    tls: TlsFacts
    quic: QuicFacts | None = None
    tunnelled: bool = False
    """Whether it is inside a tunnel: its server is not the one at the other end of the conversation."""


class SecuredConnections:
    """In the order in which they began."""

    LIMIT: Final = 256
    """Those that are told apart; of more, all but the first and the latest are counted as one."""

    __slots__ = ("_first", "_folded", "_later", "folded")

    def __init__(self) -> None:
        self._first: Secured | None = None
        self._later: OrderedDict[int, Secured] = OrderedDict()
        self._folded: Secured | None = None
        self.folded = 0
        """How many are counted as one."""

    def add(self, tls: TlsFacts, quic: QuicFacts | None = None, *, tunnelled: bool = False) -> None:
        """One begins, or goes on here; it may be known already."""
        if self._first is None:
            self._first = Secured(tls, quic, tunnelled)
        if tls is self._first.tls or id(tls) in self._later:
            return
        self._later[id(tls)] = Secured(tls, quic, tunnelled)
        if len(self._later) >= self.LIMIT:
            self._fold(self._later.popitem(last=False)[1])

    def __iter__(self) -> Iterator[Secured]:
        if self._first is not None:
            yield self._first
        yield from self._later.values()
        if self._folded is not None:
            yield self._folded

    def whole(self) -> tuple[TlsFacts | None, QuicFacts | None]:
        """The facts of the outermost, which is the first whose handshake was seen, with what was read and what was not
        of all, and the first reason."""
        if self._first is None:
            return None, None
        if not self._later:
            return self._first.tls, self._first.quic
        several = list(self)
        shown = next((one for one in several if one.tls.hello_time is not None), self._first)
        reason = next((one.tls.reason for one in several if any(one.tls.unread) and one.tls.reason), shown.tls.reason)
        tls = replace(
            shown.tls,
            read=_sum([one.tls.read for one in several]),
            unread=_sum([one.tls.unread for one in several]),
            reason=reason,
        )
        quics = [one.quic for one in several if one.quic is not None]
        if shown.quic is None:
            return tls, None
        packets, unread = _sum([one.packets for one in quics]), _sum([one.unread for one in quics])
        return tls, replace(shown.quic, packets=packets, unread=unread)

    def names(self) -> tuple[list[tuple[int | None, str]], tuple[str, ...]]:
        """The names that clients gave (SNI): those of the server at the other end, each with when it was given (None:
        by the conversation's first), and those of servers behind tunnels."""
        named = [one for one in self if one.tls.sni]
        own = [
            (None if one is self._first else one.tls.hello_time, one.tls.sni or "")
            for one in named
            if not one.tunnelled
        ]
        return own, tuple(dict.fromkeys(one.tls.sni or "" for one in named if one.tunnelled))

    def _fold(self, one: Secured) -> None:
        self.folded += 1
        if self._folded is None:
            self._folded = Secured(TlsFacts(), None if one.quic is None else QuicFacts(), one.tunnelled)
        tls, quic = self._folded.tls, self._folded.quic
        tls.read, tls.unread = _sum([tls.read, one.tls.read]), _sum([tls.unread, one.tls.unread])
        tls.reason = tls.reason or one.tls.reason
        if quic is not None and one.quic is not None:
            quic.packets = _sum([quic.packets, one.quic.packets])
            quic.unread = _sum([quic.unread, one.quic.unread])


def _sum(pairs: list[list[int]]) -> list[int]:
    return [sum(pair[direction] for pair in pairs) for direction in range(2)]
