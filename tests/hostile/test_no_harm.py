"""Nothing of what is read is executed, nothing is asked of the network, nothing else is written, no secret is told."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.making import ROOT, run

FIXTURES = ROOT / "tests" / "fixtures"
EXAMPLE = ROOT / "examples" / "experiment"
SOURCES = sorted((ROOT / "src").rglob("*.py"))

#: Runs a command and writes down what Python's audit hooks tell of it (PEP 578).
WATCHED = """
import json, os, sys
seen = []
WATCHED = ("open", "os.", "socket.", "subprocess.", "pickle.", "ctypes.", "urllib.", "http.", "shutil.", "tempfile.",
           "ftplib.", "smtplib.", "code.", "pty.", "syslog.", "webbrowser.")
sys.addaudithook(lambda name, values: seen.append((name, [str(value) for value in values]))
                 if name.startswith(WATCHED) else None)
from pcapng_utils.cli import main
code = main(sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps(seen))
sys.exit(code)
"""
#: What a conversion does with the system.
HARMLESS = {
    "open", "os.listdir", "os.scandir", "os.chmod", "os.rename", "os.remove", "os.fork", "os.truncate",
    "tempfile.mkstemp", "os.unlink", "os.walk",
}  # fmt: skip


def watched(tmp_path: Path, *arguments: str | Path) -> list[tuple[str, list[str]]]:
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, tmp_path / "seen.json", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    seen: list[tuple[str, list[str]]] = json.loads((tmp_path / "seen.json").read_text())
    return seen


def written(seen: list[tuple[str, list[str]]]) -> Iterator[str]:
    """Files that were opened to be written."""
    for name, values in seen:
        if name == "open" and int(values[2]) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            yield values[0]


@pytest.mark.parametrize("name", ["http1-odd", "http2", "http3-aioquic", "dns", "doh", "websocket", "experiment"])
@pytest.mark.parametrize("command", ["convert", "report"])
def test_what_a_command_does_with_the_system(tmp_path: Path, name: str, command: str) -> None:
    source = EXAMPLE if name == "experiment" else next((FIXTURES / name).glob("traffic.*"))
    output = tmp_path / "out"
    seen = watched(tmp_path, command, source, "-f", "-o", output)
    assert {name for name, _ in seen} <= HARMLESS
    part = re.compile(re.escape(str(tmp_path / ".out.")) + r"[0-9a-f]{16}\.part")
    for path in written(seen):
        assert part.fullmatch(path) or path in (str(tmp_path / "seen.json"), "/dev/null") or is_nameless(path, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "seen.json", "tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []


def is_nameless(path: str, tmp_path: Path) -> bool:
    """In the private folder for temporary files: the folder itself where the file never has a name, else a random
    name that is removed at once. A number: a descriptor that is open already."""
    return path == str(tmp_path / "tmp") or Path(path).parent == tmp_path / "tmp" or path.isdigit()


FORBIDDEN = {
    "pickle", "marshal", "shelve", "subprocess", "ctypes", "ssl", "ftplib", "smtplib", "asyncio", "code", "runpy",
    "pty", "webbrowser", "xmlrpc", "socketserver",
}  # fmt: skip
ADDRESSES = {"AF_INET", "AF_INET6", "inet_ntop", "inet_pton", "inet_ntoa", "inet_aton"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_no_module_can_run_or_ask_anything(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not FORBIDDEN & {name.name.partition(".")[0] for name in node.names}
            assert not {"socket", "urllib.request", "http.client", "http.server"} & {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.module.partition(".")[0] not in FORBIDDEN
            assert node.module not in ("urllib.request", "http.client", "http.server")
            assert node.module != "socket" or {name.name for name in node.names} <= ADDRESSES
        elif isinstance(node, ast.Call):
            assert not isinstance(node.func, ast.Name) or node.func.id not in ("eval", "exec", "compile", "__import__")
            assert not isinstance(node.func, ast.Attribute) or node.func.attr not in ("system", "popen", "getaddrinfo")


KEYED = sorted(path.parent.name for path in FIXTURES.glob("*/sslkeylog.txt") if "SECRET" in path.read_text())


@pytest.mark.parametrize("name", KEYED)
def test_secrets_are_not_told(tmp_path: Path, name: str) -> None:
    """Neither in the HAR nor in what is said; also where a line of the key log is damaged."""
    lines = (FIXTURES / name / "sslkeylog.txt").read_text().splitlines()
    secrets = [line.split()[2] for line in lines if line.startswith(("CLIENT", "SERVER"))]
    damaged = [f"{line[:-1]}z" if number % 5 == 0 else line for number, line in enumerate(lines)]
    keys = tmp_path / "keys.txt"
    keys.write_text("\n".join([*damaged, *secrets]))
    done = run("convert", next((FIXTURES / name).glob("traffic.*")), "-k", keys, "-f", "-o", tmp_path / "x.har")
    assert done.returncode == 0
    told = (tmp_path / "x.har").read_text() + done.stderr.decode()
    assert "keylog-bad-line" in told
    assert secrets and not [secret for secret in secrets if secret[:16] in told.lower()]


def test_keys_of_the_cipher_log_are_evidence_and_nothing_else(tmp_path: Path) -> None:
    """They stand with what they decrypted, never in a problem or a message."""
    done = run("convert", EXAMPLE, "-f", "-o", tmp_path / "x.har")
    log: dict[str, Any] = json.loads((tmp_path / "x.har").read_bytes())["log"]
    keys = {
        call["data"]["key"] for call in json.loads((EXAMPLE / "aes_info.json").read_bytes()) if call["data"].get("key")
    }
    said = done.stderr.decode() + json.dumps(log["_problems"])
    assert keys and not [key for key in keys if key in said]
