"""From a captured packet of any link type to what its innermost IP header carries.

Strategy: a packet is a chain of headers. Each header's handler steps over it and names, by a number of the field's own
registries, what follows; one table says who reads that. The last IP header met wins, so a tunnel whose inside cannot be
read still yields the packet around it. This is the way for whatever the network layer's fast path does not take.
"""

from __future__ import annotations

from typing import Final

from pcapng_utils.layers import Problem, Report
from pcapng_utils.net import ip, link, tunnels, wireless
from pcapng_utils.net.cursor import NOTHING, Cursor, Handler, IpPayload, Malformed
from pcapng_utils.net.fragments import FragmentLimits, Reassembler

__all__ = ["Decoder", "DecoderLimits", "IpPayload"]

_HANDLERS: Final[dict[int, Handler]] = link.HANDLERS | wireless.HANDLERS | ip.HANDLERS | tunnels.HANDLERS

#: Problems that all packets of a capture may have: said once.
_ONCE: Final = frozenset(("link-encrypted",))


class DecoderLimits(FragmentLimits, frozen=True):
    """What a packet may make the decoder do and keep."""

    tunnels: int = 8
    """Nested in one another."""


class Decoder:
    """Decodes the packets of one capture, in their order. Never raises for what they hold."""

    __slots__ = ("_cursor", "_fragments", "_report", "_said")

    def __init__(self, report: Report, limits: DecoderLimits | None = None) -> None:
        limits = limits or DecoderLimits()
        self._report = report
        self._fragments = Reassembler(report, limits)
        self._cursor = Cursor(report, self._fragments, limits.tunnels)
        self._said: set[str | int] = set()

    def packet(
        self, link_type: int, data: bytes, start: int, end: int, wire_length: int, time: int, frame: int
    ) -> IpPayload | None:
        """Decode `data[start:end]`, captured at `time` (ns), `wire_length` bytes long on the wire.

        None where there is no IP in it, or only a fragment of a datagram that is not whole yet."""
        cursor = self._cursor
        cursor.begin(data, start, end, max(0, wire_length - end + start), time, frame)
        key = link_type
        if key in link.TRAILED:
            link.trailer(cursor)
        handler = _HANDLERS.get(key) if key <= 0xFFFF else None
        if handler is None:
            self._unsupported(link_type, frame)
            return None
        try:
            while handler is not None:
                key = handler(cursor)
                handler = _HANDLERS.get(key)
        except Malformed as problem:
            self._malformed(problem, frame, end - start)
        return None if key == NOTHING else cursor.result

    def close(self) -> None:
        """The capture has ended: report datagrams that lack fragments."""
        self._fragments.close()

    def _unsupported(self, link_type: int, frame: int) -> None:
        if link_type in self._said:
            return
        self._said.add(link_type)
        self._report(
            Problem(
                "link-unsupported",
                "Packets are of a link type that cannot be read; they were left out.",
                frame=frame,
                detail=f"link type {link_type}",
            )
        )

    def _malformed(self, problem: Malformed, frame: int, size: int) -> None:
        if problem.kind in _ONCE:
            if problem.kind in self._said:
                return
            self._said.add(problem.kind)
        self._report(Problem(problem.kind, problem.message, frame=frame, detail=problem.detail, lost=size))
