"""What a run of a program took."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

_LAUNCH: Final = Path(__file__).with_name("launch.py")


class FailedError(Exception):
    """A program ended with an error."""


@dataclass(frozen=True, slots=True)
class Measure:
    wall: float
    """s."""
    cpu: float
    """s of CPU, of the program and of all that it started."""
    peak: int
    """Bytes of memory, of the program and of all that it started, at the same time: as seen by looking now and then."""
    largest: int
    """Bytes of memory of the process that needed most: the system's own count, which no peak escapes."""


def run(command: Sequence[str | Path]) -> Measure:
    """Run a program to its end, its output thrown away. Raises FailedError."""
    done = subprocess.run([sys.executable, "-IS", _LAUNCH, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(f"{' '.join(map(str, command))}: ended with {done.returncode}. {done.stderr}")
    wall, cpu, peak, largest = done.stdout.split()
    return Measure(float(wall), float(cpu), int(peak), int(largest))


def medians(measures: Sequence[Measure]) -> Measure:
    return Measure(
        median(one.wall for one in measures),
        median(one.cpu for one in measures),
        round(median(one.peak for one in measures)),
        round(median(one.largest for one in measures)),
    )
