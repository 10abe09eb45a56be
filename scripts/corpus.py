"""`python scripts/corpus.py FOLDER`: convert every capture below a folder, each in a process of its own with limits.

Prints a table of results and times. A capture passes if it ends with a HAR that can be read, or with one clear sentence
(exit code 1), within the limits of time and memory and without a traceback. Exit code 1 if one does not pass.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

SUFFIXES: Final = (".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz", ".cap.gz", ".pcap.zst", ".pcapng.zst")
SCRIPT: Final = "import sys; from pcapng_utils.cli import main; sys.exit(main())"
#: The address space of a process is more than the memory it uses: libraries are mapped, not read.
ADDRESSES: Final = 4 << 30


class Result(NamedTuple):
    capture: Path
    seconds: float
    memory: int
    """MB, at most."""
    outcome: str
    """ "HAR", "refused", or what went wrong."""
    exchanges: int = 0
    problems: int = 0
    said: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome in ("HAR", "refused")


def captures(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name.lower().endswith(SUFFIXES))


def convert(capture: Path, seconds: float, megabytes: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        output, usage = Path(folder) / "out.har", Path(folder) / "usage"
        begin = time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, "-c", _measured(usage), "convert", str(capture), "-o", str(output)],
                capture_output=True,
                timeout=2 * seconds,
                check=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES)),
                env={**os.environ, "PCAPNG_UTILS_RAISE": "1"},
            )
        except subprocess.TimeoutExpired:
            return Result(capture, time.monotonic() - begin, 0, "too slow")
        elapsed = time.monotonic() - begin
        memory = int(usage.read_text()) // 1024 if usage.exists() else 0
        said = done.stderr.decode(errors="replace").strip()
        return _judged(Result(capture, elapsed, memory, "", said=said), done.returncode, output, seconds, megabytes)


def _measured(usage: Path) -> str:
    """The command, which writes down its peak of memory (KB) when it ends."""
    return (
        "import atexit, pathlib, resource; atexit.register(lambda: pathlib.Path("
        f"{str(usage)!r}).write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))); {SCRIPT}"
    )


def _judged(result: Result, code: int, output: Path, seconds: float, megabytes: int) -> Result:
    if "Traceback" in result.said:
        return result._replace(outcome="traceback", said=result.said.splitlines()[-1])
    if result.seconds > seconds:
        return result._replace(outcome="too slow")
    if result.memory > megabytes:
        return result._replace(outcome="too large")
    if code == 1 and result.said.count("\n") == 0 and not output.exists():
        return result._replace(outcome="refused")
    if code:
        return result._replace(outcome=f"exit code {code}", said=result.said[-200:])
    try:
        log = json.loads(output.read_bytes())["log"]
    except (OSError, ValueError, KeyError) as error:
        return result._replace(outcome="no valid HAR", said=str(error))
    problems = sum(row["count"] for row in log["_problems"])
    return result._replace(outcome="HAR", exchanges=len(log["entries"]), problems=problems, said="")


def main() -> int:
    parser = argparse.ArgumentParser(description="Convert every capture below a folder, within limits.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=10, help="for each capture (default: 10)")
    parser.add_argument("--megabytes", type=int, default=500, help="of memory for each capture (default: 500)")
    parser.add_argument("--jobs", type=int, default=1, help="captures at a time (default: 1)")
    arguments = parser.parse_args()
    outcomes: Counter[str] = Counter()
    slowest = largest = 0.0
    print(f"{'seconds':>8}{'MB':>6}{'exchanges':>11}{'problems':>10}  {'result':<12}capture")
    with ThreadPoolExecutor(arguments.jobs) as pool:
        paths = captures(arguments.folder)
        for result in pool.map(lambda path: convert(path, arguments.seconds, arguments.megabytes), paths):
            outcomes[result.outcome if result.passed else "FAILED"] += 1
            slowest, largest = max(slowest, result.seconds), max(largest, result.memory)
            numbers = f"{result.seconds:>8.2f}{result.memory:>6}{result.exchanges:>11,}{result.problems:>10,}"
            name = ascii(str(result.capture.relative_to(arguments.folder)))[1:-1]
            print(f"{numbers}  {result.outcome:<12}{name}", flush=True)
            if result.said:
                print(" " * 37 + ascii(result.said)[1:-1])
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"{outcomes.total():,} captures: {counts}; slowest {slowest:.1f} s, largest {largest:.0f} MB")
    return 1 if outcomes["FAILED"] or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
