"""Changes of an input at random: for short runs where atheris is not at hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

_INTERESTING: Final = (b"\0", b"\xff", b"\x7f", b"\x80", b"\r\n", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")


def mutated(seed: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A seed changed in one to eight places."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 8)):
        rng.choice(_CHANGES)(data, others, rng)
    return bytes(data)


def _flip(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    value = rng.choice(_INTERESTING)
    at = rng.randint(0, len(data))
    data[at : at + len(value)] = value


def _delete(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randint(0, len(data))
    del data[at : at + rng.randint(1, 40)]


def _repeat(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = data[at : at + rng.randint(1, 60)] * rng.randint(1, 4)


def _insert(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.choice(_INTERESTING) if rng.random() < 0.5 else rng.randbytes(rng.randint(1, 8))


def _splice(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    at, start = rng.randint(0, len(data)), rng.randint(0, len(other))
    data[at:] = other[start:]


def _truncate(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    del data[rng.randint(0, len(data)) :]


_CHANGES: Final[tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...]] = (
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _delete,
    _repeat,
    _insert,
    _splice,
    _truncate,
)
