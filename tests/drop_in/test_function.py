"""The function `pcapng_to_har`, called as with pcapng-utils 1.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.errors import InputError, UsageError
from pcapng_utils.pcapng_to_har import pcapng_to_har
from pcapng_utils.tshark import Tshark
from tests.cli.making import entries, experiment, har


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return experiment(tmp_path / "experiment")


def test_it_writes_beside_the_capture_by_default(folder: Path) -> None:
    assert pcapng_to_har(folder / "traffic.pcap") is None  # type: ignore[func-returns-value]
    assert len(entries(folder / "traffic.har")) == 1
    text = (folder / "traffic.har").read_text(encoding="utf-8")
    assert text.startswith('{\n  "log": {\n    "version"') and "über" in text


def test_paths_may_be_strings_and_the_input_a_folder(folder: Path, tmp_path: Path) -> None:
    pcapng_to_har(str(folder), str(tmp_path / "out.har"))
    assert len(entries(tmp_path / "out.har")) == 1


def test_a_shift_that_is_no_number_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="nan"):
        pcapng_to_har(folder, systematic_time_shift=float("nan"))


def test_it_overwrites_only_when_told_to(folder: Path) -> None:
    output = folder / "traffic.har"
    output.write_text("before")
    with pytest.raises(FileExistsError, match=r"traffic\.har"):
        pcapng_to_har(folder / "traffic.pcap")
    assert output.read_text() == "before"
    pcapng_to_har(folder / "traffic.pcap", overwrite=True)
    for name in ("traffic.pcap", "socket_trace.json"):
        with pytest.raises(UsageError, match=name):
            pcapng_to_har(folder, folder / name, overwrite=True)
    assert len(entries(output)) == 1


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ({"ensure_ascii": True}, '{\n  "log": {\n    "version"'),
        ({"indent": None}, '{"log": {"version"'),
        ({"indent": 1, "sort_keys": True}, '{\n "log": {\n  "_'),
        ({"indent": None, "separators": (",", ":")}, '{"log":{"version"'),
    ],
)
def test_the_json_is_written_as_asked(folder: Path, tmp_path: Path, options: dict[str, Any], start: str) -> None:
    pcapng_to_har(folder / "traffic.pcap", tmp_path / "plain.har")
    pcapng_to_har(folder / "traffic.pcap", tmp_path / "asked.har", **options)
    text = (tmp_path / "asked.har").read_text(encoding="utf-8")
    assert text.startswith(start)
    assert text.isascii() == options.get("ensure_ascii", False)
    assert entries(tmp_path / "asked.har") == entries(tmp_path / "plain.har")


def test_an_option_json_does_not_know_leaves_no_file(folder: Path) -> None:
    with pytest.raises(TypeError):
        pcapng_to_har(folder / "traffic.pcap", no_such_option=1)
    assert not (folder / "traffic.har").exists()


def used_files(folder: Path, **options: Any) -> set[str]:
    pcapng_to_har(folder / "traffic.pcap", overwrite=True, **options)
    return {file["name"] for file in har(folder / "traffic.har")["log"]["creator"]["_metadata"]["files"]}


@pytest.mark.parametrize("off", ["", False])
def test_the_phones_logs_are_found_named_or_switched_off(folder: Path, tmp_path: Path, off: Any) -> None:
    assert "aes_info.json" in used_files(folder)
    none = used_files(folder, socket_operations_file=off, cryptography_operations_file=off)
    assert none == {"traffic.pcap"}
    other = tmp_path / "ciphers.json"
    other.write_bytes((folder / "aes_info.json").read_bytes())
    assert "ciphers.json" in used_files(folder, cryptography_operations_file=str(other))


def test_what_was_said_to_tshark_works_where_it_can(folder: Path, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("203.0.113.7 cdn.example\n")
    pcapng_to_har(folder / "traffic.pcap", tshark=Tshark(hash_algo="sha512", hosts_file=hosts))
    log = har(folder / "traffic.har")["log"]
    assert len(log["creator"]["_metadata"]["input_sha512"]) == 128
    assert log["entries"][0]["request"]["_communication"]["dst"]["host"] == "cdn.example"


def test_tsharks_own_output_cannot_be_had(folder: Path) -> None:
    with pytest.raises(UsageError, match="output_raw_tshark"):
        pcapng_to_har(folder / "traffic.pcap", output_raw_tshark=folder / "raw.json")
    pcapng_to_har(folder / "traffic.pcap", output_raw_tshark=None)


def test_input_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.pcap"):
        pcapng_to_har(tmp_path / "missing.pcap")
    (tmp_path / "text.pcap").write_text("no capture at all, just some text")
    with pytest.raises(InputError, match=r"text\.pcap"):
        pcapng_to_har(tmp_path / "text.pcap")
    assert not (tmp_path / "text.har").exists()


def test_what_was_written_can_be_enriched_with_the_library(folder: Path) -> None:
    from pcapng_utils.har.pirogue_enrichment import ContentDecryption, Stacktrace

    pcapng_to_har(folder / "traffic.pcap", socket_operations_file="", cryptography_operations_file="")
    written = json.loads((folder / "traffic.har").read_text())
    assert Stacktrace(written, folder / "socket_trace.json").enrich() is True
    assert ContentDecryption(written, folder / "aes_info.json").enrich() is True
    (entry,) = written["log"]["entries"]
    assert entry["request"]["_stacktrace"]["compact"] == ["org.example.Tracker"]
    assert entry["response"]["_stacktrace"]["socketEventType"] == "read"
