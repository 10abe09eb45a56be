"""Answers that come bit by bit: server-sent events, gRPC's messages and trailers."""

from __future__ import annotations

import struct
from pathlib import Path

from lab.clients.httpx_client import HttpxClient
from lab.scenarios import scenario
from lab.stage import Stage


@scenario("sse")
def sse(directory: Path) -> None:
    """Server-sent events over HTTP/1.1 and HTTP/2, with the times at which each was sent."""
    with Stage.built("sse", directory) as stage, stage.hypercorn(), stage.on_phone():
        for http2 in (False, True):
            with HttpxClient.open(stage, http2=http2) as client:
                client.fetch("GET", "/events?count=5&pause=0.05", [("accept", "text/event-stream")])


@scenario("grpc")
def grpc(directory: Path) -> None:
    """Requests as gRPC makes them: length-prefixed messages both ways, several in a stream, status in trailers."""
    with Stage.built("grpc", directory) as stage, stage.hypercorn(), stage.on_phone():
        headers = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "5S")]
        with HttpxClient.open(stage, http2=True) as client:
            for size, messages in ((20, 1), (3000, 4)):
                message = struct.pack("!BI", 0, size) + bytes(number % 251 for number in range(size))
                client.fetch("POST", f"/rpc/lab.Greeter/Greet?messages={messages}", headers, message)
