"""What no honest sender sends: names that are no UTF-8, NUL, numbers out of range, JSON nested a million deep."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from tests.capture.making import enhanced, interface, option, pcap_header, section
from tests.cli.making import CIPHERS, TRACE, entries, experiment, har, run
from tests.har.invariants import violations
from tests.hostile.making import connection, write_capture
from tests.net.wire import udp

OK = b"HTTP/1.1 200 OK\r\n"
ODD = b"\xff\xfe \x80\x00\x1b[31m \xed\xa0\x80 \xe2\x80\xae"
"""No UTF-8, NUL, an escape sequence, half a surrogate pair, right-to-left."""
DEEP = b"[" * 1_000_000 + b"]" * 1_000_000


def converted(path: Path, *options: str | Path) -> dict[str, Any]:
    done = run("convert", path, "-f", *options)
    assert done.returncode == 0, done.stderr
    assert not set(done.stderr) & set(b"\x00\x1b\x80\xff"), done.stderr
    document = har(path.with_suffix(".har"))
    assert list(violations(document)) == []
    return document


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    request = b"GET /%b?%b=%b HTTP/1.1\r\nHost: %b\r\nCookie: %b=%b\r\n%b: %b\r\n\r\n" % ((ODD,) * 8)
    response = b"HTTP/1.1 200 %b\r\nContent-Type: %b\r\nSet-Cookie: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        *((ODD,) * 3),
        len(ODD),
        ODD,
    )
    path = write_capture(tmp_path / "x.pcap", connection([(CLIENT, request), (SERVER, response)]))
    converted(path)
    assert len(entries(tmp_path / "x.har")) == 1
    for command in ("connections", "findings", "attribution"):
        done = run(command, path if command != "attribution" else tmp_path / "x.har")
        assert not set(done.stdout + done.stderr) & set(b"\x00\x1b\xff"), command


def test_names_of_a_look_up_that_are_no_text(tmp_path: Path) -> None:
    name = b"\x07" + b"\xff\x00\x1b.[31" + b"\x04\xed\xa0\x80\n\x00"
    question = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + name + b"\x00\x01\x00\x01"
    answer = b"\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + question[12:]
    answer += b"\xc0\x0c\x00\x01\x00\x01\xff\xff\xff\xff\x00\x04\xcb\x00\x71\x07"
    get = [(CLIENT, b"GET / HTTP/1.1\r\n\r\n"), (SERVER, OK + b"Content-Length: 0\r\n\r\n")]
    packets = [udp(0, question, (4000, 53)), udp(1, answer, (4000, 53)), *connection(get)]
    document = converted(write_capture(tmp_path / "x.pcap", packets))
    assert len(document["log"]["_dns"]) == 1


@pytest.mark.parametrize("seconds", [0, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("fraction", [0, 999_999, 0xFFFFFFFF])
def test_times_out_of_range(tmp_path: Path, seconds: int, fraction: int) -> None:
    packets = connection([(CLIENT, b"GET / HTTP/1.1\r\n\r\n"), (SERVER, OK + b"Content-Length: 0\r\n\r\n")])
    records = [struct.pack("<IIII", seconds, fraction, len(data), len(data)) + data for data in packets]
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_header() + b"".join(records))
    assert len(converted(path)["log"]["entries"]) == 1


@pytest.mark.parametrize("resolution", [0, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("offset", [1 << 62, -(1 << 63)])
@pytest.mark.parametrize("ticks", [0, (1 << 64) - 1])
def test_clocks_out_of_range(tmp_path: Path, resolution: int, offset: int, ticks: int) -> None:
    options = option(9, bytes((resolution,))) + option(14, struct.pack("<q", offset))
    packets = connection([(CLIENT, b"GET / HTTP/1.1\r\n\r\n"), (SERVER, OK + b"Content-Length: 0\r\n\r\n")])
    path = tmp_path / "x.pcapng"
    path.write_bytes(section() + interface(options=options) + b"".join(enhanced(packet, ticks) for packet in packets))
    assert len(converted(path)["log"]["entries"]) == 1


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 1 << 20])
def test_a_record_that_promises_gigabytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_header() + struct.pack("<IIII", 1, 1, size, size) + bytes(1000))
    assert [row["kind"] for row in converted(path)["log"]["_problems"]] in (["pcap-bad-record"], ["capture-truncated"])


NUMBERS = [
    "1e400",
    "-1e400",
    "9" * 400,
    "-" + "9" * 400,
    "1e-400",
    "18446744073709551616",
    "-9223372036854775809",
    "0.5",
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
@pytest.mark.parametrize("key", ["timestamp", "pid", "dest_port", "socket_fd", "thread_id", "line"])
def test_numbers_out_of_range_in_logs_of_the_phone(tmp_path: Path, number: str, key: str) -> None:
    folder = experiment(tmp_path / "experiment")
    for name, records in (("socket_trace.json", TRACE), ("aes_info.json", CIPHERS)):
        marked = json.dumps([*records, _with(records[0], key)])
        (folder / name).write_text(marked.replace('"HERE"', number))
    done = run("convert", folder)
    assert done.returncode == 0, done.stderr
    (entry,) = entries(folder / "traffic.har")
    assert entry["request"]["_attribution"]["operations"]


def _with(value: Any, key: str) -> Any:
    """The value with a mark wherever there is this key."""
    if isinstance(value, dict):
        return {name: "HERE" if name == key else _with(inner, key) for name, inner in value.items()}
    return [_with(inner, key) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["socket_trace.json", "aes_info.json", "experiment.json", "device.json"])
@pytest.mark.parametrize("deep", [DEEP, b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000], ids=["lists", "objects"])
@pytest.mark.parametrize("where", ["[%b]", '[{"data": %b, "timestamp": 1}]', '{"network": %b}'])
def test_json_nested_a_million_deep_beside_the_capture(tmp_path: Path, name: str, deep: bytes, where: str) -> None:
    folder = experiment(tmp_path / "experiment")
    (folder / name).write_bytes(where.encode() % deep)
    done = run("convert", folder)
    assert done.returncode in (0, 1), done.stderr
    assert done.returncode == 0 or name.encode() in done.stderr


@pytest.mark.parametrize(
    "where", [b"%b", b'{"log": %b}', b'{"log": {"entries": [%b]}}', b'{"log": {"entries": [], "x": %b}}']
)
def test_a_har_nested_a_million_deep(tmp_path: Path, where: bytes) -> None:
    path = tmp_path / "x.har"
    path.write_bytes(where % DEEP)
    options: dict[str, list[str | Path]] = {
        "report": ["-f", "-o", tmp_path / "x.html"],
        "findings": ["--identifiers", tmp_path / "ids.txt"],
        "attribution": [],
        "connections": [],
    }
    (tmp_path / "ids.txt").write_text("imei=356938035643809\n")
    for command, more in options.items():
        done = run(command, path, *more)
        assert done.returncode in (0, 1), (command, done.stderr)
        assert b"Traceback" not in done.stderr and b"fault of this program" not in done.stderr, (command, done.stderr)


def test_a_body_nested_a_million_deep(tmp_path: Path) -> None:
    head = OK + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(DEEP)
    get = b"GET /?x=%b HTTP/1.1\r\nHost: a.example\r\n\r\n" % (b"%25" * 30_000)
    path = write_capture(tmp_path / "x.pcap", connection([(CLIENT, get), (SERVER, head + DEEP)]))
    (tmp_path / "ids.txt").write_text("imei=356938035643809\n")
    document = converted(path, "--identifiers", tmp_path / "ids.txt", "--redact")
    (entry,) = document["log"]["entries"]
    assert entry["response"]["content"]["text"] == DEEP.decode()
    assert run("report", tmp_path / "x.har", "-o", tmp_path / "x.html").returncode == 0
