"""TLS between two `openssl` processes on the loopback interface: for what Python's `ssl` cannot do."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from tests.tls.lab import Flight, identity

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


@dataclass
class Wire:
    """An `openssl s_server`, and clients of it whose bytes are listened to on their way."""

    options: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tls-wire-")
        self.folder = Path(self._folder.name)
        self._server = subprocess.Popen(
            ["openssl", "s_server", "-accept", "0", "-cert", identity(), "-key", identity(), *self.options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._server.stdout is not None
        while True:
            line = self._server.stdout.readline()
            assert line, "the server did not start"
            accepted = re.search(rb"ACCEPT .*?:(\d+)\s*$", line)
            if accepted:
                self._port = int(accepted[1])
                break
        threading.Thread(target=self._server.stdout.read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._server.wait()
        self._folder.cleanup()

    def say(self, line: bytes) -> None:
        """What the server sends to (or, by s_server's commands, does with) its client."""
        assert self._server.stdin is not None
        self._server.stdin.write(line)
        self._server.stdin.flush()

    def talk(
        self, options: list[str], lines: list[bytes], answers: list[bytes] | None = None
    ) -> tuple[list[Flight], bytes]:
        """Run a client that writes `lines`, one after the other; what went over the wire, and its key log."""
        log = self.folder / "keys.log"
        log.unlink(missing_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            where = ["-connect", f"127.0.0.1:{listener.getsockname()[1]}", "-servername", "lab.test"]
            client = subprocess.Popen(
                ["openssl", "s_client", *where, "-keylogfile", str(log), *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", self._port))
        flights: list[Flight] = []
        pumps = [
            threading.Thread(target=_pump, args=(near, far, CLIENT, flights)),
            threading.Thread(target=_pump, args=(far, near, SERVER, flights)),
        ]
        for pump in pumps:
            pump.start()
        assert client.stdin is not None
        _await(flights, SERVER, [])
        for line, answer in zip(lines, answers or [b""] * len(lines), strict=True):
            _settle(flights)
            before = list(flights)
            client.stdin.write(line)
            client.stdin.flush()
            _await(flights, CLIENT, before)
            if answer:
                _settle(flights)
                before = list(flights)
                self.say(answer)
                _await(flights, SERVER, before)
        _settle(flights)
        client.stdin.close()
        _settle(flights)
        client.kill()
        client.wait()
        for pump in pumps:
            pump.join()
        return flights, log.read_bytes() if log.exists() else b""


def _pump(source: socket.socket, sink: socket.socket, direction: int, flights: list[Flight]) -> None:
    try:
        while data := source.recv(1 << 16):
            flights.append((direction, data))
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _await(flights: list[Flight], direction: int, before: list[Flight]) -> None:
    """Wait until `direction` has said more than it had `before`."""
    count, until = [way for way, _ in before].count(direction), time.monotonic() + 10
    while [way for way, _ in flights].count(direction) <= count:
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.005)


def _settle(flights: list[Flight]) -> None:
    """Wait until nothing has been said for a moment."""
    heard, since = -1, time.monotonic()
    while heard != len(flights) or time.monotonic() - since < 0.08:
        if heard != len(flights):
            heard, since = len(flights), time.monotonic()
        time.sleep(0.005)
