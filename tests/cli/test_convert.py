"""The command `pcapng-utils convert`."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import lz4.frame  # type: ignore[import-untyped]
import pytest

from tests.capture.making import enhanced, interface, section
from tests.cli.making import (
    HOST,
    ROOT,
    capture,
    conversation,
    entries,
    experiment,
    har,
    run,
    run_apart,
    socket_call,
    start,
)
from tests.net.wire import START


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return experiment(tmp_path / "experiment")


def convert(*arguments: str | Path) -> str:
    done = run("convert", *arguments)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr.decode()
    return done.stderr.decode()


def test_an_experiment_or_its_capture_gives_the_same(folder: Path, tmp_path: Path) -> None:
    convert(folder, "-o", tmp_path / "a.har")
    convert(folder / "traffic.pcap", "-o", tmp_path / "b.har")
    a, b = har(tmp_path / "a.har"), har(tmp_path / "b.har")
    for one in (a, b):
        del one["log"]["creator"]["_metadata"]["creation_datetime"]
    assert a == b
    convert(folder)
    assert (folder / "traffic.har").exists()


@pytest.mark.parametrize("form", ["pcap", "pcap.gz", "pcapng"])
def test_captures_of_all_kinds_give_the_same_entries(folder: Path, tmp_path: Path, form: str) -> None:
    plain = capture()
    ticks = START // 1000
    blocks = b"".join(enhanced(packet, ticks + 1000 * number) for number, packet in enumerate(conversation()))
    data = {"pcap": plain, "pcap.gz": gzip.compress(plain), "pcapng": section() + interface() + blocks}[form]
    path = tmp_path / f"x.{form}"
    path.write_bytes(data)
    convert(path, "-o", tmp_path / "a.har")
    convert(folder, "-o", tmp_path / "b.har", "-cf", "", "-sf", "")
    assert entries(tmp_path / "a.har") == entries(tmp_path / "b.har")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.pcap.gz", "x.har"),
        ("x.pcapng.zst", "x.har"),
        ("x.PCAP.LZ4", "x.har"),
        ("x.gz", "x.har"),
        ("day.1.cap.gz", "day.1.har"),
        ("day.1.gz", "day.1.har"),
        ("day.1.pcap", "day.1.har"),
    ],
)
def test_the_output_is_named_like_the_capture(tmp_path: Path, name: str, expected: str) -> None:
    """What is inside decides how a file is read, whatever its name says."""
    (tmp_path / name).write_bytes(gzip.compress(capture()))
    convert(tmp_path / name)
    assert len(entries(tmp_path / expected)) == 1


def test_an_experiment_may_hold_a_compressed_capture(tmp_path: Path) -> None:
    (tmp_path / "x.pcapng.lz4").write_bytes(lz4.frame.compress(capture()))
    convert(tmp_path)
    assert len(entries(tmp_path / "x.har")) == 1


def test_standard_streams_serve_as_files(folder: Path, tmp_path: Path) -> None:
    done = run_apart("convert", "-", "-o", "-", stdin=capture())
    assert done.returncode == 0
    convert(folder / "traffic.pcap", "-o", tmp_path / "a.har", "-cf", "", "-sf", "")
    assert json.loads(done.stdout)["log"]["entries"] == entries(tmp_path / "a.har")
    assert b"standard output" in done.stderr
    assert run_apart("convert", "-", stdin=capture()).returncode == 2


def test_the_same_input_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    texts = []
    for name, seed, zone in (("a", "1", "UTC"), ("b", "2", "Asia/Tokyo")):
        done = run_apart("convert", folder, "-o", tmp_path / name, PYTHONHASHSEED=seed, TZ=zone, LC_ALL="C")
        assert done.returncode == 0
        lines = (tmp_path / name).read_bytes().splitlines()
        texts.append([line for line in lines if b"creation_datetime" not in line])
    assert texts[0] == texts[1]


def test_the_time_it_is_made_at_may_be_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the Reproducible Builds project has it: then all bytes are the same."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    texts = []
    for name in ("a.har", "b.har"):
        convert(folder, "-o", folder / name, "-q")
        texts.append((folder / name).read_bytes())
    assert texts[0] == texts[1] and b'"creation_datetime": "2023-11-14T22:13:20+00:00"' in texts[0]


@pytest.mark.parametrize("value", ["", "now", "-1", "1e9", "\u0661", "9" * 30])
def test_a_time_given_that_is_none_is_refused(folder: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    done = run("convert", folder)
    assert done.returncode == 2 and b"SOURCE_DATE_EPOCH" in done.stderr


def test_compact_and_escaped_it_is_the_same_document(folder: Path, tmp_path: Path) -> None:
    convert(folder, "-o", tmp_path / "a.har")
    convert(folder, "-o", tmp_path / "b.har", "--compact", "--ensure-ascii")
    assert entries(tmp_path / "a.har") == entries(tmp_path / "b.har")
    assert (tmp_path / "b.har").read_bytes().isascii()
    assert len((tmp_path / "b.har").read_bytes().splitlines()) < 30


def test_bodies_may_be_left_out(folder: Path) -> None:
    convert(folder, "--no-bodies")
    (entry,) = entries(folder / "traffic.har")
    assert "text" not in entry["response"]["content"] and "postData" not in entry["request"]
    assert entry["response"]["content"]["size"] == 8
    assert entry["response"]["content"]["_sha256"] and entry["request"]["_content"]["_sha256"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--from", "1700000000.003"], 1),
        (["--from", "1700000000.004"], 0),
        (["--to", "1700000000.003"], 0),
        (["--to", "2023-11-14T22:13:20.004"], 1),
        (["--from", "2023-11-14T23:13:20.004+01:00"], 0),
        (["--from", "1970-01-01"], 1),
        (["--host", HOST], 1),
        (["--host", "example"], 1),
        (["--host", "other.example"], 0),
        (["--host", "other.example", "--host", "203.0.113.7"], 1),
    ],
)
def test_filters_narrow_what_is_written(folder: Path, options: list[str], found: int) -> None:
    summary = convert(folder, *options)
    written = har(folder / "traffic.har")["log"]
    assert len(written["entries"]) == found
    assert ("traffic.har, 0 of 1 exchanges" in summary) == (found == 0)
    assert written["creator"]["_metadata"]["options"] != {}


@pytest.mark.parametrize("method", ["alignment", "nearest"])
def test_messages_get_the_code_that_sent_them(folder: Path, method: str) -> None:
    summary = convert(folder, "--attribution", method)
    assert "Attribution  2 messages: 2 attributed, 0 ambiguous, 0 none" in summary
    log = har(folder / "traffic.har")["log"]
    (entry,) = log["entries"]
    for side, event, row in (("request", "write", 0), ("response", "read", 1)):
        assert entry[side]["_stacktrace"]["compact"] == ["org.example.Tracker"]
        assert entry[side]["_stacktrace"]["socketEventType"] == event
        assert entry[side]["_attribution"]["method"] == method
        assert entry[side]["_attribution"]["operations"] == [row]
    metadata = log["creator"]["_metadata"]
    assert metadata["attribution"]["method"] == method
    assert metadata["enrichment_files_sha1"].keys() == {"pirogue_stacktrace", "pirogue_decryption"}
    assert log["_connections"][0]["origin"] == "app"


def test_attribution_may_be_left_out(folder: Path) -> None:
    assert "Attribution" not in convert(folder, "--attribution", "none")
    (entry,) = entries(folder / "traffic.har")
    assert "_stacktrace" not in entry["request"] and "_attribution" not in entry["request"]


def test_every_file_that_was_read_is_named_with_its_digest(folder: Path, tmp_path: Path) -> None:
    start = {"start_capture_time": 0}
    contents = {"experiment.json": json.dumps({"network": start, "device": start}), "device.json": "{}"}
    contents |= {"ad_ids.txt": "", "sslkeylog.txt": "# none\n"}
    for name, text in contents.items():
        (folder / name).write_text(text)
    hosts, read = tmp_path / "hosts", b"10.0.0.1 phone\n"
    hosts.write_bytes(read)
    convert(folder, "--hosts-file", hosts)
    metadata = har(folder / "traffic.har")["log"]["creator"]["_metadata"]
    names = [file["name"] for file in metadata["files"]]
    assert sorted(names) == sorted([*contents, "traffic.pcap", "socket_trace.json", "aes_info.json", "hosts"])
    named = {file["name"]: file for file in metadata["files"]}["hosts"]
    assert named == {"name": "hosts", "size": len(read), "sha256": hashlib.sha256(read).hexdigest()}
    assert metadata["options"] == {"hostsFile": "hosts"}
    convert(folder, "-f", "-sf", "")
    metadata = har(folder / "traffic.har")["log"]["creator"]["_metadata"]
    assert "experiment.json" not in [file["name"] for file in metadata["files"]]


def test_a_shift_that_is_given_is_obeyed(folder: Path) -> None:
    (folder / "socket_trace.json").write_text(json.dumps([socket_call(9000, "write"), socket_call(9001, "read")]))
    convert(folder, "--attribution", "nearest")
    assert "_stacktrace" not in entries(folder / "traffic.har")[0]["request"]
    for method in ("nearest", "alignment"):
        convert(folder, "-f", "--attribution", method, "--time-shift", "9")
        log = har(folder / "traffic.har")["log"]
        assert log["creator"]["_metadata"]["attribution"]["shift"] == 9
        assert log["entries"][0]["request"]["_attribution"]["operations"] == [0]


@pytest.mark.parametrize(("process", "found"), [("org.example.app", 1), ("org.example", 0)])
def test_exchanges_are_narrowed_to_a_process(folder: Path, process: str, found: int) -> None:
    convert(folder, "--process", process)
    assert len(entries(folder / "traffic.har")) == found


def test_the_summary_says_what_was_found_and_can_be_switched_off(folder: Path) -> None:
    summary = convert(folder)
    for line in ("Packets      7 over 0.0 s", "Connections  1", "Exchanges    1: 1 HTTP/1.1", "traffic.har"):
        assert line in summary
    assert convert(folder, "-f", "-q") == ""


@pytest.mark.parametrize(
    ("seconds", "told"), [(59, "59.0 s"), (102, "1 min 42 s"), (7265, "2 h 1 min"), (3_110_682, "36 d 0 h")]
)
def test_the_summary_tells_long_times_in_units_that_people_use(tmp_path: Path, seconds: int, told: str) -> None:
    frames = [enhanced(bytes(60), ticks=START // 1000), enhanced(bytes(60), ticks=START // 1000 + seconds * 1_000_000)]
    (tmp_path / "long.pcapng").write_bytes(section() + interface() + b"".join(frames))
    assert f"Packets      2 over {told}\n" in convert(tmp_path / "long.pcapng")


def test_the_summary_says_where_secrets_are_looked_for_when_there_were_none(tmp_path: Path) -> None:
    fixture = ROOT / "examples" / "experiment"
    for name in ("traffic.pcap", "sslkeylog.txt"):
        (tmp_path / name).write_bytes((fixture / name).read_bytes())
    assert "Secrets" not in convert(tmp_path)
    (tmp_path / "sslkeylog.txt").unlink()
    assert "Secrets      none for TLS: -k names a key log" in convert(tmp_path, "-f")


def test_times_asked_for_are_noted_to_the_microsecond(folder: Path) -> None:
    convert(folder, "--from", "1795504988.25")
    assert har(folder / "traffic.har")["log"]["creator"]["_metadata"]["options"]["from"] == 1795504988.25


def test_streamed_lines_that_filters_left_out_are_counted(folder: Path) -> None:
    assert "x.jsonl, 0 of 1 exchanges" in convert(folder, "--stream", "--host", "a.b", "-o", folder / "x.jsonl")


@pytest.mark.parametrize(
    "options",
    [
        ["--min-confidence", "1.5"],
        ["--attribution", "guess"],
        ["--from", "yesterday"],
        ["--to", "nan"],
        ["--to", "1e999"],
        ["--from", "inf"],
        ["-o", "/"],
        ["-o", "/no/such/folder/x.har"],
        ["--no-such-option"],
        ["--stream", "-sf", "socket_trace.json"],
        ["--stream", "--attribution", "nearest"],
        ["--stream", "--attribution", "alignment"],
        ["--stream", "--min-confidence", "0.5"],
        ["--stream", "--time-shift", "1"],
        ["--time-shift", "nan"],
        ["--time-shift=-inf"],
        ["--time-shift", "1e300"],
        ["--from", "2026-01-02", "--to", "2026-01-01"],
        ["--from", "2026-01-01", "--to", "2026-01-01"],
        ["-k", ""],
        ["--hosts-file", ""],
        ["-o", ""],
        ["--host", ""],
        ["--process", ""],
        ["--attribution", "none", "--time-shift", "1"],
        ["--attribution", "none", "--min-confidence", "0.5"],
        ["--attribution", "nearest", "--min-confidence", "0.5"],
    ],
)
def test_wrong_usage_is_exit_code_2(folder: Path, options: list[str]) -> None:
    assert run("convert", folder, *options).returncode == 2
    assert not (folder / "traffic.har").exists()


def test_a_stream_may_be_told_to_attribute_nothing(folder: Path) -> None:
    convert(folder, "--stream", "--attribution", "none", "-o", folder / "x.jsonl", "-q")
    assert len((folder / "x.jsonl").read_bytes().splitlines()) == 1


def test_a_time_that_is_none_is_answered_with_one(folder: Path) -> None:
    assert (
        b"'yesterday': a time was expected, such as 2026-01-31T12:00:00Z"
        in run("convert", folder, "--from", "yesterday").stderr
    )


def test_the_input_is_never_the_output(folder: Path) -> None:
    before = (folder / "traffic.pcap").read_bytes()
    assert run("convert", folder, "-f", "-o", folder / "traffic.pcap").returncode == 2
    assert (folder / "traffic.pcap").read_bytes() == before


@pytest.mark.parametrize("command", ["convert", "report", "pcapng_to_har"])
@pytest.mark.parametrize(
    "name",
    [
        *("traffic.pcap", "sslkeylog.txt", "socket_trace.json", "aes_info.json", "experiment.json", "device.json"),
        *("ad_ids.txt", "dynamic_hook.json", "screen.mp4", "hashes.txt", "notes.txt", "notes.txt.metadata.json"),
    ],
)
def test_no_file_of_an_experiment_is_ever_the_output(folder: Path, command: str, name: str) -> None:
    """Were it read or not: `-sf ''` leaves the trace unread, and the trace is evidence all the same."""
    for other in (name, "notes.txt.metadata.json"):
        if not (folder / other).exists():
            (folder / other).write_text("{}")
    before = (folder / name).read_bytes()
    first: list[str | Path] = ["-i", folder] if command == "pcapng_to_har" else [command, folder]
    done = run(*first, "-f", "-sf", "", "-o", folder / name, legacy=command == "pcapng_to_har")
    assert done.returncode == 2 and name.encode() in done.stderr
    assert (folder / name).read_bytes() == before


@pytest.mark.parametrize("option", ["-k", "-sf", "-cf", "--hosts-file", "--identifiers", "--trackers", "--yara"])
def test_no_file_that_is_named_to_be_read_is_the_output(folder: Path, tmp_path: Path, option: str) -> None:
    path = tmp_path / "named"
    path.write_text("[]")
    (tmp_path / "link").hardlink_to(path)
    for name in ("named", "link"):
        assert run("convert", folder, "-f", option, path, "-o", tmp_path / name).returncode == 2
        assert path.read_text() == "[]"


def test_a_reader_that_leaves_early_is_no_error(folder: Path) -> None:
    with start("convert", folder, "-o", "-", "-q") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode in (0, 141)
    assert errors == b""
