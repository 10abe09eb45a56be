"""What kinds of units, and of joints between two of them, are told apart."""

from __future__ import annotations

from typing import Final

from pcapng_utils.layers import CLIENT, UnitKind

KINDS: Final = (
    UnitKind.CLIENT_HELLO,
    UnitKind.FINISHED,
    UnitKind.HANDSHAKE,
    UnitKind.CHANGE_CIPHER_SPEC,
    UnitKind.ALERT,
    UnitKind.HEADERS | UnitKind.BODY,
    UnitKind.HEADERS,
    UnitKind.BODY,
    UnitKind.CONTROL,
    UnitKind.UNREADABLE,
)
"""Kinds told apart, the first that is contained in a unit's flags counts; the last class is for none of them."""
KIND_CLASSES: Final = len(KINDS) + 1
MESSAGES: Final = tuple(index for index, kind in enumerate(KINDS) if kind & (UnitKind.HEADERS | UnitKind.BODY))
"""Classes of the units that carry messages."""
_CLASS_OF: Final[dict[int, int]] = {}


def kind_class(flags: int) -> int:
    """Which of the kinds told apart a unit with these flags is."""
    known = _CLASS_OF.get(flags)
    if known is None:
        known = next((index for index, kind in enumerate(KINDS) if flags & kind == kind), len(KINDS))
        _CLASS_OF[flags] = known
    return known


def joint_key(same_frame: bool, gap: float, before: int, kind: int, relation: int, bulk: bool, clear: bool) -> int:
    """A small number for the circumstances in which a unit follows the one before (never 0: that is the first unit).

    `gap` is the time between them in ms, `relation` as in `Track.relations`; `bulk`: the one before was full; `clear`:
    they are segments of a stream that is not encrypted.
    """
    distance = 0 if same_frame else 1 if gap < 0.3 else 2 if gap < 2 else 3 if gap < 10 else 4 if gap < 50 else 5
    return 1 + ((((before * KIND_CLASSES + kind) * 6 + distance) * 4 + relation) * 2 + bulk) * 2 + clear


def joint_pool(key: int) -> int:
    """Circumstances that are alike in whether a client writes more than one full record, or segment, with one call: a
    small number, 0 if the one before was not full."""
    if key == 0:
        return 0
    rest, clear = divmod(key - 1, 2)
    rest, bulk = divmod(rest, 2)
    another_turn = rest % 4 == 3
    return bulk * (1 + 2 * clear + another_turn)


def joint_guess(key: int, after: bool, direction: int) -> tuple[float, float]:
    """Probability of going on, before anything was seen, and how many times it counts as seen."""
    if key == 0:
        return 1e-6, 1e6
    rest, clear = divmod(key - 1, 2)
    rest, bulk = divmod(rest, 2)
    rest, relation = divmod(rest, 4)
    rest, distance = divmod(rest, 6)
    before = rest // KIND_CLASSES
    if relation == 3:
        return 0.0005, 100
    if direction != CLIENT:
        if after:
            return (0.9, 0.85, 0.8, 0.7, 0.5, 0.2)[distance], 3
        return (0.6, 0.4, 0.15, 0.03, 0.01, 0.005)[distance], 3
    guess = (0.03, 0.015, 0.003, 0.001, 0.0005, 0.0002)[distance]
    weight = (3, 6, 40, 100, 200, 400)[distance]
    if before == 3 and distance < 2:
        return 0.8, weight
    if relation != 1:
        return guess / 2, weight * 3
    if bulk and clear:
        return (0.9, 0.9, 0.9, 0.7, 0.4, 0.2)[distance], 3
    return (0.2, 3) if bulk and distance < 3 else (guess, weight)
