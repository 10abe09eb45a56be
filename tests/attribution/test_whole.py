"""An experiment from its capture to the calls of its messages, against what the lab noted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.attribution.sites import responsible_frame
from pcapng_utils.pcapng_to_har import pcapng_to_har

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "experiment"

Log = dict[str, Any]


def converted(folder: Path, output: Path, **options: Any) -> Log:
    pcapng_to_har(folder, output, **options)
    log: Log = json.loads(output.read_bytes())["log"]
    return log


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return converted(EXAMPLE, tmp_path_factory.mktemp("whole") / "out.har")


RECORDS: list[dict[str, Any]] = json.loads((EXAMPLE / "socket_trace.json").read_text())
CARRIERS: dict[tuple[int, str], list[int]] = {
    (number, part): rows for number, part, rows in json.loads((EXAMPLE / "trace_truth.json").read_text())["carriers"]
}


def number_of(entry: dict[str, Any]) -> int:
    return next(int(header["value"]) for header in entry["request"]["headers"] if header["name"] == "x-truth")


def code_of(row: int) -> set[str]:
    """The class that stands for the request on whose behalf a call was made."""
    return {frame["class"] for frame in RECORDS[row]["data"]["stack"] if frame["class"].startswith("truth.")}


def is_right(entry: dict[str, Any], side: str) -> bool:
    given = entry[side]["_attribution"]["operations"]
    return bool(given) and code_of(given[0]) == code_of(CARRIERS[number_of(entry), f"{side} headers"][0])


def test_requests_have_the_code_that_sent_them(log: Log) -> None:
    # Within a millisecond this trace is out of order: of two threads that wrote at once, one is taken for the other.
    doubtful = [entry for entry in log["entries"] if not is_right(entry, "request")]
    assert len(doubtful) <= 1
    assert len(log["entries"]) >= 12


def test_responses_over_http1_have_the_code_that_read_them(log: Log) -> None:
    answers = [entry for entry in log["entries"] if entry["response"]["httpVersion"].startswith("HTTP/1")]
    assert answers
    assert all(is_right(entry, "response") for entry in answers)


def test_the_very_call_is_named_where_the_trace_is_in_order(log: Log) -> None:
    alone = [row for row, item in enumerate(RECORDS) if sum(o["timestamp"] == item["timestamp"] for o in RECORDS) == 1]
    for entry in log["entries"]:
        own = CARRIERS[number_of(entry), "request headers"][0]
        assert own not in alone or entry["request"]["_attribution"]["operations"][0] == own


def test_the_stack_is_that_of_the_call(log: Log) -> None:
    for entry in log["entries"]:
        request = entry["request"]
        stack = RECORDS[request["_attribution"]["operations"][0]]["data"]["stack"]
        assert [frame["class"] for frame in request["_stacktrace"]["stack"]] == [frame["class"] for frame in stack]


def test_the_next_best_are_named_by_their_code(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "experiment"))
    kept = [record for number, record in enumerate(RECORDS) if number % 4]
    (folder / "socket_trace.json").write_text(json.dumps(kept))
    named = [
        other
        for entry in converted(folder, tmp_path / "out.har")["entries"]
        for side in ("request", "response")
        for other in entry[side]["_attribution"]["alternatives"]
    ]
    assert named
    for other in named:
        frame = responsible_frame(kept[other["operation"]]["data"]["stack"])
        assert frame is not None
        assert other["code"] == f"{frame['class']}.{frame['method']}"


def test_the_clock_is_found_though_experiment_json_says_otherwise(log: Log) -> None:
    found = log["creator"]["_metadata"]["attribution"]
    assert found["shiftSource"] == "estimated"
    assert found["shift"] == pytest.approx(-1.7, abs=0.02)


def test_connections_tell_whose_they_are(log: Log) -> None:
    origins = {(row["server"]["port"] == 53, row["origin"], "_stacktrace" in row) for row in log["_connections"]}
    assert origins == {(True, "not-shown", False), (False, "app", True)}


def test_a_trace_cut_short_is_read_as_far_as_it_goes_and_told(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "experiment"))
    trace = folder / "socket_trace.json"
    trace.write_bytes(trace.read_bytes()[: trace.stat().st_size // 2])
    log = converted(folder, tmp_path / "out.har")
    assert "socket-trace-truncated" in {problem["kind"] for problem in log["_problems"]}
    given = [entry for entry in log["entries"] if entry["request"]["_attribution"]["operations"]]
    assert 0 < len(given) < len(log["entries"])
    assert sum(not is_right(entry, "request") for entry in given) <= 1
