"""A capture that does not end: what comes through a pipe is written while it comes."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from tests.capture.making import pcap_header, record
from tests.cli.making import conversation
from tests.net.wire import PORTS, START

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from pcapng_utils.cli import main; sys.exit(main())",
    "convert",
    "-q",
    "-",
]
PATIENCE = 60
"""Seconds until a process on a busy machine is up."""
WITHIN = 1.0


def packets(port: int) -> bytes:
    """Records of one exchange."""
    at = (START // 1_000_000_000, 0)
    found = (packet.replace(PORTS[0].to_bytes(2, "big"), port.to_bytes(2, "big")) for packet in conversation())
    return b"".join(record(packet, at[0], at[1] + number) for number, packet in enumerate(found))


def line(pipe: IO[bytes], within: float) -> bytes:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        assert selector.select(within), "nothing came"
        return pipe.readline()


def test_an_exchange_is_a_line_within_a_second_of_its_last_packet() -> None:
    command = [*COMMAND, "--stream", "-o", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(pcap_header() + packets(40_001))
        assert json.loads(line(process.stdout, PATIENCE))["request"]["method"] == "POST"
        for port in range(40_002, 40_010):
            begin = time.monotonic()
            process.stdin.write(packets(port))
            assert json.loads(line(process.stdout, PATIENCE))["_communityId"]
            assert time.monotonic() - begin < WITHIN * (1 + (os.getloadavg()[0] / (os.cpu_count() or 1)))
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == b""


def test_a_capture_through_a_pipe_takes_as_much_memory_however_long_it_is(tmp_path: Path) -> None:
    peaks = []
    for count in (500, 3_000):
        out = tmp_path / f"{count}.har"
        with subprocess.Popen([*COMMAND, "--max-memory", "32M", "-o", out], stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(pcap_header())
            for number in range(count):
                process.stdin.write(packets(40_001 + number))
            process.stdin.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        assert out.stat().st_size > 1_000 * count
        peaks.append(usage.ru_maxrss)
    assert peaks[1] < 1.1 * peaks[0]
