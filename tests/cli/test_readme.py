"""The example of the README is what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.making import ROOT, run

EXAMPLES = re.findall(r"^\$ pcapng-utils (.*)\n((?:(?!\$ |```).*\n)+)", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_the_readme_shows_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    assert [arguments.split()[0] for arguments, _ in EXAMPLES] == ["convert", "attribution"]
    for arguments, shown in EXAMPLES:
        done = run(*shlex.split(arguments))
        assert (done.stdout + done.stderr).decode().strip() == shown.strip()
