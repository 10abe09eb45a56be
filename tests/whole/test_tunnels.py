"""TLS in the tunnels of a proxy's connection: everything is told of each, and the row is that of the proxy's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hpack import Encoder

from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.options import Filters, Options
from pcapng_utils.pipeline.secured import SecuredConnections
from pcapng_utils.tls.facts import TlsFacts
from tests.hostile.making import Said, connection
from tests.http2.wire import CLIENT_START, DATA, END_HEADERS, HEADERS, SERVER_START, WHOLE, frame
from tests.tls.lab import Talk, contexts
from tests.whole.converting import converted, urls

HOSTS = ("one.test", "two.test", "three.test")
CONNECTS = [f"https://{host}:443" for host in HOSTS]
UNKNOWN = "no secret for this client random"
GET = b"GET /x HTTP/1.1\r\nHost: %b\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def opened(host: str, alpn: str | None) -> Talk:
    client, server = contexts()
    client.set_alpn_protocols([alpn] if alpn else [])
    return Talk(client, server, host=host).handshake()


class Proxied:
    """A TLS connection to a proxy, with HTTP/2 and three CONNECT tunnels in it that carry TLS with HTTP/1.1."""

    def __init__(self) -> None:
        self.outer = opened("proxy.test", "h2")
        self.inner = [opened(host, "http/1.1") for host in HOSTS]
        encoders = Encoder(), Encoder()

        def headers(side: int, flags: int, stream: int, fields: list[tuple[str, str]]) -> None:
            self.outer.send(side, frame(HEADERS, flags, stream, encoders[side].encode(fields)))

        self.outer.send(CLIENT, CLIENT_START).send(SERVER, SERVER_START)
        for stream, host, talk in zip((1, 3, 5), HOSTS, self.inner, strict=True):
            headers(CLIENT, END_HEADERS, stream, [(":method", "CONNECT"), (":authority", f"{host}:443")])
            headers(SERVER, END_HEADERS, stream, [(":status", "200")])
            talk.send(CLIENT, GET % host.encode()).send(SERVER, OK)
            for side, data in talk.flights:
                self.outer.send(side, frame(DATA, 0, stream, data))
        own = [(":method", "GET"), (":scheme", "https"), (":authority", "proxy.test"), (":path", "/own")]
        headers(CLIENT, WHOLE, 7, own)
        headers(SERVER, WHOLE, 7, [(":status", "204")])

    def keylog(self, inner: Iterable[int]) -> bytes:
        return self.outer.keylog() + b"".join(self.inner[number].keylog() for number in inner)


def row_of(log: dict[str, Any]) -> dict[str, Any]:
    (row,) = log["_connections"]
    return dict(row)


def total(counts: dict[str, int]) -> int:
    return counts["client"] + counts["server"]


def test_the_row_is_that_of_the_connection_to_the_proxy(tmp_path: Path) -> None:
    proxied = Proxied()
    log = converted(tmp_path, connection(proxied.outer.flights), proxied.keylog(range(3)))
    assert sorted(urls(log)) == sorted([*CONNECTS, *(f"https://{host}/x" for host in HOSTS), "https://proxy.test/own"])
    row = row_of(log)
    assert (row["decrypted"], row["reason"], log["_tlsErrors"], log["_problems"]) == ("yes", "", [], [])
    assert (row["application"], row["tls"]["sni"], row["tls"]["alpn"]) == ("HTTP/2", "proxy.test", "h2")
    assert row["server"]["host"] == "proxy.test"
    hosts = {entry["request"]["_communication"]["dst"]["host"] for entry in log["entries"]}
    assert hosts == {"proxy.test"}, "the proxy's address has the proxy's name alone"


def test_each_tunnel_that_was_not_read_is_told(tmp_path: Path) -> None:
    proxied = Proxied()
    for known in ((0,), (1,), (2,), ()):
        log = converted(tmp_path, connection(proxied.outer.flights), proxied.keylog(known))
        unread = [host for number, host in enumerate(HOSTS) if number not in known]
        row = row_of(log)
        assert (row["decrypted"], row["reason"], row["tls"]["sni"]) == ("partly", UNKNOWN, "proxy.test")
        assert [(error["hostname"], error["cause"]) for error in log["_tlsErrors"]] == [
            (host, UNKNOWN) for host in unread
        ]
        (problem,) = log["_problems"]
        assert (problem["kind"], problem["count"]) == ("tls-undecrypted", len(unread))
        assert total(row["tls"]["recordsUnread"]) >= 4 * len(unread)


def test_behind_a_proxy_in_the_clear_the_tunnels_names_are_not_the_proxys(tmp_path: Path) -> None:
    inner = opened("one.test", "h2")
    said: list[Said] = [(CLIENT, b"CONNECT one.test:443 HTTP/1.1\r\nHost: one.test:443\r\n\r\n")]
    said += [(SERVER, b"HTTP/1.1 200 OK\r\n\r\n"), *inner.flights]
    log = converted(tmp_path, connection(said), inner.keylog())
    row = row_of(log)
    assert (row["application"], row["tls"]["sni"]) == ("HTTP/1", "one.test")
    assert row["server"]["host"] == row["server"]["ip"]
    with Conversion(tmp_path / "x.pcap", Options(filters=Filters(hosts=("one.test",)))) as conversion:
        conversion.read()
        assert len(list(conversion.connections())) == 1, "it is still found by whom it was for"


def test_what_a_socks_proxy_carries_is_not_its_protocol(tmp_path: Path) -> None:
    inner = opened("one.test", "http/1.1").send(CLIENT, GET % b"one.test").send(SERVER, OK)
    said: list[Said] = [(CLIENT, b"\x05\x01\x00"), (SERVER, b"\x05\x00")]
    said += [(CLIENT, b"\x05\x01\x00\x03\x08one.test\x01\xbb"), (SERVER, b"\x05\x00\x00\x01" + bytes(6))]
    log = converted(tmp_path, connection([*said, *inner.flights]), inner.keylog())
    assert urls(log) == ["https://one.test/x"]
    assert row_of(log)["application"] == "SOCKS"


def test_clear_http_in_the_tunnel_of_an_http2_connection(tmp_path: Path) -> None:
    client, server = Encoder(), Encoder()
    connect = client.encode([(":method", "CONNECT"), (":authority", "b.test:80")])
    said: list[Said] = [(CLIENT, CLIENT_START), (SERVER, SERVER_START)]
    said += [(CLIENT, frame(HEADERS, END_HEADERS, 1, connect))]
    said += [(SERVER, frame(HEADERS, END_HEADERS, 1, server.encode([(":status", "200")])))]
    said += [(CLIENT, frame(DATA, 0, 1, GET % b"b.test")), (SERVER, frame(DATA, 0, 1, OK))]
    log = converted(tmp_path, connection(said))
    assert urls(log)[1:] == ["http://b.test/x"]
    row = row_of(log)
    assert (row["application"], row["decrypted"], row["reason"]) == ("HTTP/2", "yes", "not TLS")
    outer = opened("proxy.test", "h2")
    for side, data in said:
        outer.send(side, data)
    log = converted(tmp_path, connection(outer.flights), outer.keylog())
    assert urls(log)[1:] == ["http://b.test/x"], "what the tunnel carries is in the clear, whatever is round it"


def test_more_connections_in_one_than_are_told_apart_still_count() -> None:
    secured = SecuredConnections()
    facts = [TlsFacts(sni=f"{number}.test", hello_time=number, read=[1, 2], unread=[3, 0]) for number in range(3000)]
    for one in facts:
        secured.add(one, tunnelled=one is not facts[0])
    kept = list(secured)
    assert len(kept) == SecuredConnections.LIMIT + 1
    assert secured.folded == len(facts) - SecuredConnections.LIMIT
    tls, quic = secured.whole()
    assert tls is not None
    assert (tls.sni, tls.read, tls.unread, quic) == ("0.test", [3000, 6000], [9000, 0], None)
    assert secured.names()[0] == [(None, "0.test")]
