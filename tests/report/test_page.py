"""The page as a file: what is in it, what its policy admits, and what is left out where it has a limit."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.cli import main
from pcapng_utils.cli.values import size
from pcapng_utils.errors import InputError
from pcapng_utils.report.bodies import LARGE, move_large_bodies
from pcapng_utils.report.page import LeftOut, write_page
from pcapng_utils.report.rows import exchange_row
from pcapng_utils.report.source import Har, open_har
from tests.cli.making import capture
from tests.report import hars
from tests.report.making import Json, Maker, content, har

_BLOCK = re.compile(rb'<script type="text/plain" id="([a-z0-9-]+)">([A-Za-z0-9+/=]*)</script>')


def page_of(source: Json | Har, **options: Any) -> tuple[bytes, LeftOut]:
    out = io.BytesIO()
    left_out = write_page(source if isinstance(source, Har) else Har.of_dict(source), out, title="test", **options)
    return out.getvalue(), left_out


def blocks(page: bytes) -> dict[str, bytes]:
    return {name.decode(): gzip.decompress(base64.b64decode(text)) for name, text in _BLOCK.findall(page)}


def index_of(page: bytes) -> Json:
    index: Json = json.loads(blocks(page)["index"])
    return index


def bodies_of(*sizes: int) -> Json:
    """A HAR with an exchange for each size of a body that no compression makes smaller."""
    make = Maker()
    for number, length in enumerate(sizes):
        raw = b"".join(hashlib.sha256(f"{number} {place}".encode()).digest() for place in range(length // 32))
        make.add("api.weather.example", path=f"/{number}", response=content(raw, "application/octet-stream"))
    return har(make.entries)


def test_the_policy_admits_the_script_and_style_of_the_page_and_nothing_from_outside() -> None:
    page, _ = page_of(hars.everything(1))
    text = page.decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        (code,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "http:" not in policy[1] and "https:" not in policy[1] and "unsafe" not in policy[1]


def test_the_same_har_makes_the_same_page() -> None:
    assert page_of(hars.everything(3)) == page_of(hars.everything(3))


def test_nothing_of_the_capture_is_in_the_page_but_inside_blocks() -> None:
    page, _ = page_of(hars.hostile())
    empty, _ = page_of(har([]))
    assert _BLOCK.sub(b"", page).split() == _BLOCK.sub(b"", empty).split()


def test_rows_say_where_their_entries_are() -> None:
    source = hars.everything(30)
    page, _ = page_of(source)
    opened = blocks(page)
    for number, row in enumerate(index_of(page)["rows"]):
        chunk, place = row["at"]
        entry = json.loads(opened[f"chunk-{chunk}"])[place]
        assert entry["_sha1Id"] == source["log"]["entries"][number]["_sha1Id"]


def test_a_row_names_the_class_that_is_neither_the_systems_nor_passed_over() -> None:
    entry = Maker().add("in.trackly.example")
    assert exchange_row(entry, (0, 0)).code == "io.trackly.sdk.internal.EventUploader"
    assert exchange_row(entry, (0, 0), ("io.trackly.sdk.internal.EventUploader",)).code.endswith("Scheduler")


def test_a_rows_confidence_is_that_of_the_message_whose_stack_names_the_code() -> None:
    entry = Maker().add("in.trackly.example", confidence=0.97)
    request, response = entry["request"], entry["response"]
    response["_stacktrace"], response["_attribution"] = request.pop("_stacktrace"), request["_attribution"]
    request["_attribution"] = {**response["_attribution"], "confidence": 0.27}
    row = exchange_row(entry, (0, 0))
    assert (row.code, row.confidence) == ("io.trackly.sdk.internal.EventUploader", 0.97)
    del response["_stacktrace"]
    assert exchange_row(entry, (0, 0)).confidence == 0.27


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.org:8443/x", "example.org"),
        ("http://[2001:db8::1]/", "2001:db8::1"),
        ("https://[bad/x", "[bad"),
    ],
)
def test_the_host_is_read_from_the_url(url: str, host: str) -> None:
    entry = Maker().add("api.weather.example")
    entry["request"]["url"] = url
    assert exchange_row(entry, (0, 0)).host == host


def test_a_large_body_has_a_block_of_its_own_with_its_bytes() -> None:
    raw = bytes(range(256)) * 200
    entry = Maker().add("api.weather.example", response=content(raw, "image/x"), request=content("small", "text/plain"))
    kept: list[bytes] = []

    def keep(block: bytes) -> str:
        kept.append(block)
        return "body-0"

    move_large_bodies(entry, keep)
    assert kept == [raw]
    assert entry["response"]["content"]["_block"] == {"name": "body-0", "size": len(raw)}
    assert "text" not in entry["response"]["content"]
    assert entry["request"]["postData"]["text"] == "small"


def test_a_large_body_that_is_no_base64_though_it_says_so_is_kept_as_text() -> None:
    entry = Maker().add("api.weather.example", response=content("*" * (LARGE + 1), "x/y") | {"encoding": "base64"})
    kept: list[bytes] = []
    move_large_bodies(entry, lambda block: kept.append(block) or "body-0")  # type: ignore[func-returns-value]
    assert kept == [b"*" * (LARGE + 1)]
    assert "encoding" not in entry["response"]["content"]


def test_the_largest_bodies_are_left_out_first_and_the_page_says_so() -> None:
    source = bodies_of(50_000, 800_000, 60_000)
    whole, nothing = page_of(source)
    assert nothing == LeftOut(0, 0, 0)
    limit = len(whole) - 500_000
    page, left_out = page_of(bodies_of(50_000, 800_000, 60_000), max_size=limit)
    assert left_out == LeftOut(1, 800_000, 0)
    assert len(page) <= limit
    assert index_of(page)["leftOut"] == {"bodies": 1, "bytes": 800_000, "exchanges": 0}
    assert [name for name in blocks(page) if name.startswith("body")] == ["body-0", "body-2"]


def test_where_not_even_the_entries_fit_their_rows_stay() -> None:
    source = hars.long(500)
    page, left_out = page_of(source, max_size=300_000)
    assert len(page) < 320_000
    assert 0 < left_out.exchanges < 500
    assert len(index_of(page)["rows"]) == 500


def test_a_har_file_makes_the_page_that_the_same_har_in_memory_makes(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    path.write_text(json.dumps(hars.everything(4)))
    with open_har(path) as source:
        assert page_of(source) == page_of(hars.everything(4))


@pytest.mark.parametrize("text", ["", "{}", '{"log": {}}', '{"log": {"entries": 3}}', "[1", "\x00"])
def test_a_file_that_is_no_har_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.har"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.har is no HAR"), open_har(path):
        pass


@pytest.mark.parametrize("entry", [{}, {"request": None, "response": {}}, {"request": {"url": []}, "response": {}}])
def test_an_entry_that_is_not_hars_is_named(entry: Json) -> None:
    with pytest.raises(InputError, match=r"entries\[1\]"):
        page_of(har([Maker().add("api.weather.example"), entry]))


def test_an_entry_from_elsewhere_needs_none_of_our_fields() -> None:
    entry = {
        "startedDateTime": "2026-11-24T02:04:25.5Z",
        "request": {"method": "GET", "url": "https://example.org/"},
        "response": {"status": 200, "content": {"mimeType": "text/html; charset=utf-8", "size": 0}},
    }
    row = exchange_row(entry, (0, 0))
    assert (row.time, row.host, row.type, row.code) == (1_795_485_865.5, "example.org", "text/html", "")


def test_the_command_makes_a_page_of_a_har(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weather.har"
    path.write_text(json.dumps(hars.everything(2)))
    assert main(["report", str(path)]) == 0
    page = (tmp_path / "weather.html").read_bytes()
    assert index_of(page)["title"] == "weather.har"
    assert "weather.html" in capsys.readouterr().out
    assert main(["report", str(path)]) == 2
    assert main(["report", str(path), "--force", "--max-size", "1M", "--quiet"]) == 0
    for asked, is_said in (("1M", False), ("1k", True)):
        assert main(["report", str(path), "--force", "--max-size", asked]) == 0
        assert ("more than --max-size" in capsys.readouterr().out) == is_said


def test_the_page_of_a_compressed_capture_has_the_name_of_the_capture(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(gzip.compress(capture()))
    assert main(["report", str(path), "--quiet"]) == 0
    assert index_of((tmp_path / "x.html").read_bytes())["title"] == "x.pcap.gz"


def test_the_command_makes_a_page_of_an_experiment(tmp_path: Path) -> None:
    experiment = Path(__file__).parents[2] / "examples" / "experiment"
    if not experiment.is_dir():
        pytest.skip("no experiment is shipped")
    assert main(["report", str(experiment), "-o", str(tmp_path / "out.html"), "--quiet"]) == 0
    index = index_of((tmp_path / "out.html").read_bytes())
    assert index["rows"]
    assert index["connections"]
    assert index["creator"]["_metadata"]["files"][0]["name"] == "traffic.pcap"


@pytest.mark.parametrize("options", [(), ("--redact",)])
def test_identifiers_may_come_from_a_pipe(tmp_path: Path, options: tuple[str, ...]) -> None:
    experiment = Path(__file__).parents[2] / "examples" / "experiment"
    if not experiment.is_dir():
        pytest.skip("no experiment is shipped")
    end, start = os.pipe()
    os.write(start, b"agent=Weather/4.2\n")
    os.close(start)
    command = ["report", str(experiment), "-o", str(tmp_path / "out.html"), "--quiet", *options]
    assert main([*command, "--identifiers", f"/dev/fd/{end}"]) == 0
    os.close(end)
    findings = index_of((tmp_path / "out.html").read_bytes())["findings"]
    assert "agent" in {finding["identifier"] for finding in findings}


def test_the_command_says_what_is_wrong_with_its_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "no.har"
    path.write_text('{"log": 1}')
    assert main(["report", str(path), "-o", str(tmp_path / "out.html")]) == 1
    assert "no.har is no HAR" in capsys.readouterr().err
    assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize(("text", "number"), [("5", 5), ("64M", 64_000_000), ("1.5G", 1_500_000_000), ("2kB", 2000)])
def test_sizes_are_read_with_their_units(text: str, number: int) -> None:
    assert size(text) == number


def test_the_page_is_built_from_the_source_that_is_here(made: Callable[[str], Path]) -> None:
    """The names that rows have here are the names that the program reads."""
    types = (Path(__file__).parents[2] / "report-ui" / "src" / "data" / "types.ts").read_text()
    index = index_of(made("everything").read_bytes())
    for interface, row in (("Row", index["rows"][0]), ("ConnectionRow", index["connections"][0])):
        body = re.search(rf"interface {interface} {{(.*?)\n}}", types, re.DOTALL)
        assert body is not None
        assert set(re.findall(r"^  (\w+)\??:", body[1], re.MULTILINE)) == set(row)
