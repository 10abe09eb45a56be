"""`pcapng-utils findings`: what was sent about this person or device, in which form, where, and to whom."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pcapng_utils.cli.convert import (
    add_examination_options,
    add_reading_options,
    examination_options,
    reading_options,
)
from pcapng_utils.cli.terminal import show, show_json, table
from pcapng_utils.cli.values import file

if TYPE_CHECKING:
    from pcapng_utils.cli.unread import Unread

FOUND: Final = 3
"""Exit code when something was found."""

_COLUMNS: Final = ("identifier", "form", "where", "direction", "code", "SDK", "host")
_FIELDS: Final = ("identifier", "form", "where", "direction", "code", "sdk", "host")

Row = dict[str, Any]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "findings",
        help="show which identifiers were sent, in which form, and to whom",
        description="Show which identifiers of a device or a person were sent, in which form and where, by whose code "
        f"and to whom. Exit code {FOUND} says that something was found.",
    )
    parser.add_argument("input", metavar="INPUT", type=file, help="HAR file, capture, or experiment folder")
    add_reading_options(parser)
    add_examination_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--all", action="store_true", help="a line for each exchange, not one for those that are alike")
    form.add_argument("--json", action="store_true", help="the rows of log._findings, as JSON")
    parser.set_defaults(command=findings)


def findings(arguments: argparse.Namespace) -> int:
    from pcapng_utils.cli.unread import say

    rows, unread = _findings(arguments)
    if arguments.json:
        show_json(rows)
    elif rows:
        show(_by_exchange(rows) if arguments.all else _grouped(rows))
    else:
        show("Nothing was found.")
    say("findings", unread.sentences())
    return FOUND if rows else 0


def _findings(arguments: argparse.Namespace) -> tuple[list[Row], Unread]:
    """What was found, and what could not be searched."""
    from pcapng_utils.har.reading import is_har

    return _of_har(arguments) if is_har(arguments.input) else _of_capture(arguments)


def _of_capture(arguments: argparse.Namespace) -> tuple[list[Row], Unread]:
    from pcapng_utils.cli.unread import Unread
    from pcapng_utils.pipeline.convert import Conversion

    capture, options = reading_options(arguments)
    with Conversion(capture, replace(options, **examination_options(arguments))) as conversion:
        if not conversion.looks_for_something:
            raise _nothing_to_look_for()
        conversion.read()
        rows = list(conversion.findings())
        return rows, Unread.of(conversion.connections(), conversion.problems.rows())


def _of_har(arguments: argparse.Namespace) -> tuple[list[Row], Unread]:
    """Findings in a HAR; those it has already, where nothing is named to look for."""
    from pcapng_utils.cli.unread import Unread
    from pcapng_utils.experiment import Experiment
    from pcapng_utils.har.reading import check_entry
    from pcapng_utils.pipeline.examining import examination_of
    from pcapng_utils.pipeline.options import Options
    from pcapng_utils.report.source import open_har

    beside = Experiment.beside(arguments.input)
    asked = Options(device=beside.device, ad_ids=beside.ad_ids, **examination_options(arguments))
    examination = examination_of(asked, arguments.input)
    with open_har(arguments.input) as har:
        rows = list(har.findings)
        if examination.finders:
            for number, entry in enumerate(har.entries):
                check_entry(number, entry, har.name)
                examination.entry(number, entry)
            rows = list(examination.findings())
        elif not rows:
            raise _nothing_to_look_for()
        return rows, Unread.of(har.connections, har.problems)


def _nothing_to_look_for() -> Exception:
    from pcapng_utils.errors import UsageError

    return UsageError(
        "there is nothing to look for: no device.json and no ad_ids.txt lie beside the input. "
        "--identifiers or --yara names something."
    )


def _grouped(rows: Iterable[Row]) -> str:
    """Findings that differ in the exchange alone, as one line."""
    counts = Counter(map(_cells, rows))
    lines = [(*cells, f"{count:,}") for cells, count in sorted(counts.items())]
    return table((*_COLUMNS, "exchanges"), lines, right=frozenset({len(_COLUMNS)}))


def _by_exchange(rows: Iterable[Row]) -> str:
    lines = [(str(row.get("entry", "")), *_cells(row)) for row in rows]
    return table(("entry", *_COLUMNS), lines, right=frozenset({0}))


def _cells(row: Row) -> tuple[str, ...]:
    """An SDK that is known by the host alone is marked: it was sent the finding, and need not have sent it."""
    if row.get("sdkSource") == "host":
        row = row | {"sdk": f"{row['sdk']} (host)"}
    return tuple(str(row.get(name) or "-") for name in _FIELDS)
