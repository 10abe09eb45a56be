"""`pcapng-utils attribution`, and what it and the others say of HARs that they did not make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.making import experiment, har, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return experiment(tmp_path / "experiment")


@pytest.fixture
def older(folder: Path) -> Path:
    """A HAR as pcapng-utils 1.1 makes them: with stacks, and nothing that says how they were chosen."""
    assert run("convert", folder, "-q").returncode == 0
    log: dict[str, Any] = har(folder / "traffic.har")["log"]
    (entry,) = log["entries"]
    for side in ("request", "response"):
        del entry[side]["_attribution"]
    path = folder / "older.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": {"name": "PCAPNG -> HAR"}, "entries": [entry]}}))
    return path


def test_a_har_with_stacks_is_not_said_to_have_no_attribution(older: Path) -> None:
    done = run("attribution", older)
    assert done.returncode == 0 and b"org.example.Tracker" in done.stdout
    assert b"names code for 1 of 1 exchanges" in done.stdout and b"no attribution" not in done.stdout


def test_a_har_without_a_trace_has_no_attribution(folder: Path) -> None:
    assert run("convert", folder, "-q", "-sf", "").returncode == 0
    assert b"no attribution" in run("attribution", folder / "traffic.har").stdout


def test_the_nearest_calls_are_said_to_be_that(folder: Path) -> None:
    assert run("convert", folder, "-q", "--attribution", "nearest", "--time-shift", "0.5").returncode == 0
    said = run("attribution", folder / "traffic.har").stdout
    assert b"Clock: given, phone minus router +0.500 s; each message has the call that is nearest" in said


def test_a_har_without_connections_is_said_to_list_none(older: Path) -> None:
    done = run("connections", older)
    assert done.returncode == 0
    assert f"{older} lists no connections".encode() in done.stderr


@pytest.mark.parametrize("name", ["", "traffic.pcap"])
def test_a_capture_is_to_be_converted_first(folder: Path, name: str) -> None:
    done = run("attribution", folder / name)
    assert (done.returncode, done.stdout) == (1, b"")
    assert str(folder / name).encode() in done.stderr and b"`pcapng-utils convert` makes one" in done.stderr


#: Where a HAR of others may have something else than is looked for, and what.
ODD: tuple[tuple[tuple[str | int, ...], Any, str], ...] = (
    (("entries", 0), 5, "entries[0]"),
    (("entries", 0, "startedDateTime"), 5, "entries[0]"),
    (("entries", 0, "request"), None, "entries[0]"),
    (("entries", 0, "request", "headersSize"), "x", "entries[0]"),
    (("entries", 0, "request", "queryString"), ["x"], "entries[0]"),
    (("entries", 0, "request", "_attribution", "alternatives"), [1], "entries[0]"),
    (("entries", 0, "request", "_stacktrace", "stack"), [1], "entries[0]"),
    (("creator",), [], "creator"),
    (("creator", "_metadata", "attribution", "clock"), {"offset": "x"}, "clock.offset"),
    (("_connections",), {}, "_connections"),
    (("_connections", 0), [], "_connections[0]"),
    (("_connections", 0, "server"), {}, "_connections[0]"),
    (("_connections", 0, "bytes"), None, "_connections[0]"),
    (("_problems",), [1], "_problems"),
)


@pytest.mark.parametrize("command", ["attribution", "connections", "findings", "report"])
@pytest.mark.parametrize(("place", "value", "named"), ODD)
def test_what_no_har_has_in_a_place_is_named_or_not_needed(
    folder: Path, command: str, place: tuple[str | int, ...], value: Any, named: str
) -> None:
    assert run("convert", folder, "-q").returncode == 0
    whole = har(folder / "traffic.har")
    part: Any = whole["log"]
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    path = folder / "odd.har"
    path.write_text(json.dumps(whole))
    (folder / "names.txt").write_text("email=jane@example.org\n")
    looked_for = ("--identifiers", folder / "names.txt") if command in ("findings", "report") else ()
    done = run(command, path, *looked_for, *(("--redact",) if command == "report" else ()))
    if done.returncode:
        said = done.stderr.decode()
        assert done.returncode == 1 and str(path) in said and named in said, said
    else:
        needed = {"attribution": ("entries", "creator"), "connections": ("_connections", "_problems")}
        assert place[0] not in needed.get(command, ()) or (command, place[-1]) == ("attribution", "queryString")


def test_a_har_of_others_is_redacted_though_it_leaves_things_out(folder: Path) -> None:
    request = {
        "method": "GET",
        "url": "https://a.example/",
        "headers": [{"name": "X-A", "value": None}, {"value": "b"}],
    }
    entry = {"request": {**request, "queryString": None, "cookies": None}, "response": {}}
    (folder / "other.har").write_text(json.dumps({"log": {"entries": [entry]}}))
    (folder / "names.txt").write_text("email=jane@example.org\n")
    done = run("report", folder / "other.har", "--redact", "--identifiers", folder / "names.txt")
    assert done.returncode == 0, done.stderr
