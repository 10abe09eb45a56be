"""Experiments with a known truth: each identifier in each form and place it was sent, none missed, none invented."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.cli.convert import add_reading_options, reading_options
from pcapng_utils.findings.finder import IdentifierFinder
from pcapng_utils.findings.identifiers import read_identifiers
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.options import Options

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("PCAPNG_UTILS_EXPERIMENTS", ROOT.parent / "shared" / "experiments")) / "lab-400"
EXAMPLE = ROOT / "examples" / "experiment"
EMAIL = "jane.roe@example.org"

Truth = Counter[tuple[int, str, str, str]]
"""Number of the request, identifier, form, place."""


def experiment(folder: Path) -> Path:
    if not (folder / "truth.json").is_file():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "identifiers"
    path.write_text(f"email={EMAIL}\n")
    return path


def converted(folder: Path, output: Path, **options: Any) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    add_reading_options(parser)
    capture, found = reading_options(parser.parse_args([str(folder), "-sf", ""]))
    with Conversion(capture, replace(found, attribution="none", indent=0, **options)) as conversion:
        conversion.read()
        conversion.write(output)
    log: dict[str, Any] = json.loads(output.read_bytes())["log"]
    return log


def request_number(entry: dict[str, Any]) -> int:
    return next(int(header["value"]) for header in entry["request"]["headers"] if header["name"].lower() == "x-truth")


def truth_of(requests: list[dict[str, Any]]) -> Truth:
    return Counter(
        (request["id"], one["name"], one["form"], one["where"])
        for request in requests
        for one in request.get("identifiers") or ()
    )


def findings_of(log: dict[str, Any]) -> Iterator[tuple[int, str, str, str]]:
    for row in log["_findings"]:
        assert row["direction"] == "out"
        entry = log["entries"][row["entry"]]
        assert f"//{row['host']}" in entry["request"]["url"]
        yield request_number(entry), row["identifier"], row["form"], row["where"]


def test_every_identifier_of_a_real_client_is_found_and_none_is_invented(tmp_path: Path, names: Path) -> None:
    folder = experiment(LAB)
    log = converted(folder, tmp_path / "lab.har", identifiers=names)
    truth = truth_of(json.loads((folder / "truth.json").read_text())["requests"])
    assert sum(truth.values()) == 309
    assert Counter(findings_of(log)) == truth


def test_every_identifier_of_the_example_is_found_and_none_is_invented(tmp_path: Path, names: Path) -> None:
    folder = experiment(EXAMPLE)
    log = converted(folder, tmp_path / "example.har", identifiers=names)
    truth = truth_of(json.loads((folder / "truth.json").read_text())["exchanges"])
    assert truth.total() > 0
    # That file's forms do not tell how the place they were put into writes them.
    found = Counter(
        (number, name, form.removesuffix(" (URL-encoded)"), where) for number, name, form, where in findings_of(log)
    )
    assert found == truth


@pytest.mark.parametrize("folder", [LAB, EXAMPLE], ids=["lab-400", "example"])
def test_nothing_of_it_is_left_in_a_redacted_har(folder: Path, tmp_path: Path, names: Path) -> None:
    experiment(folder)
    log = converted(folder, tmp_path / "redacted.har", identifiers=names, redact=True)
    identifiers = read_identifiers(folder / "device.json", folder / "ad_ids.txt", names)
    finder = IdentifierFinder(identifiers)
    assert log["_findings"]
    assert [finding for entry in log["entries"] for finding in finder.find(entry)] == []
    everything, complete = finder.search.search((tmp_path / "redacted.har").read_bytes())
    assert everything == []
    assert complete
    assert len({entry["request"]["url"] for entry in log["entries"]}) > 10


def test_a_redacted_har_is_the_same_on_each_run(tmp_path: Path, names: Path) -> None:
    folder = experiment(EXAMPLE)
    first, second = (
        converted(folder, tmp_path / name, identifiers=names, redact=True)["entries"] for name in ("1.har", "2.har")
    )
    assert first == second


def test_a_search_leaves_everything_as_it_was(tmp_path: Path, names: Path) -> None:
    folder = experiment(EXAMPLE)
    searched = converted(folder, tmp_path / "searched.har", identifiers=names)
    plain = converted(folder, tmp_path / "plain.har", device=None, ad_ids=None)
    assert [list(entry) for entry in searched["entries"]] == [list(entry) for entry in plain["entries"]]
    for name in ("entries", "_connections", "_tlsErrors", "_dns", "_problems"):
        assert searched[name] == plain[name]


def test_options_without_anything_to_look_for_leave_the_findings_out(tmp_path: Path) -> None:
    folder = experiment(EXAMPLE)
    with Conversion(folder / "traffic.pcap", Options(attribution="none", indent=0)) as conversion:
        conversion.read()
        conversion.write(tmp_path / "plain.har")
    log = json.loads((tmp_path / "plain.har").read_bytes())["log"]
    assert "_findings" not in log
    assert all("_sdk" in entry for entry in log["entries"])
    assert all("_sdk" in row for row in log["_connections"])
