"""`pcapng-utils findings`, and what the other commands do with labels, findings and redaction."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pcapng_utils.cli import main
from pcapng_utils.findings.identifiers import Identifier
from pcapng_utils.findings.search import Search
from tests.cli.making import RESPONSE, capture, conversation
from tests.net.wire import ACK, FIN, PSH, handshake, tcp

IMEI = "356938035643809"
SEARCH = Search([Identifier("imei", IMEI), Identifier("email", "jane@example.org")])


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """One exchange that sends an IMEI, a cookie, and an e-mail address."""
    body = b"e=jane%40example.org"
    request = (
        b"POST /track?imei=" + IMEI.encode() + b" HTTP/1.1\r\nHost: app.adjust.com\r\nCookie: sid=s3cr3t\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "traffic.pcap").write_bytes(capture(conversation(request)))
    (folder / "device.json").write_text(json.dumps({"imei": IMEI, "ro.product.model": "Pixel 6"}))
    (folder / "names").write_text("email=jane@example.org\n")
    return folder


def run(capsysbinary: pytest.CaptureFixture[bytes], *arguments: str | Path) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    out, err = capsysbinary.readouterr()
    return code, out.decode(), err.decode()


def convert(folder: Path, *more: str | Path) -> Path:
    output = folder / "out.har"
    assert main(["convert", str(folder), "-o", str(output), "-f", "-q", *map(str, more)]) == 0
    return output


def test_what_is_found_is_shown_and_the_exit_code_tells(
    experiment: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, out, _ = run(capsysbinary, "findings", experiment)
    assert code == 3
    assert [line.split() for line in out.splitlines()] == [
        ["identifier", "form", "where", "direction", "code", "SDK", "host", "exchanges"],
        ["imei", "plain", "query", "out", "-", "Adjust", "(host)", "app.adjust.com", "1"],
    ]


def test_nothing_is_found(experiment: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (experiment / "device.json").write_text(json.dumps({"imei": "490154203237518"}))
    assert run(capsysbinary, "findings", experiment) == (0, "Nothing was found.\n", "")


def test_there_is_nothing_to_look_for(experiment: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (experiment / "device.json").unlink()
    code, _, err = run(capsysbinary, "findings", experiment)
    assert code == 2
    assert "--identifiers" in err


def test_rows_as_json(experiment: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, _ = run(capsysbinary, "findings", experiment, "--identifiers", experiment / "names", "--json")
    assert code == 3
    rows = json.loads(out)
    assert [(row["identifier"], row["form"], row["where"]) for row in rows] == [
        ("imei", "plain", "query"),
        ("email", "plain (URL-encoded)", "body"),
    ]
    assert rows[0] == {
        "identifier": "imei",
        "form": "plain",
        "where": "query",
        "direction": "out",
        "entry": 0,
        "code": None,
        "sdk": "Adjust",
        "sdkSource": "host",
        "host": "app.adjust.com",
    }


def test_a_line_for_each_exchange(experiment: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    _, out, _ = run(capsysbinary, "findings", experiment, "--all")
    assert out.splitlines()[1].split()[:2] == ["0", "imei"]


@pytest.mark.parametrize("more", [[], ["--identifiers", "names"]])
def test_a_har_is_searched_like_the_capture_it_was_made_of(
    experiment: Path, capsysbinary: pytest.CaptureFixture[bytes], more: Sequence[str]
) -> None:
    options = [str(experiment / word) if word == "names" else word for word in more]
    har = convert(experiment)
    of_har = run(capsysbinary, "findings", har, "--json", *options)
    assert of_har == run(capsysbinary, "findings", experiment, "--json", *options)


def test_a_har_far_from_its_phone_tells_what_it_knows(
    experiment: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    har = convert(experiment).rename(tmp_path / "alone.har")
    code, out, _ = run(capsysbinary, "findings", har, "--json")
    assert (code, [row["identifier"] for row in json.loads(out)]) == (3, ["imei"])


@pytest.mark.parametrize(
    "entry",
    ["3", "{}", '{"request": []}', '{"request": {"url": 5}}', '{"request": {"url": "", "headers": [3]}}',
     '{"request": {"url": "", "postData": "x"}}', '{"request": {}, "_webSocketMessages": [3]}'],
)  # fmt: skip
def test_a_har_that_is_wrong_inside_is_named(
    experiment: Path, capsysbinary: pytest.CaptureFixture[bytes], entry: str
) -> None:
    path = experiment / "wrong.har"
    path.write_text('{"log": {"entries": [' + entry + "]}}")
    code, _, err = run(capsysbinary, "findings", path)
    assert code == 1
    assert "entries[0]" in err


def test_a_conversion_labels_and_finds_by_itself(experiment: Path) -> None:
    log = json.loads(convert(experiment).read_text())["log"]
    assert log["entries"][0]["_sdk"]["name"] == "Adjust"
    assert [row["identifier"] for row in log["_findings"]] == ["imei"]
    assert "device.json" in [file["name"] for file in log["creator"]["_metadata"]["files"]]


def test_a_redacted_conversion_tells_nothing(experiment: Path) -> None:
    text = convert(experiment, "--redact", "--identifiers", experiment / "names").read_bytes()
    log = json.loads(text)["log"]
    assert SEARCH.search(text) == ([], True)
    assert b"s3cr3t" not in text
    assert {row["identifier"] for row in log["_findings"]} == {"imei", "email"}
    assert "device.json" not in [file["name"] for file in log["creator"]["_metadata"]["files"]]


def test_a_redacted_stream_tells_nothing(experiment: Path) -> None:
    text = convert(experiment, "--redact", "--identifiers", experiment / "names", "--stream").read_bytes()
    line = json.loads(text)
    assert SEARCH.search(text) == ([], True)
    assert b"s3cr3t" not in text
    assert {row["identifier"] for row in line["_findings"]} == {"imei", "email"}
    assert line["_sdk"]["name"] == "Adjust"


@pytest.mark.parametrize("made", [True, False], ids=["of a HAR", "of an experiment"])
def test_a_redacted_report_tells_nothing(experiment: Path, made: bool) -> None:
    source = convert(experiment) if made else experiment
    output = experiment / "report.html"
    options = ["--redact", "--identifiers", str(experiment / "names"), "-o", str(output), "-q"]
    assert main(["report", str(source), *options]) == 0
    page = output.read_bytes()
    assert SEARCH.search(page) == ([], True)
    assert main(["report", str(source), "-f", *options[1:]]) == 0
    assert {hit.identifier.name for hit in SEARCH.search(output.read_bytes())[0]} == {"imei", "email"}


def upload(folder: Path, body: bytes) -> Path:
    """An experiment with one large request body."""
    head = b"POST /log HTTP/1.1\r\nHost: h.example\r\nContent-Length: %d\r\n\r\n" % len(body)
    data = head + body
    first, *others = (data[start : start + 60_000] for start in range(0, len(data), 60_000))
    packets = [*handshake(), tcp(0, 101, 501, PSH | ACK, first)]
    sent = 101 + len(first)
    for piece in others:
        packets.append(tcp(0, sent, 501, PSH | ACK, piece))
        sent += len(piece)
    packets += [tcp(1, 501, sent, PSH | ACK, RESPONSE), tcp(0, sent, 501 + len(RESPONSE), FIN | ACK)]
    (folder / "traffic.pcap").write_bytes(capture(packets))
    return folder


@pytest.mark.parametrize("filling", [b"x", b'"\\', b"\xff\0"], ids=["text", "escapes", "bytes"])
@pytest.mark.parametrize("size", [400_000, 9_000_000])
def test_bodies_of_any_size_are_searched_and_redacted(experiment: Path, size: int, filling: bytes) -> None:
    body = filling * (size // len(filling)) + b" " + IMEI.encode()
    folder = upload(experiment, body)
    log = json.loads(convert(folder).read_bytes())["log"]
    assert [(row["identifier"], row["form"], row["where"]) for row in log["_findings"]] == [("imei", "plain", "body")]
    redacted = json.loads(convert(folder, "--redact").read_bytes())["log"]
    assert redacted["_findings"] == log["_findings"]
    request = redacted["entries"][0]["request"]
    content = request.get("postData") or request["_content"]
    text = content["text"].encode()
    clear = base64.b64decode(text) if content.get("encoding") == "base64" else text
    if size > 8 << 20:
        assert (text, content["_redacted"]) == (b"", "left out: too large to be searched")
    else:
        assert clear.startswith(body[:-20])
        assert b" REDACTED-imei-" in clear[-40:]


def test_files_that_cannot_be_used_are_named(experiment: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    for option in ("--identifiers", "--trackers", "--yara"):
        code, _, err = run(capsysbinary, "findings", experiment, option, experiment / "missing")
        assert code == 1
        assert "missing" in err
