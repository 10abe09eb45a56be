"""Exchanges as HAR entries."""

from __future__ import annotations

import base64
import gzip
import hashlib
from typing import Any

import pytest

from pcapng_utils.har.spool import Spool
from pcapng_utils.har.timings import iso_time, seconds
from pcapng_utils.http.exchange import (
    Exchange,
    Header,
    ServerSentEvent,
    WebSocketClose,
    WebSocketLog,
    WebSocketMessage,
)
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.net.flow import Endpoint
from pcapng_utils.tls.facts import TlsFacts
from tests.har.making import MS, START, at, builder, entry_of, exchange, flow, har_entry, request, response

TLS = TlsFacts(sni="shop.example", hello_time=START - 18 * MS, finished_time=START - 5 * MS)


def test_an_entry_says_when_where_and_what() -> None:
    sent = request(b"/basket?id=7&gift", headers=[(b"Cookie", b"a=1; b=2")])
    received = response(
        200, [(b"Content-Type", b"text/html"), (b"Set-Cookie", b"c=3; Path=/; Secure")], b"<p>", version="HTTP/1.0"
    )
    entry = har_entry(exchange(sent, received), tls=TLS)
    assert {key: entry[key] for key in ("_timestamp", "serverIPAddress", "connection", "_communityId", "cache")} == {
        "_timestamp": seconds(START),
        "serverIPAddress": "203.0.113.7",
        "connection": "1",
        "_communityId": "1:id=",
        "cache": {},
    }
    assert entry["startedDateTime"] == iso_time(START - 30 * MS)
    assert entry["timings"] == {
        "blocked": 5.0, "dns": -1, "connect": 25.0, "ssl": 13.0, "send": 0.0, "wait": 50.0, "receive": 10.0,
    }  # fmt: skip
    assert entry["time"] == 90.0
    assert entry["request"] == {
        "method": "GET",
        "url": "https://shop.example/basket?id=7&gift",
        "httpVersion": "HTTP/1.1",
        "cookies": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}],
        "headers": [{"name": "Host", "value": "shop.example"}, {"name": "Cookie", "value": "a=1; b=2"}],
        "queryString": [{"name": "id", "value": "7"}, {"name": "gift", "value": ""}],
        "headersSize": 40,
        "bodySize": 0,
        "_timestamp": seconds(START),
        "_rawFramesNumbers": [4],
        "_trailers": [],
    }
    assert entry["response"] == {
        "status": 200,
        "statusText": "OK",
        "httpVersion": "HTTP/1.0",
        "cookies": [{"name": "c", "value": "3", "path": "/", "secure": True}],
        "headers": [
            {"name": "Content-Type", "value": "text/html"},
            {"name": "Set-Cookie", "value": "c=3; Path=/; Secure"},
        ],
        "redirectURL": "",
        "headersSize": 40,
        "bodySize": 3,
        "_timestamp": seconds(START + 50 * MS),
        "_rawFramesNumbers": [6, 7],
        "_trailers": [],
        "content": {
            "mimeType": "text/html",
            "size": 3,
            "_sha256": hashlib.sha256(b"<p>").hexdigest(),
            "text": "<p>",
        },
    }


def test_a_response_that_never_came_is_a_status_of_0() -> None:
    entry = har_entry(exchange(request()))
    received = entry["response"]
    assert (received["status"], received["headersSize"], received["bodySize"]) == (0, -1, -1)
    assert (received["_timestamp"], received["_rawFramesNumbers"]) == (None, [])
    assert received["content"] == {"mimeType": "", "size": 0, "text": ""}
    assert entry["_incomplete"] == ["response: not-captured"]
    assert entry["timings"]["wait"] == entry["timings"]["receive"] == 0


def test_a_request_that_was_not_captured_leaves_the_servers_address() -> None:
    entry = har_entry(exchange(None, response()))
    assert entry["request"]["method"] == ""
    assert entry["request"]["url"] == "http://203.0.113.7:443/"
    assert entry["request"]["_timestamp"] is None
    assert entry["_timestamp"] == seconds(START + 50 * MS)
    assert entry["_incomplete"] == ["request: not-captured"]


@pytest.mark.parametrize(
    ("headers", "body", "key", "expected"),
    [
        ([(b"Content-Type", b"text/x")], b"hello", "postData", {"mimeType": "text/x", "text": "hello", "_size": 5}),
        ([], b"hello", "postData", {"mimeType": "application/octet-stream", "text": "hello", "_size": 5}),
        (
            [(b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8")],
            b"a=1&b=%20",
            "postData",
            {"params": [{"name": "a", "value": "1"}, {"name": "b", "value": " "}], "text": "a=1&b=%20"},
        ),
        (
            [(b"Content-Type", b"image/png")],
            b"\x89PNG\x00",
            "_content",
            {"mimeType": "image/png", "size": 5, "text": "iVBORwA=", "encoding": "base64"},
        ),
        (
            [(b"Content-Type", b"text/plain; charset=iso-8859-1")],
            b"caf\xe9",
            "postData",
            {"text": "café", "_size": 4},
        ),
        ([(b"Content-Encoding", b"gzip")], gzip.compress(b"hello", mtime=0), "postData", {"text": "hello", "_size": 5}),
        ([(b"Content-Encoding", b"gzip")], b"no gzip", "postData", {"text": "no gzip", "_size": 7, "_decoded": False}),
    ],
)  # fmt: skip
def test_a_request_body_is_post_data_where_it_is_text(
    headers: list[Header], body: bytes, key: str, expected: dict[str, Any]
) -> None:
    sent = har_entry(exchange(request(method=b"POST", headers=headers, body=body)))["request"]
    assert expected.items() <= sent[key].items()
    assert ("_requestBodyStatus" in sent) == (key == "_content")
    assert sent["bodySize"] == len(body)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ([], b"", {"mimeType": "", "size": 0, "text": ""}),
        ([(b"Content-Type", b"text/css")], b"", {"mimeType": "text/css", "size": 0}),
        ([], b"x", {"mimeType": "application/octet-stream", "size": 1, "text": "x"}),
        ([], "\ufeffnbsp\u00a0".encode(), {"text": "\ufeffnbsp\u00a0"}),
        ([], b"\x1b[0m", {"text": "G1swbQ==", "encoding": "base64"}),
        (
            [(b"Content-Encoding", b"gzip")],
            gzip.compress(bytes(1000), mtime=0),
            {"size": 1000, "compression": 1000 - len(gzip.compress(bytes(1000), mtime=0))},
        ),
        ([(b"Content-Encoding", b"br")], b"\xff\xff", {"size": 2, "_decoded": False, "encoding": "base64"}),
        ([(b"Content-Encoding", b"rot13")], b"x", {"size": 1, "_decoded": False, "text": "x"}),
        ([(b"Content-Encoding", b"identity")], b"x", {"size": 1, "text": "x"}),
    ],
)
def test_a_response_body_is_its_decoded_content(headers: list[Header], body: bytes, expected: dict[str, Any]) -> None:
    content = har_entry(exchange(request(), response(headers=headers, body=body)))["response"]["content"]
    assert expected.items() <= content.items()
    assert content["_sha256"] == hashlib.sha256(_bytes_of(content)).hexdigest()
    assert ("_decoded" in content) == ("_decoded" in expected)


def _bytes_of(content: dict[str, Any]) -> bytes:
    text: str = content.get("text", "")
    return base64.b64decode(text) if "encoding" in content else text.encode()


def test_what_is_wrong_with_a_body_is_said_and_costs_nothing_else() -> None:
    entry, problems = entry_of(exchange(request(), response(headers=[(b"Content-Encoding", b"gzip")], body=b"none")))
    assert len(problems) == 1 and "gzip" in problems[0]
    assert entry.response["content"]["text"] == "none"


def test_what_can_be_decoded_of_a_body_cut_short_is_kept() -> None:
    whole = gzip.compress(b"the beginning " * 100)
    received = response(headers=[(b"Content-Encoding", b"gzip")], body=whole[:-12])
    received.lacks("lost-bytes")
    entry, problems = entry_of(exchange(request(), received))
    assert entry.response["content"]["text"].startswith("the beginning the")
    assert problems
    assert entry.fields["_incomplete"] == ["response: lost-bytes"]


def test_names_and_values_that_are_not_utf8_are_read_as_latin_1() -> None:
    sent = request("/ü".encode(), headers=[(b"X-Caf\xe9", b"\xff"), (b"X-Utf8", "ü".encode())])
    headers = har_entry(exchange(sent))["request"]["headers"]
    assert {"name": "X-Café", "value": "ÿ"} in headers
    assert {"name": "X-Utf8", "value": "ü"} in headers


def test_trailers_stand_apart() -> None:
    received = response(trailers=[(b"grpc-status", b"0")])
    entry = har_entry(exchange(request(), received))
    assert entry["response"]["_trailers"] == [{"name": "grpc-status", "value": "0"}]
    assert entry["response"]["headers"] == []


def test_what_http_2_knows_besides_is_kept() -> None:
    early = response(103, [(b"link", b"</a.css>")], stamp=at(10, 5))
    made = exchange(
        request(scheme=b"https"), response(), stream=5, interim=[early], pushed=True, reset="server RST_STREAM"
    )
    entry = har_entry(made)
    assert entry["_streamId"] == 5
    assert entry["_pushed"] is True
    assert entry["_reset"] == "server RST_STREAM"
    assert entry["_interimResponses"] == [
        {"status": 103, "headers": [{"name": "link", "value": "</a.css>"}], "_timestamp": seconds(START + 10 * MS)}
    ]


def test_a_websocket_is_told_as_http_toolkit_tells_it() -> None:
    log = WebSocketLog(
        [
            WebSocketMessage(CLIENT, 1, "grüße".encode(), at(100, 10), (3,)),
            WebSocketMessage(SERVER, 2, b"\x00\xff", at(110, 11, last=115), (4,)),
            WebSocketMessage(SERVER, 9, b"ping", at(120, 13), (5,)),
            WebSocketMessage(SERVER, 1, b"\xff", at(130, 14), (6,), "not-utf-8"),
            WebSocketMessage(SERVER, 8, b"\x03\xe8bye", at(140, 15), (7,)),
        ],
        WebSocketClose(SERVER, 1000, b"bye", START + 140 * MS),
    )
    made = exchange(request(), response(101), tunnel="websocket", websocket=log)
    entry = har_entry(made)
    assert entry["_resourceType"] == "websocket"
    assert entry["_tunnel"] == "websocket"
    text, binary, broken = entry["_webSocketMessages"]
    assert text == {
        "type": "send", "opcode": 1, "time": seconds(START + 100 * MS), "data": "grüße", "_rawFramesNumbers": [10],
    }  # fmt: skip
    assert (binary["type"], binary["data"], binary["_rawFramesNumbers"]) == ("receive", "AP8=", [11, 12])
    assert (broken["data"], broken["_encoding"], broken["_incomplete"]) == ("/w==", "base64", "not-utf-8")
    (ping,) = entry["_webSocketControlFrames"]
    assert (ping["opcode"], ping["data"]) == (9, "cGluZw==")
    assert entry["_webSocketClose"] == {
        "type": "receive", "code": 1000, "reason": "bye", "time": seconds(START + 140 * MS),
    }  # fmt: skip


def test_server_sent_events_keep_their_times() -> None:
    made = exchange(request(), response(), events=[ServerSentEvent(START + 70 * MS, "tick", "1", "42")])
    assert har_entry(made)["_eventStream"] == [
        {"time": seconds(START + 70 * MS), "event": "tick", "id": "1", "data": "42"}
    ]


def _identity(made: Exchange, on: Any = None) -> str:
    return str(entry_of(made, on=on)[0].fields["_sha1Id"])


def test_the_id_depends_on_all_of_the_entry() -> None:
    def made(body: bytes = b"x", path: bytes = b"/", ms: float = 0) -> Exchange:
        return exchange(request(path, stamp=at(ms)), response(body=body))

    ids = {
        _identity(made()),
        _identity(made(b"y")),
        _identity(made(path=b"/2")),
        _identity(made(ms=1)),
        _identity(made(), flow("2")),
        _identity(made(), flow(server=Endpoint("203.0.113.8", 443))),
    }
    assert len(ids) == 6
    assert _identity(made()) in ids


def test_the_id_is_the_same_for_a_body_in_the_entry_and_one_in_the_spool() -> None:
    def made() -> Exchange:
        return exchange(request(method=b"POST", body=b"q=1" * 50), response(body=b"answer" * 50))

    spool = Spool()
    large, _ = builder(spool, small_body=10).build(made(), flow(), None)
    assert large.blobs
    assert large.fields["_sha1Id"] == _identity(made())
    spool.close()
