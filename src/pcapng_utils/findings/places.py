"""The parts of a HAR entry that came from the wire, each as bytes, with what people call the place."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlencode

import pybase64

Json = dict[str, Any]
Direction = Literal["out", "in"]
"""From the phone, or to it."""

_COOKIES: Final = frozenset({"cookie", "set-cookie"})
_IN_URL: Final = frozenset({"host"})
"""Headers that the URL holds as well; so do those that begin with a colon (HTTP/2 and 3)."""
_WEBSOCKETS: Final = ("_webSocketMessages", "_webSocketControlFrames")
_WINDOW: Final = 1 << 20
"""Bytes of a large body that are looked at together, nested codings and all."""
_DIRECTIONS: Final[dict[str, Direction]] = {"send": "out", "receive": "in"}


class Place(NamedTuple):
    """A part of an exchange."""

    where: str
    """"host", "path", "query", "header NAME", "cookie", "body", "decrypted body", "websocket", "event stream"."""
    direction: Direction
    data: bytes
    large: Iterable[bytes] = ()
    """A body too large for memory, in pieces: `data` is empty then."""

    def windows(self, overlap: int) -> Iterator[bytes]:
        """What is there, in portions that can be looked at; `overlap`: bytes that two of them have in common."""
        if self.data:
            yield self.data
        window = bytearray()
        for piece in self.large:
            window += piece
            if len(window) >= _WINDOW:
                yield bytes(window)
                del window[:-overlap]
        if window:
            yield bytes(window)


Large = Mapping[str, Iterable[bytes]]
"""Bodies that are not in their entry, in pieces, by the text that stands for each."""


def places(entry: Json, large: Large | None = None) -> Iterator[Place]:
    """Every part of an entry in which something may have been sent, bodies last."""
    request, response = entry["request"], entry.get("response") or {}
    for where, text in url_parts(request.get("url") or ""):
        yield Place(where, "out", _bytes(text))
    yield from _headers(request, "out")
    yield from _headers(response, "in")
    for interim in entry.get("_interimResponses") or ():
        yield from _headers(interim, "in")
    yield from _messages(entry)
    yield _body(request, "out", request.get("postData") or request.get("_content"), large or {})
    yield _body(response, "in", response.get("content"), large or {})


def url_parts(url: str) -> Iterator[tuple[str, str]]:
    """Host (with all that stands before the path), path and query of an absolute URL."""
    _, mark, rest = url.partition("://")
    rest = rest if mark else url
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    yield "host", authority
    yield "path", slash + path
    yield "query", query
    yield "fragment", fragment


def body_of(content: Json) -> bytes:
    """The bytes of HAR's `content` or `postData`, in UTF-8 if they are text; the parameters of a form without text."""
    text = content.get("text") or ""
    if not text and content.get("params"):
        return urlencode([(one.get("name") or "", one.get("value") or "") for one in content["params"]]).encode()
    if content.get("encoding") == "base64":
        try:
            return pybase64.b64decode(text)
        except (binascii.Error, ValueError):
            pass  # not what it says: its letters, then
    return _bytes(text)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _body(message: Json, direction: Direction, content: Json | None, large: Large) -> Place:
    where = "decrypted body" if message.get("_decryption") else "body"
    pieces = large.get((content or {}).get("text") or "")
    if pieces is not None:
        return Place(where, direction, b"", pieces)
    return Place(where, direction, body_of(content or {}))


def _headers(message: Json, direction: Direction) -> Iterator[Place]:
    cookies = False
    for header in (*(message.get("headers") or ()), *(message.get("_trailers") or ())):
        name = str(header.get("name") or "").lower()
        if name.startswith(":") or name in _IN_URL:
            continue
        cookie = name in _COOKIES
        cookies |= cookie
        yield Place("cookie" if cookie else f"header {name}", direction, _bytes(header.get("value") or ""))
    if not cookies:
        for one in message.get("cookies") or ():
            yield Place("cookie", direction, _bytes(f"{one.get('name')}={one.get('value')}"))


def _messages(entry: Json) -> Iterator[Place]:
    for name in _WEBSOCKETS:
        for message in entry.get(name) or ():
            direction = _DIRECTIONS.get(message.get("type") or "", "out")
            yield Place("websocket", direction, websocket_data(message))
    close = entry.get("_webSocketClose") or {}
    if close.get("reason"):
        yield Place("websocket", _DIRECTIONS.get(close.get("type") or "", "out"), _bytes(close["reason"]))
    for event in entry.get("_eventStream") or ():
        yield Place(
            "event stream", "in", _bytes("\n".join(str(event.get(key) or "") for key in ("id", "event", "data")))
        )


def is_base64(message: Json) -> bool:
    """Whether a WebSocket message's data are written in base64 (HTTP Toolkit's form)."""
    return message.get("opcode") != 1 or message.get("_encoding") == "base64"


def websocket_data(message: Json) -> bytes:
    """The bytes of a WebSocket message."""
    data = message.get("data") or ""
    return body_of({"text": data, "encoding": "base64"} if is_base64(message) else {"text": data})
