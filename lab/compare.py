"""Does a HAR say what was exchanged? Every difference is a sentence.

Entries and exchanges are joined by the number that each request carries. What a library adds of its own (Host, Date,
...) is not held against a HAR; what the lab's programs gave must be there, in its order, to the letter.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from lab.truth import Body, Exchange, Truth, WebSocketMessage, number_in

Entry = dict[str, Any]
Pairs = Sequence[tuple[str, str]]

_EVENT_TOLERANCE: Final = 0.5
"""Seconds between a server's sending an event and its being seen on the wire."""


def compare(har: dict[str, Any], truth: Truth) -> list[str]:
    """What differs between a HAR (spec: the HAR file) and the truth; an empty list means that they agree."""
    found = _by_number(har["log"]["entries"])
    differences: list[str] = []
    for exchange in truth.exchanges:
        entries = found.pop(exchange.id, [])
        if not exchange.readable and not entries:
            continue
        if len(entries) != 1:
            differences.append(f"exchange {exchange.id} ({exchange.method} {exchange.url}): {len(entries)} entries")
            continue
        differences += [f"exchange {exchange.id}: {text}" for text in _differences(entries[0], exchange)]
    if truth.exact_count:
        for number, entries in found.items():
            for entry in entries:
                request = entry["request"]
                differences.append(f"never exchanged ({number}): {request['method']} {request['url']}")
    return [*differences, *_connection_differences(har, truth), *_name_differences(har, truth)]


def _connection_differences(har: dict[str, Any], truth: Truth) -> Iterator[str]:
    """Where the truth names connections, it names all to their server, in their order."""
    if not truth.connections:
        return
    ends = {(connection.server, connection.port) for connection in truth.connections}
    seen = [item for item in har["log"]["_connections"] if (item["server"]["ip"], item["server"]["port"]) in ends]
    seen.sort(key=lambda item: item["_timestamp"])
    if len(seen) != len(truth.connections):
        yield f"{len(seen)} connections, not {len(truth.connections)}"
        return
    for number, (item, connection) in enumerate(zip(seen, truth.connections, strict=True)):
        tls = item["tls"]
        facts = (
            ("version", tls["version"], connection.version.replace("TLSv1", "TLS 1")),
            ("SNI", tls["sni"] or "", connection.sni),
            ("ALPN", tls["alpn"] or "", connection.alpn),
            ("resumed", tls["resumed"], tls["resumed"] if connection.resumed is None else connection.resumed),
            (
                "decrypted",
                connection.decrypted is None or item["decrypted"] == "yes",
                connection.decrypted is not False,
            ),
        )
        for name, ours, true in facts:
            if ours.removesuffix(".0") != true if isinstance(ours, str) else ours != true:
                yield f"connection {number} ({connection.cipher}, {connection.note}): {name} is {ours!r}, not {true!r}"


def _name_differences(har: dict[str, Any], truth: Truth) -> Iterator[str]:
    if not truth.names:
        return
    ours = [(item["name"], item["type"], _addresses(item), item["server"]) for item in har["log"]["_dns"]]
    true = [(item.name, item.type, item.answers, item.server) for item in truth.names]
    if ours != true:
        yield f"names are {ours}, not {true}"


def _addresses(item: dict[str, Any]) -> list[str]:
    return [answer["data"] for answer in item["answers"]]


def _by_number(entries: list[Entry]) -> dict[int | None, list[Entry]]:
    found: dict[int | None, list[Entry]] = {}
    for entry in entries:
        request = entry["request"]
        found.setdefault(number_in(_pairs(request["headers"]), request["url"]), []).append(entry)
    return found


def _differences(entry: Entry, exchange: Exchange) -> Iterator[str]:
    if not exchange.readable:
        return  # what could be read of it is more than was asked for
    for check in _CHECKS:
        yield from check(entry, exchange)


def _check_facts(entry: Entry, exchange: Exchange) -> Iterator[str]:
    request, response = entry["request"], entry["response"]
    facts = (
        ("method", request["method"], exchange.method),
        ("url", request["url"], exchange.url),
        ("request.httpVersion", request["httpVersion"], exchange.protocol),
        ("status", response["status"], exchange.status),
        ("_pushed", entry.get("_pushed", False), exchange.pushed),
    )
    for name, ours, true in facts:
        if ours != true:
            yield f"{name} is {ours!r}, not {true!r}"
    if exchange.status and response["httpVersion"] != (exchange.response_protocol or exchange.protocol):
        yield f"response.httpVersion is {response['httpVersion']!r}"
    if exchange.server and entry.get("serverIPAddress") != exchange.server:
        yield f"serverIPAddress is {entry.get('serverIPAddress')!r}, not {exchange.server!r}"


def _check_headers(entry: Entry, exchange: Exchange) -> Iterator[str]:
    request, response = entry["request"], entry["response"]
    lists = (
        ("request.headers", request["headers"], exchange.request_headers),
        ("request._trailers", request.get("_trailers", []), exchange.request_trailers),
        ("response.headers", response["headers"], exchange.response_headers),
        ("response._trailers", response.get("_trailers", []), exchange.response_trailers),
    )
    for name, items, given in lists:
        ours = _pairs(items)
        if exchange.exact_headers:
            if ours != list(given):
                yield f"{name} are {ours}, not {given}"
        else:
            yield from (f"{name} lack {pair}" for pair in _missing(ours, given))
    interim = [item["status"] for item in entry.get("_interimResponses", [])]
    if interim != exchange.interim:
        yield f"interim responses are {interim}, not {exchange.interim}"


def _missing(ours: Pairs, given: Pairs) -> list[tuple[str, str]]:
    """Those of `given` that are not in `ours` in that order; upper and lower case of names are the library's."""
    rest = iter((name.lower(), value) for name, value in ours)
    return [(name, value) for name, value in given if (name.lower(), value) not in rest]


def _check_bodies(entry: Entry, exchange: Exchange) -> Iterator[str]:
    request, response = entry["request"], entry["response"]
    content = request.get("postData") or request.get("_content") or {}
    size = content.get("_size", content.get("size", 0))
    yield from _body("request", content, size, request["bodySize"], exchange.request)
    if exchange.status:
        content = response["content"]
        yield from _body("response", content, content["size"], response["bodySize"], exchange.response)


def _body(side: str, content: dict[str, Any], size: int, body_size: int, true: Body) -> Iterator[str]:
    if size != true.size:
        yield f"{side} body has {size} bytes, not {true.size}"
    elif content.get("_sha256", Body().sha256) != true.sha256:
        yield f"{side} body of {size} bytes has the digest {content.get('_sha256')}, not {true.sha256}"
    elif not _says_so(content, true):
        yield f"{side} body: its text does not stand for the bytes of its digest"
    if true.transferred is not None and body_size != true.transferred:
        yield f"{side} bodySize is {body_size}, not {true.transferred}"


def _says_so(content: dict[str, Any], true: Body) -> bool:
    """Whether a content's text is the body. Texts of charsets other than UTF-8 are not judged."""
    text = content.get("text")
    if text is None or "charset=" in content["mimeType"].lower().replace("charset=utf-8", ""):
        return True
    data = base64.b64decode(text) if content.get("encoding") == "base64" else text.encode()
    return hashlib.sha256(data).hexdigest() == true.sha256


def _check_websocket(entry: Entry, exchange: Exchange) -> Iterator[str]:
    if (exchange.websocket is None) != ("_webSocketMessages" not in entry):
        yield "it is a WebSocket on one side alone"
    elif exchange.websocket is not None:
        ours = [_message(item) for item in entry["_webSocketMessages"]]
        for direction in ("send", "receive"):
            seen = [item for item in ours if item.type == direction]
            true = [item for item in exchange.websocket if item.type == direction]
            if seen != true:
                place = next((n for n, pair in enumerate(zip(seen, true, strict=False)) if pair[0] != pair[1]), -1)
                yield f"WebSocket, {direction}: {len(seen)} messages, not {len(true)}; the first to differ: {place}"
        close, wanted = entry.get("_webSocketClose"), exchange.websocket_close
        ours_close = close and (close["type"], close["code"], close["reason"])
        true_close = wanted and (wanted.type, wanted.code, wanted.reason)
        if ours_close != true_close:
            yield f"WebSocket close is {ours_close}, not {true_close}"


def _message(item: dict[str, Any]) -> WebSocketMessage:
    binary = item["opcode"] != 1 or item.get("_encoding") == "base64"
    data = base64.b64decode(item["data"]) if binary else item["data"].encode()
    return WebSocketMessage(item["type"], item["opcode"], len(data), hashlib.sha256(data).hexdigest())


def _check_events(entry: Entry, exchange: Exchange) -> Iterator[str]:
    if exchange.events is None:
        return
    ours = entry.get("_eventStream", [])
    seen = [(item["event"], item["id"], item["data"]) for item in ours]
    true = [(item.event, item.id, item.data) for item in exchange.events]
    if seen != true:
        yield f"events are {seen}, not {true}"
        return
    for item, event in zip(ours, exchange.events, strict=True):
        if not event.time - 0.002 <= item["time"] <= event.time + _EVENT_TOLERANCE:
            yield f"event {event.id} was seen at {item['time']}, but sent at {event.time}"


def _pairs(items: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(item["name"], item["value"]) for item in items]


_CHECKS: Final[tuple[Callable[[Entry, Exchange], Iterator[str]], ...]] = (
    _check_facts,
    _check_headers,
    _check_bodies,
    _check_websocket,
    _check_events,
)
