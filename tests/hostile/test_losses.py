"""What was lost is told: in `_problems`, grouped, in the summary, and on the exchanges it touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from tests.capture.making import pcap_header, record
from tests.cli.making import entries, har, run
from tests.hostile.making import connection, write_capture
from tests.whole.editing import read, write

FIXTURES = Path(__file__).parent.parent / "fixtures"
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n" + b"x" * 30_000
GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


def converted(path: Path, *options: str | Path) -> tuple[dict[str, dict[str, Any]], str]:
    """Rows of `_problems` by kind, and the summary. Counts of both are the same."""
    done = run("convert", path, "-f", *options)
    assert done.returncode == 0, done.stderr
    summary = done.stderr.decode()
    rows: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    for row in har(path.with_suffix(".har"))["log"]["_problems"]:
        rows.setdefault(row["kind"], row)
        counts[row["kind"]] = counts.get(row["kind"], 0) + row["count"]
    for kind, count in counts.items():
        assert f"{count:,} {kind}" in summary
    return rows, summary


def test_a_gap(tmp_path: Path) -> None:
    packets = list(connection([(CLIENT, GET), (SERVER, BODY)]))
    rows, _ = converted(write_capture(tmp_path / "x.pcap", packets[:8] + packets[9:]))
    assert (rows["tcp-gap"]["connection"], rows["tcp-gap"]["lostBytes"]) == ("1", 1400)
    assert rows["tcp-gap"]["frame"]
    (entry,) = entries(tmp_path / "x.har")
    assert entry["_incomplete"] == ["response: lost-bytes"]


def test_packets_cut_by_a_snaplen(tmp_path: Path) -> None:
    packets = connection([(CLIENT, GET), (SERVER, BODY)])
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_header(snaplen=600) + b"".join(record(data[:600], 1, wire=len(data)) for data in packets))
    rows, _ = converted(path)
    (row,) = [row for kind, row in rows.items() if kind.startswith("tcp-")]
    assert row["connection"] == "1" and row["lostBytes"] > 10_000
    (entry,) = entries(tmp_path / "x.har")
    assert entry["_incomplete"] == ["response: lost-bytes"]


def test_ten_thousand_alike_are_one_row(tmp_path: Path) -> None:
    packets = list(
        connection([(CLIENT, GET), (SERVER, BODY.replace(b"30000", b"9" * 9) + b"x" * 28_000_000)], end=False)
    )
    rows, _ = converted(write_capture(tmp_path / "x.pcap", packets[:4] + packets[4::2]))
    row = rows["tcp-gap"]
    assert row["count"] > 9990 and row["lastFrame"] > row["frame"]
    log = har(tmp_path / "x.har")["log"]
    assert len([row for row in log["_problems"] if row["kind"] == "tcp-gap"]) == 1


@pytest.mark.parametrize("name", ["tls-versions", "tls-ciphers", "http2"])
def test_records_that_are_not_decrypted(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.pcap"
    write(path, read(FIXTURES / name / "traffic.pcap"))
    rows, summary = converted(path)
    log = har(tmp_path / "x.har")["log"]
    secured = {row["id"] for row in log["_connections"] if row.get("tls")}
    told = [row for row in log["_problems"] if row["kind"] == "tls-undecrypted"]
    assert (
        secured and {row["connection"] for row in told} == {row["_connection"] for row in log["_tlsErrors"]} <= secured
    )
    assert all(row["frame"] and " records: " in row["detail"] for row in told)
    assert rows["tls-undecrypted"] in told and f"{len(told)} tls-undecrypted" in summary


def test_a_message_that_is_none(tmp_path: Path) -> None:
    said = [(CLIENT, GET), (SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokgarbage\r\n" * 3)]
    rows, _ = converted(write_capture(tmp_path / "x.pcap", connection(said)))
    assert rows["http1-bad-start-line"]["connection"] == "1" and rows["http1-bad-start-line"]["lostBytes"] > 0


def test_an_exchange_cut_by_the_end_of_the_capture(tmp_path: Path) -> None:
    packets = list(connection([(CLIENT, GET), (SERVER, BODY)]))
    converted(write_capture(tmp_path / "x.pcap", packets[:12]))
    (entry,) = entries(tmp_path / "x.har")
    assert entry["_incomplete"] == ["response: truncated"]
