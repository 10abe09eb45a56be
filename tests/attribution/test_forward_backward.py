"""The passes as they are compiled, against those in Python."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.attribution import forward_backward as plain
from pcapng_utils.attribution.align import Band, Weights

Passes = tuple[list[plain.Row], list[plain.Row], list[plain.Row], float]


@pytest.fixture(scope="module")
def compiled() -> ModuleType:
    name = "pcapng_utils.attribution._forward_backward"
    module: ModuleType = pytest.importorskip(name, reason="the passes were not compiled where this was installed")
    return module


def scene(seed: int, units: int, calls: int, span: float) -> tuple[Callable[[], Band], Weights]:
    """Units and calls at any times, under any weights that a model may give; some of them are next to impossible."""
    chance = random.Random(seed)
    unit_times = sorted(chance.uniform(0, span) for _ in range(units))
    call_times = sorted(chance.uniform(0, span) for _ in range(calls))
    reach = chance.choice((5.0, 100.0, 5_000.0))

    def some(count: int, low: float, high: float) -> list[float]:
        return [chance.choice((low, high, chance.uniform(low, high))) for _ in range(count)]

    def match(unit: int, low: int, high: int) -> list[float]:
        return [1e-30 if call % 7 == 3 else 200 / (1 + (unit_times[unit] - call_times[call] - 3) ** 2)
                for call in range(low, high)]  # fmt: skip

    follows = [[1.0] * calls, some(calls, 0.2, 5.0)]
    weights = Weights(
        match,
        list(zip(some(units, 1e-6, 0.9), some(units, 1e-6, 0.9), strict=True)),
        [chance.randrange(calls + 1) for _ in range(units)],
        some(calls, 2e-5, 0.99),
        some(calls, 2e-5, 0.99),
        some(calls, 0.1, 3.0),
        some(units, 2e-5, 0.9),
        [chance.choice(follows) for _ in range(units)],
    )
    return lambda: Band(unit_times, call_times, reach, reach), weights


@given(
    seed=st.integers(0, 1 << 32), units=st.integers(0, 40), calls=st.integers(0, 40), span=st.sampled_from([10.0, 1e5]),
    learning=st.booleans(),
)  # fmt: skip
def test_they_find_the_same(
    compiled: ModuleType, seed: int, units: int, calls: int, span: float, learning: bool
) -> None:
    band, weights = scene(seed, units, calls, span)
    bands = band(), band()
    here: Passes = plain.forward_backward(bands[0], weights, learning)
    there: Passes = compiled.forward_backward(bands[1], weights, learning)
    assert bands[0].lows == bands[1].lows
    assert bands[0].highs == bands[1].highs
    if sys.version_info < (3, 12):  # from there on, `sum` makes up for what rounding takes
        assert here == there
    for one, other in zip(here[:3], there[:3], strict=True):
        assert [pytest.approx(row, rel=1e-6, abs=1e-12) for row in one] == other
    assert here[3] == pytest.approx(there[3], rel=1e-9, abs=1e-9)


def test_a_band_as_wide_as_it_may_be(compiled: ModuleType) -> None:
    _, weights = scene(1, 5, 2_000, 100.0)
    weights = replace(weights, skip=[1.0] * 2_000, skip_again=[1.0] * 2_000)
    bands = [Band([50.0] * 5, [50.0] * 2_000, 1.0, 1.0) for _ in range(2)]
    here: Passes = plain.forward_backward(bands[0], weights, True)
    there: Passes = compiled.forward_backward(bands[1], weights, True)
    assert max(map(len, there[0])) == plain.WIDEST + 1
    assert [pytest.approx(row, rel=1e-6, abs=1e-12) for row in here[0]] == there[0]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("skip", [], IndexError),
        ("skip_again", (), TypeError),
        ("again", [None] * 40, TypeError),
        ("going_on", [0.5] * 40, TypeError),
        ("follows", [None] * 40, IndexError),
        ("turns", ["1"] * 40, TypeError),
        ("match", lambda unit, low, high: [], IndexError),
        ("match", lambda unit, low, high: 1 / 0, ZeroDivisionError),
    ],
)
def test_weights_that_are_none_are_errors(
    compiled: ModuleType, name: str, value: object, error: type[Exception]
) -> None:
    band, weights = scene(2, 40, 40, 100.0)
    with pytest.raises(error):
        compiled.forward_backward(band(), replace(weights, **{name: value}), True)  # type: ignore[arg-type]
