"""Microseconds a message of attribution: all of it, and the alignment of one direction of a flow by itself.

    PYTHONPATH=src:. python benchmarks/micro/attribution.py

Flows are made up. Best of several rounds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Final

from benchmarks.attribution.synthetic import Scene
from pcapng_utils.attribution.align import Band, Weights, align
from pcapng_utils.attribution.attribute import attribute
from pcapng_utils.attribution.operations import OperationLog

FLOWS: Final = 40
EXCHANGES: Final = 25
UNITS: Final = 2000
NEAR: Final = 4
"""Calls near a unit."""


def best(run: Callable[[], object], rounds: int = 7) -> float:
    times = []
    for _ in range(rounds):
        begin = process_time()
        run()
        times.append(process_time() - begin)
    return min(times)


def whole() -> tuple[float, int]:
    """Seconds for a scene, and its messages."""
    scene = Scene(FLOWS, EXCHANGES)
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "socket_trace.json"
        trace.write_bytes(b"".join(scene.trace()))
        log = OperationLog.open(trace)
        seconds = best(lambda: attribute(scene.flows, log))
        log.close()
    return seconds, 2 * FLOWS * EXCHANGES


def alone() -> float:
    """Seconds to align units 10 ms apart with a call each."""
    calls = [10.0 * unit for unit in range(UNITS)]
    units = [time + 3.0 for time in calls]
    weights = Weights(
        lambda unit, low, high: [200.0 / (1.0 + (units[unit] - call - 3.0) ** 2) for call in calls[low:high]],
        [(0.01, 0.01)] * UNITS,
        list(range(1, UNITS + 1)),
        [0.05] * UNITS,
        [0.05] * UNITS,
        [1.0] * UNITS,
        [0.01] * UNITS,
        [[1.0] * UNITS] * UNITS,
    )
    return best(lambda: align(Band(units, calls, 10.0 * NEAR, 10.0 * NEAR), weights))


if __name__ == "__main__":
    seconds, messages = whole()
    print(f"{'attribute':12} {seconds / messages * 1e6:8.1f} us/message")
    print(f"{'align':12} {alone() / UNITS * 1e6:8.1f} us/unit")
