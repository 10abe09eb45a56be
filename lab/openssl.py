"""`openssl s_server` and `openssl s_client`, talking to each other as their standard inputs are told.

They do what Python's ssl cannot: renegotiation, KeyUpdate, padded records, early data, pre-shared keys. A line that is
one letter is a command to them (`R` renegotiates, `K` updates keys), the rest is sent.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lab.certificates import Identity
from lab.children import bound
from lab.stage import HOST, Stage

_PATIENCE: Final = 15.0
_PAUSE: Final = 0.15
_LEGACY: Final = ("-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")


class OpensslError(RuntimeError):
    """What was awaited was never printed."""


@dataclass(slots=True)
class Program:
    process: subprocess.Popen[bytes]
    printed: bytes = b""

    def tell(self, data: bytes) -> None:
        """One write to its standard input: what it sends, or a command."""
        assert self.process.stdin is not None  # noqa: S101 - PIPE was asked for
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def command(self, letter: str) -> None:
        """A command, alone in what the program reads at once: what follows it in one read would be lost."""
        self.tell(letter.encode() + b"\n")
        time.sleep(_PAUSE)

    def wait_for(self, data: bytes) -> None:
        """Until `data` was printed."""
        assert self.process.stdout is not None  # noqa: S101
        deadline = time.monotonic() + _PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while data not in self.printed:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    break
                part = os.read(self.process.stdout.fileno(), 1 << 16)
                if not part:
                    break
                self.printed += part
        if data not in self.printed:
            raise OpensslError(f"{self.process.args!r} never printed {data!r}: {self.printed[-1500:]!r}")
        self.printed = self.printed.partition(data)[2]


@dataclass(slots=True)
class OpensslPair:
    client: Program
    server: Program

    def client_says(self, data: bytes) -> None:
        self.client.tell(data)
        self.server.wait_for(data)

    def server_says(self, data: bytes) -> None:
        self.server.tell(data)
        self.client.wait_for(data)


@contextlib.contextmanager
def serving(
    stage: Stage, port: int, arguments: Sequence[str] = (), identity: Identity | None = None
) -> Iterator[Program]:
    mine = identity or stage.identity
    command = ["openssl", "s_server", "-accept", f"{stage.server}:{port}", *_LEGACY]
    command += ["-cert", str(mine.certificate), "-key", str(mine.key), "-CAfile", str(stage.authority.certificate)]
    with stage.network.internet.entered():
        server = _start([*command, *arguments])
    try:
        server.wait_for(b"ACCEPT")
        yield server
    finally:
        _end(server)


@contextlib.contextmanager
def connected(stage: Stage, port: int, server: Program, arguments: Sequence[str] = ()) -> Iterator[OpensslPair]:
    """A client of `server`, until the end of the block; it ends the connection in good order."""
    command = ["openssl", "s_client", "-connect", f"{stage.server}:{port}", "-servername", HOST, *_LEGACY]
    command += ["-CAfile", str(stage.authority.certificate), "-keylogfile", str(stage.keylog)]
    with stage.network.phone.entered():
        client = _start([*command, *arguments])
    try:
        client.wait_for(b"---\n")
        yield OpensslPair(client, server)
        client.tell(b"Q\n")
        client.process.wait(_PATIENCE)
        server.wait_for(b"DONE\n")
    finally:
        _end(client)


def _start(command: Sequence[str]) -> Program:
    return Program(
        subprocess.Popen(
            bound(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
    )


def _end(program: Program) -> None:
    program.process.kill()
    program.process.communicate()
