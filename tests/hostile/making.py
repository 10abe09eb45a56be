"""What the tests of hostile input share: captures made for the purpose, and what a conversion of one took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from struct import Struct
from typing import Any, Final

from tests.cli.making import ROOT
from tests.net.wire import ACK, FIN, PORTS, PSH, START, handshake, tcp, udp

_CLIENT_PORT: Final = (40000).to_bytes(2, "big")
_FILE_HEADER: Final = bytes.fromhex("4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000")
"""pcap, ns, little-endian, Ethernet."""
_RECORD: Final = Struct("<IIII")
_SEGMENT: Final = 1400
_STEP: Final = 100_000
"""ns between packets."""

_RUNS: Final = 6
"""Of each program that is measured, at most."""
_CLEAR: Final = 2.5
"""Growth that is no doubt less than quadratic."""
_SHORT: Final = 0.05
"""A cost, in seconds of CPU time, below which it is mostly chance."""

Said = tuple[int, bytes]
"""Who (CLIENT or SERVER) sent what."""

_MEASURED: Final = """
import resource, sys
from pcapng_utils.cli import main
code = main(sys.argv[2:])
usage = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
open(sys.argv[1], "w").write(f"{usage.ru_utime + usage.ru_stime} {peak}")
sys.exit(code)
"""


def on_port(packet: bytes, number: int) -> bytes:
    """A packet of `tests.net.wire`, with another port of the client."""
    at = 34 if packet[34:36] == _CLIENT_PORT else 36
    return packet[:at] + number.to_bytes(2, "big") + packet[at + 2 :]


def connection(said: Iterable[Said], ports: tuple[int, int] = PORTS, *, end: bool = True) -> Iterator[bytes]:
    """Packets of a TCP connection in which this was said, in segments of a usual size."""
    numbers = [101, 501]
    yield from handshake(ports=ports)
    for side, data in said:
        for at in range(0, len(data), _SEGMENT):
            piece = data[at : at + _SEGMENT]
            yield tcp(side, numbers[side], numbers[1 - side], PSH | ACK, piece, ports)
            numbers[side] += len(piece)
    if end:
        yield tcp(0, numbers[0], numbers[1], FIN | ACK, b"", ports)
        yield tcp(1, numbers[1], numbers[0] + 1, FIN | ACK, b"", ports)


def datagrams(said: Iterable[Said]) -> Iterator[bytes]:
    return (udp(side, data) for side, data in said)


def write_capture(path: Path, packets: Iterable[bytes]) -> Path:
    with path.open("wb") as file:
        file.write(_FILE_HEADER)
        for number, packet in enumerate(packets):
            seconds, rest = divmod(START + number * _STEP, 1_000_000_000)
            file.write(_RECORD.pack(seconds, rest, len(packet), len(packet)) + packet)
    return path


@dataclass(frozen=True)
class Measured:
    """How a command ended, and what it took."""

    code: int
    said: str
    """On standard error."""
    cpu: float
    """Seconds of CPU, of the program and the system for it."""
    peak: float
    """MB of memory."""
    output: Path

    @property
    def log(self) -> dict[str, Any]:
        assert self.code == 0, self.said
        log: dict[str, Any] = json.loads(self.output.read_bytes())["log"]
        return log

    @property
    def problems(self) -> dict[str, int]:
        """How many of each kind."""
        counts: dict[str, int] = {}
        for row in self.log["_problems"]:
            counts[row["kind"]] = counts.get(row["kind"], 0) + row["count"]
        return counts


def convert(capture: Path, *options: str | Path) -> Measured:
    """Convert a capture in a process of its own, as a user would."""
    output, taken = capture.with_suffix(".har"), capture.with_suffix(".taken")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, taken, "convert", capture, "-f", "-o", output, *options],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
        timeout=600,
    )
    said = done.stderr.decode()
    assert "Traceback" not in said, said
    cpu, peak = taken.read_text().split()
    return Measured(done.returncode, said, float(cpu), int(peak) / 1000, output)


def growth(make: Callable[[Path, int], Path], folder: Path, size: int, *options: str | Path) -> float:
    """How many times as much an input of twice the size takes, in CPU time, the start of the program taken off."""
    none, once, twice = (
        write_capture(folder / "none.pcap", ()),
        make(folder / "once", size),
        make(folder / "twice", 2 * size),
    )
    return ratio(*(partial(convert, path, *options) for path in (none, once, twice)))


def ratio(none: Callable[[], Measured], once: Callable[[], Measured], twice: Callable[[], Measured]) -> float:
    """What `twice` costs in CPU time against `once`, the cost of `none` taken off both.

    Each is the least of several runs, all three in turn: another program beside them makes a run longer, never shorter,
    and may be gone a second later. What is well below the cost that is quadratic (4) needs no more runs.
    """
    costs = [inf, inf, inf]
    for _ in range(_RUNS):
        costs = [min(cost, run().cpu) for cost, run in zip(costs, (none, once, twice), strict=True)]
        found = (costs[2] - costs[0]) / max(costs[1] - costs[0], _SHORT)
        if found < _CLEAR:
            break
    return found
