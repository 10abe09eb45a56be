"""tcpdump (or dumpcap, for pcapng) under control: nothing before it is ready is missed, nothing is lost at its end.

Strategy: the capture is ready when the program says that it listens. It ends with a marker, an Ethernet frame of the
type kept for local experiments, sent after everything else: when the marker stands in the file, so does all that came
before it. The marker is then cut off again.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Literal

from lab.children import bound
from lab.network import INTERFACE, Host, Network

Format = Literal["pcap", "pcap-ns", "pcapng"]
"""Microseconds and nanoseconds (tcpdump), or pcapng with nanoseconds (dumpcap)."""

_LOCAL_EXPERIMENTAL_ETHERTYPE: Final = 0x88B5
_FILTER: Final = "not ip6 multicast and not icmp6"
"""IPv6's own chatter is no part of any truth."""
_PATIENCE: Final = 15.0
_SETTLE: Final = 0.05
"""Seconds that the last acknowledgements and FINs are given before the marker."""


class CaptureError(RuntimeError):
    """The capture program did not start, or lost packets."""


@contextlib.contextmanager
def capture(network: Network, path: Path, form: Format = "pcap", snaplen: int = 262144) -> Iterator[None]:
    """Everything that passes between phone and internet inside the block is in `path` after it."""
    partial = path.with_name(path.name + ".part")
    with network.phone.entered():
        program = subprocess.Popen(
            bound(_command(partial, form, snaplen)),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
    try:
        assert program.stderr is not None  # noqa: S101 - PIPE was asked for
        _wait_until_listening(program.stderr, program)
        yield
        time.sleep(_SETTLE)
        marker = secrets.token_bytes(32)
        _send_marker(network.internet, marker)
        _wait_for(marker, partial)
    finally:
        program.terminate()
        _, messages = program.communicate(timeout=_PATIENCE)
    if b"0 packets dropped by kernel" not in messages and b"dropped" in messages and form != "pcapng":
        raise CaptureError(f"{program.args!r} lost packets: {messages.decode(errors='replace')}")
    path.write_bytes(_without_marker(partial.read_bytes(), marker, form))
    partial.unlink()


def _command(path: Path, form: Format, snaplen: int) -> list[str]:
    if form == "pcapng":
        return ["dumpcap", "-q", "-n", "-i", INTERFACE, "-s", str(snaplen), "-w", str(path), "-f", _FILTER]
    precision = "nano" if form == "pcap-ns" else "micro"
    options = ["-i", INTERFACE, "-n", "-U", "--immediate-mode", "-s", str(snaplen), "-B", "16384", "-Z", "root"]
    return ["tcpdump", *options, f"--time-stamp-precision={precision}", "-w", str(path), _FILTER]


def _wait_until_listening(messages: IO[bytes], program: subprocess.Popen[bytes]) -> None:
    """tcpdump says "listening on", dumpcap "File: ", once packets are being kept."""
    said = b""
    deadline = time.monotonic() + _PATIENCE
    while b"listening on" not in said and b"File: " not in said:
        ready, _, _ = select.select([messages], [], [], max(0.0, deadline - time.monotonic()))
        chunk = messages.read1(4096) if ready else b""  # type: ignore[attr-defined]
        if not chunk:
            raise CaptureError(f"{program.args!r} did not begin to capture: {said.decode(errors='replace')}")
        said += chunk


def _send_marker(host: Host, marker: bytes) -> None:
    with host.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((INTERFACE, 0))
        raw.send(b"\xff" * 6 + b"\x02" + b"\0" * 5 + struct.pack("!H", _LOCAL_EXPERIMENTAL_ETHERTYPE) + marker)


def _wait_for(marker: bytes, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not path.exists() or marker not in _tail(path):
        if time.monotonic() > deadline:
            raise CaptureError(f"{path}: the end marker never came")
        time.sleep(0.01)


def _tail(path: Path, size: int = 4096) -> bytes:
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - size))
        return file.read()


def _without_marker(data: bytes, marker: bytes, form: Format) -> bytes:
    """The marker's record is cut off, with what may have come after it."""
    place = data.rindex(marker)
    ethernet_header, record_header = 14, 16 if form != "pcapng" else 28
    return data[: place - ethernet_header - record_header]
