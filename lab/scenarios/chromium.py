"""Headless Chromium against hypercorn and aioquic's server."""

from __future__ import annotations

import json
from pathlib import Path

from lab.clients.chromium import Job, browse
from lab.relay import Impairment
from lab.scenarios import scenario
from lab.servers.quic_server import QuicOptions, quic_server
from lab.stage import HOST, Stage
from lab.truth import KEY

_FORCE_QUIC = ("--enable-quic", f"--origin-to-force-quic-on={HOST}:443", "--quic-version=h3")


def _fetches(stage: Stage) -> list[list[Job]]:
    """Eight at once, then a post."""
    gets = [
        _fetch(stage, f"/data?size={200 + 700 * n}&seed={n}&coding={coding}", {"x-n": str(n)})
        for n, coding in enumerate(("gzip", "br", "zstd", "deflate", "gzip", "br", "", ""))
    ]
    post = _fetch(stage, "/echo", {"content-type": "application/json"}, json.dumps({"from": "ünïcode"}))
    return [gets, [post, _fetch(stage, "/nothing", {}), _fetch(stage, "/data?status=204", {})]]


def _fetch(stage: Stage, target: str, headers: dict[str, str], body: str = "") -> Job:
    job: Job = {"kind": "fetch", "id": stage.number(), "method": "POST" if body else "GET", "target": target}
    return job | {"headers": headers} | ({"body": body} if body else {})


def _web_socket(stage: Stage) -> Job:
    number = stage.number()
    messages = ["hello", "ünïcode", "x" * 3000]
    return {"kind": "websocket", "id": number, "target": f"/ws?{KEY}={number}", "messages": messages}


def _events(stage: Stage) -> Job:
    number = stage.number()
    return {"kind": "events", "id": number, "target": f"/events?count=3&{KEY}={number}"}


@scenario("chromium-http2", needs=("chromium",))
def chromium_http2(directory: Path) -> None:
    """Chromium and hypercorn, HTTP/2: eight requests at once, codings, server-sent events, WebSocket over HTTP/2."""
    with Stage.built("chromium-http2", directory) as stage, stage.hypercorn(), stage.on_phone():
        over_http2 = _web_socket(stage) | {"protocol": "HTTP/2", "status": 200, "http_method": "CONNECT"}
        browse(stage, [*_fetches(stage), [_events(stage)], [over_http2]])


@scenario("chromium-http1", needs=("chromium",))
def chromium_http1(directory: Path) -> None:
    """Chromium and hypercorn, HTTP/1.1 on six connections, and a WebSocket."""
    with (
        Stage.built("chromium-http1", directory) as stage,
        stage.hypercorn(alpn_protocols=["http/1.1"]),
        stage.on_phone(),
    ):
        browse(stage, [*_fetches(stage), [_events(stage)], [_web_socket(stage)]], protocol="HTTP/1.1")


@scenario("chromium-http3", needs=("chromium",))
def chromium_http3(directory: Path) -> None:
    """Chromium forced onto QUIC, and hypercorn."""
    with (
        Stage.built("chromium-http3", directory) as stage,
        stage.hypercorn(tls=(443,), clear=(), quic=(443,)),
        stage.on_phone(),
    ):
        browse(stage, _fetches(stage), *_FORCE_QUIC, protocol="HTTP/3")


@scenario("chromium-http3-lossy", needs=("chromium",))
def chromium_http3_lossy(directory: Path) -> None:
    """Chromium forced onto QUIC, and hypercorn, over a network that loses 2 % of the packets and holds back 4 %."""
    impairment = Impairment(loss=0.02, reorder=0.04, seed=8)
    with (
        Stage.built("chromium-http3-lossy", directory, impairment=impairment) as stage,
        stage.hypercorn(tls=(443,), clear=(), quic=(443,)),
        stage.on_phone(),
    ):
        browse(stage, [*_fetches(stage), *_fetches(stage)], *_FORCE_QUIC, protocol="HTTP/3")


@scenario("chromium-http3-aioquic", needs=("chromium",))
def chromium_http3_aioquic(directory: Path) -> None:
    """Chromium forced onto QUIC, and aioquic's server, which sends Retry."""
    with Stage.built("chromium-http3-aioquic", directory) as stage:
        address = (stage.server, 443)
        options = QuicOptions(retry=True)
        with (
            quic_server(
                stage.network.internet, stage.identity, stage.work, address, options, page=stage.page
            ) as stage.server_log,
            stage.on_phone(),
        ):
            browse(stage, _fetches(stage), *_FORCE_QUIC, protocol="HTTP/3")
