"""A short run of every fuzz target: its seeds, changes of them at random, and the inputs that once broke it."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from time import thread_time

import pytest

from fuzz.mutate import mutated
from fuzz.seeds import seeds
from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
FOUND = sorted((Path(__file__).parent / "found").iterdir())
SECONDS = 1.0
"""Spent on each target."""
SLOWEST = 2.0
"""Seconds that no input of these sizes may take."""


@cache
def corpus() -> dict[str, list[bytes]]:
    return seeds()


def run(target: str, data: bytes) -> None:
    begin = thread_time()
    try:
        TARGETS[target](data)
    except Exception as error:
        pytest.fail(f"{type(error).__name__}: {error} for {data.hex()}")
    assert thread_time() - begin < SLOWEST, data.hex()


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str) -> None:
    assert corpus()[target]
    for seed in corpus()[target]:
        run(target, seed)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_changed_at_random(target: str) -> None:
    rng, known = random.Random(target), corpus()[target]
    begin, runs = thread_time(), 0
    while thread_time() - begin < SECONDS:
        run(target, mutated(rng.choice(known), known, rng))
        runs += 1
    assert runs >= 5


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_was_found_before(path: Path) -> None:
    target = max((name for name in TARGETS if path.name.startswith(name + "-")), key=len)
    run(target, path.read_bytes())


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")
def test_the_fuzzer_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.run", "keylog", "-runs=500", f"-artifact_prefix={tmp_path}/"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Done 500 runs" in done.stderr
