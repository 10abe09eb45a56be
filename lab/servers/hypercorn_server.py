"""Hypercorn, in a process of its own: HTTP/1.1, HTTP/2, WebSocket over both, h2c, HTTP/3.

`hypercorn(...)` starts it on the lab's server machine; the module run as a program is that process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

from lab.certificates import Identity
from lab.network import Host
from lab.servers.process import python, running


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens: "address:port", IPv6 addresses in brackets."""

    tls: Sequence[str] = ()
    clear: Sequence[str] = ()
    quic: Sequence[str] = ()


@contextlib.contextmanager
def hypercorn(
    host: Host,
    identity: Identity,
    directory: Path,
    listening: Listening,
    *,
    page: Path | None = None,
    **options: object,
) -> Iterator[Path]:
    """The server runs inside the block; yields its log (`lab.servers.application`). `options`: hypercorn's, by name."""
    log = directory / "server.jsonl"
    secure = {"certfile": str(identity.certificate), "keyfile": str(identity.key)}
    settings = {
        "bind": list(listening.tls or listening.clear),
        "insecure_bind": list(listening.clear) if listening.tls else [],
        "quic_bind": list(listening.quic),
        **(secure if listening.tls or listening.quic else {}),
        **options,
    }
    configuration = directory / "hypercorn.json"
    configuration.write_text(json.dumps(settings))
    addresses = [_split(address) for address in (*listening.tls, *listening.clear)]
    command = python("lab.servers.hypercorn_server", str(configuration), str(log), str(page or ""))
    with running(host, command, directory / "hypercorn.log", addresses):
        yield log


def _split(address: str) -> tuple[str, int]:
    name, _, port = address.rpartition(":")
    return name.strip("[]"), int(port)


def main(configuration: Path, log: str, page: str) -> None:
    os.environ["LAB_SERVER_LOG"] = log
    os.environ["LAB_PAGE"] = page
    from lab.servers.application import application

    config = Config()
    for name, value in json.loads(configuration.read_text()).items():
        setattr(config, name, value)

    async def run() -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await serve(application, config, shutdown_trigger=stopped.wait)  # type: ignore[arg-type]

    asyncio.run(run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
