"""HARs of captures: those of the lab, and those of a folder of public ones where there is one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from pcapng_utils.cli import main

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
    keylogs = [option for path in capture.parent.glob(f"{capture.stem}.keys*") for option in ("-k", str(path))]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "x.har"
        with contextlib.redirect_stderr(io.StringIO()):
            code = main(["convert", str(capture), "-o", str(output), "-q", *keylogs])
        assert code in (0, 1)
        if code == 1:
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
