"""`python -m fuzz.table SECONDS=LOG ...`: write the counts of runs that `python -m fuzz` printed into docs/fuzzing.md.

Of several runs of a target, the last counts. A target that was broken has no row: it is mended and run again first.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from fuzz.targets import TARGETS

DOCUMENT: Final = Path("docs") / "fuzzing.md"
_BEGIN: Final = "<!-- runs -->\n"
_END: Final = "<!-- end of runs -->\n"
_OUTCOME: Final = re.compile(r"^([a-z0-9-]+) +([0-9,]+) +([0-9,]+) +([0-9]+) +([0-9]+)$", re.MULTILINE)


def rows(log: str, seconds: int) -> dict[str, str]:
    """A row for each target of a log. What follows an outcome, up to the next, says how the target was broken."""
    found = {}
    outcomes = list(_OUTCOME.finditer(log))
    for outcome, following in zip(outcomes, [*outcomes[1:], None], strict=True):
        target, *numbers = outcome.groups()
        told = log[outcome.end() : following.start() if following else len(log)]
        if target in TARGETS and "Test unit written" not in told:
            found[target] = f"| {target} | {seconds:,} | {' | '.join(numbers)} |\n"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz.table", description="Write counts of runs into the docs.")
    parser.add_argument("logs", nargs="+", metavar="SECONDS=LOG", help="what each target had, and what was printed")
    table: dict[str, str] = {}
    for argument in parser.parse_args().logs:
        seconds, _, log = argument.partition("=")
        table |= rows(Path(log).read_text(), int(seconds))
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    head = "| target | seconds | runs | coverage | MB | slowest, s |\n| --- | ---: | ---: | ---: | ---: | ---: |\n"
    body = "".join(table.get(target, "") for target in TARGETS)
    DOCUMENT.write_text(f"{before}{_BEGIN}{head}{body}{_END}{after}")
    missing = [target for target in TARGETS if target not in table]
    if missing:
        print(f"no figures for {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
