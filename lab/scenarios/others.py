"""Other servers, other clients, proxies, bad networks, IPv6, names."""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rdatatype
import httpx

from lab.clients.curl import curl
from lab.clients.httpx_client import HttpxClient
from lab.conversation import conversation
from lab.dns import SERVER as DNS_SERVER
from lab.dns import Resolver
from lab.network import SERVER_ADDRESSES, SERVER_ADDRESSES_6
from lab.relay import Impairment
from lab.scenarios import scenario
from lab.scenarios.tls import Settings, exchange_over
from lab.servers.application import answer_body
from lab.servers.nginx import nginx
from lab.servers.proxy import HTTP_PORT, HTTPS_PORT, SOCKS_PORT, proxies
from lab.stage import HOST, Stage
from lab.truth import KEY, Body, Exchange, Name

_PROXY = SERVER_ADDRESSES[4]


@scenario("nginx", needs=("nginx", "curl"))
def nginx_and_curl(directory: Path) -> None:
    """nginx and curl: HTTP/1.0, 1.1 and 2, gzip, one range and several, conditional requests, client certificates."""
    with Stage.built("nginx", directory) as stage:
        files = stage.work / "files"
        files.mkdir()
        (files / "plain.txt").write_bytes(answer_body(4000, 1))
        (files / "data.bin").write_bytes(answer_body(6000, 2, "binary"))
        (files / "data.json").write_bytes(answer_body(9000, 3))
        (files / "users").write_text("jane:{PLAIN}secret\n")
        (files / "secret").mkdir()
        (files / "secret" / "in.txt").write_bytes(b"for jane")
        mine = stage.authority.issue("client", ("phone.lab.test",))
        with (
            nginx(stage.network.internet, stage.server, stage.identity, stage.authority, stage.work, files),
            stage.on_phone(),
        ):
            for scheme, version in (
                ("http", "--http1.0"),
                ("http", "--http1.1"),
                ("https", "--http1.1"),
                ("https", "--http2"),
            ):
                base = f"{scheme}://{HOST}"
                curl(stage, f"{base}/plain.txt", version)
                coded = curl(stage, f"{base}/data.json", version, "-H", "Accept-Encoding: gzip")
                if coded.response.size < 0:
                    coded.response = Body.of(answer_body(9000, 3), coded.response.transferred)
                curl(stage, f"{base}/data.bin", version, "-r", "100-299")
                curl(stage, f"{base}/data.bin", version, "-r", "0-9,50-99,-20")
                curl(stage, f"{base}/plain.txt", version, "-H", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT")
                curl(stage, f"{base}/moved", version)
                curl(stage, f"{base}/plain.txt", version, method="HEAD")
                curl(stage, f"{base}/secret/in.txt", version, "-u", "jane:secret")
                if version != "--http2":  # nginx would answer, and reset the stream, before the body is sent
                    curl(stage, f"{base}/plain.txt", version, method="POST", body=b"not allowed here")
            certificate = [
                "--cert",
                str(mine.certificate),
                "--key",
                str(mine.key),
                "--resolve",
                f"{HOST}:8443:{stage.server}",
            ]
            curl(stage, f"https://{HOST}:8443/plain.txt", "--http1.1", *certificate)


@contextlib.contextmanager
def _with_proxies(stage: Stage, password: str = "") -> Iterator[None]:
    identity = stage.authority.issue("proxy", ("proxy.lab.test",))
    names = {HOST: stage.server}
    with proxies(stage.network.internet, _PROXY, names, identity, stage.work, password):
        yield


@scenario("proxy-connect", needs=("curl",))
def proxy_connect(directory: Path) -> None:
    """Through an HTTP proxy: CONNECT tunnels with TLS inside (HTTP/1.1 and 2), a tunnel with cleartext inside, requests
    in absolute form, and a proxy that itself speaks TLS."""
    with Stage.built("proxy-connect", directory) as stage, stage.hypercorn(), _with_proxies(stage), stage.on_phone():
        for http2 in (False, True):
            headers = {KEY: str(_connect(stage, f"http://{stage.server}:443"))}
            _through(stage, httpx.Proxy(f"http://{_PROXY}:{HTTP_PORT}", headers=headers), http2=http2)
        plain, secure = f"http://{_PROXY}:{HTTP_PORT}", f"https://{_PROXY}:{HTTPS_PORT}"
        curl(stage, f"http://{HOST}/data?size=100", "-x", plain).server = _PROXY
        tunnel = ["-p", "--proxy-header", f"{KEY}: {_connect(stage, f'http://{HOST}:80')}"]
        curl(stage, f"http://{HOST}/data?size=200", "-x", plain, *tunnel).server = _PROXY
        trust = ["--proxy-cacert", str(stage.authority.certificate)]
        tunnel = [*trust, "--proxy-header", f"{KEY}: {_connect(stage, f'https://{HOST}:443')}"]
        curl(stage, f"https://{HOST}/data?size=300", "-x", secure, *tunnel).server = _PROXY


def _connect(stage: Stage, url: str) -> int:
    """The number of a CONNECT request, and its truth."""
    exchange = Exchange(stage.number(), "HTTP/1.1", "CONNECT", url, status=200, server=_PROXY)
    exchange.request_headers, exchange.response_headers = [(KEY, str(exchange.id))], [("X-Proxy", "lab")]
    stage.truth.exchanges.append(exchange)
    return exchange.id


def _through(stage: Stage, proxy: httpx.Proxy, *, http2: bool) -> None:
    with HttpxClient.open(stage, http2=http2, proxy=proxy) as client:
        for exchange in (
            client.fetch("GET", "/data?size=300"),
            client.fetch("POST", "/echo", [("content-type", "text/plain")], b"through a tunnel"),
        ):
            exchange.server = _PROXY


@scenario("socks5", needs=("curl",))
def socks5(directory: Path) -> None:
    """Through a SOCKS5 proxy: by name and by address, in the clear and over TLS, HTTP/1.1 and 2; then with a
    password."""
    with Stage.built("socks5", directory) as stage, stage.hypercorn(), stage.on_phone():
        for user in ("", "jane:secret@"):
            with _with_proxies(stage, user and "secret"):
                for kind in ("socks5", "socks5h"):
                    for base, version in ((f"http://{HOST}", "--http1.1"), (f"https://{HOST}", "--http2")):
                        proxy = f"{kind}://{user}{_PROXY}:{SOCKS_PORT}"
                        exchange = curl(
                            stage, f"{base}/data?size=150", version, "-x", proxy, method="POST", body=b"x=1"
                        )
                        exchange.server = _PROXY


@scenario("lossy")
def lossy(directory: Path) -> None:
    """HTTP/1.1 and HTTP/2 over a network that loses 2 % of the packets, holds back 4 % and repeats 1 %: TCP repairs
    it."""
    impairment = Impairment(loss=0.02, reorder=0.04, duplicate=0.01, seed=7)
    with Stage.built("lossy", directory, impairment=impairment) as stage, stage.hypercorn(), stage.on_phone():
        for http2 in (False, True):
            with HttpxClient.open(stage, http2=http2) as client:
                targets = [f"/data?size={400 + 2500 * n}&seed={n}&kind=binary" for n in range(6)]
                threads = [threading.Thread(target=client.fetch, args=("GET", target)) for target in targets]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                client.fetch("POST", "/echo", [("content-type", "image/png")], answer_body(9_000, 4, "binary"))


@scenario("ipv6")
def ipv6(directory: Path) -> None:
    """IPv6, in the clear and over TLS 1.3."""
    with Stage.built("ipv6", directory) as stage, stage.on_phone():
        for contexts, port, scheme in ((None, 80, "http"), (Settings().contexts(stage), 443, "https")):
            with conversation(stage, port, contexts, name=HOST, address=SERVER_ADDRESSES_6[0]) as talk:
                exchange = exchange_over(stage, talk)
                exchange.server = SERVER_ADDRESSES_6[0]
                exchange.url = exchange.url.replace("https", scheme)


_ZONE = {HOST: SERVER_ADDRESSES[0], "api.lab.test": SERVER_ADDRESSES[1]}


@scenario("dns")
def names(directory: Path) -> None:
    """Names asked of a DNS server, one that it knows not, and a request by address to a name that an answer gave."""
    with Stage.built("dns", directory) as stage, stage.hypercorn(), stage.dns(_ZONE), stage.on_phone():
        resolve = Resolver()
        for name, address in _ZONE.items():
            resolve(name)
            stage.truth.names.append(Name(name, "A", [address], DNS_SERVER))
        with contextlib.suppress(LookupError):
            resolve("unknown.lab.test")
        stage.truth.names.append(Name("unknown.lab.test", "A", [], DNS_SERVER))
        with HttpxClient.open(stage, "http") as client:
            client.fetch("GET", "/data?size=100")


@scenario("doh")
def names_over_https(directory: Path) -> None:
    """DNS over HTTPS, by POST and by GET."""
    with (
        Stage.built("doh", directory) as stage,
        stage.hypercorn(),
        stage.on_phone(),
        HttpxClient.open(stage, http2=True) as client,
    ):
        for name, address in _ZONE.items():
            query = dns.message.make_query(name, dns.rdatatype.A, id=0).to_wire()
            if name == HOST:
                client.fetch("POST", "/dns-query", [("content-type", "application/dns-message")], query)
            else:
                text = base64.urlsafe_b64encode(query).rstrip(b"=").decode()
                client.fetch("GET", f"/dns-query?dns={text}", [("accept", "application/dns-message")])
            stage.truth.names.append(Name(name, "A", [address], stage.server))


@scenario("formats-ns")
def nanoseconds(directory: Path) -> None:
    """A pcap with nanoseconds."""
    with Stage.built("formats-ns", directory, form="pcap-ns") as stage, stage.hypercorn(), stage.on_phone():
        _short(stage)


@scenario("formats-pcapng", needs=("dumpcap",))
def pcapng(directory: Path) -> None:
    """A pcapng, as dumpcap writes it."""
    with Stage.built("formats-pcapng", directory, form="pcapng") as stage, stage.hypercorn(), stage.on_phone():
        _short(stage)


def _short(stage: Stage) -> None:
    with HttpxClient.open(stage) as client:
        client.fetch("GET", "/data?size=700")
        client.fetch("POST", "/echo", [("content-type", "text/plain")], b"format")
