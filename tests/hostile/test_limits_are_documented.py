"""Every limit stands in docs/limits.md, with its default."""

from __future__ import annotations

import re

from pcapng_utils.pipeline.limits import DEFAULTS
from tests.cli.making import ROOT


def test_names_and_defaults() -> None:
    rows = re.findall(
        r"^\| `(\w+\.\w+)` \| ([0-9,]+) \| .+ \|$", (ROOT / "docs" / "limits.md").read_text(), re.MULTILINE
    )
    assert {name: int(default.replace(",", "")) for name, default in rows} == DEFAULTS
