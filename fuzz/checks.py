"""What stands above the layer under test: it holds the layer to its promises."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from pcapng_utils.har.body import SMALL_BODY
from pcapng_utils.har.entry import EntryBuilder
from pcapng_utils.har.spool import Spool
from pcapng_utils.har.writer import Annotations, HarWriter
from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange
from pcapng_utils.layers import Problem, Stamp, UnitLog
from pcapng_utils.net.flow import Endpoint, Flow

#: A layer that says more than this of one input floods the report.
_MOST_PROBLEMS = 5000


def make_flow(transport: str = "tcp") -> Flow:
    return Flow("1", transport, Endpoint("10.0.0.1", 40000), Endpoint("203.0.113.7", 443), "", 0, 1)  # type: ignore[arg-type]


@dataclass
class Problems:
    """A `Report`; nothing reported may be malformed."""

    seen: list[Problem] = field(default_factory=list)

    def __call__(self, problem: Problem) -> None:
        assert problem.kind and problem.message and problem.lost >= 0, problem
        self.seen.append(problem)
        assert len(self.seen) < _MOST_PROBLEMS, f"a flood of {problem.kind}"


@dataclass
class Top:
    """Everything a conversation's layers are given; `upper` takes what none of them reads."""

    problems: Problems = field(default_factory=Problems)
    units: UnitLog = field(default_factory=UnitLog)
    exchanges: list[Exchange] = field(default_factory=list)
    size: int = 0
    """Bytes that went up."""

    def stamp(self, direction: int, number: int, size: int = 0) -> Stamp:
        unit = self.units.add(direction, number * 1000, number, size)
        return Stamp(number * 1000, number * 1000, (number,), unit)

    def emit(self, exchange: Exchange) -> None:
        assert exchange.request is not None or exchange.response is not None
        self.exchanges.append(exchange)

    def upper(self, *arguments: object) -> Upper:
        return Upper(self)

    def finish(self) -> None:
        """Every exchange can become an entry, and every entry JSON."""
        writer = HarWriter(io.BytesIO())
        spool = Spool()
        builder = EntryBuilder(Body, spool.write_blob, SMALL_BODY)
        for exchange in self.exchanges:
            entry, _ = builder.build(exchange, make_flow(), None)
            spool.append(entry)
        for _, first, stored in spool.entries():
            for piece in writer.entry(spool.blobs, stored, first=first, late=Annotations()):
                writer.put(piece)
        spool.close()


class Upper:
    """The layer above: what a `ByteLayer` may expect, asserted."""

    def __init__(self, top: Top) -> None:
        self._top = top
        self._ended = [False, False]
        self._closed = False

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        assert data and not self._closed and not self._ended[direction]
        assert stamp.first <= stamp.last or stamp.frames
        self._top.size += len(data)

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        assert data and not self._closed and not self._ended[direction]
        self._top.size += len(data)

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        assert not self._closed
        self._top.size += len(data)

    def gap(self, direction: int, size: int, *where: Any) -> None:
        assert size >= 0 and not self._closed

    def end(self, direction: int, *where: Any) -> None:
        assert not self._closed
        self._ended[direction] = True

    def close(self) -> None:
        assert not self._closed
        self._closed = True
