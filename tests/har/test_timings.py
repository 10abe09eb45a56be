"""Times of exchanges: whole microseconds that add up."""

from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.har.timings import Opening, Timeline, iso_time, seconds, timing

MS = 1_000_000
START = 1_764_000_000_123_456_789


def at(ms: float) -> int:
    return START + int(ms * MS)


def test_a_later_exchange_has_no_connection_times() -> None:
    times = timing(Timeline(at(0), at(2), at(10), at(15))).to_har()
    assert times["timings"] == {
        "blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 2.0, "wait": 8.0, "receive": 5.0,
    }  # fmt: skip
    assert times["time"] == 15.0


def test_the_first_exchange_counts_from_the_syn() -> None:
    opening = Opening(syn=at(0), established=at(10), hello=at(11), finished=at(30))
    times = timing(Timeline(at(35), at(36), at(50), at(60)), opening).to_har()
    assert times["timings"]["connect"] == 30.0
    assert times["timings"]["ssl"] == 19.0
    assert times["timings"]["blocked"] == 5.0
    assert times["time"] == 60.0
    assert times["startedDateTime"] == iso_time(at(0))


def test_early_data_leaves_no_wait_before_the_request() -> None:
    opening = Opening(syn=at(0), established=at(10), hello=at(11), finished=at(30))
    times = timing(Timeline(at(11), at(11), at(31), at(32)), opening).to_har()
    assert times["timings"]["blocked"] == -1


def test_a_response_that_begins_early_leaves_no_wait_and_the_end_stays() -> None:
    times = timing(Timeline(at(0), at(20), at(10), at(25))).to_har()
    assert (times["timings"]["wait"], times["time"]) == (0.0, 25.0)


def test_a_response_that_never_came_takes_no_time() -> None:
    assert timing(Timeline(at(0), at(1), None, None)).to_har()["time"] == 1.0


def test_times_beyond_the_calendar_are_clamped() -> None:
    assert iso_time(2**63 - 1).startswith("2262")
    assert iso_time(10**24).startswith("9999")
    assert seconds(1_500_000_999) == 1.5


moments = st.none() | st.integers(0, 10**13).map(lambda us: START + us)


@given(moments, moments, moments, moments, st.tuples(moments, moments, moments, moments))
def test_no_part_is_negative_but_minus_one_and_the_parts_add_up(
    first: int | None, last: int | None, answered: int | None, ended: int | None, opening: tuple[int | None, ...]
) -> None:
    request = tuple(sorted((first, last))) if first is not None and last is not None else (None, None)
    response = tuple(sorted((answered, ended))) if answered is not None and ended is not None else (None, None)
    if request[0] is None and response[0] is None:
        return
    result = timing(Timeline(*request, *response), Opening(*opening))
    parts = result._asdict()
    del parts["started"]
    assert all(part >= -1 for part in parts.values())
    assert parts["ssl"] <= max(parts["connect"], parts["ssl"])
    har = result.to_har()
    total = sum(part for name, part in har["timings"].items() if name != "ssl" and part > 0)
    assert abs(total - har["time"]) < 1e-3
