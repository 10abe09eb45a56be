"""The comparer finds what differs between a HAR and the truth."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.compare import compare
from lab.truth import Body, Exchange, ServerSentEvent, Truth, WebSocketClose, WebSocketMessage

HEADERS = [("x-truth", "1"), ("a", "1"), ("a", "2")]


def truth() -> Truth:
    exchange = Exchange(1, "HTTP/1.1", "POST", "https://shop.lab.test/a", HEADERS, Body.of(b"sent"))
    exchange.status, exchange.response, exchange.server = 200, Body.of(b"\xff\0", 9), "10.77.1.1"
    exchange.response_trailers, exchange.interim = [("t", "1")], [103]
    exchange.events = [ServerSentEvent("tick", "1", "data", 5.0)]
    socket = Exchange(2, "HTTP/2", "CONNECT", "https://shop.lab.test/ws?x-truth=2", status=200)
    socket.websocket = [WebSocketMessage.of("send", "ü"), WebSocketMessage.of("receive", b"\0")]
    socket.websocket_close = WebSocketClose("send", 1000, "done")
    return Truth("test", [exchange, socket])


def pairs(*items: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in items]


def har() -> dict[str, Any]:
    digests = [hashlib.sha256(data).hexdigest() for data in (b"sent", b"\xff\0")]
    post = {"mimeType": "text/plain", "text": "sent", "_size": 4, "_sha256": digests[0]}
    content = {"mimeType": "x/y", "text": "/wA=", "encoding": "base64", "size": 2, "_sha256": digests[1]}
    request: dict[str, Any] = {
        "method": "POST",
        "url": "https://shop.lab.test/a",
        "httpVersion": "HTTP/1.1",
        "bodySize": 4,
    }
    request |= {"headers": pairs(("X-Truth", "1"), ("a", "1"), ("host", "h"), ("a", "2")), "postData": post}
    response: dict[str, Any] = {"status": 200, "httpVersion": "HTTP/1.1", "headers": [], "_trailers": pairs(("t", "1"))}
    response |= {"content": content, "bodySize": 9}
    first: dict[str, Any] = {"request": request, "response": response, "serverIPAddress": "10.77.1.1"}
    first |= {"_interimResponses": [{"status": 103}]}
    first |= {"_eventStream": [{"event": "tick", "id": "1", "data": "data", "time": 5.01}]}
    request = {"method": "CONNECT", "url": "https://shop.lab.test/ws?x-truth=2", "httpVersion": "HTTP/2", "headers": []}
    response = {"status": 200, "httpVersion": "HTTP/2", "headers": [], "bodySize": 0}
    second: dict[str, Any] = {"request": request | {"bodySize": 0}}
    second |= {"response": response | {"content": {"mimeType": "", "size": 0}}}
    second["_webSocketMessages"] = [
        {"type": "send", "opcode": 1, "data": "ü"},
        {"type": "receive", "opcode": 2, "data": "AA=="},
    ]
    second["_webSocketClose"] = {"type": "send", "code": 1000, "reason": "done"}
    return {"log": {"entries": [first, second]}}


def test_what_agrees_agrees() -> None:
    assert compare(har(), truth()) == []


def test_a_truth_reads_back_as_it_was_saved(tmp_path: Path) -> None:
    truth().save(tmp_path / "truth.json")
    assert Truth.load(tmp_path / "truth.json") == truth()


Change = Callable[[dict[str, Any], dict[str, Any]], object]

CHANGES: dict[str, Change] = {
    "method": lambda first, second: first["request"].update(method="PUT"),
    "url": lambda first, second: first["request"].update(url="https://shop.lab.test/b"),
    "version": lambda first, second: second["request"].update(httpVersion="HTTP/3"),
    "status": lambda first, second: first["response"].update(status=204),
    "server": lambda first, second: first.update(serverIPAddress="10.77.1.2"),
    "a header less": lambda first, second: first["request"]["headers"].pop(1),
    "headers in another order": lambda first, second: first["request"]["headers"].reverse(),
    "a trailer's value": lambda first, second: first["response"]["_trailers"][0].update(value="2"),
    "no interim response": lambda first, second: first.pop("_interimResponses"),
    "a body's size": lambda first, second: first["response"]["content"].update(size=3),
    "a body's digest": lambda first, second: first["request"]["postData"].update(_sha256="0" * 64),
    "a body's text": lambda first, second: first["request"]["postData"].update(text="tens"),
    "a binary body's text": lambda first, second: first["response"]["content"].update(text="/wE="),
    "bytes transferred": lambda first, second: first["response"].update(bodySize=2),
    "a message less": lambda first, second: second["_webSocketMessages"].pop(),
    "a message's text": lambda first, second: second["_webSocketMessages"][0].update(data="u"),
    "a message's opcode": lambda first, second: second["_webSocketMessages"][1].update(opcode=1),
    "the close code": lambda first, second: second["_webSocketClose"].update(code=1001),
    "no WebSocket": lambda first, second: second.pop("_webSocketMessages"),
    "an event's data": lambda first, second: first["_eventStream"][0].update(data="date"),
    "an event's time": lambda first, second: first["_eventStream"][0].update(time=9.0),
    "pushed": lambda first, second: first.update(_pushed=True),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_difference_is_found(change: Change) -> None:
    changed = har()
    change(*changed["log"]["entries"])
    assert compare(changed, truth())


def test_entries_that_were_never_exchanged_and_exchanges_without_entry_are_found() -> None:
    more, less = har(), har()
    stray = copy.deepcopy(more["log"]["entries"][0])
    stray["request"]["headers"] = []
    more["log"]["entries"].append(stray)
    assert len(compare(more, truth())) == 1
    less["log"]["entries"].pop()
    assert len(compare(less, truth())) == 1
