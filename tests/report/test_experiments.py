"""Experiments with a known truth: the page names the code that talks, and shows each identifier as it was sent."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pcapng_utils.cli import main

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = Path(os.environ.get("PCAPNG_UTILS_EXPERIMENTS", ROOT.parent / "shared" / "experiments"))
LAB = EXPERIMENTS / "lab-400"
JVM = EXPERIMENTS / "jvm-300"
EXAMPLE = ROOT / "examples" / "experiment"
EMAIL = "jane.roe@example.org"
PACKAGES = ("com.adnova.core", "com.example.weather.net", "io.trackly.sdk.internal")


def report_of(experiment: Path, folder: Path, *options: str) -> Path:
    if not (experiment / "traffic.pcap").is_file():
        pytest.skip(f"{experiment} is not there")
    names = folder / "identifiers"
    names.write_text(f"email={EMAIL}\n")
    output = folder / "report.html"
    assert main(["report", str(experiment), "-o", str(output), "--quiet", "--identifiers", str(names), *options]) == 0
    return output


@pytest.fixture(scope="module")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = report_of(LAB, tmp_path_factory.mktemp("lab"), "--system-frames", "py.,truth.")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.locator("main").wait_for()
    yield page
    page.close()


@pytest.fixture(scope="module")
def truth() -> list[dict[str, Any]]:
    if not (LAB / "truth.json").is_file():
        pytest.skip(f"{LAB} is not there")
    requests: list[dict[str, Any]] = json.loads((LAB / "truth.json").read_text())["requests"]
    return requests


NOBODY = "no code known"


def package(class_name: str) -> str:
    return class_name.rpartition(".")[0]


def senders(page: Page) -> Counter[str]:
    """The pieces of code on the left of the diagram's table, and how many exchanges each has had."""
    table = page.get_by_role("region", name="Who talks to whom").locator(".as-table")
    if not table.get_by_role("table").is_visible():
        table.locator("summary").click()
    counts: Counter[str] = Counter()
    for row in table.locator("tbody tr").all():
        cells = row.locator("th, td").all_inner_texts()
        counts[cells[0].strip()] += int(cells[2].replace(",", ""))
    return counts


def numbered(lines: list[str]) -> Counter[str]:
    """Lines that end with a number, as a count."""
    counts: Counter[str] = Counter()
    for line in lines:
        name, _, number = " ".join(line.split()).rpartition(" ")
        counts[name] += int(number.replace(",", ""))
    return counts


def rows_of_identifiers(page: Page) -> Iterator[tuple[str, Locator]]:
    for row in page.get_by_role("region", name="Identifiers found").locator("tbody tr").all():
        yield row.locator("th").inner_text().strip(), row


def left_open(shown: Counter[Any], sent: Counter[Any]) -> int:
    """How many of those sent have no code: attribution leaves a doubtful one open. Nothing may be another's."""
    nobody = {key: number for key, number in shown.items() if NOBODY in (key, key[-1])}
    named = shown - Counter(nobody)
    assert named <= sent
    assert (sent - named).total() == sum(nobody.values())
    return sum(nobody.values())


def test_the_page_names_the_three_pieces_of_code_that_talk(lab: Page, truth: list[dict[str, Any]]) -> None:
    shown, sent = senders(lab), Counter(package(request["sdk"]) for request in truth)
    assert left_open(shown, sent) <= 4
    assert len(shown - Counter({NOBODY: shown[NOBODY]})) == 3


def test_the_page_shows_each_identifier_in_each_form_and_place_it_was_sent(
    lab: Page, truth: list[dict[str, Any]]
) -> None:
    sent = Counter(
        (one["name"], f"{one['form']} in {one['where']}")
        for request in truth
        for one in request.get("identifiers") or ()
    )
    shown = Counter(
        {
            (identifier, way): number
            for identifier, row in rows_of_identifiers(lab)
            for way, number in numbered(row.locator(".ways li").all_inner_texts()).items()
        }
    )
    assert {name for name, _ in sent} == {"advertising_id", "android_id", "email", "imei"}
    assert shown == sent
    assert shown.total() == 309


def test_the_page_says_which_code_sent_each_identifier(lab: Page, truth: list[dict[str, Any]]) -> None:
    sent = Counter(
        (name, package(request["sdk"]))
        for request in truth
        for name in {one["name"] for one in request.get("identifiers") or ()}
    )
    shown = Counter(
        {
            (identifier, sender): number
            for identifier, row in rows_of_identifiers(lab)
            for sender, number in numbered(row.locator(".sender").all_inner_texts()).items()
        }
    )
    assert left_open(shown, sent) <= 4


def test_an_exchange_shows_the_identifiers_of_its_decrypted_body(lab: Page, truth: list[dict[str, Any]]) -> None:
    """A request of each piece of code that encrypted what it sent."""
    times = Counter(request["path"] for request in truth)
    encrypted = {
        request["sdk"]: request for request in truth if request["path"][:5] == "/enc/" and times[request["path"]] == 1
    }
    assert len(encrypted) == 3
    for request in encrypted.values():
        lab.evaluate(f"location.hash = '#/exchanges?scope=url&q={request['path']}'")
        expect(lab.locator(".count")).to_have_text(re.compile(r"^\d+ of 400 exchanges$"))
        lab.locator(".tbody .td", has_text=re.compile(re.escape(request["path"]) + "$")).first.click()
        expect(lab.locator(".detail")).to_contain_text(request["path"])
        expect(lab.locator(".found-list li")).to_have_count(len(request.get("identifiers") or ()))
        lines = [" ".join(line.split()) for line in lab.locator(".found-list li").all_inner_texts()]
        assert sorted(lines) == sorted(
            f"{one['name']} as {one['form']} in {one['where']} · sent" for one in request.get("identifiers") or ()
        )
    lab.evaluate("location.hash = '#/overview'")
    lab.get_by_role("region", name="Identifiers found").wait_for()


def test_the_page_names_the_three_packages_of_a_java_program(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(report_of(JVM, tmp_path, "--system-frames", "lab.,truth.").as_uri())
    page.locator("main").wait_for()
    counts = senders(page)
    page.close()
    assert set(counts) == {*PACKAGES, "no code known"}
    assert sum(counts[name] for name in PACKAGES) >= 298, "of 300 requests that the three have sent"


def test_the_page_of_the_example_names_who_sent_what(browser: Browser, tmp_path: Path) -> None:
    exchanges = json.loads((EXAMPLE / "truth.json").read_text())["exchanges"]
    page = browser.new_page()
    page.goto(report_of(EXAMPLE, tmp_path, "--system-frames", "py.,truth.").as_uri())
    page.locator("main").wait_for()
    counts = senders(page)
    page.close()
    assert set(counts) == {package(exchange["sdk"]) for exchange in exchanges}
    assert counts.total() == len(exchanges) == 12
