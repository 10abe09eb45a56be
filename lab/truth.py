"""What clients and servers know that they exchanged.

An exchange has a number. It travels in the request header `x-truth`, or, where a client cannot set headers, in the
query parameter of that name; so a HAR's entry is found again without any guess. Bodies are kept as sizes and digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

KEY: Final = "x-truth"
NOT_DECODED: Final = -1
"""Size of a body whose coding the client did not undo: the server's account stands in for it."""


@dataclass(slots=True)
class Body:
    size: int = 0
    """Bytes once the content codings are undone."""
    sha256: str = hashlib.sha256().hexdigest()
    """Of the same bytes."""
    transferred: int | None = None
    """Bytes as transferred: after the transfer coding, before the content coding is undone. None: not known."""

    @classmethod
    def of(cls, data: bytes, transferred: int | None = None) -> Self:
        return cls(len(data), hashlib.sha256(data).hexdigest(), len(data) if transferred is None else transferred)


@dataclass(slots=True)
class WebSocketMessage:
    type: str
    """"send" (by the client) or "receive"."""
    opcode: int
    size: int
    sha256: str

    @classmethod
    def of(cls, type_: str, data: str | bytes) -> Self:
        raw = data.encode() if isinstance(data, str) else data
        return cls(type_, 1 if isinstance(data, str) else 2, len(raw), hashlib.sha256(raw).hexdigest())


@dataclass(slots=True)
class WebSocketClose:
    type: str
    code: int | None
    reason: str = ""


@dataclass(slots=True)
class ServerSentEvent:
    event: str
    id: str
    data: str
    time: float
    """When the server sent it: seconds since the epoch."""


@dataclass(slots=True)
class Exchange:
    id: int
    protocol: str
    """As in a HAR: "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"."""
    method: str
    url: str
    request_headers: list[tuple[str, str]] = field(default_factory=list)
    """Those that the client's program gave; its library may have added others."""
    request: Body = field(default_factory=Body)
    request_trailers: list[tuple[str, str]] = field(default_factory=list)
    status: int = 0
    """0: no response came."""
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    """Those that the server's program gave; its library may have added others."""
    response: Body = field(default_factory=Body)
    response_trailers: list[tuple[str, str]] = field(default_factory=list)
    websocket: list[WebSocketMessage] | None = None
    """In the order of each direction; how the two interleave is not known to either end."""
    websocket_close: WebSocketClose | None = None
    events: list[ServerSentEvent] | None = None
    server: str = ""
    """Address of the server."""
    interim: list[int] = field(default_factory=list)
    """Statuses of the informational responses."""
    response_protocol: str = ""
    """Where it differs from `protocol`."""
    exact_headers: bool = False
    """The lists above are all headers and trailers that were sent, pseudo-headers too, case and order kept."""
    pushed: bool = False
    readable: bool = True
    """False: no key, or bytes not captured: a HAR need not have it."""
    clear_request: Body | None = None
    """What the body was before the app encrypted it."""
    clear_response: Body | None = None
    sdk: str = ""
    """The class that asked for it."""
    identifiers: list[dict[str, str]] = field(default_factory=list)
    """Identifiers that left the device: `name`, `form`, `where`."""

    def message(self, type_: str, data: str | bytes) -> None:
        """Note a WebSocket message."""
        self.websocket = [*(self.websocket or []), WebSocketMessage.of(type_, data)]


@dataclass(slots=True)
class Connection:
    """A TLS or QUIC connection of which something is worth knowing."""

    server: str
    port: int
    sni: str = ""
    version: str = ""
    cipher: str = ""
    alpn: str = ""
    resumed: bool | None = None
    decrypted: bool | None = True
    """None: there was nothing to decrypt."""
    note: str = ""


@dataclass(slots=True)
class Name:
    """What a DNS server answered."""

    name: str
    type: str
    answers: list[str]
    server: str


@dataclass(slots=True)
class Truth:
    scenario: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    exact_count: bool = True
    """The capture holds these exchanges and no other."""

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            raw["scenario"],
            [_exchange(item) for item in raw["exchanges"]],
            [Connection(**item) for item in raw["connections"]],
            [Name(**item) for item in raw["names"]],
            raw["exact_count"],
        )


def _exchange(raw: dict[str, Any]) -> Exchange:
    for name in ("request_headers", "request_trailers", "response_headers", "response_trailers"):
        raw[name] = [(key, value) for key, value in raw[name]]
    for name in ("request", "response", "clear_request", "clear_response"):
        raw[name] = None if raw[name] is None else Body(**raw[name])
    if raw["websocket"] is not None:
        raw["websocket"] = [WebSocketMessage(**item) for item in raw["websocket"]]
    if raw["websocket_close"] is not None:
        raw["websocket_close"] = WebSocketClose(**raw["websocket_close"])
    if raw["events"] is not None:
        raw["events"] = [ServerSentEvent(**item) for item in raw["events"]]
    return Exchange(**raw)


def number_in(headers: Iterable[tuple[str, str]], url: str) -> int | None:
    """The number of an exchange, from its request headers or else its URL; None where it has none."""
    for name, value in headers:
        if name.lower() == KEY and value.isdigit():
            return int(value)
    for name, value in parse_qsl(urlsplit(url).query):
        if name == KEY and value.isdigit():
            return int(value)
    return None
