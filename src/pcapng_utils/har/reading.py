"""HAR files as they come: read whole, and looked at before they are believed."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any, Final

import msgspec

from pcapng_utils.errors import InputError, unreadable

_LOOKED_AT: Final = 256


def is_har(path: Path) -> bool:
    """Whether a file begins as a HAR does: no capture begins with a brace."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_AT).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")
    except OSError as error:
        raise unreadable(path, error) from None


def read_har(path: Path) -> dict[str, Any]:
    """The parsed HAR. Raises InputError if the file is not there, is not JSON, or is not a HAR."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        har = msgspec.json.decode(text.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no HAR: JSON was expected ({error}).") from None
    try:
        msgspec.convert(har, _Har)
    except msgspec.ValidationError as error:
        raise InputError(f'{path} is no HAR: an object "log" with a list "entries" was expected ({error}).') from None
    return {"log": har["log"]}


class _Clock(msgspec.Struct):
    offset: float = 0
    drift: float = 0
    anchors: int = 0
    spread: float = 0


class _Found(msgspec.Struct):
    clock: _Clock | None = None
    shift: float | None = None


class _Metadata(msgspec.Struct):
    attribution: _Found | None = None


class _Creator(msgspec.Struct):
    metadata: _Metadata | None = msgspec.field(name="_metadata", default=None)


class _Log(msgspec.Struct):
    entries: list[Any]
    creator: _Creator | None = None
    connections: list[Any] | None = msgspec.field(name="_connections", default=None)
    problems: list[dict[str, Any]] | None = msgspec.field(name="_problems", default=None)


class _Har(msgspec.Struct):
    log: _Log


class _Pair(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class _Body(msgspec.Struct):
    text: str | None = None
    encoding: str | None = None
    params: list[_Pair] | None = None


class _Frame(msgspec.Struct, rename={"name": "class"}):
    name: str | None = None
    method: str | None = None


class _Call(msgspec.Struct):
    stack: list[_Frame] | None = None


class _Candidate(msgspec.Struct):
    code: str | None = None
    confidence: float | None = None


class _Choice(msgspec.Struct):
    confidence: float | None = None
    shared: list[Any] | None = None
    alternatives: list[_Candidate] | None = None
    inferred: _Candidate | None = None


class _Decryption(msgspec.Struct):
    parameters: dict[str, Any] | None = msgspec.field(name="primitiveParameters", default=None)


_MEMBERS: Final = {
    "sent": "postData",
    "trailers": "_trailers",
    "other": "_content",
    "call": "_stacktrace",
    "choice": "_attribution",
    "decryption": "_decryption",
}


class _Message(msgspec.Struct, rename=_MEMBERS):
    method: str | None = None
    url: str | None = None
    headers: list[_Pair] | None = None
    query: list[_Pair] | None = msgspec.field(name="queryString", default=None)
    cookies: list[_Pair] | None = None
    trailers: list[_Pair] | None = None
    headers_size: float | None = msgspec.field(name="headersSize", default=None)
    body_size: float | None = msgspec.field(name="bodySize", default=None)
    sent: _Body | None = None
    content: _Body | None = None
    other: _Body | None = None
    call: _Call | None = None
    choice: _Choice | None = None
    decryption: _Decryption | None = None


class _WebSocketMessage(msgspec.Struct):
    data: str | None = None


class _Entry(msgspec.Struct, rename={"messages": "_webSocketMessages", "events": "_eventStream"}):
    request: _Message
    response: _Message | None = None
    started: str | None = msgspec.field(name="startedDateTime", default=None)
    messages: list[_WebSocketMessage] | None = None
    events: list[dict[str, Any]] | None = None


class _End(msgspec.Struct):
    host: str | None = None


class _Tls(msgspec.Struct):
    sni: str | None = None


class _Connection(msgspec.Struct):
    server: _End | None = None
    tls: _Tls | None = None
    call: _Call | None = msgspec.field(name="_stacktrace", default=None)


class _Server(msgspec.Struct):
    ip: str
    host: str
    port: int


class _Bytes(msgspec.Struct):
    client: int
    server: int


class _Secured(msgspec.Struct):
    version: str | None = None


class _Row(msgspec.Struct):
    """A connection with all that a table of them shows."""

    id: str
    started: str = msgspec.field(name="startedDateTime")
    timestamp: float = msgspec.field(name="_timestamp")
    frames: list[int]
    protocol: str
    application: str | None
    service: str | None
    server: _Server
    exchanges: int
    bytes: _Bytes
    decrypted: str
    reason: str
    tls: _Secured | None
    quic: _Secured | None = None


def check_entry(number: int, entry: Any, name: str) -> None:
    """Raise InputError if an entry of the file has something else where HAR has messages and their parts."""
    _check(name, f"entries[{number}]", entry, _Entry)


def check_connection(number: int, row: Any, name: str, *, whole: bool = False) -> None:
    """The same of a row of `log._connections`; `whole`: it must have all that a table of connections shows."""
    _check(name, f"_connections[{number}]", row, _Row if whole else _Connection)


def _check(name: str, place: str, value: Any, expected: Any) -> None:
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        raise InputError(f"{name}: {place} is not what HAR has there ({error}).") from None
