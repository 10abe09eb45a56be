"""Socket calls attached to messages of any HAR dict, by the nearest in time."""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.har.pirogue_enrichment.stacktrace import (
    HAREntryMetadata,
    Stacktrace,
    compute_time_shift_from_pirogue_experiment_metadata,
)
from pcapng_utils.net.community import community_id

LOCAL, REMOTE = ("192.0.2.1", 40000), ("203.0.113.7", 443)
ID = community_id(6, bytes([192, 0, 2, 1]), LOCAL[1], bytes([203, 0, 113, 7]), REMOTE[1])
ENDS = {name: {"ip": ip, "host": ip, "port": port} for name, (ip, port) in (("src", LOCAL), ("dst", REMOTE))}
T = 1_700_000_000.0
MS = 1_700_000_000_000


def message(timestamp: float | None, version: str = "HTTP/1.1") -> dict[str, Any]:
    return {"httpVersion": version, "_timestamp": timestamp}


def entry(
    sent: float | None = 0.0, received: float | None = None, version: str = "HTTP/1.1", name: str = "one"
) -> dict[str, Any]:
    """Times in seconds after T."""
    return {
        "_sha1Id": name,
        "_communityId": ID,
        "request": {**message(None if sent is None else T + sent, version), "_communication": ENDS},
        "response": message(None if received is None else T + received, version),
    }


def har(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"log": {"creator": {"name": "x", "version": "1", "_metadata": {}}, "entries": list(entries)}}


def call(ms: float, event: str = "write", socket_type: str = "tcp6", **data: Any) -> dict[str, Any]:
    """A call so many ms after T; keys of `data` that are None are left out."""
    fields: dict[str, Any] = {
        "socket_fd": 87,
        "socket_type": socket_type,
        "pid": 23,
        "thread_id": 24,
        "socket_event_type": event,
        "dest_ip": "::ffff:203.0.113.7",
        "dest_port": REMOTE[1],
        "local_ip": "::ffff:192.0.2.1",
        "local_port": LOCAL[1],
        **data,
    }
    return {
        "type": "socket_trace_log",
        "dump": "socket_trace.json",
        "pid": 99,
        "process": "org.example.app",
        "data_type": "json",
        "timestamp": MS + ms,
        "data": {key: value for key, value in fields.items() if value is not None},
    }


def frame(name: str, line: int = 1) -> dict[str, Any]:
    return {"class": name, "file": None, "line": line, "method": "m", "is_native": False, "str": f"{name}.m"}


def trace_file(folder: Path, records: Any) -> Path:
    path = folder / "socket_trace.json"
    path.write_text(records if isinstance(records, str) else json.dumps(records))
    return path


def chosen(folder: Path, entries: list[dict[str, Any]], records: Any, **options: Any) -> list[list[Any]]:
    """For each entry, the mark `n` of the calls that its request and its response got."""
    made = har(*entries)
    Stacktrace(made, trace_file(folder, records), **options).enrich()
    return [
        [each[side].get("_stacktrace", {}).get("n") for side in ("request", "response")]
        for each in made["log"]["entries"]
    ]


def test_a_call_is_exported_in_the_form_notebooks_know(tmp_path: Path) -> None:
    made = har(entry(0))
    stack = [frame("a.B", 1), frame("a.C", 2), {**frame("a.B", 3), "new_key": {"x_y": [{"z_w": 1}]}}]
    Stacktrace(made, trace_file(tmp_path, [call(-5, stack=stack, byte_count=3)])).enrich()
    exported = made["log"]["entries"][0]["request"]["_stacktrace"]
    frames: list[dict[str, Any]] = [
        {"class": name, "file": None, "line": i, "method": "m", "isNative": False, "str": f"{name}.m"}
        for i, name in enumerate(("a.B", "a.C", "a.B"), 1)
    ]
    frames[2]["newKey"] = {"xY": [{"zW": 1}]}
    assert exported == {
        "stack": frames,
        "timestamp": T - 0.005,
        "process": "org.example.app",
        "socketFd": 87,
        "socketType": "tcp6",
        "pid": 23,
        "threadId": 24,
        "socketEventType": "write",
        "byteCount": 3,
        "compact": ["a.B", "a.C"],
    }
    keys = list(exported)
    assert (keys[0], keys[-1]) == ("stack", "compact")


@pytest.mark.parametrize(
    ("logged", "stack", "compact"),
    [(None, None, None), ([], [], []), ("text", None, None), ([{"method": "m"}, frame("a.B")], ..., ["a.B"])],
)
def test_a_stack_may_be_missing_or_odd(tmp_path: Path, logged: Any, stack: Any, compact: Any) -> None:
    made = har(entry(0))
    Stacktrace(made, trace_file(tmp_path, [call(0, stack=logged)])).enrich()
    exported = made["log"]["entries"][0]["request"]["_stacktrace"]
    assert stack is ... or exported["stack"] == stack
    assert exported["compact"] == compact


def test_the_pid_is_the_callers_else_that_of_the_record(tmp_path: Path) -> None:
    made = har(entry(0))
    Stacktrace(made, trace_file(tmp_path, [call(0, pid=None)])).enrich()
    assert made["log"]["entries"][0]["request"]["_stacktrace"]["pid"] == 99


def test_how_a_call_was_chosen_is_said(tmp_path: Path) -> None:
    made = har(entry(0.0104))
    Stacktrace(made, trace_file(tmp_path, [call(-900), call(8)])).enrich()
    assert made["log"]["entries"][0]["request"]["_attribution"] == {
        "method": "nearest",
        "confidence": None,
        "deltaMs": -2.4,
        "operations": [1],
        "shared": [],
        "alternatives": [],
    }


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([call(-5000, n=1)], 1),
        ([call(-5001, n=1)], None),
        ([call(2000, n=1)], 1),
        ([call(2001, n=1)], None),
        ([call(5, n=1), call(-5, n=2)], 2),
        ([call(-6, n=1), call(5, n=2)], 2),
        ([call(-5, n=1), call(-5, n=2), call(-5, n=3)], 3),
        ([call(0, n=1), call(0, n=2)], 2),
        ([call(5, n=1), call(5, n=2)], 1),
        ([call(-5, n=1), call(-5, n=2), call(5, n=3), call(5, n=4)], 2),
        ([call(2500, n=1), call(-4000, n=2)], 2),
        ([call(1, n=1, thread_id=1), call(0, n=2, thread_id=2)], 2),
    ],
)
def test_the_nearest_call_inside_the_window_is_taken(tmp_path: Path, records: Any, expected: int | None) -> None:
    assert chosen(tmp_path, [entry(0)], records) == [[expected, None]]


@pytest.mark.parametrize(("ms", "expected"), [(-2000, 1), (-2001, None), (5000, 1), (5001, None)])
def test_responses_have_a_window_of_their_own(tmp_path: Path, ms: int, expected: int | None) -> None:
    assert chosen(tmp_path, [entry(0, 0.1)], [call(100 + ms, "read", n=1)]) == [[None, expected]]


def test_windows_may_be_given_and_need_not_hold_the_message(tmp_path: Path) -> None:
    records = [call(0, n=1), call(600, n=2), call(900, n=3)]
    assert chosen(tmp_path, [entry(0)], records, time_window_requests=(0.5, 1.0)) == [[2, None]]
    assert chosen(tmp_path, [entry(0)], records, time_window_requests=(2.0, -5.0)) == [[None, None]]


@pytest.mark.parametrize(
    ("event", "all_calls", "seed"),
    [
        ("write", [1, None], [1, None]),
        ("sendto", [1, None], [1, None]),
        ("send", [1, None], [None, None]),
        ("sendmsg", [1, None], [None, None]),
        ("writev", [1, None], [None, None]),
        ("sendfile", [1, None], [None, None]),
        ("read", [None, 1], [None, 1]),
        ("recvfrom", [None, 1], [None, 1]),
        ("recvmmsg", [None, 1], [None, None]),
        ("connect", [None, None], [None, None]),
    ],
)
def test_all_calls_that_write_or_read_count(tmp_path: Path, event: str, all_calls: Any, seed: Any) -> None:
    assert chosen(tmp_path, [entry(0, 0.1)], [call(50, event, n=1)]) == [all_calls]
    # Another call keeps the trace from being one of connects alone.
    assert chosen(tmp_path, [entry(0, 0.1)], [call(50, event, n=1)], operations="seed") == [seed]


def test_the_seeds_calls_count_even_where_they_are_logged_twice(tmp_path: Path) -> None:
    twice = [call(0, "send", n=1), call(0, "sendto", n=2)]
    assert chosen(tmp_path, [entry(0)], twice) == [[1, None]]
    assert chosen(tmp_path, [entry(0)], twice, operations="seed") == [[2, None]]


@pytest.mark.parametrize(
    "changes",
    [
        {"local_port": 40001},
        {"socket_type": "udp6"},
        {"socket_type": "unix"},
        {"dest_ip": "203.0.113.8"},
        {"dest_ip": None},
        {"local_port": 700_000},
        {"local_ip": "no address"},
    ],
)
def test_calls_of_other_flows_are_not_the_messages(tmp_path: Path, changes: Any) -> None:
    assert chosen(tmp_path, [entry(0)], [call(0, **changes, n=1), call(5000, n=2)]) == [[None, None]]


def test_addresses_may_be_mapped_or_not(tmp_path: Path) -> None:
    plain = call(0, "write", "tcp", local_ip=LOCAL[0], dest_ip=REMOTE[0], n=1)
    assert chosen(tmp_path, [entry(0)], [plain]) == [[1, None]]


def test_the_shift_turns_network_times_into_the_phones(tmp_path: Path) -> None:
    records = [call(0, n=1), call(1500, n=2)]
    assert chosen(tmp_path, [entry(0)], records, systematic_time_shift=1.5) == [[2, None]]
    assert chosen(tmp_path, [entry(0)], records, systematic_time_shift=0.0) == [[1, None]]


def test_without_a_shift_it_is_that_of_the_experiment(tmp_path: Path) -> None:
    starts = {"network": {"start_capture_time": 5000.0}, "device": {"start_capture_time": 6500.0}}
    (tmp_path / "experiment.json").write_text(json.dumps(starts))
    assert compute_time_shift_from_pirogue_experiment_metadata(tmp_path) == 1.5
    records = [call(0, n=1), call(1500, n=2)]
    assert chosen(tmp_path, [entry(0)], records) == [[2, None]]
    assert chosen(tmp_path, [entry(0)], records, systematic_time_shift=0.0) == [[1, None]]


def test_an_experiment_without_times_is_an_error_that_names_it(tmp_path: Path) -> None:
    assert compute_time_shift_from_pirogue_experiment_metadata(tmp_path) is None
    for text in ("{}", "no json", '{"network": {}, "device": {}}'):
        (tmp_path / "experiment.json").write_text(text)
        with pytest.raises(ValueError, match=r"experiment\.json"):
            compute_time_shift_from_pirogue_experiment_metadata(tmp_path)


def test_a_message_that_never_came_gets_nothing_and_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert chosen(tmp_path, [entry(0, None)], [call(0, n=1)]) == [[1, None]]
    assert caplog.records == []


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_message_without_a_call_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chosen(tmp_path, [entry(0, 0.1)], [call(-6000)])
    outside, none = warnings_of(caplog)
    assert "inside the window" in outside and "direction='out'" in outside and "entry_id='one'" in outside
    assert "inside the window" not in none and "direction='in'" in none


@pytest.mark.parametrize(
    ("version", "later", "warning"),
    [
        ("HTTP/1.1", 0.01, "another time"),
        ("HTTP/2", 0.01, "another time"),
        ("HTTP/1.1", 0.0, "HTTP/1"),
        ("HTTP/2", 0.0, None),
        ("HTTP/3", 0.0, None),
    ],
)
def test_one_call_for_two_messages_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, version: str, later: float, warning: str | None
) -> None:
    entries = [entry(0, None, version, "one"), entry(later, None, version, "two")]
    assert chosen(tmp_path, entries, [call(0, n=1)]) == [[1, None], [1, None]]
    assert [warning in text for text in warnings_of(caplog)] == ([True] if warning else [])  # type: ignore[operator]
    assert [each["request"]["_attribution"]["shared"] for each in entries] == [["two"], ["one"]]


def test_the_files_digest_is_noted_and_a_second_run_refused(tmp_path: Path) -> None:
    import hashlib

    made = har(entry(0))
    path = trace_file(tmp_path, [call(0)])
    assert Stacktrace(made, path).enrich() is True
    digest = hashlib.sha1(path.read_bytes()).hexdigest()
    assert made["log"]["creator"]["_metadata"]["enrichment_files_sha1"] == {"pirogue_stacktrace": digest}
    with pytest.raises(ValueError, match="before"):
        Stacktrace(made, path).enrich()


def test_nothing_to_do_is_not_an_error(tmp_path: Path) -> None:
    made = har(entry(0))
    for path in (trace_file(tmp_path, []), Path("/dev/null")):
        assert Stacktrace(made, path).enrich() is False
    assert Stacktrace(har(), trace_file(tmp_path, [call(0)])).enrich() is False
    assert made == har(entry(0))


@pytest.mark.parametrize("text", ["no json", "5", '"text"', "[1, 2]", '[{"a": 1}]'])
def test_a_file_that_is_no_trace_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"socket_trace\.json"):
        Stacktrace(har(entry(0)), trace_file(tmp_path, text)).enrich()


def test_malformed_records_and_a_file_cut_short_cost_only_themselves(tmp_path: Path) -> None:
    text = json.dumps([call(-1, n=1), {"a": 1}, call(0, n=2), call(1, n=3)])
    assert chosen(tmp_path, [entry(0)], text[:-30]) == [[2, None]]


def test_a_har_of_another_tool_may_lack_our_fields(tmp_path: Path) -> None:
    foreign: dict[str, Any] = {"request": {"httpVersion": "HTTP/1.1"}, "response": {"_timestamp": T}}
    made: dict[str, Any] = {"log": {"creator": {"name": "x"}, "entries": [foreign]}}
    assert Stacktrace(made, trace_file(tmp_path, [call(0)])).enrich() is True
    assert "_stacktrace" not in foreign["request"]


def test_a_subclass_may_name_keys_and_leave_some_out(tmp_path: Path) -> None:
    class Ours(Stacktrace):
        KEYS_PREFIX = "_"
        DO_NOT_EXPORT_STACKTRACE_KEYS = Stacktrace.DO_NOT_EXPORT_STACKTRACE_KEYS | {"socketFd"}

    made = har(entry(0))
    Ours(made, trace_file(tmp_path, [call(0)])).enrich()
    exported = made["log"]["entries"][0]["request"]["_stacktrace"]
    assert all(key.startswith("_") for key in exported)
    assert "_socketFd" not in exported and "_threadId" in exported


def test_keys_to_leave_out_are_a_set_that_may_be_added_to(tmp_path: Path) -> None:
    Stacktrace.DO_NOT_EXPORT_STACKTRACE_KEYS.add("threadId")
    try:
        made = har(entry(0))
        Stacktrace(made, trace_file(tmp_path, [call(0)])).enrich()
        assert "threadId" not in made["log"]["entries"][0]["request"]["_stacktrace"]
    finally:
        Stacktrace.DO_NOT_EXPORT_STACKTRACE_KEYS.remove("threadId")


def exchanges(offset: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Sixty exchanges of one connection, and their calls by a phone's clock that is so many ms ahead."""
    dice = random.Random(7)
    entries, calls, at = [], [], 0.0
    for number in range(60):
        at += dice.uniform(0.02, 0.4)
        entries.append(entry(at, at + 0.015, name=str(number)))
        for delay, event in ((-2, "write"), (1, "read")):
            ms = round(at * 1000 + delay + dice.uniform(0, 2) + offset)
            calls.append(call(ms, event, n=number, stack=[frame(f"code.{event}")]))
    return entries, calls


@pytest.mark.parametrize("offset", [0, 300, -7000])
def test_alignment_needs_no_exact_clock(tmp_path: Path, offset: float) -> None:
    entries, calls = exchanges(offset)
    found = chosen(tmp_path, entries, calls, method="alignment")
    right = sum(set(pair) <= {None, number} for number, pair in enumerate(found))
    assert right >= 58
    assert sum(None not in pair for pair in found) >= 55


def test_alignment_says_how_sure_it_is_and_what_clock_it_found(tmp_path: Path) -> None:
    entries, calls = exchanges(300)
    made = har(*entries)
    Stacktrace(made, trace_file(tmp_path, calls), method="alignment").enrich()
    found = made["log"]["creator"]["_metadata"]["attribution"]
    assert (found["method"], found["shiftSource"]) == ("alignment", "estimated")
    assert found["shift"] == pytest.approx(0.3, abs=0.01)
    assert found["attributed"] + found["ambiguous"] + found["none"] == 120
    chosen_by = entries[30]["request"]["_attribution"]
    assert chosen_by["method"] == "alignment" and 0.5 < chosen_by["confidence"] <= 1
    assert chosen_by["operations"][0] == 60
    assert json.loads(json.dumps(chosen_by)) == chosen_by


def test_alignment_obeys_a_shift_and_a_least_confidence(tmp_path: Path) -> None:
    entries, calls = exchanges(300)
    options: dict[str, Any] = {"method": "alignment", "systematic_time_shift": 0.3}
    made = har(*entries)
    Stacktrace(made, trace_file(tmp_path, calls), **options).enrich()
    assert made["log"]["creator"]["_metadata"]["attribution"]["shiftSource"] == "given"
    assert chosen(tmp_path, exchanges(300)[0], calls, min_confidence=1.1, **options) == [[None, None]] * 60


def test_the_nearest_method_says_which_shift_it_used(tmp_path: Path) -> None:
    made = har(entry(0, 0.1))
    Stacktrace(made, trace_file(tmp_path, [call(1500)]), systematic_time_shift=1.5).enrich()
    assert made["log"]["creator"]["_metadata"]["attribution"] == {
        "method": "nearest", "shift": 1.5, "shiftSource": "given", "attributed": 1, "ambiguous": 0, "none": 1,
    }  # fmt: skip


@pytest.mark.parametrize("asked", [{"method": "Alignment"}, {"operations": "write"}])
def test_a_method_that_is_none_is_refused(tmp_path: Path, asked: Any) -> None:
    (name,) = asked.values()
    with pytest.raises(ValueError, match=f"'{name}': one of"):
        Stacktrace({}, tmp_path / "socket_trace.json", **asked)


def test_the_name_of_a_message_cannot_be_changed() -> None:
    who = HAREntryMetadata(ID, "out", T, "one", False)
    with pytest.raises(AttributeError):
        who.timestamp = 0.0  # type: ignore[misc]
