"""The observer of the bench says what could be known: so its probabilities have to be right to the last."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from benchmarks.attribution.observer import law_of, posterior
from lab.experiment.distortion import Distortion, Tail

MEAN = 4.0
law = law_of(Distortion(delay=MEAN / 1000))


def scene(chance: random.Random, loss: float) -> tuple[list[float], list[float], list[int]]:
    """Calls at their true times; the times that are logged, in whole ms; which calls these are."""
    entered = sorted(chance.uniform(100, 130) for _ in range(8))
    logged, latest = [], math.inf
    for call in range(len(entered) - 1, -1, -1):
        latest = min(entered[call] - chance.expovariate(1 / MEAN), latest)
        if chance.random() >= loss:
            logged.append((float(math.floor(latest)), call))
    logged.reverse()
    return entered, [time for time, _ in logged], [call for _, call in logged]


def test_nothing_is_in_doubt_where_nothing_is_lost() -> None:
    entered, times, _ = scene(random.Random(1), 0.0)
    assert posterior(entered, times, law, 0.0) == [{row: 1.0} for row in range(len(entered))]


def test_what_a_call_and_a_row_are_likely_to_be_adds_up() -> None:
    chance = random.Random(2)
    for _ in range(50):
        entered, times, _ = scene(chance, 0.4)
        likely = posterior(entered, times, law, 0.4)
        assert all(sum(rows.values()) <= 1 + 1e-9 for rows in likely)
        for row in range(len(times)):
            assert sum(rows.get(row, 0.0) for rows in likely) == pytest.approx(1)


def test_of_pairings_of_a_probability_so_many_are_true() -> None:
    pairings = list(_pairings(random.Random(3), 4_000))
    for tenth in range(10):
        mine = [(mass, true) for mass, true in pairings if int(mass * 10) == tenth or (tenth == 9 and mass >= 1)]
        mean = sum(mass for mass, _ in mine) / len(mine)
        share = sum(true for _, true in mine) / len(mine)
        assert share == pytest.approx(mean, abs=4 * math.sqrt(mean * (1 - mean) / len(mine)) + 1e-3)


def _pairings(chance: random.Random, scenes: int) -> Iterator[tuple[float, bool]]:
    for _ in range(scenes):
        entered, times, calls = scene(chance, 0.3)
        for call, rows in enumerate(posterior(entered, times, law, 0.3)):
            for row, mass in rows.items():
                yield mass, calls[row] == call


@pytest.mark.parametrize("tail", ["exponential", "lognormal", "pareto"])
def test_the_law_of_delays_has_their_mean(tail: Tail) -> None:
    known = law_of(Distortion(delay=0.02, tail=tail))
    steps = [(1.02**k, 1.02 ** (k + 1)) for k in range(-400, 900)]  # ms
    mean = sum((end - begin) * (1 - known((begin + end) / 2)) for begin, end in steps)
    assert mean == pytest.approx(20, rel=0.01)


def test_without_delays_a_call_is_logged_in_its_own_millisecond() -> None:
    known = law_of(Distortion())
    assert posterior([100.9999], [100.0], known, 0.05) == [{0: 1.0}]
    assert known(-1e-4) == 0.0
