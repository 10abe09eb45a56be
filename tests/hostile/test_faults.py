"""However a command is ended, at whatever moment: no broken output, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pytest

from pcapng_utils.har.temporary import private_file, temporary_folder
from tests.cli.making import capture, conversation, entries, run, start
from tests.hostile.making import on_port

ROUNDS = 200 if os.environ.get("PCAPNG_UTILS_LONG_TESTS") else 12
"""Times that a command is ended, with either number of processes."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
BEFORE = '{"log": {"entries": ["before"]}}'


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture that keeps the command busy for some tenths of a second."""
    path = tmp_path_factory.mktemp("large") / "x.pcap"
    packets = [
        on_port(packet, 10000 + number)
        for number in range(400)
        for packet in conversation(response=b"HTTP/1.1 200 OK\r\nContent-Length: 1200\r\n\r\n" + b"x" * 1200)
    ]
    path.write_bytes(capture(packets))
    return path


@pytest.fixture(scope="module")
def duration(large: Path) -> float:
    begin = time.monotonic()
    with start("convert", large, "-q", "-f") as process:
        process.wait()
    assert process.returncode == 0
    return time.monotonic() - begin


def running_with(path: Path) -> list[str]:
    """Processes that were started with this path among their arguments."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            lines.append(file.read_text())
    return [line for line in lines if str(path) in line]


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", SIGNALS)
def test_ended_at_any_moment(large: Path, duration: float, tmp_path: Path, number: signal.Signals, jobs: str) -> None:
    rng = random.Random(number)
    output, temporary = tmp_path / "out.har", tmp_path / "tmp"
    temporary.mkdir()
    ended = 0
    for _ in range(-(-ROUNDS // len(SIGNALS))):
        output.write_text(BEFORE)
        with start("convert", large, "-f", "-q", "-j", jobs, "-o", output, TMPDIR=str(temporary)) as process:
            time.sleep(rng.uniform(0, duration * 1.1))
            process.send_signal(number)
            _, said = process.communicate(timeout=30)
        # Before `main` is called, Python itself is still beginning: there is nobody yet to say it in a sentence.
        early = b"Traceback" in said and b", in main\n" not in said
        assert early or process.returncode in (0, -number, 128 + number), said
        assert early or b"Traceback" not in said, said.decode()
        log = json.loads(output.read_bytes())["log"]
        assert log["entries"] == ["before"] or len(log["entries"]) == 400
        ended += process.returncode != 0
        if number != signal.SIGKILL:
            assert sorted(path.name for path in tmp_path.iterdir()) == ["out.har", "tmp"]
        assert list(temporary.iterdir()) == []
    assert ended
    begin = time.monotonic()
    while running_with(output):
        assert time.monotonic() - begin < 10, "a process was left behind"
        time.sleep(0.05)
    assert run("convert", large, "-f", "-q", "-o", output).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.har", "tmp"]
    assert len(entries(output)) == 400


def test_a_report_that_is_killed_leaves_nothing(large: Path, duration: float, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with start("report", large, "-q", "-o", tmp_path / "out.html", TMPDIR=str(temporary)) as process:
        time.sleep(duration * 0.8)
        process.kill()
    assert list(temporary.iterdir()) == []


def test_an_input_that_is_removed_while_it_is_read(large: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    os.mkfifo(path)
    data = large.read_bytes()
    with start("convert", path, "-q", "-o", tmp_path / "out.har") as process:
        with path.open("wb") as pipe:
            pipe.write(data[: len(data) // 2])
            pipe.flush()
            path.unlink()
            pipe.write(data[len(data) // 2 :])
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert len(entries(tmp_path / "out.har")) == 400


def test_a_reader_that_leaves(large: Path) -> None:
    with start("convert", large, "-q", "-o", "-") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (128 + signal.SIGPIPE, b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(large: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = run("convert", large, "-q", "-o", tmp_path / "out.har")
    assert done.returncode == 1 and b"out.har: Permission denied" in done.stderr


def test_the_spool_and_the_temporary_are_private(large: Path, tmp_path: Path) -> None:
    seen = set()
    with start("convert", large, "-q", "-o", tmp_path / "out.har", TMPDIR=str(tmp_path)) as process:
        while process.poll() is None:
            for path in tmp_path.iterdir():
                try:
                    seen.add((path.suffix, path.stat().st_mode & 0o777))
                except FileNotFoundError:
                    continue
            time.sleep(0.001)
    assert {mode for suffix, mode in seen if suffix != ".har"} <= {0o600}


def test_the_folder_for_temporary_files_is_not_tried_with_a_file_that_a_kill_would_leave(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", pytest.fail)  # what tries
    with private_file() as file:
        file.write(b"x")
    assert temporary_folder() == str(tmp_path)
