"""Clocks that were set while a trace was taken."""

from __future__ import annotations

import pytest

from pcapng_utils.attribution.leaps import leaps, longest_pause


def found(times: list[float], pause: float = 300.0) -> tuple[tuple[int, float], ...]:
    return leaps(range(len(times)), times, pause)


def test_a_clock_that_goes_back_was_set() -> None:
    assert found([0, 10, 20, -39_970, -39_960]) == ((3, -39_990),)


def test_a_leap_forward_is_one_only_where_the_router_saw_no_such_pause() -> None:
    assert found([0, 10, 1_520, 1_530]) == ((2, 1_510),)
    assert found([0, 10, 1_520, 1_530], pause=1_600.0) == ()


def test_records_that_overtake_one_another_make_one_leap() -> None:
    ((row, size),) = found([0, 10, 1_520, 20, 1_530, 1_540])
    assert row == 2
    assert size == pytest.approx(1_510, abs=20)
    assert found([0, 10, 5, 12]) == ()


def test_a_file_without_order_shows_no_leaps() -> None:
    assert found([float(time) for block in range(5) for time in (*range(50), *range(5_000, 5_050))]) == ()


def test_the_longest_pause_is_between_units_of_any_flow() -> None:
    assert longest_pause([5.0, 0.0, 30.0]) == 25.0
    assert longest_pause([5.0]) == float("inf")
