"""Input that cannot be used, and output that cannot be written: a sentence, an exit code, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.making import (
    REQUEST,
    RESPONSE,
    TRACE,
    capture,
    conversation,
    entries,
    experiment,
    har,
    run,
    run_apart,
    start,
)
from tests.net.wire import ACK, PSH, tcp
from tests.report.test_page import index_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return experiment(tmp_path / "experiment")


def refused(*arguments: str | Path, code: int = 1, legacy: bool = False) -> str:
    """What the command says in the one line it may say when it can do nothing."""
    done = run(*arguments, legacy=legacy)
    message = done.stderr.decode()
    assert (done.returncode, done.stdout) == (code, b""), message
    assert message.count("\n") == 1 and "Error" not in message, message
    return message


NO_CAPTURES = {
    "empty": b"",
    "text": b"Dear reader, this is no capture.\n" * 50,
    "json": b'{"log": {"entries": []}}',
    "a byte": b"\xa1",
    "gzip of text": gzip.compress(b"no capture at all" * 9, mtime=0),
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("data", list(NO_CAPTURES.values()), ids=list(NO_CAPTURES))
@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_is_no_capture(tmp_path: Path, data: bytes, legacy: bool) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    command: list[str | Path] = ["-i", path] if legacy else ["convert", path]
    assert str(path) in refused(*command, legacy=legacy)
    assert [file.name for file in tmp_path.iterdir()] == ["x.pcap"]


def test_input_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pcap"
    assert str(missing) in refused("convert", missing)
    assert str(missing) in refused("-i", missing, legacy=True)


def test_a_folder_with_no_capture_or_with_several(tmp_path: Path) -> None:
    assert "no capture" in refused("convert", tmp_path)
    for name in ("a.pcap", "b.pcapng"):
        (tmp_path / name).write_bytes(capture())
    assert "2 captures" in refused("convert", tmp_path)


def problems(path: Path) -> dict[str, str]:
    return {row["kind"]: row["message"] for row in har(path)["log"]["_problems"]}


@pytest.mark.parametrize("cut", [1, 10, 16])
def test_a_capture_cut_short_is_read_as_far_as_it_goes(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(capture([*conversation(), tcp(0, 9, 9, PSH | ACK, bytes(40))])[:-cut])
    done = run("convert", path)
    assert done.returncode == 0 and b"Problems" in done.stderr
    assert len(entries(tmp_path / "x.har")) == 1
    assert any("cut" in message or "end" in message for message in problems(tmp_path / "x.har").values())


def test_a_capture_without_packets_gives_a_har_without_entries(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(capture([]))
    assert run("convert", path).returncode == 0
    assert entries(tmp_path / "x.har") == []


def test_a_key_log_that_is_not_there(folder: Path) -> None:
    assert "keys.txt" in refused("convert", folder, "-k", folder / "keys.txt")
    assert not (folder / "traffic.har").exists()


@pytest.mark.parametrize("keys", [b"CLIENT_RANDOM 12 34\nno key\n", os.urandom(5000), b"\n# comment\n", b""])
def test_bad_lines_of_a_key_log_are_counted_and_passed_over(folder: Path, keys: bytes) -> None:
    (folder / "sslkeylog.txt").write_bytes(keys)
    done = run("convert", folder)
    assert done.returncode == 0
    assert len(entries(folder / "traffic.har")) == 1
    bad = b"no key" in keys or len(keys) > 100
    assert ("keylog-bad-line" in problems(folder / "traffic.har")) == bad
    assert (b"keylog-bad-line" in done.stderr) == bad


def test_a_hosts_file_that_is_not_there(folder: Path) -> None:
    assert "nowhere" in refused("convert", folder, "--hosts-file", folder / "nowhere")


def test_lines_of_a_hosts_file_that_name_no_address_are_counted(folder: Path) -> None:
    (folder / "hosts").write_text(
        "# mine\n203.0.113.7 ads.example\nfe80::1%lo0 localhost\n{\n  nonsense x\n192.0.2.1\n"
    )
    done = run("convert", folder, "--hosts-file", folder / "hosts")
    assert done.returncode == 0 and b"1 hosts-bad-line" in done.stderr
    (row,) = har(folder / "traffic.har")["log"]["_problems"]
    assert (row["kind"], row["detail"]) == ("hosts-bad-line", "3 lines")


LOGS = ("socket_trace.json", "aes_info.json")


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no json\nat all", "the text no json."),
        ('{"a": 1}', 'the text {"a": 1}.'),
        ("[1, 2, 3]", "the text [1, 2, 3]."),
        ("\x00\x01", "no text at all."),
        ('"text"', 'the text "text".'),
        ("\u20ac" * 30, f"the text {'€' * 13}."),
    ],
)
def test_a_log_of_the_phone_that_is_none(folder: Path, name: str, text: str, found: str) -> None:
    (folder / name).write_text(text)
    said = refused("convert", folder)
    assert name in said and said.endswith(f"expected a JSON array of objects, found {found}\n"), said
    assert not (folder / "traffic.har").exists()


@pytest.mark.parametrize(("name", "option"), [("socket_trace.json", "-cf"), ("aes_info.json", "-sf")])
def test_a_log_of_something_else_is_refused(folder: Path, name: str, option: str) -> None:
    said = refused("convert", folder, option, folder / name)
    kind = "cipher log" if option == "-cf" else "socket trace"
    assert name in said and f"not a {kind}: none of its" in said, said


@pytest.mark.parametrize(("name", "option"), [("socket_trace.json", "-sf"), ("aes_info.json", "-cf")])
def test_a_log_of_the_phone_that_is_not_there(folder: Path, name: str, option: str) -> None:
    assert "nowhere.json" in refused("convert", folder, option, folder / "nowhere.json")
    assert "experiment" in refused("convert", folder, option, folder)


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("text", ["", "[]", " [ ] "])
def test_a_log_of_the_phone_that_is_empty_is_as_good_as_none(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    assert run("convert", folder).returncode == 0
    assert len(entries(folder / "traffic.har")) == 1


def test_a_trace_cut_short_is_read_as_far_as_it_goes_and_says_so(folder: Path) -> None:
    text = json.dumps(TRACE)
    (folder / "socket_trace.json").write_text(text[:-40])
    done = run("convert", folder)
    assert done.returncode == 0 and b"socket-trace" in done.stderr
    (entry,) = entries(folder / "traffic.har")
    assert entry["request"]["_attribution"]["operations"] == [0]


def test_malformed_records_are_passed_over_counted_and_shown(folder: Path) -> None:
    lacking = {**TRACE[0], "data": {"socket_fd": 1}}
    (folder / "socket_trace.json").write_text(json.dumps([lacking, {"x": 1}, *TRACE]))
    (folder / "aes_info.json").write_text(json.dumps([{"data": {"in": "no hex", "out": "00"}}, {"timestamp": 1}]))
    done = run("convert", folder)
    assert done.returncode == 0
    details = {row["kind"]: row.get("detail") for row in har(folder / "traffic.har")["log"]["_problems"]}
    assert details["socket-trace-bad-record"] == details["cipher-log-bad-record"] == "2 records"
    assert b"socket-trace-bad-record" in done.stderr and b"cipher-log-bad-record" in done.stderr


@pytest.mark.parametrize("text", ["no json", "{}", '{"network": {"start_capture_time": 1}}', "\x00"])
def test_an_experiment_without_start_times_is_not_used_and_says_so(folder: Path, text: str) -> None:
    (folder / "experiment.json").write_text(text)
    assert run("convert", folder).returncode == 0
    assert "experiment-unreadable" in problems(folder / "traffic.har")
    assert entries(folder / "traffic.har")[0]["request"]["_attribution"]["operations"] == [0]


def test_nothing_of_a_capture_is_obeyed_by_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "bad\x1b[31m\nname.pcap"
    path.write_bytes(b"no capture")
    done = run("convert", path)
    assert done.returncode == 1 and b"\x1b" not in done.stderr and done.stderr.count(b"\n") == 1


def test_names_that_are_not_utf_8_are_escaped_in_what_is_written(tmp_path: Path) -> None:
    """POSIX lets a name be any bytes but NUL and the slash; JSON is UTF-8 (RFC 8259, section 8.1)."""
    odd, told = os.fsdecode(b"caf\xe9\nline"), "caf\\xe9\nline"
    folder = experiment(tmp_path / odd)
    path = (folder / "traffic.pcap").rename(folder / f"{odd}.pcap")
    keys, trace = folder / f"{odd}.txt", folder / f"{odd}.json"
    keys.write_text("no key\n")
    trace.write_text(json.dumps(TRACE)[:-1])
    (folder / f"{odd}.pcap.metadata.json").write_text('{"sha256": "00"}')
    more: list[str | Path] = ["-k", keys, "-sf", trace]
    convert: list[str | Path] = ["convert", path, "--host", odd, "--redact"]
    for legacy, command in ((False, convert), (True, ["-f", "-i", path])):
        done = run(*command, *more, legacy=legacy)
        assert done.returncode == 0, done.stderr
        assert legacy or b"caf\\xe9\\x0aline.har" in done.stderr
        log = har(path.with_suffix(".har"))["log"]
        metadata = log["creator"]["_metadata"]
        assert {f"{told}.pcap", f"{told}.txt", f"{told}.json"} <= {file["name"] for file in metadata["files"]}
        assert metadata["evidence"][0]["file"] == f"{told}.pcap"
        assert any(told in row["message"] for row in log["_problems"] if row["kind"] == "keylog-bad-line")
        assert legacy or metadata["options"]["hosts"] == [told]
    for source in (path, path.with_suffix(".har")):
        assert run("report", source, "-f", "-q", "--system-frames", odd, *more).returncode == 0
    page = path.with_suffix(".html").read_bytes()
    assert index_of(page)["title"] == f"{told}.har"
    assert run("connections", path, "--json", *more).returncode == 0


def test_a_device_that_is_full(folder: Path) -> None:
    message = refused("convert", folder, "-o", "/dev/full", "-q")
    assert "/dev/full" in message and "No space left" in message


COMMANDS = (
    *("connections IN", "connections IN --json", "connections IN --csv", "findings IN --json", "attribution HAR"),
    *("convert IN -q -o -", "convert IN -q -o - --stream", "report IN -f"),
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("how", [">/dev/full", ">&-"])
def test_standard_output_that_cannot_be_written_is_named(folder: Path, command: str, how: str) -> None:
    (folder / "device.json").write_text('{"imei": "490154203237518"}')
    assert run("convert", folder, "-q").returncode == 0
    script = "import sys; from pcapng_utils.cli import main; sys.exit(main())"
    words = command.replace("IN", str(folder)).replace("HAR", str(folder / "traffic.har"))
    shell = f"exec {sys.executable} -c '{script}' {words} {how}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, check=False, timeout=60)
    reason = b"No space left on device" if "full" in how else b"Bad file descriptor"
    assert done.returncode == 1 and b"standard output: " + reason in done.stderr, done.stderr
    assert (b"report.html was written" in done.stderr) == ("report" in command)


@pytest.mark.parametrize("how", ["2>&-", ">&-"])
def test_streams_that_are_closed_do_not_matter_where_nothing_is_said(folder: Path, how: str) -> None:
    script = "import sys; from pcapng_utils.cli import main; sys.exit(main())"
    shell = f"exec {sys.executable} -c '{script}' convert {folder} {how}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"")
    assert len(entries(folder / "traffic.har")) == 1


def test_standard_input_that_is_closed_is_named() -> None:
    script = "import sys; from pcapng_utils.cli import main; sys.exit(main())"
    shell = f"exec {sys.executable} -c '{script}' convert - -o - <&-"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"pcapng-utils: standard input is closed: a capture was expected there.\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds 64 KB."""
    point = tmp_path / "disk"
    point.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", point], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield point
    subprocess.run(["umount", point], check=True)


def large(folder: Path) -> Path:
    body = bytes(range(256)) * 1200
    sent = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    packets = [*conversation()[:3]]
    packets += [tcp(0, 101 + at, 501, PSH | ACK, sent[at : at + 1400]) for at in range(0, len(sent), 1400)]
    return experiment(folder, data=capture(packets))


@needs_root
def test_a_disk_that_is_full_keeps_what_it_had(small_disk: Path, tmp_path: Path) -> None:
    output = small_disk / "out.har"
    output.write_text("before")
    message = refused("convert", large(tmp_path / "large"), "-f", "-q", "-o", output)
    assert str(output) in message and "No space left" in message
    assert [path.name for path in small_disk.iterdir()] == ["out.har"]
    assert output.read_text() == "before"


@needs_root
def test_a_full_folder_for_temporary_files_is_named(small_disk: Path, tmp_path: Path) -> None:
    done = run_apart("convert", large(tmp_path / "large"), "-q", TMPDIR=str(small_disk))
    message = done.stderr.decode()
    assert done.returncode == 1 and message.count("\n") == 1
    assert str(small_disk) in message and "No space left" in message
    assert not (tmp_path / "large" / "traffic.har").exists()


@needs_root
def test_a_folder_that_cannot_be_written(folder: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    message = refused("convert", folder, "-q", "-o", small_disk / "out.har")
    assert str(small_disk / "out.har") in message and "Read-only" in message


def wait_until_signals_are_caught(process: subprocess.Popen[bytes]) -> None:
    """Until the command has begun: before, a signal ends the interpreter, which has nothing to clean up."""
    for _ in range(1000):
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(re.findall(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)[0], 16)
        if caught >> (signal.SIGHUP - 1) & 1:
            return
        time.sleep(0.02)
    pytest.fail("the command did not begin within 20 s")


@pytest.fixture
def heeded_interrupts() -> Iterator[None]:
    """Children end by SIGINT, even if the tests run in a shell's background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with start("convert", "-", "-o", tmp_path / "out.har") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(capture())
        process.stdin.flush()
        wait_until_signals_are_caught(process)
        process.send_signal(number)
        message = process.stderr.read()
    assert process.returncode == 128 + number or process.returncode == 128 + signal.SIGTERM
    assert b"nothing was written" in message and b"Traceback" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("heeded_interrupts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stream_that_is_ended_says_what_is_there(tmp_path: Path, number: signal.Signals) -> None:
    output = tmp_path / "out.jsonl"
    with start("convert", "-", "--stream", "-q", "-o", output) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(capture())
        process.stdin.flush()
        for _ in range(1000):
            if output.exists() and output.read_bytes().endswith(b"\n"):
                break
            time.sleep(0.02)
        process.send_signal(number)
        message = process.stderr.read().decode()
    assert process.returncode == 128 + number
    assert f"1 whole line was written to {output}." in message and "nothing" not in message


def test_a_stream_to_a_device_that_is_full_names_it(folder: Path) -> None:
    message = refused("convert", folder, "--stream", "-o", "/dev/full", "-q")
    assert "/dev/full: No space left on device: 0 whole lines were written" in message
    with (
        Path("/dev/full").open("wb") as full,
        start("convert", folder, "--stream", "-o", "-", "-q", to=full) as process,
    ):
        _, error = process.communicate(timeout=60)
    assert b"standard output: No space left on device: 0 whole lines" in error


@needs_root
def test_a_stream_to_a_disk_that_is_full_names_the_file(small_disk: Path, tmp_path: Path) -> None:
    body = bytes(range(256)) * 200  # more than the disk has, in base64
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    sent, received = 101 + len(REQUEST), 501 + len(RESPONSE)
    second = [tcp(0, sent, received, PSH | ACK, REQUEST), tcp(1, received, sent + len(REQUEST), PSH | ACK, large)]
    packets = [*conversation()[:-2], *second]
    (tmp_path / "x.pcap").write_bytes(capture(packets))
    message = refused("convert", tmp_path / "x.pcap", "--stream", "-q", "-o", small_disk / "out.jsonl")
    assert f"{small_disk / 'out.jsonl'}: No space left on device: 1 whole line was written" in message
