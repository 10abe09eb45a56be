"""Makes captures, has ours and others read them in turn, and says what that took.

    python -m benchmarks.speed [--scale 0.05] [--only app,bulk] [--runs 3] [--write docs/benchmarks.md]

The first program of a table is the base of its ratios. Ends with 1 if something that is demanded was not shown; at
another scale than 1 the demands are printed, but start-up times and the caches of the machine count for more.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.speed.benches import benches
from benchmarks.speed.measure import Measure, run
from benchmarks.speed.programs import Bench, compile_ours, install_peer, versions
from benchmarks.speed.report import machine, table, verdicts
from benchmarks.speed.workloads import Made, make

_OUT: Final = Path("out")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="Measure whole conversions.")
    parser.add_argument("--scale", type=float, default=1.0, help="of all captures (default: 1)")
    parser.add_argument("--only", default="", metavar="NAMES", help="of benches, with commas between them")
    parser.add_argument("--runs", type=int, default=3, help="of each program (default: 3); the median counts")
    parser.add_argument("--slow-runs", type=int, default=2, help="of those that take minutes (default: 2)")
    parser.add_argument("--peer", type=Path, default=_OUT / "peers" / "pcapng-utils", metavar="FOLDER")
    parser.add_argument("--captures", type=Path, default=_OUT / "bench", metavar="FOLDER")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown to write")
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    chosen = [bench for bench in benches(arguments.peer) if not only or bench.name in only]
    if any("1.1.0" in program.name for bench in chosen for program in bench.programs):
        install_peer(arguments.peer)
    compile_ours()
    lines = _head(arguments)
    met = True
    for bench in chosen:
        results = _measure(bench, arguments)
        lines += ["", f"## {bench.name}: {bench.what}", "", *table(bench, results), ""]
        for good, text in verdicts(bench, results):
            met &= good
            lines.append(f"- {'met' if good else '**not met**'}: {text}")
        print("\n".join(lines[-len(results) - 4 - len(bench.demands) :]), flush=True)
    if arguments.write:
        arguments.write.write_text("\n".join(lines) + "\n")
    return 0 if met else 1


def _measure(bench: Bench, arguments: argparse.Namespace) -> dict[str, list[Measure]]:
    """Run all programs in turn, several times, so that a busy moment of the machine does not hit one of them alone."""
    made_for = {scale: _captured(bench, arguments, scale) for scale in bench.scales}
    captures = list(made_for.values()) * (len(bench.programs) // len(made_for))
    results: dict[str, list[Measure]] = {program.name: [] for program in bench.programs}
    out = arguments.captures / "out.har"
    for turn in range(arguments.runs):
        for program, made in zip(bench.programs, captures, strict=True):
            if program.slow and turn >= arguments.slow_runs:
                continue
            command = program.command(made, out)
            print(f"{bench.name}, run {turn + 1}: {program.name} ...", file=sys.stderr, flush=True)
            results[program.name].append(run(command))
            out.unlink(missing_ok=True)
    return results


def _captured(bench: Bench, arguments: argparse.Namespace, scale: float) -> Made:
    print(f"{bench.name}: making the capture ...", file=sys.stderr, flush=True)
    return make(bench.capture, arguments.captures, scale * arguments.scale)


def _head(arguments: argparse.Namespace) -> list[str]:
    return [
        "# Benchmarks",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `{' '.join(['python -m benchmarks.speed', *sys.argv[1:]])}`: "
        f"medians of {arguments.runs} runs ({arguments.slow_runs} of tshark and pcapng-utils 1.1.0), all programs in "
        "turn. Ratios are against the first program of each table: 2.00 is twice as long, or twice the memory.",
        "",
        f"- Machine: {machine()}",
        *(f"- {name}: {version}" for name, version in versions(arguments.peer)),
    ]


if __name__ == "__main__":
    sys.exit(main())
