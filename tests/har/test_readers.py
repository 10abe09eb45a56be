"""HARs opened by readers that nobody here wrote: haralyzer, mitmproxy, and the DevTools of Chromium."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.har.converted import ROOT, all_in_one, converted, lab_captures, name_of
from tests.har.devtools import CHROMIUM, DevTools

MITMDUMP = ROOT / ".venv-mitmproxy" / "bin" / "mitmdump"
Row = tuple[str, str, int]


def rows(har: dict[str, Any]) -> Counter[Row]:
    """Method, URL and status of each entry."""
    return Counter(
        (entry["request"]["method"], entry["request"]["url"], entry["response"]["status"])
        for entry in har["log"]["entries"]
    )


def test_there_is_something_to_read() -> None:
    entries = all_in_one()["log"]["entries"]
    assert len(entries) > 200
    assert {entry["request"]["httpVersion"] for entry in entries} >= {"HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"}


@pytest.mark.parametrize("capture", lab_captures(), ids=name_of)
def test_haralyzer_reads_it(capture: Path) -> None:
    from haralyzer import HarParser  # type: ignore[import-untyped]

    har = converted(capture)
    assert har is not None
    parser = HarParser(har)
    entries = [entry for page in parser.pages for entry in page.entries]
    assert Counter((entry.request.method, entry.request.url, entry.response.status) for entry in entries) == rows(har)
    for entry in entries:
        assert entry.startTime.tzinfo is not None
        assert entry.time >= 0
        assert entry.response.contentSize == entry.raw_entry["response"]["content"]["size"]


MITMPROXY_SCRIPT = """
import hashlib, json
from mitmproxy import ctx, http

class Printer:
    def response(self, flow):
        body = flow.response.content or b""
        row = [flow.request.method, flow.request.url, flow.response.status_code, hashlib.sha256(body).hexdigest()]
        print("ROW", json.dumps(row))

addons = [Printer()]
"""


#: mitmproxy encodes bodies anew as the header says; it raises for stacked codings, and for names it does not know.
MITMPROXY_CODINGS = {"", "identity", "gzip", "deflate", "br", "zstd"}


def _coding(entry: dict[str, Any]) -> str:
    headers = entry["response"]["headers"]
    return ", ".join(header["value"] for header in headers if header["name"].lower() == "content-encoding")


@pytest.mark.skipif(not MITMDUMP.exists(), reason="mitmproxy is not in .venv-mitmproxy (make test puts it there)")
def test_mitmproxy_reads_it(tmp_path: Path) -> None:
    har = all_in_one()
    har["log"]["entries"] = [entry for entry in har["log"]["entries"] if _coding(entry) in MITMPROXY_CODINGS]
    (tmp_path / "all.har").write_text(json.dumps(har))
    (tmp_path / "printer.py").write_text(MITMPROXY_SCRIPT)
    command: list[str | Path] = [MITMDUMP, "-q", "-n", "-r", tmp_path / "all.har", "-s", tmp_path / "printer.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    read = [json.loads(line[4:]) for line in done.stdout.splitlines() if line.startswith("ROW ")]
    entries = har["log"]["entries"]
    for row, entry in zip(read, entries, strict=True):
        assert (row[0], row[2]) == (entry["request"]["method"], entry["response"]["status"])
        content = entry["response"]["content"]
        # mitmproxy takes text for Latin-1 where no charset says what it is.
        if content.get("text", "").isascii():
            assert row[3] == content.get("_sha256", hashlib.sha256(b"").hexdigest())


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_devtools_of_chromium_read_it(tmp_path: Path) -> None:
    har = all_in_one()
    with DevTools(tmp_path) as devtools:
        read = devtools.import_har(json.dumps(har))
    assert Counter(
        (row["method"], row["url"], row["status"], row.get("type", "")) for row in read["requests"]
    ) == Counter(
        (
            entry["request"]["method"],
            entry["request"]["url"],
            entry["response"]["status"],
            entry["response"]["content"]["mimeType"],
        )
        for entry in har["log"]["entries"]
    )
    assert f"{len(har['log']['entries'])} requests" in read["summary"]


def test_programs_are_looked_for_where_make_test_puts_them() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert ".venv-mitmproxy" in makefile and "har-schema" in makefile
    assert CHROMIUM is None or shutil.which(CHROMIUM)
