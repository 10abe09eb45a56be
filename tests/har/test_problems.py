"""Problems that are alike are one row."""

from __future__ import annotations

import pytest

from pcapng_utils.har import problems
from pcapng_utils.har.problems import ProblemLog
from pcapng_utils.layers import Problem


def gap(frame: int, lost: int = 0, connection: str | None = "7", message: str = "a hole") -> Problem:
    return Problem("tcp-gap", message, frame=frame, lost=lost, connection=connection, detail=f"{lost} bytes")


def test_problems_alike_are_counted_with_what_they_cost() -> None:
    log = ProblemLog()
    for frame, lost in ((5, 100), (9, 50), (12, 0)):
        log.add(gap(frame, lost))
    assert list(log.rows()) == [
        {
            "kind": "tcp-gap",
            "message": "a hole",
            "connection": "7",
            "frame": 5,
            "count": 3,
            "detail": "100 bytes",
            "lostBytes": 150,
            "lastFrame": 12,
        }
    ]
    assert log.counts == {"tcp-gap": 3}


def test_one_problem_has_no_last_frame_and_says_only_what_it_knows() -> None:
    log = ProblemLog()
    log.add(Problem("keylog-bad-line", "skipped"))
    assert list(log.rows()) == [
        {"kind": "keylog-bad-line", "message": "skipped", "connection": None, "frame": None, "count": 1}
    ]


def test_rows_come_by_connection_then_in_order() -> None:
    log = ProblemLog()
    for connection, message in (("12", "a"), ("7", "b"), (None, "c"), ("7", "a"), ("12", "b")):
        log.add(gap(1, connection=connection, message=message))
    assert [(row["connection"], row["message"]) for row in log.rows()] == [
        (None, "c"), ("7", "b"), ("7", "a"), ("12", "a"), ("12", "b"),
    ]  # fmt: skip


def test_rows_have_a_limit_and_counts_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "_ROWS_LIMIT", 10)
    log = ProblemLog()
    for number in range(50):
        log.add(gap(number, connection=str(number)))
    rows = list(log.rows())
    assert len(rows) == 11
    (more,) = [row for row in rows if row["connection"] is None]
    assert more["count"] == 40 and "more problems" in more["message"]
    assert sum(row["count"] for row in rows) == log.counts["tcp-gap"] == 50
