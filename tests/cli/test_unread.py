"""A result that covers only what was read says what was not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.making import ROOT, capture, conversation, run
from tests.net.wire import ACK, PSH, tcp

CUT = b"The capture was cut short in the middle of a packet"


@pytest.fixture
def unread(tmp_path: Path) -> Path:
    """An experiment whose capture is cut short and whose secrets are missing."""
    source = ROOT / "examples" / "experiment"
    (tmp_path / "traffic.pcap").write_bytes((source / "traffic.pcap").read_bytes()[:-7])
    (tmp_path / "device.json").write_text(json.dumps({"imei": "490154203237518"}))
    return tmp_path


@pytest.mark.parametrize("form", ["folder", "har"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_findings_say_how_much_was_not_searched(unread: Path, form: str, options: list[str]) -> None:
    if form == "har":
        assert run("convert", unread, "-q").returncode == 0
    done = run("findings", unread / "traffic.har" if form == "har" else unread, *options)
    assert done.returncode == 0
    assert b"connections were not read" in done.stderr and CUT in done.stderr, done.stderr
    assert b"not read" not in done.stdout


def test_findings_count_connections_that_were_read_in_part(tmp_path: Path) -> None:
    rows = [{"decrypted": state, "server": {"ip": "203.0.113.7"}} for state in ("yes", "no", "no", "partly")]
    (tmp_path / "device.json").write_text(json.dumps({"imei": "490154203237518"}))
    path = tmp_path / "x.har"
    path.write_text(json.dumps({"log": {"entries": [], "_connections": rows}}))
    said = run("findings", path).stderr
    assert b"3 of 4 connections were not read (1 of them in part)" in said


def test_findings_say_where_a_har_lists_no_connections(tmp_path: Path) -> None:
    (tmp_path / "device.json").write_text(json.dumps({"imei": "490154203237518"}))
    path = tmp_path / "x.har"
    path.write_text(json.dumps({"log": {"entries": []}}))
    assert b"No connections are listed" in run("findings", path).stderr


@pytest.mark.parametrize("form", ["folder", "har"])
def test_the_list_of_connections_says_that_the_capture_was_cut_short(unread: Path, form: str) -> None:
    if form == "har":
        assert run("convert", unread, "-q").returncode == 0
    done = run("connections", unread / "traffic.har" if form == "har" else unread)
    assert done.returncode == 0 and CUT in done.stderr


def test_nothing_is_said_where_all_was_read(tmp_path: Path) -> None:
    (tmp_path / "plain.pcap").write_bytes(capture([*conversation(), tcp(0, 9, 9, PSH | ACK, bytes(40))]))
    assert run("connections", tmp_path / "plain.pcap").stderr == b""
