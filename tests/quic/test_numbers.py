"""Packet numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.quic.numbers import NumberSet, decode_packet_number


def test_the_example_of_the_rfc_decodes() -> None:
    assert decode_packet_number(0x9B32, 2, 0xA82F30EA) == 0xA82F9B32


@given(
    largest=st.integers(-1, (1 << 62) - 2),
    size=st.integers(1, 4),
    data=st.data(),
)
def test_numbers_within_half_a_window_decode(largest: int, size: int, data: st.DataObject) -> None:
    half = 1 << 8 * size - 1
    number = data.draw(st.integers(max(0, largest + 2 - half), min(largest + half, (1 << 62) - 1)))
    assert decode_packet_number(number & (2 * half - 1), size, largest) == number


@given(st.lists(st.integers(0, 60), max_size=120))
def test_a_number_set_is_a_set(numbers: list[int]) -> None:
    mine, model = NumberSet(), set[int]()
    for number in numbers:
        assert mine.add(number) == (number not in model)
        model.add(number)
    assert mine.largest == max(model, default=-1)
    assert [number for number in range(62) if number in mine] == sorted(model)


@given(st.sets(st.integers(0, 30)), st.integers(0, 30), st.integers(0, 30))
def test_the_highest_missing_number_is_found(numbers: set[int], one: int, two: int) -> None:
    mine = NumberSet()
    for number in numbers:
        mine.add(number)
    first, last = sorted((one, two))
    assert mine.highest_missing(first, last) == max(set(range(first, last + 1)) - numbers, default=-1)


def test_a_number_set_forgets_its_lowest_runs_and_stays_small() -> None:
    numbers = NumberSet()
    for number in range(0, 10_000, 2):
        assert numbers.add(number)
    assert 9_998 in numbers
    assert 0 not in numbers
    assert not numbers.add(9_998 - 2 * (NumberSet.MAX_RUNS - 1))
    assert numbers.add(9_998 - 2 * NumberSet.MAX_RUNS)
