"""Hold a HAR of ours against one of pcapng-utils 1.1, field by field.

    python scripts/compare_fields.py THEIRS.har OURS.har [THEIRS.har OURS.har ...]

Exchanges are paired by method, URL and status, in order. Printed for each field that differs or that one side lacks:
how often, and one example of both values. docs/differences.md explains each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ABSENT = "(absent)"


@dataclass
class Difference:
    count: int = 0
    example: str = ""


@dataclass
class Comparison:
    pairs: int = 0
    theirs_alone: int = 0
    ours_alone: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    """Values compared, by field."""
    differences: dict[str, Difference] = field(default_factory=lambda: defaultdict(Difference))

    def add(self, where: str, path: str, theirs: Any, ours: Any) -> None:
        self.fields[path] += 1
        if theirs != ours:
            difference = self.differences[path]
            difference.count += 1
            difference.example = difference.example or f"{where}: {_short(theirs)} | {_short(ours)}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Hold a HAR of ours against one of pcapng-utils 1.1, field by field.")
    parser.add_argument("hars", nargs="+", type=Path, metavar="THEIRS.har OURS.har", help="pairs of files")
    hars: list[Path] = parser.parse_args().hars
    if len(hars) % 2:
        parser.error("pairs of files were expected: theirs, then ours")
    comparison = Comparison()
    for theirs, ours in zip(hars[::2], hars[1::2], strict=True):
        compare(json.loads(theirs.read_bytes())["log"], json.loads(ours.read_bytes())["log"], comparison)
    print(f"{comparison.pairs} pairs; theirs alone {comparison.theirs_alone}, ours alone {comparison.ours_alone}")
    for path, difference in sorted(comparison.differences.items()):
        print(f"{path}: {difference.count} of {comparison.fields[path]}\n    {difference.example}")
    return 0


def compare(theirs: dict[str, Any], ours: dict[str, Any], comparison: Comparison) -> None:
    for path, value in _leaves(theirs["creator"], "creator"):
        comparison.add("log", path, value, dict(_leaves(ours["creator"], "creator")).get(path, _ABSENT))
    groups: dict[tuple[str, ...], list[list[dict[str, Any]]]] = defaultdict(lambda: [[], []])
    for side, log in enumerate((theirs, ours)):
        for entry in log["entries"]:
            request, response = entry["request"], entry["response"]
            groups[request["method"], request["url"], str(response["status"])][side].append(entry)
    for key, (left, right) in groups.items():
        pairs = list(zip(left, right, strict=False))
        comparison.pairs += len(pairs)
        comparison.theirs_alone += len(left) - len(pairs)
        comparison.ours_alone += len(right) - len(pairs)
        for one, other in pairs:
            a, b = dict(_leaves(one)), dict(_leaves(other))
            for path in a.keys() | b.keys():
                comparison.add(" ".join(key)[:60], path, a.get(path, _ABSENT), b.get(path, _ABSENT))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Fields with their paths; lists count as one value."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _short(value: Any) -> str:
    text = value if value is _ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


if __name__ == "__main__":
    sys.exit(main())
