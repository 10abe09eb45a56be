"""What the lab's clients and servers know that they exchanged is what the HAR says, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.compare import compare
from lab.truth import Truth
from pcapng_utils.pcapng_to_har import pcapng_to_har

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in FIXTURES.glob("*/truth.json")), ids=lambda path: path.name
)
def test_the_har_says_what_was_exchanged(folder: Path, tmp_path: Path) -> None:
    capture = next(folder.glob("traffic.pcap*"))
    pcapng_to_har(capture, tmp_path / "out.har")
    har = json.loads((tmp_path / "out.har").read_text(encoding="utf-8"))
    assert compare(har, Truth.load(folder / "truth.json")) == []
