"""The scenarios, and whether tshark sees in their captures what they call the truth."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.scenarios import all_scenarios
from lab.truth import Truth
from tests.lab.needs import network_allowed, tshark_installed
from tests.lab.tshark import SEPARATOR, fields

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"


def test_every_committed_fixture_is_one_that_the_lab_can_make() -> None:
    committed = {path.parent.name for path in FIXTURES.glob("*/truth.json")}
    assert committed == {item.name for item in all_scenarios().values() if item.fixture}


def test_fixtures_stay_small() -> None:
    sizes = {
        path.name: sum(file.stat().st_size for file in path.iterdir()) for path in FIXTURES.iterdir() if path.is_dir()
    }
    assert {name: size for name, size in sizes.items() if size > 220_000} == {}
    assert sum(sizes.values()) < 6_000_000


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_command_lists_every_scenario_with_its_description() -> None:
    lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(all_scenarios())
    assert all(len(line.split()) > 3 for line in lines)


def test_an_unknown_scenario_is_a_wrong_usage() -> None:
    done = run("make", "no-such", "-o", "/nowhere")
    assert done.returncode == 2
    assert "no-such" in done.stderr


@network_allowed
def test_the_command_makes_a_scenario(tmp_path: Path) -> None:
    assert run("make", "dns", "-o", str(tmp_path)).returncode == 0
    truth = Truth.load(tmp_path / "truth.json")
    assert [exchange.status for exchange in truth.exchanges] == [200]


HTTP1 = ("http1", "http1-odd", "codings", "lossy", "ipv6", "tls-ciphers", "tls-resumption", "tls-handshakes")


def requests_seen(folder: Path) -> Iterator[tuple[int, str]]:
    """Number and target of each request of HTTP/1 that tshark finds."""
    for line, target in fields(folder, ("http.request.line", "http.request.uri"), "http.request"):
        targets = target.split(SEPARATOR)
        lines = [part.lower() for part in line.split(SEPARATOR)]
        numbers = [part.partition(":")[2].split("\\")[0] for part in lines if part.startswith("x-truth")]
        yield from ((int(number), uri) for number, uri in zip(numbers, targets, strict=False))


@tshark_installed
@pytest.mark.parametrize("name", HTTP1)
def test_tshark_sees_the_requests_of_the_truth_and_no_other(name: str) -> None:
    truth = Truth.load(FIXTURES / name / "truth.json")
    wanted = {
        exchange.id: exchange.url.split("/", 3)[3] for exchange in truth.exchanges if exchange.protocol != "HTTP/2"
    }
    seen = {number: uri.lstrip("/") for number, uri in requests_seen(FIXTURES / name)}
    assert set(seen) <= set(wanted)
    assert {number: wanted[number] for number in seen} == seen
    # tshark gives up on what is too odd for it.
    assert len(seen) >= 0.85 * len(wanted)
