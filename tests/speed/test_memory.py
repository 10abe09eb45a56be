"""Memory follows what is open, not what was read."""

from __future__ import annotations

import subprocess
from pathlib import Path
from statistics import median

import pytest

from benchmarks.speed.measure import run
from benchmarks.speed.packets import FILE_HEADER, Ends, Recorder, TcpFlow
from benchmarks.speed.programs import ours
from benchmarks.speed.workloads import Made, make

MB = 1_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


def peak(made: Made, out: Path, *options: str) -> int:
    """Bytes of the largest process, the median of three: how far one runs ahead of another is up to the machine, in
    both directions, and so is whether their peaks fall together."""
    return round(median(run(ours("--max-memory", "32M", *options)(made, out)).largest for _ in range(3)))


@pytest.mark.parametrize("options", [[], ["--no-bodies"], ["--jobs", "2"]], ids=str)
def test_twice_the_downloads_take_the_same_memory(folder: Path, tmp_path: Path, options: list[str]) -> None:
    small, large = (peak(make("bulk", folder, scale), tmp_path / "out.har", *options) for scale in (0.02, 0.04))
    assert large < 1.1 * small


def test_open_connections_are_bounded(folder: Path, tmp_path: Path) -> None:
    made = Made(folder / "open")
    made.folder.mkdir()
    made.keylog.touch()
    peaks = []
    for count in (7_000, 21_000):
        with made.capture.open("wb") as file:
            file.write(FILE_HEADER)
            recorder = Recorder(file)
            for number in range(count):
                TcpFlow(recorder, Ends(("10.0.0.2", 1024 + number), ("203.0.113.7", 443)))
        peaks.append(peak(made, tmp_path / "out.har"))
    assert peaks[1] < 1.1 * peaks[0]


def test_bodies_that_do_not_fit_are_the_same(folder: Path, tmp_path: Path) -> None:
    made = make("bulk", folder, 0.02)
    outputs = []
    for memory in ("32M", "512M"):
        out = tmp_path / f"{memory}.har"
        subprocess.run(ours("--max-memory", memory, "--compact")(made, out), check=True)
        outputs.append(out.read_bytes().partition(b'"entries"')[2])
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 20 * MB
