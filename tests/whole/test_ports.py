"""What a conversation speaks is told by its content: a port that is known for DNS proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.message
import pytest

from pcapng_utils.layers import CLIENT, SERVER
from tests.hostile.making import Said, connection
from tests.net.wire import udp
from tests.quic.making import Talk as QuicTalk
from tests.quic.pairs import Pair
from tests.tls import lab
from tests.whole.converting import converted, urls

PORTS = (40000, 53)
REQUEST = b"GET /x HTTP/1.1\r\nHost: lab.test\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HTTP: list[Said] = [(CLIENT, REQUEST), (SERVER, RESPONSE)]
QUERY = dns.message.make_query("www.example.org.", "A", use_edns=True)
ANSWER = dns.message.make_response(QUERY)


def told(log: dict[str, Any]) -> tuple[str, str, str]:
    (row,) = log["_connections"]
    return row["application"], row["decrypted"], row["reason"]


def prefixed(message: dns.message.Message) -> bytes:
    data = message.to_wire()
    return len(data).to_bytes(2, "big") + data


def dns_names(log: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["name"], row["transport"]) for row in log["_dns"]]


def test_http_on_tcp_port_53(tmp_path: Path) -> None:
    log = converted(tmp_path, connection(HTTP, PORTS))
    assert urls(log) == ["http://lab.test/x"]
    assert told(log) == ("HTTP/1", "yes", "not TLS")
    assert log["_problems"] == []


def test_tls_on_tcp_port_53_with_and_without_its_secrets(tmp_path: Path) -> None:
    client, server = lab.contexts()
    client.set_alpn_protocols([])
    talk = lab.Talk(client, server).handshake().send(CLIENT, REQUEST).send(SERVER, RESPONSE)
    log = converted(tmp_path, connection(talk.flights, PORTS), talk.keylog())
    assert urls(log) == ["https://lab.test/x"]
    assert told(log) == ("HTTP/1", "yes", "")
    log = converted(tmp_path, connection(talk.flights, PORTS))
    assert told(log) == ("", "no", "no secret for this client random")
    assert [error["hostname"] for error in log["_tlsErrors"]] == ["lab.test"]
    assert [row["kind"] for row in log["_problems"]] == ["tls-undecrypted"]


@pytest.mark.parametrize("port", [53, 5353, 5355])
def test_quic_on_a_udp_port_of_dns(tmp_path: Path, port: int) -> None:
    pair = Pair().run()
    packets = [udp(one.direction, one.data, (40000, port)) for one in pair.sent]
    log = converted(tmp_path, packets, pair.keylog.getvalue().encode())
    (row,) = log["_connections"]
    assert (row["tls"]["sni"], row["quic"]["version"], row["decrypted"]) == ("quic.example", "QUIC v1", "yes")
    assert log["_problems"] == []


@pytest.mark.parametrize("cut", [1, 2, 13, 14, 30, 1000])
def test_dns_over_tcp_however_it_is_cut(tmp_path: Path, cut: int) -> None:
    query, answer = prefixed(QUERY), prefixed(ANSWER)
    said = [(CLIENT, query[:cut]), (CLIENT, query[cut:]), (SERVER, answer[:cut]), (SERVER, answer[cut:])]
    log = converted(tmp_path, connection(said, PORTS))
    assert dns_names(log) == [("www.example.org", "tcp")]
    assert told(log) == ("DNS", "yes", "not TLS")
    assert log["_problems"] == []


@pytest.mark.parametrize("said", [b"\x00\x20hello, this is no DNS message at all", b"\x00\x05short", b"\xff\xff" * 40])
def test_nothing_is_called_dns_where_no_message_of_dns_was_read(tmp_path: Path, said: bytes) -> None:
    log = converted(tmp_path, connection([(CLIENT, said), (SERVER, said)], PORTS))
    assert told(log) == ("", "no", "not TLS, and no known protocol")
    log = converted(tmp_path, [udp(side, said[2:], PORTS) for side in (CLIENT, SERVER)])
    assert told(log) == ("", "no", "not TLS, and no known protocol")
    assert log["_connections"][0]["service"] == "DNS"
    assert [(row["kind"], row["count"]) for row in log["_problems"]] == [("dns-bad-message", 2)]


def test_dns_behind_datagrams_that_are_none(tmp_path: Path) -> None:
    packets = [udp(0, b"?", PORTS), udp(0, QUERY.to_wire(), PORTS), udp(1, ANSWER.to_wire(), PORTS)]
    log = converted(tmp_path, packets)
    assert dns_names(log) == [("www.example.org", "udp")]
    assert told(log) == ("DNS", "yes", "not TLS")


def test_quic_from_the_middle_on_a_port_of_dns_is_not_called_dns(tmp_path: Path) -> None:
    packets = [udp(0, QuicTalk().short(CLIENT, bytes(40)), PORTS) for _ in range(3)]
    assert told(converted(tmp_path, packets))[:2] == ("", "no")
