"""The place in a packet that its headers are read at, and what they have told so far.

Every header has a handler: a function that reads it at the cursor, moves the cursor behind it, and returns the key of
what follows. Keys are numbers of the field's own registries, one space for each: link types, EtherTypes, IP protocols,
PPP protocols. So no handler knows another, and one table holds them all (see `decode`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pcapng_utils.layers import Problem, Report
from pcapng_utils.net.fragments import Reassembler

LINK: Final = 0
ETHERTYPE: Final = 1 << 16
PROTOCOL: Final = 2 << 16
PPP: Final = 3 << 16

#: Nothing follows that could be read: what is known so far is the result.
STOP: Final = -1
#: The packet has no result: it waits for other fragments, or cannot be read at all.
NOTHING: Final = -2

IPV4: Final = ETHERTYPE + 0x0800
IPV6: Final = ETHERTYPE + 0x86DD


class Malformed(Exception):  # noqa: N818 - not an error of ours: it never leaves the decoder
    """A header that cannot be read; becomes the `Problem` of its packet."""

    def __init__(self, kind: str, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.detail = detail


_TRUNCATED: Final = {
    "link": "A packet ends within its link-layer header; it could not be read.",
    "ip": "A packet ends within its IP header; it could not be read.",
    "tunnel": "A packet ends within a tunnel's header; what is inside could not be read.",
}


class IpPayload(NamedTuple):
    """What the innermost IP header of a packet carries."""

    source: bytes
    destination: bytes
    """4 or 16 raw bytes."""
    protocol: int
    """IANA's number: 6 TCP, 17 UDP, 1 ICMP, ..."""
    data: bytes
    start: int
    end: int
    """The payload is `data[start:end]`; what link layers padded or appended is left out."""
    missing: int
    """Bytes of the payload that were not captured, behind `end`."""
    frames: tuple[int, ...]
    """The packets that carried it: several where it was fragmented."""
    tunnels: tuple[str, ...]
    """What it was wrapped in, outermost first."""
    process: str | None
    """The app that sent or received it, as the capturing system named it."""
    uid: int | None


class Cursor:
    """One packet on its way through the handlers."""

    __slots__ = (
        "data",
        "end",
        "fragments",
        "frames",
        "missing",
        "process",
        "report",
        "result",
        "start",
        "time",
        "tunnel_limit",
        "tunnels",
        "uid",
    )

    def __init__(self, report: Report, fragments: Reassembler, tunnel_limit: int) -> None:
        self.report = report
        self.fragments = fragments
        self.tunnel_limit = tunnel_limit
        self.begin(b"", 0, 0, 0, 0, 0)

    def begin(self, data: bytes, start: int, end: int, missing: int, time: int, frame: int) -> None:
        """Go to the beginning of the packet `data[start:end]`, of which `missing` bytes more were not captured."""
        self.data = data
        self.start = start
        self.end = end
        self.missing = missing
        self.time = time
        self.frames: tuple[int, ...] = (frame,)
        self.tunnels: tuple[str, ...] = ()
        self.process: str | None = None
        self.uid: int | None = None
        self.result: IpPayload | None = None

    def take(self, size: int, layer: str) -> int:
        """Step over a header of `size` bytes; returns where it begins. Raises `Malformed` if it is not all there."""
        start = self.start
        if self.end - start < size:
            raise Malformed(f"{layer}-truncated", _TRUNCATED[layer], f"{size} bytes expected, {self.end - start} there")
        self.start = start + size
        return start

    def enter(self, tunnel: str) -> None:
        """What follows is wrapped in a tunnel."""
        if len(self.tunnels) >= self.tunnel_limit:
            raise Malformed("tunnel-too-deep", "A packet is wrapped in too many tunnels; the innermost were not read.")
        self.tunnels += (tunnel,)

    def accept(self, source: bytes, destination: bytes, protocol: int) -> int:
        """An IP header was read, its payload begins here; returns the payload's key."""
        self.result = IpPayload(
            source,
            destination,
            protocol,
            self.data,
            self.start,
            self.end,
            self.missing,
            self.frames,
            self.tunnels,
            self.process,
            self.uid,
        )
        return PROTOCOL + protocol

    def problem(self, kind: str, message: str, detail: str = "", lost: int = 0) -> None:
        """Report something that does not end the reading of the packet."""
        self.report(Problem(kind, message, frame=self.frames[-1], detail=detail, lost=lost))


Handler = Callable[[Cursor], int]
"""Reads one header and returns the key of what follows, `STOP` or `NOTHING`. Raises `Malformed`."""
