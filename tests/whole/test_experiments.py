"""Whole experiments: what is read of them, what is not and why, and which code it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.pcapng_to_har import pcapng_to_har

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "experiment"
EXPERIMENTS = Path(os.environ.get("PCAPNG_UTILS_EXPERIMENTS", ROOT / "../shared/experiments"))

Log = dict[str, Any]


def converted(experiment: Path, output: Path) -> Log:
    pcapng_to_har(experiment, output)
    log: Log = json.loads(output.read_bytes())["log"]
    return log


def rows_with_keys(log: Log) -> list[dict[str, Any]]:
    return [row for row in log["_connections"] if row["tls"] and row["tls"]["clientRandom"]]


@pytest.mark.parametrize("taken", [0, 1])
def test_connections_whose_keys_are_missing_are_told_with_the_reason_and_the_code(tmp_path: Path, taken: int) -> None:
    whole = converted(EXAMPLE, tmp_path / "whole.har")
    assert {row["decrypted"] for row in whole["_connections"]} == {"yes"}
    random = rows_with_keys(whole)[taken]["tls"]["clientRandom"]

    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "experiment"))
    keylog = folder / "sslkeylog.txt"
    keylog.write_text("".join(line for line in keylog.read_text().splitlines(True) if random not in line))
    log = converted(folder, tmp_path / "part.har")

    unread = [row for row in log["_connections"] if row["decrypted"] != "yes"]
    assert [row["tls"]["clientRandom"] for row in unread] == [random]
    (row,) = unread
    assert (row["decrypted"], row["reason"]) == ("no", "no secret for this client random")
    assert row["origin"] == "app"
    assert any(frame["class"].startswith(("com.", "io.", "org.")) for frame in row["_stacktrace"]["stack"])
    assert [error["_connection"] for error in log["_tlsErrors"]] == [row["id"]]
    lost = {entry["_sha1Id"] for entry in whole["entries"] if entry["connection"] == row["id"]}
    kept = {entry["_sha1Id"] for entry in log["entries"]}
    assert lost
    assert kept == {entry["_sha1Id"] for entry in whole["entries"]} - lost


def responsible(entry: dict[str, Any]) -> set[str]:
    trace = entry["request"].get("_stacktrace")
    return {frame["class"] for frame in trace["stack"] or ()} if trace else set()


def reader(entry: dict[str, Any]) -> set[str]:
    trace = entry["response"].get("_stacktrace")
    return {frame["class"] for frame in trace["stack"] or ()} if trace else set()


def truth_of(entry: dict[str, Any]) -> str | None:
    return next((header["value"] for header in entry["request"]["headers"] if header["name"] == "x-truth"), None)


@pytest.fixture
def shared(tmp_path: Path) -> Callable[[str], Log]:
    def convert(name: str) -> Log:
        if not (EXPERIMENTS / name).is_dir():
            pytest.skip(f"{EXPERIMENTS / name} is not there")
        return converted(EXPERIMENTS / name, tmp_path / "out.har")

    return convert


def test_an_experiment_of_400_exchanges_is_read_whole(shared: Callable[[str], Log]) -> None:
    log = shared("lab-400")
    entries = log["entries"]
    assert len(entries) == 400
    assert all(entry["response"]["status"] == 200 for entry in entries)
    assert not [entry for entry in entries if entry["response"]["content"].get("_decoded") is False]
    assert not log["_problems"]
    assert sum("_decryption" in entry["request"] for entry in entries) >= 140
    assert sum("_decryption" in entry["response"] for entry in entries) >= 140
    opened = [entry["request"]["_decryption"] for entry in entries if "_decryption" in entry["request"]]
    assert all(one["primitiveParameters"]["key"] for one in opened)


@pytest.mark.parametrize(("name", "offset", "share"), [("lab-400", 0.18, 0.97), ("jvm-300", -0.9, 0.98)])
def test_requests_are_attributed_to_the_code_that_sent_them(
    shared: Callable[[str], Log], name: str, offset: float, share: float
) -> None:
    log = shared(name)
    asked = [entry for entry in log["entries"] if truth_of(entry) is not None]
    right = [entry for entry in asked if f"truth.T{truth_of(entry)}" in responsible(entry)]
    assert len(right) >= share * len(asked)
    clock = log["creator"]["_metadata"]["attribution"]["clock"]
    assert clock["offset"] == pytest.approx(offset, abs=0.02)


@pytest.mark.parametrize("name", ["lab-400", "jvm-300"])
def test_answers_over_http1_are_attributed_to_the_code_that_read_them(shared: Callable[[str], Log], name: str) -> None:
    asked = [
        entry
        for entry in shared(name)["entries"]
        if truth_of(entry) is not None and entry["response"]["httpVersion"] == "HTTP/1.1"
    ]
    assert len(asked) > 100
    right = [entry for entry in asked if f"truth.T{truth_of(entry)}" in reader(entry)]
    assert len(right) >= 0.995 * len(asked)
