"""Each place of an exchange is looked at, once, and is called what people call it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.findings.making import EMAIL, FINDER, entry, found


def where(item: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding.where, finding.direction) for finding in found(item)]


def websocket(data: str, kind: str = "send", opcode: int = 1) -> dict[str, Any]:
    return {"_webSocketMessages": [{"type": kind, "opcode": opcode, "data": data, "time": 1.0}]}


@pytest.mark.parametrize(
    ("item", "place"),
    [
        (entry(f"https://{EMAIL}.evil.example/a"), ("host", "out")),
        (entry(f"https://example.org/u/{EMAIL}/x"), ("path", "out")),
        (entry(f"https://example.org/u?a=1&e={EMAIL}"), ("query", "out")),
        (entry(f"https://example.org/u#{EMAIL}"), ("fragment", "out")),
        (entry(headers={"X-User": EMAIL}), ("header x-user", "out")),
        (entry(headers={"Cookie": f"a=b; u={EMAIL}"}), ("cookie", "out")),
        (entry(answer_headers={"Set-Cookie": f"u={EMAIL}; Path=/"}), ("cookie", "in")),
        (entry(answer_headers={"X-Echo": EMAIL}), ("header x-echo", "in")),
        (entry(body=EMAIL.encode()), ("body", "out")),
        (entry(body=b"\0\xff" + EMAIL.encode()), ("body", "out")),
        (entry(answer=EMAIL.encode()), ("body", "in")),
        (entry(answer=b"\0\xff" + EMAIL.encode()), ("body", "in")),
        (entry(**websocket(EMAIL)), ("websocket", "out")),
        (entry(**websocket(EMAIL, "receive")), ("websocket", "in")),
        (entry(**websocket(base64.b64encode(b"\xff" + EMAIL.encode()).decode(), opcode=2)), ("websocket", "out")),
        (entry(_webSocketClose={"type": "send", "code": 1000, "reason": EMAIL}), ("websocket", "out")),
        (entry(_eventStream=[{"event": "message", "id": "", "data": EMAIL}]), ("event stream", "in")),
        (entry(_interimResponses=[{"headers": [{"name": "Link", "value": EMAIL}]}]), ("header link", "in")),
    ],
)  # fmt: skip
def test_places(item: dict[str, Any], place: tuple[str, str]) -> None:
    assert where(item) == [place]


def test_headers_that_repeat_the_url_do_not_count_twice() -> None:
    headers = {":path": f"/?e={EMAIL}", ":authority": "example.org", "Host": EMAIL}
    assert where(entry(f"https://example.org/?e={EMAIL}", headers=headers)) == [("query", "out")]


def test_a_trailer_is_a_header() -> None:
    item = entry()
    item["request"]["_trailers"] = [{"name": "X-Sum", "value": EMAIL}]
    assert where(item) == [("header x-sum", "out")]


def test_a_decrypted_body_is_called_so() -> None:
    item = entry(body=EMAIL.encode())
    item["request"]["_decryption"] = {"originalBase64Content": "AAAA"}
    assert where(item) == [("decrypted body", "out")]


def test_a_body_of_which_the_parameters_alone_are_known() -> None:
    item = entry()
    item["request"]["postData"] = {"mimeType": "", "params": [{"name": "e", "value": EMAIL}]}
    assert where(item) == [("body", "out")]


def test_an_event_is_not_found_again_in_the_body() -> None:
    item = entry(answer=f"data: {EMAIL}\n\n".encode(), _eventStream=[{"event": "", "id": "", "data": EMAIL}])
    assert where(item) == [("event stream", "in")]


def test_what_is_sent_twice_in_one_place_is_one_finding() -> None:
    assert where(entry(body=f"{EMAIL} {EMAIL}".encode())) == [("body", "out")]


def test_a_response_that_never_came() -> None:
    assert where({"request": {"url": f"https://a/{EMAIL}"}}) == [("path", "out")]


@pytest.mark.parametrize("cut", range(0, 1 << 20, 99_991))
def test_a_large_body_is_looked_at_in_windows_wherever_it_is_cut(cut: int) -> None:
    body = b"x" * ((1 << 20) - cut) + b" " + EMAIL.encode() + b" " + b"y" * (1 << 20)
    item = entry()
    item["response"]["content"] = {"size": len(body), "text": "\0marker\0"}
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    assert [f.where for f in FINDER.find(item, {"\0marker\0": pieces})] == ["body"]
