"""Starting a server on a machine of the lab, and stopping it by its process id."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lab.children import bound
from lab.network import Host

_PATIENCE: Final = 20.0


class ServerError(RuntimeError):
    """A server did not start; the message holds what it said."""


@contextlib.contextmanager
def running(
    host: Host,
    command: Sequence[str],
    log: Path,
    listening: Sequence[tuple[str, int]] = (),
    ready: bytes = b"",
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """`command` runs on `host` inside the block, from the moment when it accepts connections on every address of
    `listening`, and has printed `ready`; its output goes to `log`."""
    with log.open("ab") as output, host.entered():
        server = subprocess.Popen(
            bound(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parents[2],
        )
    try:
        for address in listening:
            _wait_until_accepting(host, address, server, log)
        _wait_until_printed(ready, server, log)
        yield server
    finally:
        server.send_signal(stop)
        try:
            server.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_printed(text: bytes, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while text not in log.read_bytes():
        if server.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"{server.args!r} did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of the lab."""
    return [sys.executable, "-m", module, *arguments]


def _wait_until_accepting(host: Host, address: tuple[str, int], server: subprocess.Popen[bytes], log: Path) -> None:
    """Connections from the server's own machine pass its loopback interface: no capture sees them."""
    deadline = time.monotonic() + _PATIENCE
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with host.entered():
        while True:
            with socket.socket(family) as probe:
                if probe.connect_ex(address) == 0:
                    return
            if server.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(errors="replace")[-2000:]
                raise ServerError(f"{server.args!r} does not listen on {address}: {text}")
            time.sleep(0.02)
