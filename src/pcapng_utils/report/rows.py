"""Rows: what the page's tables, filters and diagrams know of an entry or a connection without opening it.

`report-ui/src/data/types.ts` has the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from pcapng_utils.attribution.sites import responsible_frame
from pcapng_utils.har.timings import seconds

Json = dict[str, Any]

_REQUEST: Final = 1
_RESPONSE: Final = 2


_HAR_NAMES: Final = {
    "attribution": "_attribution",
    "body_size": "bodySize",
    "communication": "_communication",
    "decryption": "_decryption",
    "events": "_eventStream",
    "headers_size": "headersSize",
    "http_version": "httpVersion",
    "incomplete": "_incomplete",
    "mime_type": "mimeType",
    "post_data": "postData",
    "sdk": "_sdk",
    "stacktrace": "_stacktrace",
    "started": "startedDateTime",
    "timestamp": "_timestamp",
    "websocket": "_webSocketMessages",
}
"""What HAR calls the fields below."""


class Row(msgspec.Struct):
    """An exchange. Times in seconds since the epoch, durations in ms, sizes in bytes on the wire."""

    at: tuple[int, int]
    """Which block holds the entry, and which place it has there."""
    time: float
    duration: float
    method: str
    url: str
    host: str
    status: int
    type: str
    protocol: str
    connection: str
    client: str
    sent: int
    received: int
    code: str
    """Class that is responsible; empty if none is known."""
    sdk: Json | None
    confidence: float | None
    decrypted: int
    """1: the request's body was opened by the cipher log; 2: the response's; 3: both."""
    messages: int
    """WebSocket messages, or events of an event stream."""
    incomplete: bool


class ConnectionRow(msgspec.Struct):
    """A connection."""

    at: tuple[int, int]
    id: str
    time: float
    duration: float
    protocol: str
    application: str
    client: str
    server: str
    host: str
    secured: str
    """Version of TLS or QUIC; empty in clear text."""
    decrypted: str
    reason: str
    exchanges: int
    sent: int
    received: int
    sdk: Json | None


class _Stack(msgspec.Struct):
    stack: list[Json] | None = None


class _Attribution(msgspec.Struct):
    confidence: float | None = None


class _End(msgspec.Struct):
    ip: str | None = None
    host: str | None = None
    port: int | None = None


class _Communication(msgspec.Struct):
    src: _End = msgspec.field(default_factory=_End)


class _Body(msgspec.Struct, rename=_HAR_NAMES):
    mime_type: str | None = None


class _Message(msgspec.Struct, rename=_HAR_NAMES):
    """What both messages have."""

    http_version: str | None = None
    headers_size: int | float | None = None
    body_size: int | float | None = None
    stacktrace: _Stack | None = None
    attribution: _Attribution | None = None
    decryption: Json | None = None
    communication: _Communication | None = None

    @property
    def size(self) -> int:
        return max(int(self.headers_size or 0), 0) + max(int(self.body_size or 0), 0)

    def code(self, prefixes: Sequence[str]) -> str:
        """The class that is responsible for the message; empty if none is known."""
        frame = responsible_frame(self.stacktrace.stack if self.stacktrace else None, prefixes)
        return str(frame["class"]) if frame else ""


class _Request(_Message, rename={**_HAR_NAMES, "content": "_content"}):
    method: str = ""
    url: str = ""
    post_data: _Body | None = None
    content: _Body | None = None


class _Response(_Message, rename=_HAR_NAMES):
    status: int = 0
    content: _Body | None = None


class _Entry(msgspec.Struct, rename=_HAR_NAMES):
    request: _Request
    response: _Response
    started: str = ""
    timestamp: float | None = None
    time: float | None = None
    connection: str | None = None
    websocket: list[Any] | None = None
    events: list[Any] | None = None
    sdk: Json | None = None
    incomplete: list[Any] | None = None


class _Connection(msgspec.Struct, rename=_HAR_NAMES):
    id: str = ""
    client: _End = msgspec.field(default_factory=_End)
    server: _End = msgspec.field(default_factory=_End)
    protocol: str = ""
    application: str | None = None
    service: str | None = None
    decrypted: str | None = None
    reason: str | None = None
    started: str = ""
    timestamp: float | None = None
    time: float | None = None
    bytes: dict[str, int] = {}
    exchanges: int = 0
    tls: Json | None = None
    quic: Json | None = None
    sdk: Json | None = None


def exchange_row(entry: Json, at: tuple[int, int], prefixes: Sequence[str] = ()) -> Row:
    """The row of an entry. `prefixes`: classes to pass over besides the system's.

    Raises msgspec.ValidationError if the entry is not HAR's.
    """
    har = msgspec.convert(entry, _Entry, strict=False)
    request, response = har.request, har.response
    teller = next((message for message in (request, response) if message.code(prefixes)), None)
    attribution = teller.attribution if teller else request.attribution or response.attribution
    source = request.communication.src if request.communication else _End()
    return Row(
        at=at,
        time=_moment(har.timestamp, har.started),
        duration=har.time or 0,
        method=request.method,
        url=request.url,
        host=_host(request.url),
        status=response.status,
        type=_essence(response.content) or _essence(request.post_data) or _essence(request.content),
        protocol=request.http_version or response.http_version or "",
        connection=har.connection or "",
        client=source.host or source.ip or "",
        sent=request.size,
        received=response.size,
        code=teller.code(prefixes) if teller else "",
        sdk=har.sdk,
        confidence=attribution.confidence if attribution else None,
        decrypted=_REQUEST * bool(request.decryption) | _RESPONSE * bool(response.decryption),
        messages=len(har.websocket or har.events or ()),
        incomplete=bool(har.incomplete),
    )


def connection_row(connection: Json, at: tuple[int, int]) -> ConnectionRow:
    """The row of a connection. Raises msgspec.ValidationError if it is not one of ours."""
    har = msgspec.convert(connection, _Connection, strict=False)
    secured = (har.quic or har.tls or {}).get("version")
    return ConnectionRow(
        at=at,
        id=har.id,
        time=_moment(har.timestamp, har.started),
        duration=har.time or 0,
        protocol=har.protocol,
        application=har.application or har.service or "",
        client=_address(har.client),
        server=_address(har.server),
        host=har.server.host or har.server.ip or "",
        secured=str(secured or ("QUIC" if har.quic else "TLS" if har.tls else "")),
        decrypted=har.decrypted or "",
        reason=har.reason or "",
        exchanges=har.exchanges,
        sent=har.bytes.get("client", 0),
        received=har.bytes.get("server", 0),
        sdk=har.sdk,
    )


def _address(end: _End) -> str:
    ip = end.ip or ""
    return f"[{ip}]:{end.port}" if ":" in ip else f"{ip}:{end.port}"


def _moment(timestamp: float | None, started: str) -> float:
    """Seconds since the epoch; 0 where neither says."""
    if timestamp is not None:
        return timestamp
    try:
        return seconds(round(datetime.fromisoformat(started).timestamp() * 1_000_000) * 1000) or 0
    except ValueError:
        return 0


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that are no IPv6 address
        return url.partition("://")[2].partition("/")[0]


def _essence(body: _Body | None) -> str:
    """MIME type without parameters, lower case."""
    return (body.mime_type or "").partition(";")[0].strip().lower() if body else ""
