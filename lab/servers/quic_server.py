"""aioquic's HTTP/3 server with the lab's application, in a process of its own.

It does what hypercorn's does not: Retry, QUIC version 2, early data, pushes that are really sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import SessionTicket

from lab.certificates import Identity
from lab.network import Host
from lab.servers.process import python, running


@dataclass(frozen=True, slots=True)
class QuicOptions:
    retry: bool = False
    version_2: bool = False
    """The server knows version 2 alone, and offers it in Version Negotiation."""
    max_data: int = 1 << 20


@contextlib.contextmanager
def quic_server(
    host: Host,
    identity: Identity,
    directory: Path,
    address: tuple[str, int],
    options: QuicOptions,
    page: Path | None = None,
) -> Iterator[Path]:
    """The server runs inside the block; yields its log (`lab.servers.application`)."""
    log = directory / "server.jsonl"
    settings = {"identity": [str(identity.certificate), str(identity.key)], "address": address, **asdict(options)}
    command = python("lab.servers.quic_server", json.dumps(settings), str(log), str(page or ""))
    output = directory / "quic.log"
    with running(host, command, output, ready=b"serving"):
        yield log


class _Http3(QuicConnectionProtocol):
    """One connection; each request is a task of the application."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._http: H3Connection | None = None
        self._streams: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated) and event.alpn_protocol in H3_ALPN:
            self._http = H3Connection(self._quic)
        if self._http is not None:
            for http_event in self._http.handle_event(event):
                self._handle(http_event)

    def _handle(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived) and event.stream_id not in self._streams:
            self._begin(event.stream_id, event.headers)
        if isinstance(event, HeadersReceived | DataReceived):
            data = event.data if isinstance(event, DataReceived) else b""
            received = {"type": "http.request", "body": data, "more_body": not event.stream_ended}
            if data or event.stream_ended:
                self._streams[event.stream_id].put_nowait(received)

    def _begin(self, stream: int, headers: list[tuple[bytes, bytes]]) -> None:
        from lab.servers.application import application

        pseudo = dict(headers[:4])
        path, _, query = pseudo[b":path"].partition(b"?")
        scope = {
            "type": "http",
            "http_version": "3",
            "method": pseudo[b":method"].decode(),
            "path": path.decode(),
            "raw_path": path,
            "query_string": query,
            "headers": [pair for pair in headers if not pair[0].startswith(b":")],
        }
        self._streams[stream] = asyncio.Queue()

        async def send(event: dict[str, Any]) -> None:
            self._send(stream, event, pseudo)

        task = asyncio.get_running_loop().create_task(application(scope, self._streams[stream].get, send))  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _send(self, stream: int, event: dict[str, Any], asked: dict[bytes, bytes]) -> None:
        if self._http is None:
            return
        kind = event["type"]
        if kind == "http.response.start":
            self._trailing = event["trailers"]
            self._http.send_headers(stream, [(b":status", b"%d" % event["status"]), *event["headers"]])
        elif kind == "http.response.body":
            ends = not event["more_body"] and not self._trailing
            self._http.send_data(stream, event["body"], ends)
        elif kind == "http.response.trailers":
            self._http.send_headers(stream, event["headers"], end_stream=True)
        elif kind == "http.response.early_hint":
            self._http.send_headers(stream, [(b":status", b"103"), (b"link", event["links"][0])])
        elif kind == "http.response.push":
            fields = [(b":method", b"GET"), *((name, asked[name]) for name in (b":scheme", b":authority"))]
            pushed = [*fields, (b":path", event["path"].encode())]
            self._begin(self._http.send_push_promise(stream, pushed), pushed)
            self._streams[max(self._streams)].put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.transmit()


class _Tickets:
    """Sessions that may be resumed, with early data."""

    def __init__(self) -> None:
        self._tickets: dict[bytes, SessionTicket] = {}

    def add(self, ticket: SessionTicket) -> None:
        self._tickets[ticket.ticket] = ticket

    def take(self, label: bytes) -> SessionTicket | None:
        return self._tickets.pop(label, None)


async def _main(settings: dict[str, Any]) -> None:
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, max_data=settings["max_data"])
    configuration.load_cert_chain(*settings["identity"])
    if settings["version_2"]:
        configuration.supported_versions = [QuicProtocolVersion.VERSION_2]
    tickets = _Tickets()
    server = await serve(
        *settings["address"],
        configuration=configuration,
        create_protocol=_Http3,
        session_ticket_fetcher=tickets.take,
        session_ticket_handler=tickets.add,
        retry=settings["retry"],
    )
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print("serving", flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    os.environ["LAB_SERVER_LOG"], os.environ["LAB_PAGE"] = sys.argv[2:4]
    asyncio.run(_main(json.loads(sys.argv[1])))
