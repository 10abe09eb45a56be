"""The traffic that is recorded, and where the recordings are kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from httpcore import LocalProtocolError

from lab.experiment import Load, Recording, record

SeedSet = Literal["development", "check"]

FIRST_SEED: Final[dict[SeedSet, int]] = {"development": 1, "check": 1001}
"""Development may look at its own seeds as often as it likes; what is published is measured on the others."""

_TRIES: Final = 5

LOADS: Final[dict[str, Load]] = {
    "threads": Load(protocols=("http1", "http2", "cleartext", "websocket"), requests=300),
    "threads, busy": Load(pause=0.0, delay=0.001, requests=400, workers=8),
    "threads, idle": Load(protocols=("http1", "http2", "cleartext"), pause=0.1, header_first=True),
    "threads, large bodies": Load(protocols=("http1", "http2", "cleartext"), large=0.4, joined=True),
    "asyncio": Load(protocols=("http1", "http2", "cleartext"), client="asyncio", requests=300),
    "asyncio, busy": Load(client="asyncio", pause=0.0, delay=0.001, requests=400, workers=8),
    "asyncio, large bodies": Load(client="asyncio", large=0.4, header_first=True),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    load: str
    seed: int
    recording: Recording


def recordings(folder: Path, seeds: SeedSet, loads: list[str], times: int) -> Iterator[Recorded]:
    """Each load `times` times, recorded where it was not before.

    Raises lab.network.LabUnavailableError where one is missing and the machine does not permit network namespaces.
    """
    for load in loads:
        for seed in range(FIRST_SEED[seeds], FIRST_SEED[seeds] + times):
            place = folder / f"{load.replace(', ', '-').replace(' ', '-')}-{seed}"
            if not (place / "recording.json.gz").exists():
                print(f"recording {load}, seed {seed} ...", file=sys.stderr, flush=True)
                _record(LOADS[load], place, seed)
            yield Recorded(load, seed, Recording.load_from(place))


def _record(load: Load, place: Path, seed: int) -> None:
    """httpcore's threads now and then take one HTTP/2 stream for two requests; such a recording is made anew."""
    for tries in range(_TRIES, 0, -1):
        try:
            record(load, place, seed)
        except LocalProtocolError:
            if tries == 1:
                raise
        else:
            return
