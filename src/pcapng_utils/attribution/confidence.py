"""From the model's probability of a pairing to the share of such pairings that are right."""

from __future__ import annotations


def calibrated(probability: float) -> float:
    return min(probability, 1.0)
