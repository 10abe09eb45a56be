"""Calls of one millisecond."""

from __future__ import annotations

from pcapng_utils.attribution.ordering import disorder, untangle
from tests.attribution.making import log_of, record


def order_of(threads_and_times: list[tuple[int, int]], unordered: float = 0.5) -> list[int]:
    log = log_of([record(time, thread=thread, stack=(f"C{thread}",)) for thread, time in threads_and_times])
    rows = sorted(range(len(log)), key=lambda row: log.times[row])
    untangle(rows, log, unordered)
    return rows


def test_a_threads_calls_lie_together_where_the_file_keeps_no_order() -> None:
    assert order_of([(1, 0), (2, 5), (1, 5), (2, 9)]) == [0, 2, 1, 3]
    assert order_of([(2, 5), (1, 5), (2, 5), (1, 9)]) == [0, 2, 1, 3]


def test_the_files_order_counts_where_it_is_kept() -> None:
    assert order_of([(1, 0), (2, 5), (1, 5), (2, 9)], unordered=0.0) == [0, 1, 2, 3]


def test_what_one_thread_logs_in_order_says_nothing_of_order_between_threads() -> None:
    in_order = [record(time, thread=1) for time in range(0, 40, 2)]
    swapped = [record(time + shift, thread=thread) for time in range(100, 160, 6) for thread, shift in ((1, 2), (2, 0))]
    assert disorder(log_of(in_order)) == 0.0
    assert disorder(log_of([*in_order, *swapped])) == 1.0
