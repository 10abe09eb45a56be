"""One direction of one flow: units against calls."""

from __future__ import annotations

from itertools import pairwise
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.attribution.align import Band, Posterior, Weights, align
from pcapng_utils.attribution.forward_backward import WIDEST

SKIP = 0.05
BACKGROUND = 1e-3


def aligned(
    units: list[float],
    calls: list[float],
    *,
    loss: float = 0.01,
    going_on: float = 0.01,
    skip: float = SKIP,
    reach: float = 100.0,
    band: Band | None = None,
) -> Posterior:
    """Pairings are the likelier the nearer they are (a few ms)."""
    band = band or Band(units, calls, reach, reach)

    def match(unit: int, low: int, high: int) -> list[float]:
        return [0.2 / BACKGROUND / (1 + (units[unit] - call - 3) ** 2) for call in calls[low:high]]

    count = len(calls)
    turns = [sum(call < unit for call in calls) for unit in units]
    weights = Weights(
        match,
        [(1e-6, 1e-6), *[(going_on, going_on)] * len(units)][: len(units)],
        turns,
        [skip] * count,
        [skip] * count,
        [1.0] * count,
        [loss] * len(units),
        [[1.0] * count] * len(units),
    )
    posterior = align(band, weights)
    posterior.rows = [
        [0.0] * band.lows[unit] + row[1:] + [0.0] * (count - band.highs[unit])
        for unit, row in enumerate(posterior.rows)
    ]
    return posterior


def pairs(posterior: Posterior) -> list[int | None]:
    return [row.index(max(row)) if row and max(row) > 0.5 else None for row in posterior.rows]


@pytest.mark.parametrize(
    ("units", "calls", "expected"),
    [
        ([3, 23, 43], [0, 20, 40], [0, 1, 2]),
        ([3, 23, 43], [0, 40], [0, None, 1]),  # a call was lost
        ([3, 43], [0, 20, 40], [0, 2]),  # a call moved nothing
        ([3, 6, 9], [0, 3, 6], [0, 1, 2]),
        ([10, 11], [0, 1], [0, 1]),  # delayed alike: in order
        ([3], [], [None]),
        ([], [0, 20], []),
    ],
)
def test_order_and_time_decide(units: list[float], calls: list[float], expected: list[int | None]) -> None:
    assert pairs(aligned(units, calls)) == expected


def test_units_that_go_on_belong_to_the_call_before() -> None:
    assert pairs(aligned([3, 3.1, 3.2, 23], [0, 20], going_on=0.7)) == [0, 0, 0, 1]


times = st.lists(st.floats(0, 2_000, width=32), max_size=25).map(sorted)


@given(units=times, calls=times)
def test_probabilities_are_probabilities(units: list[float], calls: list[float]) -> None:
    posterior = aligned(units, calls)
    assert len(posterior.rows) == len(units)
    for row in posterior.rows:
        assert all(-1e-9 <= mass <= 1 + 1e-9 for mass in row)
        assert sum(row) <= 1 + 1e-6


@given(units=times, calls=times, shift=st.integers(-(10**6), 10**6))
def test_only_differences_count(units: list[float], calls: list[float], shift: int) -> None:
    rounded = [round(unit) for unit in units], [round(call) for call in calls]
    here = aligned(*([float(time) for time in part] for part in rounded))
    there = aligned(*([float(time + shift) for time in part] for part in rounded))
    assert here.rows == there.rows


@given(units=times, calls=times)
def test_what_is_surest_keeps_the_order(units: list[float], calls: list[float]) -> None:
    found = [call for call in pairs(aligned(units, calls)) if call is not None]
    assert all(one <= two for one, two in pairwise(found))


def test_calls_that_fit_nothing_cost_as_much_behind_the_last_unit_as_before_the_first() -> None:
    before = aligned([5_003], [0, 100, 5_000]).log_likelihood
    behind = aligned([3], [0, 5_000, 5_100]).log_likelihood
    inside = aligned([3], [0, 20, 40]).log_likelihood
    assert before == pytest.approx(behind, abs=0.5)
    assert inside == pytest.approx(behind, abs=0.5)
    assert aligned([3], [0]).log_likelihood == pytest.approx(behind + 2 * log(1 / SKIP), abs=0.5)


@given(units=times, calls=times)
def test_bands_never_fall_and_hold_what_is_near(units: list[float], calls: list[float]) -> None:
    band = Band(units, calls, 50.0, 30.0)
    assert band.lows == sorted(band.lows)
    assert band.highs == sorted(band.highs)
    for unit, low, high in zip(units, band.lows, band.highs, strict=True):
        assert all(low <= index < high for index, call in enumerate(calls) if unit - 50 <= call < unit + 30)


def test_what_a_unit_is_compared_with_is_bounded() -> None:
    calls = [float(time) for time in range(2_000)]
    posterior = aligned([1_000.0, 1_001.0, 1_002.0], calls, reach=1e6, skip=1.0)
    assert all(sum(mass > 0 for mass in row) <= WIDEST + 1 for row in posterior.rows)


def test_aligning_narrows_the_band_without_losing_what_matters() -> None:
    units = [float(time) for time in range(3, 4_000, 20)]
    calls = [float(time) for time in range(0, 4_000, 20)]
    band = Band(units, calls, 1_000.0, 1_000.0)
    width = sum(band.highs) - sum(band.lows)
    assert pairs(aligned(units, calls, band=band)) == list(range(len(units)))
    assert sum(band.highs) - sum(band.lows) < width / 5
