"""`python -m lab list`, `python -m lab make NAME -o DIR`, `python -m lab make all -o DIR`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from lab.network import why_unavailable
from lab.scenarios import Scenario, all_scenarios


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description="Captures with a known truth.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the scenarios")
    make = commands.add_parser("make", help="make one scenario, or all, each in a folder of its name")
    make.add_argument("name")
    make.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    make.add_argument("--fixtures", action="store_true", help="of all, those alone whose files are committed")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for found in all_scenarios().values():
            print(f"{found.name:22} {'fixture' if found.fixture else '':8} {found.description}")
        return 0
    return _make(arguments.name, arguments.output, fixtures=arguments.fixtures)


def _make(name: str, output: Path, *, fixtures: bool) -> int:
    # A default SIGTERM would leave the network behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    known = all_scenarios()
    if name != "all" and name not in known:
        print(f"there is no scenario {name!r}; `python -m lab list` names them", file=sys.stderr)
        return 2
    if reason := why_unavailable():
        print(reason, file=sys.stderr)
        return 1
    wanted = [item for item in known.values() if item.fixture or not fixtures] if name == "all" else [known[name]]
    for item in wanted:
        _make_one(item, output / item.name if name == "all" else output)
    return 0


def _make_one(item: Scenario, directory: Path) -> None:
    if missing := item.lacks():
        print(f"{item.name}: skipped, not installed: {' '.join(missing)}", file=sys.stderr)
        return
    item.make(directory)
    size = sum(path.stat().st_size for path in directory.iterdir())
    print(f"{item.name}: {directory}, {size:,} bytes", flush=True)


if __name__ == "__main__":
    sys.exit(main())
