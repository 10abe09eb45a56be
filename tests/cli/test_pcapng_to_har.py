"""The command `pcapng_to_har`: the options of pcapng-utils 1.1."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.cli.making import HOST, capture, entries, experiment, har, run, run_apart


def convert(*arguments: str | Path, code: int = 0) -> str:
    """Standard error of the command, which must end with this exit code and print nothing else."""
    done = run(*arguments, legacy=True)
    assert (done.returncode, done.stdout) == (code, b""), done.stderr.decode()
    return done.stderr.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return experiment(tmp_path / "experiment")


def test_the_output_is_the_input_with_another_suffix(folder: Path) -> None:
    assert convert("-i", folder / "traffic.pcap") == ""
    (entry,) = entries(folder / "traffic.har")
    assert entry["request"]["url"] == f"http://{HOST}/track?id=7"
    assert entry["response"]["content"]["text"] == "<p>über"


def test_of_two_suffixes_the_last_gives_way_as_in_version_1(folder: Path) -> None:
    (folder / "traffic.pcap").rename(folder / "traffic.pcap.gz")
    convert("-i", folder / "traffic.pcap.gz")
    assert len(entries(folder / "traffic.pcap.har")) == 1


@pytest.mark.parametrize("shift", ["nan", "inf", "soon"])
def test_a_shift_that_is_no_number_of_seconds_is_refused(folder: Path, shift: str) -> None:
    assert "a number of seconds was expected" in convert("-i", folder, "--time-shift", shift, code=2)


def test_options_may_have_underscores(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a_b").write_text("")
    convert("-i", folder, "--time_shift=-1", "--hash_algo", "sha256", f"--hosts_file={tmp_path / 'a_b'}")
    metadata = har(folder / "traffic.har")["log"]["creator"]["_metadata"]
    assert metadata["options"] == {"timeShift": -1.0, "hostsFile": "a_b"}


def test_the_output_may_be_named(folder: Path, tmp_path: Path) -> None:
    convert("--input", folder / "traffic.pcap", "--output", tmp_path / "other.har")
    assert len(entries(tmp_path / "other.har")) == 1
    assert not (folder / "traffic.har").exists()


def test_it_does_not_overwrite_unless_told_to(folder: Path) -> None:
    output = folder / "traffic.har"
    output.write_text("before")
    message = convert("-i", folder / "traffic.pcap", code=2)
    assert str(output) in message and "-f" in message
    assert output.read_text() == "before"
    convert("-i", folder / "traffic.pcap", "-f")
    assert len(entries(output)) == 1


def test_escapes_leave_nothing_but_ascii(folder: Path) -> None:
    convert("-i", folder / "traffic.pcap", "--ensure-ascii")
    assert (folder / "traffic.har").read_bytes().isascii()
    assert entries(folder / "traffic.har")[0]["response"]["content"]["text"] == "<p>über"


def test_the_digest_is_made_as_asked(folder: Path) -> None:
    data = (folder / "traffic.pcap").read_bytes()
    for options, name in (((), "sha1"), (("--hash-algo", "md5"), "md5"), (("--hash-algo", "blake2b"), "blake2b")):
        convert("-i", folder / "traffic.pcap", "-f", *options)
        metadata = har(folder / "traffic.har")["log"]["creator"]["_metadata"]
        assert metadata[f"input_{name}"] == hashlib.new(name, data).hexdigest()
        assert metadata["input_sha256"] == hashlib.sha256(data).hexdigest()
    for name in ("sha0", "shake_128"):
        assert name in convert("-i", folder / "traffic.pcap", "-f", "--hash-algo", name, code=2)


def test_addresses_are_named_by_a_hosts_file(folder: Path, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# comment\n203.0.113.7 cdn.example # and more\n10.0.0.1\tphone alias\nbroken line\n")
    convert("-i", folder / "traffic.pcap", "--hosts-file", hosts)
    ends = entries(folder / "traffic.har")[0]["request"]["_communication"]
    assert (ends["src"]["host"], ends["dst"]["host"]) == ("phone", "cdn.example")


def test_without_names_the_address_stands_for_the_host(folder: Path) -> None:
    convert("-i", folder / "traffic.pcap")
    ends = entries(folder / "traffic.har")[0]["response"]["_communication"]
    assert ends["src"] == {"ip": "203.0.113.7", "host": "203.0.113.7", "port": 443}


def test_files_beside_the_capture_are_used_unless_switched_off(folder: Path, tmp_path: Path) -> None:
    def used(*options: str) -> set[str]:
        convert("-i", folder / "traffic.pcap", "-f", *options)
        return {file["name"] for file in har(folder / "traffic.har")["log"]["creator"]["_metadata"]["files"]}

    other = tmp_path / "other.json"
    other.write_text("[]")
    assert "aes_info.json" in used()
    assert used("-cf", "", "-sf", "") == {"traffic.pcap"}
    assert "aes_info.json" not in used("-cf", str(other))


@pytest.mark.parametrize(
    "options",
    [
        ["-c", "/opt/tshark"],
        ["--tshark", "tshark4"],
        ["--timeout", "5"],
        ["--name-resolution", "False"],
        ["--no-tcp-reassemble-out-of-order"],
    ],
)
def test_options_that_tuned_tshark_are_accepted_with_a_warning(folder: Path, options: list[str]) -> None:
    message = convert("-i", folder / "traffic.pcap", *options)
    assert "no effect" in message and message.count("\n") == 1
    assert len(entries(folder / "traffic.har")) == 1


@pytest.mark.parametrize("options", [["-ot", "raw.json"], ["-ot", "1"], ["-Y", "http2"], ["-J", "http"]])
def test_options_whose_effect_would_be_missed_are_refused(folder: Path, options: list[str]) -> None:
    message = convert("-i", folder / "traffic.pcap", *options, code=2)
    assert options[0] in message
    assert not (folder / "traffic.har").exists()


def test_the_default_filters_may_be_spelled_out(folder: Path) -> None:
    options = ["-Y", "http || http2 || websocket", "-J", "http http2 websocket", "-c", "/usr/bin/tshark"]
    assert convert("-i", folder / "traffic.pcap", *options) == ""


def test_asked_to_say_more_it_gives_the_summary(folder: Path) -> None:
    assert "Exchanges    1: 1 HTTP/1.1" in convert("-i", folder / "traffic.pcap", "-v")
    convert("-i", folder / "traffic.pcap", "-f", "-vv")


def test_a_folder_is_an_experiment(folder: Path) -> None:
    convert("-i", folder)
    assert len(entries(folder / "traffic.har")) == 1


@pytest.mark.parametrize("arguments", [[], ["-i"], ["--no-such-option"], ["-i", "x", "--time-shift", "soon"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = run(*arguments, legacy=True)
    assert done.returncode == 2 and b"usage" in done.stderr


def test_a_capture_from_standard_input_needs_an_output(tmp_path: Path) -> None:
    done = run_apart("-i", "-", legacy=True, stdin=capture())
    assert done.returncode == 2 and b"-o" in done.stderr
    done = run_apart("-i", "-", "-o", tmp_path / "x.har", legacy=True, stdin=capture())
    assert done.returncode == 0 and len(entries(tmp_path / "x.har")) == 1
