"""Which cipher call is a body's, of any number: the same as comparing the body with each of them would tell."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.har.pirogue_enrichment.cipher_index import Bounds
from pcapng_utils.har.pirogue_enrichment.cipher_log import USUAL, CipherLog
from pcapng_utils.layers import CLIENT, SERVER

Sides = tuple[bytes, bytes]
"""What was taken in and what was put out."""

AES = "AES/CBC/PKCS5Padding"
RSA = "RSA/ECB/PKCS1Padding"


def log_of(calls: list[tuple[str, Sides]], bounds: Bounds = USUAL) -> CipherLog:
    records: list[dict[str, Any]] = [
        {"timestamp": 0, "data": {"alg": algorithm, "in": sides[0].hex(), "out": sides[1].hex()}}
        for algorithm, sides in calls
    ]
    return CipherLog.read(io.BytesIO(json.dumps(records).encode()), bounds)


def compared(calls: list[tuple[str, Sides]], body: bytes, direction: int, bounds: Bounds = USUAL) -> int | None:
    """The call that is the body's, after the words of the specification."""
    found = []
    for position, (algorithm, sides) in enumerate(calls):
        clear, encrypted = sides if direction == CLIENT else reversed(sides)
        size = len(encrypted) if algorithm == RSA else (len(encrypted) + len(clear)) / 2
        difference = abs(size - len(body))
        if len(encrypted) < bounds.min_encrypted or len(clear) < bounds.min_clear or len(body) < bounds.min_encrypted:
            continue
        if difference <= len(body) * bounds.max_difference and (encrypted in body or body in encrypted):
            found.append((difference, position))
    return min(found)[1] if found else None


def found(log: CipherLog, body: bytes, direction: int) -> int | None:
    call = log.find(body, direction)
    return None if call is None else call.index


def text(most: int, letters: str = "abc") -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.text(letters, min_size=1, max_size=most).map(str.encode),
        st.builds(lambda unit, times: (unit * times)[:most], st.binary(min_size=1, max_size=3), st.integers(1, most)),
    )


def bounds() -> st.SearchStrategy[Bounds]:
    return st.builds(Bounds, st.integers(1, 20), st.integers(0, 3), st.sampled_from([0.0, 0.25, 0.5, 0.5, 1.0, 2.0]))


@given(
    st.lists(st.tuples(st.sampled_from([AES, AES, RSA]), st.tuples(text(60), text(60))), min_size=1, max_size=40),
    st.lists(text(60), max_size=4),
    st.data(),
    bounds(),
)
@settings(max_examples=150, deadline=None)
def test_it_is_the_one_that_comparing_with_all_finds(
    calls: list[tuple[str, Sides]], others: list[bytes], data: st.DataObject, limits: Bounds
) -> None:
    log = log_of(calls, limits)
    bodies = list(others)
    for _ in range(4):
        side = data.draw(st.sampled_from(calls))[1][data.draw(st.sampled_from((0, 1)))]
        begin, end = data.draw(st.integers(0, len(side) // 3)), data.draw(st.integers(0, len(side) // 3))
        bodies += [side, side[begin : len(side) - end], data.draw(text(20)) + side + data.draw(text(20))]
    for body in bodies:
        for direction in (CLIENT, SERVER):
            assert found(log, body, direction) == compared(calls, body, direction, limits)


@pytest.mark.parametrize("seed", range(6))
def test_so_it_is_where_hundreds_are_alike(seed: int) -> None:
    """Messages begin alike, or are made of the same few parts: their pieces are those of many."""
    dice = random.Random(seed)
    parts = [dice.randbytes(dice.choice((40, 64, 90))) for _ in range(4)]
    begin = dice.randbytes(dice.choice((0, 100, 300)))
    calls = []
    for _ in range(500):
        side = begin + b"".join(dice.choices(parts, k=dice.randrange(1, 4)))
        if dice.random() < 0.5:
            side = side[: -dice.randrange(1, 30)] + dice.randbytes(dice.randrange(2))
        clear = bytes(max(2, len(side) + dice.choice((-16, -3, 0, 0, 40, -200))))
        calls.append((AES, (clear, side)))
    log = log_of(calls)
    matched = 0
    for _ in range(300):
        side = dice.choice(calls)[1][1]
        body = dice.choice((side, side[dice.randrange(20) :], side[: -dice.randrange(1, 20)], b"header" + side + b"!"))
        expected = compared(calls, body, CLIENT)
        assert found(log, body, CLIENT) == expected
        matched += expected is not None
    assert matched > 100


def test_a_file_that_is_changed_after_it_was_read_matches_nothing() -> None:
    side = random.Random(1).randbytes(64)
    stream = io.BytesIO(json.dumps([{"data": {"alg": AES, "in": side.hex(), "out": side.hex()}}]).encode())
    log = CipherLog.read(stream)
    assert log.find(side, CLIENT) is not None
    log = CipherLog.read(io.BytesIO(stream.getvalue()))
    log._stream.truncate(40)
    assert log.find(side, CLIENT) is None


def test_a_stream_that_cannot_seek_is_read_too() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, offset: int, whence: int = 0) -> int:
            raise io.UnsupportedOperation

    side = random.Random(1).randbytes(64)
    log = CipherLog.read(Pipe(json.dumps([{"data": {"alg": AES, "in": side.hex(), "out": side.hex()}}]).encode()))
    assert log.find(b"head" + side, CLIENT) is not None
    log.close()


def test_a_log_takes_little_memory_beside_its_size() -> None:
    dice = random.Random(1)
    records = [{"data": {"alg": AES, "in": "20" * 4000, "out": dice.randbytes(4000).hex()}} for _ in range(1500)]
    stream = io.BytesIO(json.dumps(records).encode())
    tracemalloc.start()
    try:
        log = CipherLog.read(stream)
        taken, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(log) == 1500
    assert taken < len(stream.getvalue()) / 20
    assert most < 8 << 20
