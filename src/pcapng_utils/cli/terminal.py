"""Text for a terminal. What comes from a capture is shown, never obeyed: its control characters are escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with control characters (and those that turn the direction of writing) as escapes.

    So are bytes of a file's name that are no UTF-8, which Python stands surrogates for.
    """
    return _UNSAFE.sub(lambda match: f"\\x{_number(match[0]):02x}", text)


def _number(character: str) -> int:
    number = ord(character)
    return number & 0xFF if 0xDC80 <= number <= 0xDCFF else number


def show(text: str) -> None:
    """Print to standard output. Raises OSError, which names it."""
    from pcapng_utils.errors import standard_output

    with standard_output():
        print(text)  # noqa: T201


def show_json(rows: Any) -> None:
    """Print JSON to standard output. Raises OSError, which names it."""
    import msgspec

    from pcapng_utils.errors import standard_output

    with standard_output() as out:
        out.write(msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Columns as wide as what they hold; those numbered in `right` are aligned to the right."""
    cells = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        aligned = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)
