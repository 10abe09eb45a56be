"""HTTP/3: two servers (aioquic's, hypercorn's), aioquic's client; with a bad network too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite, SessionTicket

from lab.clients.quic_client import Http3Client
from lab.relay import Impairment
from lab.scenarios import scenario
from lab.servers.application import answer_body
from lab.servers.quic_server import QuicOptions, quic_server
from lab.stage import Stage


@contextlib.contextmanager
def _aioquic(stage: Stage, options: QuicOptions | None = None) -> Iterator[None]:
    address = (stage.server, 443)
    options = options or QuicOptions()
    with quic_server(stage.network.internet, stage.identity, stage.work, address, options) as log:
        stage.server_log = log
        yield


async def _ordinary(client: Http3Client) -> None:
    await client.fetch("GET", "/data?size=300", [("cookie", "a=1"), ("cookie", "b=2"), ("x-empty", "")])
    targets = [f"/data?size={300 + 1500 * n}&seed={n}&delay=0.0{n}&coding=br" for n in range(6)]
    await asyncio.gather(*(client.fetch("GET", target, [("x-common", "the same")]) for target in targets))
    await client.fetch("POST", "/echo", [("content-type", "image/png")], answer_body(40_000, 4, "binary"))
    for target in ("/data?status=204", "/nothing", "/stream?pieces=4&size=500", "/events?count=3"):
        await client.fetch("GET", target)
    await client.fetch("GET", "/data?size=20&seed=1", [("x-long", "v" * 5000)])


def _run(stage: Stage, play: Callable[[Stage], Awaitable[None]]) -> None:
    """On the phone, under the capture."""

    async def main() -> None:
        await play(stage)

    with stage.on_phone():
        asyncio.run(main())


async def _one_client(stage: Stage) -> None:
    async with Http3Client.open(stage) as client:
        await _ordinary(client)


@scenario("http3-aioquic")
def http3_aioquic(directory: Path) -> None:
    """HTTP/3 between aioquic's client and server: interim responses, trailers, pushes, concurrent streams."""

    async def play(stage: Stage) -> None:
        async with Http3Client.open(stage) as client:
            await _ordinary(client)
            await client.fetch("GET", "/hints")
            await client.fetch("POST", "/rpc?messages=2", [("te", "trailers")], b"\0\0\0\0\5hello")
            number = stage.number()
            await client.fetch("GET", f"/push?push={number}")
            await asyncio.sleep(0.1)

    with Stage.built("http3-aioquic", directory) as stage, _aioquic(stage):
        _run(stage, play)


@scenario("http3-hypercorn")
def http3_hypercorn(directory: Path) -> None:
    """HTTP/3 between aioquic's client and hypercorn."""
    with Stage.built("http3-hypercorn", directory) as stage, stage.hypercorn(tls=(443,), clear=(), quic=(443,)):
        _run(stage, _one_client)


@scenario("http3-changes")
def http3_changes(directory: Path) -> None:
    """What happens to a QUIC connection: keys updated, connection ids changed, the client's port changed (migration);
    ChaCha20; AES-256."""

    async def play(stage: Stage) -> None:
        async with Http3Client.open(stage) as client:
            await client.fetch("GET", "/data?size=2000")
            for _ in range(2):
                client.request_key_update()
                await client.fetch("POST", "/echo", (), b"after a key update")
            client.change_connection_id()
            await client.fetch("POST", "/echo", (), b"with another connection id")
            await client.move()
            await client.fetch("POST", "/echo", (), b"from another port")
        for suite in (CipherSuite.CHACHA20_POLY1305_SHA256, CipherSuite.AES_256_GCM_SHA384):
            async with Http3Client.open(stage, QuicConfiguration(cipher_suites=[suite])) as client:
                await client.fetch("GET", "/data?size=3000")

    with Stage.built("http3-changes", directory) as stage, _aioquic(stage):
        _run(stage, play)


@scenario("http3-retry")
def http3_retry(directory: Path) -> None:
    """A server that answers with Retry; then a session that is resumed, after Retry again."""
    tickets: list[SessionTicket] = []

    async def play(stage: Stage) -> None:
        async with Http3Client.open(stage, tickets=tickets) as client:
            await client.fetch("GET", "/data?size=500")
        configuration = QuicConfiguration(session_ticket=tickets[-1])
        async with Http3Client.open(stage, configuration) as client:
            await client.fetch("POST", "/echo", (), b"resumed")
            await client.fetch("GET", "/data?size=500")

    with Stage.built("http3-retry", directory) as stage, _aioquic(stage, QuicOptions(retry=True)):
        _run(stage, play)


@scenario("http3-early")
def http3_early(directory: Path) -> None:
    """Early data (0-RTT) without Retry: requests in the first flight."""
    tickets: list[SessionTicket] = []

    async def play(stage: Stage) -> None:
        async with Http3Client.open(stage, tickets=tickets) as client:
            await client.fetch("GET", "/data?size=500")
        configuration = QuicConfiguration(session_ticket=tickets[-1])
        async with Http3Client.open(stage, configuration, early=True) as client:
            await asyncio.gather(
                client.fetch("POST", "/echo", (), b"early " * 100), client.fetch("GET", "/data?size=500")
            )

    with Stage.built("http3-early", directory) as stage, _aioquic(stage):
        _run(stage, play)


@scenario("http3-version2")
def http3_version2(directory: Path) -> None:
    """QUIC version 2: chosen by Version Negotiation, and at once."""

    async def play(stage: Stage) -> None:
        both: list[int] = [QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2]
        for versions in (both, both[1:]):
            async with Http3Client.open(stage, QuicConfiguration(supported_versions=versions)) as client:
                await client.fetch("GET", "/data?size=1500")
                client.request_key_update()
                await client.fetch("POST", "/echo", (), b"version 2")

    with Stage.built("http3-version2", directory) as stage, _aioquic(stage, QuicOptions(version_2=True)):
        _run(stage, play)


@scenario("http3-lossy")
def http3_lossy(directory: Path) -> None:
    """HTTP/3 over a network that loses 2 % of the packets, holds back 4 % and repeats 1 %."""
    impairment = Impairment(loss=0.02, reorder=0.04, duplicate=0.01, seed=3)
    with Stage.built("http3-lossy", directory, impairment=impairment) as stage, _aioquic(stage):
        _run(stage, _one_client)


@scenario("http3-lossy-hypercorn")
def http3_lossy_hypercorn(directory: Path) -> None:
    """HTTP/3 to hypercorn over a network that loses 2 % of the packets, holds back 4 % and repeats 1 %."""
    impairment = Impairment(loss=0.02, reorder=0.04, duplicate=0.01, seed=5)
    with (
        Stage.built("http3-lossy-hypercorn", directory, impairment=impairment) as stage,
        stage.hypercorn(tls=(443,), clear=(), quic=(443,)),
    ):
        _run(stage, _one_client)
