"""What is counted of answers, and what the counts say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

SURE: Final = 0.9
TENTHS: Final = 10


class Answer(NamedTuple):
    """What was said of one message, against the truth."""

    present: bool
    """Its own call is in the trace."""
    right: bool
    """The best candidate is right (whether it was surely enough to be given or not)."""
    given: bool
    confidence: float
    """Of the best candidate."""


@dataclass(slots=True)
class Tally:
    right: int = 0
    wrong: int = 0
    none: int = 0
    """Of the messages whose own call is in the trace."""
    missing_right: int = 0
    """Given another call of the same code."""
    missing_wrong: int = 0
    missing_none: int = 0
    sure: int = 0
    sure_wrong: int = 0
    tenths: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0, 0.0] for _ in range(TENTHS)])
    """For each tenth of confidence: candidates, those that were right, and their confidences together."""

    def add(self, answer: Answer) -> None:
        if answer.present:
            self.right += answer.given and answer.right
            self.wrong += answer.given and not answer.right
            self.none += not answer.given
        else:
            self.missing_right += answer.given and answer.right
            self.missing_wrong += answer.given and not answer.right
            self.missing_none += not answer.given
        if answer.given and answer.confidence >= SURE:
            self.sure += 1
            self.sure_wrong += not answer.right
        if answer.confidence > 0:
            tenth = self.tenths[min(int(answer.confidence * TENTHS), TENTHS - 1)]
            tenth[0] += 1
            tenth[1] += answer.right
            tenth[2] += answer.confidence

    @classmethod
    def of(cls, tallies: Iterable[Tally]) -> Tally:
        whole = cls()
        for one in tallies:
            for name in ("right", "wrong", "none", "missing_right", "missing_wrong", "missing_none"):
                setattr(whole, name, getattr(whole, name) + getattr(one, name))
            whole.sure += one.sure
            whole.sure_wrong += one.sure_wrong
            for mine, theirs in zip(whole.tenths, one.tenths, strict=True):
                mine[:] = [a + b for a, b in zip(mine, theirs, strict=True)]
        return whole

    @property
    def present(self) -> int:
        return self.right + self.wrong + self.none

    @property
    def missing(self) -> int:
        return self.missing_right + self.missing_wrong + self.missing_none

    def share(self, count: int) -> float:
        return count / self.present if self.present else 0.0

    @property
    def silent(self) -> float:
        """Of the messages whose own call is missing, the share that got none."""
        return self.missing_none / self.missing if self.missing else 1.0

    @property
    def surely_wrong(self) -> float:
        return self.sure_wrong / self.sure if self.sure else 0.0
