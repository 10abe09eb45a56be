"""Experiments as a PiRogue leaves them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lab.experiment import Distortion, Load, record, write_experiment
from lab.scenarios import scenario


def _make(directory: Path, load: Load, distortion: Distortion, seed: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        write_experiment(record(load, Path(scratch), seed), directory, distortion, seed)


@scenario("experiment-small", fixture=False)
def experiment_small(directory: Path) -> None:
    """A small experiment, of all protocols, with bodies that the app encrypts; the phone's clock is 1.7 s behind."""
    load = Load(
        protocols=("http1", "http2", "http2", "cleartext"),
        workers=3,
        requests=12,
        connections=2,
        pause=0.02,
        large=0.0,
        encrypted=0.4,
    )
    _make(directory, load, Distortion(offset=-1.7, drift=25, delay=0.004, jumble=0.002), 4)


@scenario("experiment", fixture=False)
def experiment(directory: Path) -> None:
    """400 requests of six threads, all protocols and WebSockets; delays, lost and failed calls."""
    load = Load(protocols=("http1", "http2", "http2", "cleartext", "websocket"), requests=400, encrypted=0.3)
    distortion = Distortion(
        offset=41.3, drift=-60, delay=0.01, loss=0.03, failed=0.05, twice=0.02, jumble=0.005, early_reads=0.5
    )
    _make(directory, load, distortion, 5)


@scenario("experiment-asyncio", fixture=False)
def experiment_asyncio(directory: Path) -> None:
    """300 requests of one thread (asyncio), whose stacks tell no request apart."""
    load = Load(protocols=("http1", "http2", "cleartext"), client="asyncio", workers=12, requests=300)
    _make(directory, load, Distortion(offset=-0.4, delay=0.01), 6)
