"""What was found wrong, grouped: ten thousand problems alike are one row with a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from pcapng_utils.layers import Problem

#: Rows that are kept; what comes later is counted by its kind alone.
_ROWS_LIMIT: Final = 20_000


#: What says that packets of the capture were not read, or are not in it.
_PACKETS_LOST: Final = frozenset({"capture-truncated", "capture-corrupted", "pcap-bad-record", "pcapng-bad-block"})

_MORE: Final = "There are more problems of this kind than are told apart, of one connection or several."


class _Row(Struct):
    first: Problem
    count: int = 0
    lost: int = 0
    last_frame: int | None = None

    def to_har(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "kind": self.first.kind,
            "message": self.first.message,
            "connection": self.first.connection,
            "frame": self.first.frame,
            "count": self.count,
        }
        if self.first.detail:
            row["detail"] = self.first.detail
        if self.lost:
            row["lostBytes"] = self.lost
        if self.count > 1 and self.last_frame is not None:
            row["lastFrame"] = self.last_frame
        return row


def lost_packets(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Of `log._problems`, the sentences which say that the capture itself was not read whole."""
    return [
        str(row.get("message") or row["kind"])
        for row in rows
        if row.get("kind") in _PACKETS_LOST or (row.get("kind") == "internal-error" and row.get("connection") is None)
    ]


class ProblemLog:
    """Collects problems. Rows come out by connection (those of none first), then in the order they were met."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str | None, str, str], _Row] = {}
        self.counts: Counter[str] = Counter()
        """Problems by kind."""

    def add(self, problem: Problem) -> None:
        self.counts[problem.kind] += 1
        key = (problem.connection, problem.kind, problem.message)
        if key not in self._rows and len(self._rows) >= _ROWS_LIMIT:
            key = (None, problem.kind, "")
            problem = Problem(problem.kind, _MORE, problem.frame, lost=problem.lost)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row(problem)
        row.count += 1
        row.lost += problem.lost
        row.last_frame = problem.frame

    def join(self, other: ProblemLog) -> bool:
        """Take in what another reader of the same capture, with other connections, has found. What belongs to no
        connection both have met; it counts once. False if not all of it could be told apart any more."""
        for key, row in other._rows.items():
            if key not in self._rows:
                self._rows[key] = row
                self.counts[row.first.kind] += row.count
        return len(self._rows) <= _ROWS_LIMIT and not any(key[2] == "" for key in self._rows)

    def rows(self) -> Iterator[dict[str, Any]]:
        """`log._problems`."""
        ordered = sorted(self._rows.values(), key=lambda row: int(row.first.connection or 0))
        return (row.to_har() for row in ordered)
