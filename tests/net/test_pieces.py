"""Pieces against a table of single bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.net.pieces import Piece, Pieces

segments = st.lists(st.tuples(st.integers(-20, 40), st.integers(1, 20), st.integers(0, 20)), max_size=20)


@given(segments, st.integers(-25, 45))
def test_the_first_copy_of_each_byte_stays(arrivals: list[tuple[int, int, int]], origin: int) -> None:
    pieces = Pieces()
    model: dict[int, int | None] = {}
    for number, (position, size, captured) in enumerate(arrivals):
        data = bytes([number]) * min(size, captured)
        new = [place for place in range(position, position + size) if place not in model]
        model |= {place: number if place - position < len(data) else None for place in new}
        assert pieces.add(Piece(position, size, data, number, number)) == len(new)
    assert pieces.first == min(model, default=None)
    pieces.discard(origin)
    assert pieces.first == min((place for place in model if place >= origin), default=None)
    for piece in pieces.take(origin):
        assert piece.position == origin
        for offset in range(piece.size):
            value = piece.data[offset] if offset < len(piece.data) else None
            assert model.pop(origin + offset) == value
        origin += piece.size
    assert origin not in model
    rest = sorted(place for place in model if place >= origin)
    assert pieces.first == (rest[0] if rest else None)
    while (first := pieces.first) is not None:
        pieces.take(first)
    assert pieces.cost == 0
