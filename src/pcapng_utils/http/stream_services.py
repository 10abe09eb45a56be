"""What the streams of one HTTP/2 or HTTP/3 connection share, and what they may cost."""

from __future__ import annotations

from msgspec import Struct

from pcapng_utils.http.body import BodyFactory
from pcapng_utils.http.exchange import Emit, Upgrade
from pcapng_utils.http.websocket import WebSocketLimits
from pcapng_utils.layers import Problem, Report, Stamp, UnitLog


class Limits(Struct, frozen=True):
    """What one connection may cost."""

    streams: int = 1024
    """Streams open at once; past it the oldest is handed on as it is."""
    lingering: int = 64
    """Of these, streams that most likely nothing more will be seen of, though one side has not ended."""
    finished: int = 4096
    """Streams that are remembered to be over, so that late frames do not open them again."""
    header_block: int = 1 << 18
    """Bytes of one compressed field section."""
    header_list: int = 1 << 18
    """Bytes of its names and values (32 more a field) that are kept."""
    sections: int = 32
    """Field sections that are kept of one direction of a stream: interim, headers, trailers."""
    held: int = 1 << 20
    """Bytes of one stream that are held until it is known whether they are a body."""
    blocked: int = 128
    """HTTP/3: field sections that wait for QPACK's encoder stream."""


class Services(Struct):
    """What the streams of one connection share."""

    emit: Emit
    report: Report
    new_body: BodyFactory
    units: UnitLog
    upgrade: Upgrade | None
    version: str
    """"HTTP/2" or "HTTP/3"."""
    limits: Limits
    websocket_limits: WebSocketLimits

    def problem(self, kind: str, message: str, stamp: Stamp | None = None, detail: str = "", lost: int = 0) -> None:
        """Report a problem."""
        frame = stamp.frames[-1] if stamp is not None and stamp.frames else None
        self.report(Problem(f"{self.version.lower().replace('/', '')}-{kind}", message, frame, detail, lost))
