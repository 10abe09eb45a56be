"""`python -m fuzz [TARGET ...]`: fuzz each target for a time, one after another, and tell what was found.

The corpus of each target grows in out/fuzz/TARGET and is gone on with by the next run. What breaks a target is kept as
out/fuzz/TARGET.crash-..., and printed: it is to become a test.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from fuzz.seeds import seeds
from fuzz.targets import TARGETS

_OUT: Final = Path("out") / "fuzz"
_LIMITS: Final = ("-timeout=10", "-report_slow_units=5", "-rss_limit_mb=1024", "-max_len=16384", "-print_final_stats=1")
_STATISTIC: Final = re.compile(r"stat::(\w+):\s+(\d+)")
_COVERAGE: Final = re.compile(r"cov: (\d+) ft: (\d+)")
_TAIL: Final = 40


class Outcome(NamedTuple):
    target: str
    runs: int
    coverage: int
    memory: int
    """MB, at most."""
    slowest: int
    """Seconds."""
    failure: str
    """What went wrong, as the fuzzer tells it; empty if nothing."""


def fuzz(target: str, seconds: int, corpus: list[bytes]) -> Outcome:
    folder = _OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    for seed in corpus:
        (folder / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    command = [sys.executable, "-m", "fuzz.run", target, *_LIMITS, f"-max_total_time={seconds}"]
    done = subprocess.run(
        [*command, f"-artifact_prefix={_OUT / target}.", str(folder)], capture_output=True, text=True, check=False
    )
    statistics = {name: int(value) for name, value in _STATISTIC.findall(done.stderr)}
    coverage = _COVERAGE.findall(done.stderr)
    return Outcome(
        target,
        statistics.get("number_of_executed_units", 0),
        int(coverage[-1][0]) if coverage else 0,
        statistics.get("peak_rss_mb", 0),
        statistics.get("slowest_unit_time_sec", 0),
        _told(done.stdout + done.stderr) if done.returncode else "",
    )


def _told(output: str) -> str:
    """What the fuzzer says of a failure, its progress left out."""
    told = [line for line in output.splitlines() if line and not line.startswith(("#", "\\0", "INFO: ", "stat::"))]
    return "\n".join(told[-_TAIL:])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz the layers, and the whole.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    corpora = seeds()
    broken = 0
    print(f"{'target':<14}{'runs':>12}{'coverage':>10}{'MB':>6}{'slowest, s':>12}")
    for target in arguments.targets or TARGETS:
        outcome = fuzz(target, arguments.seconds, corpora.get(target, []))
        print(
            f"{target:<14}{outcome.runs:>12,}{outcome.coverage:>10,}{outcome.memory:>6}{outcome.slowest:>12}",
            flush=True,
        )
        if outcome.failure:
            broken += 1
            print(outcome.failure, flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
