"""httpx: HTTP/1.1 and HTTP/2, every exchange noted in the stage's truth."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from lab.stage import HOST, Stage
from lab.truth import KEY, NOT_DECODED, Body, Exchange

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

Pairs = Sequence[tuple[str, str]]


@dataclass(slots=True)
class HttpxClient:
    """Asks one origin of the stage's first server, by address, and under the name `host`."""

    stage: Stage
    client: httpx.Client
    scheme: str
    port: int
    host: str = HOST

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        stage: Stage,
        scheme: str = "https",
        *,
        http2: bool = False,
        context: ssl.SSLContext | None = None,
        port: int | None = None,
        proxy: httpx.Proxy | None = None,
    ) -> Iterator[HttpxClient]:
        verify = context or stage.authority.client_context(stage.keylog)
        # Over cleartext, HTTP/2 needs prior knowledge: no HTTP/1.1 at all.
        http1 = not (http2 and scheme == "http")
        with httpx.Client(verify=verify, http1=http1, http2=http2, proxy=proxy, timeout=20, trust_env=False) as client:
            yield cls(stage, client, scheme, port or _DEFAULT_PORTS[scheme])

    def fetch(
        self,
        method: str,
        target: str,
        headers: Pairs = (),
        content: bytes | Iterable[bytes] | None = None,
        decoded: bytes | None = None,
    ) -> Exchange:
        """`decoded`: the request's body before the coding that its headers name."""
        number = self.stage.number()
        given = [(KEY, str(number)), *headers]
        shown = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        pieces = content if isinstance(content, bytes | None) else list(content)
        body = pieces if isinstance(pieces, bytes) else b"".join(pieces or ())
        request = self.client.build_request(
            method,
            f"{self.scheme}://{self.stage.server}:{self.port}{target}",
            headers=[("host", f"{self.host}{shown}"), *given],
            content=pieces if isinstance(pieces, bytes | None) else iter(pieces),
            extensions={"sni_hostname": self.host},
        )
        response = self.client.send(request, stream=True)
        raw = b"".join(response.iter_raw())
        exchange = Exchange(number, response.http_version, method, f"{self.scheme}://{self.host}{shown}{target}")
        exchange.request_headers = given
        exchange.request = Body.of(body if decoded is None else decoded, len(body))
        exchange.status = response.status_code
        exchange.response_headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers.raw]
        coded = raw and "content-encoding" in response.headers
        exchange.response = Body(NOT_DECODED, "", len(raw)) if coded else Body.of(raw)
        exchange.server = self.stage.server
        self.stage.truth.exchanges.append(exchange)
        return exchange
