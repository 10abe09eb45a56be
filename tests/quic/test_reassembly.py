"""Streams put in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.layers import Stamp
from pcapng_utils.quic.reassembly import Piece, Reassembler

DATA = bytes(range(200))


def at(time: int) -> Stamp:
    return Stamp(time, time, (time,), time)


def test_bytes_in_order_go_straight_through() -> None:
    stream = Reassembler()
    assert stream.add(0, b"ab", False, at(1)) == [Piece(0, b"ab", False, at(1))]
    assert stream.add(2, b"cd", True, at(2)) == [Piece(0, b"cd", True, at(2))]
    assert stream.ended


def test_bytes_behind_a_hole_wait_and_bear_the_time_it_was_filled() -> None:
    stream = Reassembler()
    assert stream.add(2, b"cd", True, at(1)) == []
    assert stream.held > 0
    assert stream.add(0, b"ab", False, at(5)) == [
        Piece(0, b"ab", False, at(5)),
        Piece(0, b"cd", True, Stamp(1, 5, (1,), 1)),
    ]
    assert stream.held == 0


def test_repeats_and_overlaps_are_cut_off() -> None:
    stream = Reassembler()
    stream.add(0, b"abcd", False, at(1))
    assert stream.add(0, b"ab", False, at(2)) == []
    assert stream.add(2, b"cdef", False, at(3)) == [Piece(0, b"ef", False, at(3))]


def test_a_fin_alone_ends_the_stream() -> None:
    stream = Reassembler()
    stream.add(0, b"ab", False, at(1))
    assert stream.add(2, b"", True, at(2)) == [Piece(0, b"", True, at(2))]
    assert stream.add(2, b"", True, at(3)) == []


def test_a_fin_behind_a_hole_waits() -> None:
    stream = Reassembler()
    assert stream.add(2, b"", True, at(1)) == []
    assert stream.add(0, b"ab", False, at(2)) == [Piece(0, b"ab", True, at(2))]


def test_holes_are_given_up_one_at_a_time() -> None:
    stream = Reassembler()
    stream.add(2, b"c", False, at(1))
    stream.add(5, b"f", True, at(2))
    assert stream.give_up() == [Piece(2, b"c", False, at(1))]
    assert stream.give_up() == [Piece(2, b"f", True, at(2))]
    assert stream.give_up() == []
    assert stream.held == 0


def test_repeats_behind_a_hole_are_not_kept() -> None:
    stream = Reassembler()
    for _ in range(1000):
        stream.add(100, b"x" * 1000, False, at(1))
    assert stream.held < 2000


@given(
    st.lists(st.tuples(st.integers(0, 199), st.integers(0, 60)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_any_order_and_overlap_gives_the_same_bytes(
    extra: list[tuple[int, int]],
    luck: st.random.Random,  # type: ignore[name-defined]
) -> None:
    pieces = [(start, start + 20) for start in range(0, 200, 20)] + [(one, min(one + two, 200)) for one, two in extra]
    luck.shuffle(pieces)
    stream = Reassembler()
    out = []
    for time, (start, stop) in enumerate(pieces):
        out += stream.add(start, DATA[start:stop], stop == 200, at(time))
    assert b"".join(piece.data for piece in out) == DATA
    assert [piece.fin for piece in out] == [False] * (len(out) - 1) + [True]
    assert stream.held == 0


@given(st.lists(st.tuples(st.integers(0, 199), st.integers(0, 30)), max_size=40))
def test_what_is_given_up_has_its_size(pieces: list[tuple[int, int]]) -> None:
    stream = Reassembler()
    out = []
    for time, (start, size) in enumerate(pieces):
        out += stream.add(start, DATA[start : start + size], False, at(time))
    while stream.held:
        out += stream.give_up()
    offset = 0
    for piece in out:
        offset += piece.gap
        assert DATA[offset : offset + len(piece.data)] == piece.data
        offset += len(piece.data)
    assert offset == max((min(start + size, 200) for start, size in pieces if size), default=0)
