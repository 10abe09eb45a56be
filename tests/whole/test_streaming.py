"""Captures that do not end, and captures of any size: what is said at once, and the memory that it takes."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import msgspec
import pytest

from benchmarks.speed.measure import run
from tests.capture.making import pcap_header, record
from tests.cli.making import HOST, start
from tests.net.wire import ACK, FIN, PSH, START, SYN, tcp

_SECONDS = START // 1_000_000_000
_SEGMENT = 1400
_PORTS = 20_000
_MB = 1 << 20


def _packets(number: int, sizes: list[int], *, end: bool = True) -> Iterator[bytes]:
    """A connection on which one body after another is downloaded."""
    ports = (_PORTS + number, 80)
    sent, received = 101, 501
    yield tcp(0, sent - 1, None, SYN, ports=ports)
    yield tcp(1, received - 1, sent, SYN, ports=ports)
    for place, size in enumerate(sizes):
        request = b"GET /%d/%d HTTP/1.1\r\nHost: %s\r\n\r\n" % (number, place, HOST.encode())
        yield tcp(0, sent, received, PSH | ACK, request, ports)
        sent += len(request)
        response = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % size
        response += bytes(range(256)) * (size // 256)
        for begin in range(0, len(response), _SEGMENT):
            yield tcp(1, received + begin, sent, ACK, response[begin : begin + _SEGMENT], ports)
        received += len(response)
    if end:
        yield tcp(0, sent, received, FIN | ACK, ports=ports)
        yield tcp(1, received, sent + 1, FIN | ACK, ports=ports)


def _capture(path: Path, connections: Iterator[list[int]]) -> Path:
    with path.open("wb") as file:
        file.write(pcap_header())
        for number, sizes in enumerate(connections):
            for packet in _packets(number, sizes):
                file.write(record(packet, _SECONDS + number // 100, number % 100 * 10_000))
    return path


class _Lines:
    """A process that is written to, and what it says meanwhile."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._said = b""

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def next(self) -> bytes:
        """The next line; fails if there is none for long."""
        assert self._process.stdout is not None
        while b"\n" not in self._said:
            ready, _, _ = select.select([self._process.stdout], [], [], 30)
            assert ready, "no line came"
            self._said += os.read(self._process.stdout.fileno(), 1 << 16)
        line, _, self._said = self._said.partition(b"\n")
        return line

    def rest(self) -> bytes:
        """What is said once nothing more will come."""
        return self._said + self._process.communicate(timeout=30)[0]


def test_an_exchange_is_told_within_a_second_while_the_capture_goes_on() -> None:
    took = []
    with start("convert", "-", "--stream", "-q", "-o", "-") as process:
        lines = _Lines(process)
        lines.write(pcap_header())
        for number in range(7):
            lines.write(b"".join(record(packet, _SECONDS + number) for packet in _packets(number, [512], end=False)))
            written = time.monotonic()
            entry = msgspec.json.decode(lines.next())
            took.append(time.monotonic() - written)
            assert entry["request"]["url"] == f"http://{HOST}/{number}/0"
            assert entry["response"]["content"]["size"] == 512
        assert lines.rest() == b""
        assert process.returncode == 0
    assert median(took) < 1


@pytest.mark.parametrize("options", [(), ("--no-bodies",), ("--stream",), ("--jobs", "2")], ids=" ".join)
def test_memory_follows_neither_the_capture_nor_the_result(tmp_path: Path, options: tuple[str, ...]) -> None:
    small, large = (
        _capture(tmp_path / f"{count}.pcap", iter([[_MB, 3 * _MB] * count, [2 * _MB] * count])) for count in (6, 12)
    )
    assert large.stat().st_size > 70 * _MB
    assert _peak(large, options) < _peak(small, options) + 2 * _MB  # of 37 MB more that were read


def _peak(capture: Path, options: tuple[str, ...]) -> int:
    """Bytes that the largest process of a conversion needs: the least of three. Whether the peaks of two processes fall
    together is up to the machine."""
    script = "import sys; from pcapng_utils.cli import main; sys.exit(main())"
    output = capture.with_suffix(".har")
    command = [sys.executable, "-c", script, "convert", "-q", "-f", str(capture), "-o", str(output), *options]
    peak = min(run(command).largest for _ in range(3))
    assert output.stat().st_size > 0
    return peak
