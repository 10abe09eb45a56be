"""What options are given, as people write it. Each raises ArgumentTypeError, which is shown as wrong usage."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Final

_UNITS: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_CENTURIES: Final = 1e10
"""In seconds: clocks do not differ by more."""


def size(text: str) -> int:
    """A number of bytes: `64M`."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kMG]?)B?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of bytes was expected, such as 64M")
    return int(float(match[1]) * _UNITS[match[2]])


def seconds(text: str) -> float:
    """By how much one clock is ahead of another."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) <= _CENTURIES:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of seconds was expected, such as -1.5")
    return number


def file(text: str) -> Path:
    """The name of a file: an empty one would be the folder that the command runs in."""
    if not text:
        raise argparse.ArgumentTypeError("the name of a file was expected, and an empty one was found")
    return Path(text)


def named(text: str) -> str:
    """What is to be looked for: nothing has an empty name."""
    if not text:
        raise argparse.ArgumentTypeError("a name was expected, and an empty one was found")
    return text
