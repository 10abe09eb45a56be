"""The phone's clock, out of nothing but when calls were logged and when units were seen."""

from __future__ import annotations

import random

import pytest

from pcapng_utils.attribution.clock import Clock, Residuals, Voters, hypotheses

HALF_DAY = 43_200_000.0


def voters(chance: random.Random, clock: Clock, *, flows: int = 5, size: int = 40, delay: float = 5.0) -> list[Voters]:
    found, row = [], 0
    for _ in range(flows):
        units = sorted(chance.uniform(0, 60_000) for _ in range(size))
        phone = [unit - chance.expovariate(1 / delay) for unit in units]
        calls = sorted(time + clock.offset + time * clock.drift * 1e-6 for time in phone)
        found.append(Voters(units, calls, range(row, row + size)))
        row += size
    return found


@pytest.mark.parametrize("offset", [0.0, 50.0, -300.0, HALF_DAY, -HALF_DAY])
@pytest.mark.parametrize("drift", [0.0, 200.0, -200.0])
def test_offset_and_drift_are_found(offset: float, drift: float) -> None:
    best = hypotheses(voters(random.Random(7), Clock(offset, drift)))[0]
    middle = best.offset + 30_000 * (best.drift - drift) * 1e-6
    assert middle == pytest.approx(offset, abs=15)


def test_calls_that_have_nothing_to_do_with_the_capture_change_nothing() -> None:
    chance = random.Random(3)
    noisy = [
        Voters(units, sorted([*calls, *(chance.uniform(-9e4, 9e4) for _ in calls)]), range(2 * len(calls)))
        for units, calls, _ in voters(chance, Clock(-900.0))
    ]
    assert hypotheses(noisy)[0].offset == pytest.approx(-900, abs=15)


def test_no_calls_no_clock() -> None:
    assert hypotheses([]) == []
    assert hypotheses([Voters([1.0], [], [])]) == []
    assert hypotheses([], Clock(-2900.0)) == [Clock(-2900.0)]


def test_a_clock_that_the_votes_refuse_is_not_looked_at() -> None:
    found = hypotheses(voters(random.Random(1), Clock(180.0)), Clock(-2900.0))
    assert len(found) == 1
    assert found[0].offset == pytest.approx(180, abs=25)


def test_a_clock_that_was_set_explains_what_no_single_one_does() -> None:
    chance = random.Random(5)
    units = sorted(chance.uniform(0, 60_000) for _ in range(400))
    calls = [unit - 2 + (5_000 if unit > 30_000 else 0) for unit in units]
    found = hypotheses([Voters(units, calls, range(400))])
    once = [clock for clock in found if len(clock.steps) == 1]
    assert any(abs(row - 200) < 40 and abs(size - 5_000) < 15 for clock in once for row, size in clock.steps)


def test_the_leap_itself_is_where_the_log_shows_it() -> None:
    times = [float(time) for time in range(50)] + [float(time + 5_000) for time in range(50)]
    assert Clock(0.0, 0.0, ((43, 4_990.0),)).snapped(times).steps == ((50, 4_990.0),)


def test_times_are_turned_back_to_the_routers() -> None:
    clock = Clock(100.0, 0.0, ((2, 1_000.0),))
    assert clock.to_router([0, 2], [1_100.0, 0.0, 2_100.0], 1_000.0) == [0.0, 0.0]


def test_the_zero_of_delays_is_that_of_the_quickest_calls() -> None:
    chance = random.Random(2)
    delays = [7.0 + chance.expovariate(1 / 10) for _ in range(400)]
    assert Residuals([0.0] * 400, delays, list(range(400))).zero() == pytest.approx(7.5, abs=0.5)


def test_drift_is_the_slope_of_the_delays() -> None:
    times = [float(100 * index) for index in range(400)]
    seen = Residuals(times, [time * 50e-6 for time in times], list(range(400)))
    assert seen.drift() == pytest.approx(50, rel=0.01)
