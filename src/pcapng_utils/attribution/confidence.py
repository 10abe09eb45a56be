"""From the model's probability of a pairing to the share of such pairings that are right.

The posterior is right as far as the model is. What the model does not know is added here: that the order of calls
logged in one millisecond is not known where the file is out of order, and that of reads that look alike, some of which
fetched nothing, any may have been the one that did. What is left is measured (benchmarks/attribution) and mapped.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from pcapng_utils.attribution.tracks import RESOLUTION, Track
from pcapng_utils.layers import SERVER

_ALIKE: Final = 0.55
"""By so much a read that is like the chosen one, right beside it, takes from its probability: measured in the bench."""
_SIBLINGS: Final = 0.58
"""Where another call began to read an answer, how often it is of the chosen one's code: measured in the bench."""

_BESIDE: Final = 0.1
"""From so much on a neighbour that looks the same counts in full (`alike_but_idle`)."""
MANY_LOST: Final = 0.15
"""Share of calls that are not logged from which on a request whose own is missing is no exception: what is known of its
other calls is its answer."""
_NO_CANDIDATE: Final = 10
"""How soon a candidate of its own makes what is inherited worth what it seems: measured in the bench."""
_Map = tuple[tuple[float, float], ...]
"""Probabilities in the model, and what they were worth in the bench (development seeds)."""
OF_WRITES: Final[_Map] = (
    (0.0, 0.0), (0.09, 0.12), (0.185, 0.22), (0.44, 0.265), (0.48, 0.35), (0.515, 0.5), (0.6, 0.7), (0.75, 0.73),
    (0.855, 0.815), (0.928, 0.86), (0.968, 0.895), (0.988, 0.92), (0.995, 0.94), (0.999, 0.985), (1.0, 0.999),
)  # fmt: skip
OF_WRITES_ALIKE: Final[_Map] = (
    (0.0, 0.0), (0.45, 0.41), (0.546, 0.54), (0.65, 0.66), (0.75, 0.74), (0.85, 0.785), (0.927, 0.84), (0.967, 0.9),
    (0.988, 0.922), (0.9965, 0.945), (0.999, 0.985), (1.0, 0.9985),
)  # fmt: skip
"""Where stacks do not tell requests apart."""
OF_READS: Final[_Map] = ((0.0, 0.0), (0.9, 0.9), (1.0, 0.998))
"""Where stacks tell requests apart, or a neighbour that looks the same is counted (`alike_but_idle`)."""
OF_READS_ALONE: Final[_Map] = (
    (0.0, 0.0), (0.46, 0.3), (0.55, 0.42), (0.65, 0.5), (0.85, 0.58), (0.926, 0.66), (0.963, 0.76), (0.988, 0.83),
    (0.997, 0.92), (1.0, 0.998),
)  # fmt: skip
"""Where neither is so."""
_AS_GIVEN: Final[_Map] = ((0.0, 0.0), (0.8, 0.8), (0.93, 0.9), (0.96, 0.955), (1.0, 1.0))


def calibrated(probability: float, worths: _Map) -> float:
    """What a probability in the model is worth."""
    for (low, low_worth), (high, high_worth) in pairwise(worths):
        if probability <= high:
            return low_worth + (probability - low) / (high - low) * (high_worth - low_worth)
    return worths[-1][1]


def as_given(confidence: float) -> float:
    """What is said of a confidence: from 0.9 on an answer counts as sure, so what is barely that is called a little
    less, by no more than measured shares differ between recordings."""
    return calibrated(confidence, _AS_GIVEN)


def of_a_read(probability: float, alike: float) -> float:
    """What the probability of a read is worth that no stack tells from others, with so many neighbours like it
    (`alike_but_idle`)."""
    share = min(1.0, alike / _BESIDE)
    beside = calibrated(probability, OF_READS) / (1.0 + alike)
    return share * beside + (1.0 - share) * calibrated(probability, OF_READS_ALONE)


def of_a_request(own: float, inherited: float) -> float:
    """What a code is worth of which a call seems to have carried a request (`own`), or, where its own call likely was
    not logged, later parts of the same exchange (`inherited`).

    Where there is no candidate among its own calls, threads said nothing of the others either, so these are worth more
    than they seem.
    """
    inherited += (inherited**0.5 - inherited) * (1.0 - own) ** _NO_CANDIDATE
    return min(own + inherited, 1.0)


def of_an_answer(probability: float) -> float:
    """Several calls of one code read an answer: if it was not this one that began it, it mostly was another of them.

    Worth what the bench measured of stacks that tell requests apart."""
    return probability + _SIBLINGS * (1.0 - probability) * min(1.0, 1.5 * probability)


def order_known(track: Track, call: int, threads: Sequence[int], unordered: float) -> float:
    """Probability that a call is not confused with one of another thread that was logged in the same millisecond.

    `threads` are those of the rows of the log."""
    if not unordered:
        return 1.0
    times = track.call_times
    first = bisect_left(times, times[call] - RESOLUTION / 2)
    end = bisect_right(times, times[call] + RESOLUTION / 2)
    several = len({threads[row] for row in track.calls[first:end]})
    return 1.0 - unordered * (1.0 - 1.0 / several)


def alike_but_idle(track: Track, call: int, busy: set[int | None], idle: Sequence[float]) -> float:
    """Reads right before and behind a read, of its thread and site, that seem to have fetched nothing.

    `idle` says of each state of a call how often those in it fetch nothing: a neighbour in a state in which that is
    usual counts for less than one.
    """
    if track.direction != SERVER:
        return 0.0
    neighbours = (
        (call - 1, call > 0 and track.same_thread[call]),
        (call + 1, call + 1 < len(track.calls) and track.same_thread[call + 1]),
    )
    own = 1.0 - idle[track.states[call]]
    return sum(
        _ALIKE * min(1.0, (1.0 - idle[track.states[other]]) / own)
        for other, same in neighbours
        if same and track.sites[other] == track.sites[call] and other not in busy
    )
