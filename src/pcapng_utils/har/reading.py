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
    log = har.get("log") if isinstance(har, dict) else None
    if not isinstance(log, dict) or not isinstance(log.get("entries"), list):
        raise InputError(f'{path} is no HAR: an object "log" with a list "entries" was expected.')
    return {"log": log}


class _Pair(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class _Body(msgspec.Struct):
    text: str | None = None
    encoding: str | None = None
    params: list[_Pair] | None = None


class _Message(msgspec.Struct, rename={"sent": "postData", "trailers": "_trailers", "other": "_content"}):
    url: str | None = None
    headers: list[_Pair] | None = None
    cookies: list[_Pair] | None = None
    trailers: list[_Pair] | None = None
    sent: _Body | None = None
    content: _Body | None = None
    other: _Body | None = None


class _WebSocketMessage(msgspec.Struct):
    data: str | None = None


class _Entry(msgspec.Struct, rename={"messages": "_webSocketMessages", "events": "_eventStream"}):
    request: _Message
    response: _Message | None = None
    messages: list[_WebSocketMessage] | None = None
    events: list[dict[str, Any]] | None = None


def check_entry(number: int, entry: Any) -> None:
    """Raise InputError if an entry has something else where HAR has messages and their parts."""
    try:
        msgspec.convert(entry, _Entry)
    except msgspec.ValidationError as error:
        raise InputError(f"entries[{number}] is not what HAR has there ({error}).") from None
