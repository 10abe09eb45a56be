"""Records real loads, distorts what the client logged, and holds attribution against the truth.

    python -m benchmarks.attribution [--development] [--times 4] [--only WORD] [--loads WORD] [--write FILE]

The recordings are made once (that needs root, see lab/README.md) and kept. Ends with 1 if something that is demanded
was not shown.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.attribution import report, size
from benchmarks.attribution.loads import FIRST_SEED, LOADS, Recorded, SeedSet, recordings
from benchmarks.attribution.scenarios import SCENARIOS, Scenario
from benchmarks.attribution.trial import Trial, trials
from benchmarks.speed.report import machine

_OUT: Final = Path("out/attribution")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attribution", description="Hold attribution to truth.")
    parser.add_argument("--development", action="store_true", help="the seeds that may be looked at while developing")
    parser.add_argument("--times", type=int, default=4, help="recordings of each load (default: 4)")
    parser.add_argument("--only", default="", metavar="WORD", help="in the names of scenarios")
    parser.add_argument("--loads", default="", metavar="WORD", help="in the names of loads")
    parser.add_argument("--recordings", type=Path, default=_OUT, metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--sizes", action=argparse.BooleanOptionalAction, default=True, help="measure time and memory")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown to write")
    arguments = parser.parse_args()
    seeds: SeedSet = "development" if arguments.development else "check"
    scenarios = [scenario for scenario in SCENARIOS if arguments.only in scenario.name]
    loads = [load for load in LOADS if arguments.loads in load]
    recorded = list(recordings(arguments.recordings, seeds, loads, arguments.times))
    results: dict[str, list[tuple[Scenario, Trial]]] = {load: [] for load in loads}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for one, found in zip(recorded, pool.map(_try, recorded, [scenarios] * len(recorded)), strict=True):
            results[one.load] += found
    met, lines = _lines(results, scenarios, seeds, arguments.times)
    if arguments.sizes:
        good, measured = size.lines(arguments.recordings)
        met &= good
        lines += measured
    print("\n".join(lines))
    print("\n".join(report.clock_lines(results)), file=sys.stderr)
    if arguments.write:
        arguments.write.write_text("\n".join(lines) + "\n")
    return 0 if met else 1


def _try(one: Recorded, scenarios: list[Scenario]) -> list[tuple[Scenario, Trial]]:
    return list(trials(one.recording, scenarios, one.seed))


def _lines(results: report.Results, scenarios: list[Scenario], seeds: SeedSet, times: int) -> tuple[bool, list[str]]:
    first = FIRST_SEED[seeds]
    command = " ".join(["python -m benchmarks.attribution", *sys.argv[1:]])
    verdicts = list(report.verdicts(results, scenarios))
    lines = [
        "# How often attribution is right",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `{command}`: {machine()}.",
        "",
        f"{times} recordings of each of {len(results)} loads ({seeds} seeds, {first} to {first + times - 1}): "
        "real clients and servers of the lab. What a client logged of its own socket calls is distorted; which call "
        "carried which message is known from the bytes. Counted are requests and HTTP/1.1 responses whose own call is "
        "in the trace. Delays have a heavy tail and never change the order of the calls of one socket in one "
        "direction, but in the last scenario. Nearest is the algorithm of pcapng-utils 1.1, which is told that the "
        "clocks agree.",
        "",
        "Right is, of the clients with threads, a call of the code that sent the request (or read the response). The "
        "clients of asyncio make all their calls from one thread and one stack, whatever is sent: right is then the "
        "very call, by its place in the trace.",
        "",
        *report.scenario_table(results, scenarios),
        "",
        "## Alignment: right, by client",
        "",
        *report.client_table(results, scenarios),
        "",
        "## What is not known, and what was said of it: threads",
        "",
        *report.doubt_table(results, scenarios, "threads"),
        "",
        "## The same: asyncio, by the very call",
        "",
        *report.doubt_table(results, scenarios, "asyncio"),
        "",
        "## What could be known: asyncio, requests, by the very call",
        "",
        "What an observer would answer who knows every call of the client and its true time, the clock, the law of the "
        "delays and the share of calls that are lost, but not which were lost nor how late each was logged "
        "(benchmarks/attribution/observer.py). Its probabilities are exact; nothing that goes by order and times can "
        "be right more often, and where it falls short of a demand, the load does not let it be met.",
        "",
        *report.observer_table(results, scenarios),
        "",
        "## Calibration: threads",
        "",
        "Of all scenarios in which a socket's calls keep their order: best candidates, whether they were sure enough "
        "to be given a stack (0.5) or not.",
        "",
        *report.calibration_table(report.ordered(results, "threads")),
        "",
        "## Calibration: asyncio, by the very call",
        "",
        *report.calibration_table(report.ordered(results, "asyncio")),
        "",
        "## By load",
        "",
        *report.load_table(results, scenarios),
        "",
        "## By kind of message",
        "",
        "WebSocket messages and HTTP/2 responses by the very call, without a demand.",
        "",
        *report.group_table(results, scenarios),
        "",
        "## Demands",
        "",
        *(f"- {'met' if good else '**not met**'}: {text}" for good, text in verdicts),
    ]
    return all(good for good, _ in verdicts), lines


if __name__ == "__main__":
    sys.exit(main())
