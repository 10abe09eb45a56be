"""Numbers of bytes, as people write them."""

from __future__ import annotations

import argparse
import re
from typing import Final

_UNITS: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}


def size(text: str) -> int:
    """A number of bytes: `64M`."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kMG]?)B?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of bytes was expected, such as 64M")
    return int(float(match[1]) * _UNITS[match[2]])
