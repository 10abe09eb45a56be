"""Every limit stands in docs/limits.md, with its default, and how to change it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from pcapng_utils.pipeline.limits import DEFAULTS
from tests.cli.making import ROOT, experiment


def test_names_and_defaults() -> None:
    rows = re.findall(
        r"^\| `(\w+\.\w+)` \| ([0-9,]+) \| .+ \|$", (ROOT / "docs" / "limits.md").read_text(), re.MULTILINE
    )
    assert {name: int(default.replace(",", "")) for name, default in rows} == DEFAULTS


def test_the_example_in_python_does_what_it_says(tmp_path: Path) -> None:
    """In a process of its own, as whoever copies it runs it."""
    experiment(tmp_path)
    (tmp_path / "sslkeylog.txt").write_text("")
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "limits.md").read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True, timeout=60)
    log = json.loads((tmp_path / "traffic.har").read_bytes())["log"]
    assert len(log["entries"]) == 1
    assert log["creator"]["_metadata"]["options"]["limits"] == {"http1.head": 1_000_000}
