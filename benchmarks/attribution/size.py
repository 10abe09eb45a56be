"""Time and memory for many calls, and for a large file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.attribution.synthetic import Scene
from benchmarks.speed.measure import Measure, run

_LARGE: Final = 500_000_000
_MOST_MEMORY: Final = 500_000_000
_LONGEST: Final = 10.0
_TWICE: Final = 2.2


class _Size(NamedTuple):
    flows: int
    exchanges: int
    """On each flow; two messages and ten calls each."""


_ONCE, _DOUBLE = _Size(500, 20), _Size(1000, 20)


def lines(folder: Path) -> tuple[bool, list[str]]:
    """Measure, and say what was found and whether it is what is demanded. Files are made in `folder`."""
    found = ["", "## Size", "", "| what | wall | CPU | peak memory |", "| --- | ---: | ---: | ---: |"]
    measures = []
    for size in (_ONCE, _DOUBLE):
        measures.append(_aligned(folder, size))
        messages = 2 * size.flows * size.exchanges
        found.append(_row(f"{5 * messages:,} calls, {messages:,} messages, {size.flows:,} flows", measures[-1]))
    large = _read(folder)
    found.append(_row(f"reading a trace file of {_LARGE / 1e6:.0f} MB", large))
    ratio = measures[1].wall / measures[0].wall
    verdicts = [
        (measures[0].wall < _LONGEST, f"{measures[0].wall:.1f} s, under {_LONGEST:.0f} s demanded"),
        (measures[0].peak < _MOST_MEMORY, f"{measures[0].peak / 1e6:.0f} MB, under 500 MB demanded"),
        (ratio <= _TWICE, f"twice as much takes {ratio:.2f} times as long, at most {_TWICE} times demanded"),
        (large.peak < _MOST_MEMORY, f"a large file takes {large.peak / 1e6:.0f} MB, under 500 MB demanded"),
    ]
    found += ["", *(f"- {'met' if good else '**not met**'}: {text}" for good, text in verdicts)]
    return all(good for good, _ in verdicts), found


def _row(what: str, measure: Measure) -> str:
    return f"| {what} | {measure.wall:.2f} s | {measure.cpu:.2f} s | {measure.peak / 1e6:,.0f} MB |"


def _aligned(folder: Path, size: _Size) -> Measure:
    """Reading the trace and attributing all messages, less making up the flows."""
    trace = folder / f"synthetic-{size.flows}.json"
    if not trace.exists():
        with trace.open("wb") as file:
            file.writelines(Scene(*size).trace())
    flows = [sys.executable, "-m", "benchmarks.attribution.size", str(size.flows), str(size.exchanges)]
    bare, whole = run(flows), run([*flows, trace])
    return Measure(whole.wall - bare.wall, whole.cpu - bare.cpu, whole.peak, whole.largest)


def _read(folder: Path) -> Measure:
    path = folder / "synthetic-large.json"
    if not path.exists():
        _write_large(path)
    return run([sys.executable, "-m", "benchmarks.attribution.size", "0", "0", path])


def _write_large(path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        for piece in Scene(1000, 20).trace():
            size += file.write(piece)
            if size >= _LARGE:
                break
        else:
            raise ValueError(f"{path}: the scene is too small for {_LARGE} bytes")


def main(flows: int, exchanges: int, trace: Path | None) -> None:
    """What is measured: in a process of its own."""
    from pcapng_utils.attribution.attribute import attribute
    from pcapng_utils.attribution.operations import OperationLog

    scene = Scene(flows, exchanges)
    scene.operations.clear()
    if trace is not None:
        log = OperationLog.open(trace)
        if flows:
            attribute(scene.flows, log)
        log.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
