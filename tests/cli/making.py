"""A small experiment made for tests, and the commands run on it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pcapng_utils.cli import main, main_pcapng_to_har
from tests.capture.making import pcap_header, record
from tests.net.wire import ACK, FIN, PSH, START, handshake, tcp

ROOT = Path(__file__).resolve().parents[2]
REQUEST = (
    b"POST /track?id=7 HTTP/1.1\r\nHost: ads.example\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
)
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 8\r\n\r\n" + "<p>\u00fcber".encode()
HOST = "ads.example"
#: Milliseconds of the phone's clock when the request is on the wire.
SENT_MS = START // 1_000_000 + 3


def conversation(request: bytes = REQUEST, response: bytes = RESPONSE) -> list[bytes]:
    """Packets of one HTTP exchange on a connection of its own."""
    sent, received = 101, 501
    return [
        *handshake(),
        tcp(0, sent, received, PSH | ACK, request),
        tcp(1, received, sent + len(request), PSH | ACK, response),
        tcp(0, sent + len(request), received + len(response), FIN | ACK),
        tcp(1, received + len(response), sent + len(request) + 1, FIN | ACK),
    ]


def capture(packets: Iterable[bytes] | None = None) -> bytes:
    """A pcap file with a packet a millisecond."""
    seconds, data = START // 1_000_000_000, pcap_header()
    for number, packet in enumerate(conversation() if packets is None else packets):
        data += record(packet, seconds, number * 1000)
    return data


def socket_call(ms: int, event: str, name: str = "org.example.Tracker") -> dict[str, Any]:
    """A call so many ms after the request was on the wire."""
    stack = [
        {"class": f"{name}", "file": "T.java", "line": 5, "method": "send", "is_native": False, "str": f"{name}.send"}
    ]
    return {
        "type": "socket_trace_log",
        "pid": 42,
        "process": "org.example.app",
        "timestamp": SENT_MS + ms,
        "data": {
            "socket_fd": 87,
            "socket_type": "tcp6",
            "pid": 42,
            "thread_id": 43,
            "socket_event_type": event,
            "dest_ip": "::ffff:203.0.113.7",
            "dest_port": 443,
            "local_ip": "::ffff:10.0.0.1",
            "local_port": 40000,
            "stack": stack,
        },
    }


TRACE = [socket_call(0, "write"), socket_call(1, "read")]
CIPHERS = [
    {
        "type": "aes_info_log",
        "pid": 42,
        "process": "org.example.app",
        "timestamp": SENT_MS - 1,
        "data": {"iv": "00", "alg": "AES/CTR/NoPadding", "in": b"secrets!".hex(), "out": "ff" * 8, "key": ""},
    }
]


def experiment(folder: Path, *, trace: Any = TRACE, ciphers: Any = CIPHERS, data: bytes | None = None) -> Path:
    """Write the files (None: leave one out); returns the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "traffic.pcap").write_bytes(capture() if data is None else data)
    for name, content in (("socket_trace.json", trace), ("aes_info.json", ciphers)):
        if content is not None:
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run(*arguments: str | Path, legacy: bool = False) -> Done:
    """Run `pcapng-utils`, or `pcapng_to_har`, in this process: what escapes from it fails the test."""
    command = main_pcapng_to_har if legacy else main
    out, err = io.BytesIO(), io.BytesIO()
    texts = [io.TextIOWrapper(stream, write_through=True) for stream in (out, err)]
    with contextlib.redirect_stdout(texts[0]), contextlib.redirect_stderr(texts[1]):
        try:
            code = command(list(map(str, arguments)))
        except SystemExit as ended:  # wrong usage
            code = ended.code if isinstance(ended.code, int) else 1
    return Done(code, out.getvalue(), err.getvalue())


def run_apart(*arguments: str | Path, legacy: bool = False, stdin: bytes = b"", **environment: str) -> Done:
    """Run the command as a process of its own."""
    with start(*arguments, legacy=legacy, to=None, **environment) as process:
        out, err = process.communicate(stdin, timeout=60)
    assert b"Traceback" not in err, err.decode()
    return Done(process.returncode, out, err)


def start(
    *arguments: str | Path, legacy: bool = False, to: BinaryIO | None = None, **environment: str
) -> subprocess.Popen[bytes]:
    """`to`: where its standard output goes, rather than to a pipe."""
    name = "main_pcapng_to_har" if legacy else "main"
    script = f"import sys; from pcapng_utils.cli import {name}; sys.exit({name}())"
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=to or subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
    )


def har(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_bytes())
    return read


def entries(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = har(path)["log"]["entries"]
    return found
