"""HARs of captures: those of the lab, and those of a folder of public ones where there is one."""

from __future__ import annotations

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from pcapng_utils.errors import InputError
from pcapng_utils.experiment import Experiment
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.options import Options

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
CORPUS = Path(os.environ.get("PCAPNG_UTILS_CORPUS", ROOT / "../shared/captures"))
EXPERIMENTS = Path(os.environ.get("PCAPNG_UTILS_EXPERIMENTS", ROOT / "../shared/experiments"))
_SUFFIXES = {".pcap", ".pcapng"}


def lab_captures() -> list[Path]:
    return sorted(FIXTURES.glob("*/traffic.pcap*"))


def public_captures() -> list[Path]:
    folders = (CORPUS, EXPERIMENTS)
    return sorted(path for folder in folders for path in folder.glob("*/*") if path.suffix in _SUFFIXES)


def name_of(capture: Path) -> str:
    return capture.parent.name if capture.stem == "traffic" else f"{capture.parent.name}/{capture.name}"


@cache
def converted(capture: Path) -> dict[str, Any] | None:
    """The HAR of a capture with the files beside it; None if the capture is refused."""
    experiment = Experiment.of(capture)
    keylogs = [experiment.keylog, *capture.parent.glob(f"{capture.stem}.keys*")]
    options = Options(
        keylogs=tuple(path for path in keylogs if path is not None),
        socket_trace=experiment.socket_trace,
        cipher_log=experiment.cipher_log,
        metadata=experiment.metadata,
    )
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "x.har"
        try:
            with Conversion(capture, options) as conversion:
                conversion.read()
                conversion.write(output)
        except InputError:
            return None
        har: dict[str, Any] = json.loads(output.read_bytes())
        return har


def all_in_one() -> dict[str, Any]:
    """One HAR with the entries of all lab captures."""
    hars = [har for har in map(converted, lab_captures()) if har is not None]
    entries = sorted(
        (entry for har in hars for entry in har["log"]["entries"]), key=lambda e: str(e["startedDateTime"])
    )
    return {"log": {**hars[0]["log"], "entries": entries}}
