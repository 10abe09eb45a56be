"""Files appear whole, and those who were killed leave nothing for long."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pcapng_utils.har.whole import whole_or_nothing

WRITER = """
import sys, time, pathlib
from pcapng_utils.har.whole import whole_or_nothing
with whole_or_nothing(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.har"
    with whole_or_nothing(target) as file:
        file.write(b"half")
        assert not target.exists()
        file.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert [path.name for path in tmp_path.iterdir()] == ["out.har"]


def test_a_file_that_failed_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out.har"
    target.write_bytes(b"before")
    with pytest.raises(RuntimeError), whole_or_nothing(target) as file:
        file.write(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.har"]


def writer(target: Path) -> subprocess.Popen[str]:
    """A process that has begun to write, and goes on for a minute."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    return process


def test_what_was_left_by_one_who_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "out [*].har"
    with writer(target) as process:
        process.send_signal(signal.SIGKILL)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".part") and left.read_bytes() == b"half"
    with whole_or_nothing(target) as file:
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_what_another_is_writing_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "out.har"
    (tmp_path / ".out.har.notes.part").write_text("somebody else's")
    with writer(target) as process:
        with whole_or_nothing(target) as file:
            file.write(b"first")
        assert len(list(tmp_path.iterdir())) == 3
        process.send_signal(signal.SIGKILL)
    with whole_or_nothing(target) as file:
        file.write(b"second")
    assert {path.name for path in tmp_path.iterdir()} == {"out.har", ".out.har.notes.part"}
    assert target.read_bytes() == b"second"


def test_names_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 251 + ".har")
    with whole_or_nothing(target) as file:
        file.write(b"whole")
    assert target.read_bytes() == b"whole"
