"""What was measured, as text and as docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.speed.measure import Measure, medians
from benchmarks.speed.programs import Bench, Demand

Results = Mapping[str, list[Measure]]
"""Runs of a bench, by the program's name."""


def table(bench: Bench, results: Results) -> Iterator[str]:
    """The medians, and how many times as long and as much memory as the first program each one takes."""
    yield "| program | wall | CPU | peak memory | wall, ratio | CPU, ratio | memory, ratio |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    middle = {name: medians(runs) for name, runs in results.items()}
    base = next(iter(middle.values()))
    for name, one in middle.items():
        ratios = (one.wall / base.wall, one.cpu / base.cpu, one.peak / base.peak)
        yield (
            f"| {name} | {one.wall:,.2f} s | {one.cpu:,.2f} s | {one.peak / 1e6:,.0f} MB | "
            + " | ".join(f"{ratio:.2f}" for ratio in ratios)
            + " |"
        )


def verdicts(bench: Bench, results: Results) -> Iterator[tuple[bool, str]]:
    """Each demand: whether it is met, and a sentence with what was found."""
    middle = {name: medians(runs) for name, runs in results.items()}
    for demand in bench.demands:
        if demand.ours in middle and (not demand.theirs or demand.theirs in middle):
            yield _judge(demand, middle[demand.ours], middle.get(demand.theirs))


def _judge(demand: Demand, ours: Measure, theirs: Measure | None) -> tuple[bool, str]:
    if demand.peak:
        return ours.peak <= demand.peak, f"{demand.text}: {ours.peak / 1e6:,.0f} MB"
    if demand.wall:
        return ours.wall <= demand.wall, f"{demand.text}: {ours.wall:.2f} s"
    if theirs is None:
        raise ValueError(f"{demand.text}: nothing to compare with")
    asked, found = (
        (demand.faster, theirs.wall / ours.wall) if demand.faster else (demand.memory, theirs.peak / ours.peak)
    )
    if asked < 1:  # a bound on ours, in terms of theirs
        return found >= asked, f"{demand.text}: {1 / found:.2f} times"
    return found >= asked, f"{demand.text}: {found:.1f} times"


def machine() -> str:
    """The processor, its cores, and the memory."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB of memory, {platform.system()} {platform.release()}"
