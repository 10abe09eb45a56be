"""What a connection speaks is found out behind bytes that are the beginning of nothing known, which are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hpack import Encoder

from tests.cli.making import capture, har, run
from tests.http2 import wire as h2
from tests.net.wire import ACK, FIN, PSH, handshake, tcp
from tests.tls.sender import Sender

GET_X = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
GET_Y = GET_X.replace(b"/x", b"/y")
ABC = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
DEF = ABC.replace(b"abc", b"defgh").replace(b": 3", b": 5")
PROXY = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(range(12))


def converted(tmp_path: Path, *talk: tuple[int, bytes], begun: bool = True, keys: bytes = b"") -> dict[str, Any]:
    packets, next_byte = handshake() if begun else [], [101, 501]
    for side, data in talk:
        packets.append(tcp(side, next_byte[side], next_byte[1 - side], PSH | ACK, data))
        next_byte[side] += len(data)
    packets += [tcp(side, next_byte[side], next_byte[1 - side] + side, FIN | ACK) for side in (0, 1)]
    (tmp_path / "traffic.pcap").write_bytes(capture(packets))
    (tmp_path / "sslkeylog.txt").write_bytes(keys)
    run("convert", tmp_path / "traffic.pcap", "-o", tmp_path / "out.har")
    log: dict[str, Any] = har(tmp_path / "out.har")["log"]
    return log


def pairs(log: dict[str, Any]) -> list[tuple[str, int]]:
    """What was asked for, and the size of what came."""
    return [(entry["request"]["url"], entry["response"]["bodySize"]) for entry in log["entries"]]


def problems(log: dict[str, Any]) -> list[tuple[str, int]]:
    return [(problem["kind"], problem.get("lostBytes", 0)) for problem in log["_problems"]]


@pytest.mark.parametrize("before", [PROXY, PROXY_2, b"tail=of&a=body"], ids=["PROXY 1", "PROXY 2", "tail"])
@pytest.mark.parametrize("apart", [False, True], ids=["in the same segment", "in one of its own"])
def test_a_request_behind_other_bytes_keeps_its_response(tmp_path: Path, before: bytes, apart: bool) -> None:
    first = [(0, before), (0, GET_X)] if apart else [(0, before + GET_X)]
    log = converted(tmp_path, *first, (1, ABC), (0, GET_Y), (1, DEF))
    assert pairs(log) == [("http://a/x", 3), ("http://a/y", 5)]
    assert problems(log) == [("http1-not-at-start", len(before.lstrip(b"\r\n")))]


@pytest.mark.parametrize("before", [PROXY, PROXY_2], ids=["PROXY 1", "PROXY 2"])
@pytest.mark.parametrize("apart", [False, True], ids=["in the same segment", "in one of its own"])
def test_tls_behind_a_proxys_header_is_read(tmp_path: Path, before: bytes, apart: bool) -> None:
    sender = Sender()
    hello, answer = sender.hellos()
    first = [(0, before), hello] if apart else [(0, before + hello[1])]
    talk = [(0, sender.record(GET_X, 0)), (1, sender.record(ABC))]
    log = converted(tmp_path, *first, answer, *talk, keys=sender.keylog)
    assert pairs(log) == [("https://a/x", 3)]
    assert problems(log) == []


@pytest.mark.parametrize("answer", [b"S", b"+OK\r\n", b"yes", b"H"])
def test_tls_behind_a_question_in_the_clear_is_read_whatever_the_answer(tmp_path: Path, answer: bytes) -> None:
    sender = Sender()
    asked = [(0, bytes.fromhex("00000008 04d2162f")), (1, answer)]
    talk = [*sender.hellos(), (0, sender.record(GET_X, 0)), (1, sender.record(ABC))]
    log = converted(tmp_path, *asked, *talk, keys=sender.keylog)
    assert pairs(log) == [("https://a/x", 3)]
    assert problems(log) == []


def test_a_capture_that_begins_in_an_upload(tmp_path: Path) -> None:
    log = converted(tmp_path, (0, b"tail=of&a=body" + GET_X), (1, ABC), begun=False)
    assert pairs(log) == [("http://a/x", 3)]
    assert problems(log) == [("http1-not-at-start", 14)]


def test_of_many_bytes_that_begin_nothing_the_last_are_searched(tmp_path: Path) -> None:
    junk = [(0, b"\xff" * 30_000) for _ in range(4)]
    log = converted(tmp_path, *junk, (0, b"\xfe" + GET_X), (1, ABC), (0, GET_Y), (1, DEF))
    assert pairs(log) == [("http://a/x", 3), ("http://a/y", 5)]
    assert problems(log) == [("http1-not-at-start", 60_001)]
    assert [connection["application"] for connection in log["_connections"]] == ["HTTP/1"]


def test_a_server_of_http2_may_speak_first(tmp_path: Path) -> None:
    client, server = Encoder(), Encoder()
    request = h2.frame(h2.HEADERS, h2.WHOLE, 1, client.encode(h2.GET))
    response = h2.frame(h2.HEADERS, h2.WHOLE, 1, server.encode(h2.OK))
    settings = h2.frame(h2.SETTINGS, 0, 0, b"\0\5\0\x10\0\0")
    log = converted(tmp_path, (1, settings), (0, h2.CLIENT_START + request), (1, response))
    assert [entry["response"]["status"] for entry in log["entries"]] == [200]
    assert problems(log) == []
