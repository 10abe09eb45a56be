"""How long the HAR layer takes for an exchange: building the entry, storing it, writing it.

Run: python -m benchmarks.micro.har [exchanges]
"""

from __future__ import annotations

import io
import sys
from time import perf_counter

from pcapng_utils.har.entry import Entry, EntryBuilder
from pcapng_utils.har.spool import Spool
from pcapng_utils.har.writer import Annotations, HarWriter
from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange, Request, Response
from pcapng_utils.layers import Stamp
from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.tls.facts import TlsFacts

_START = 1_700_000_000_000_000_000
_REQUEST_HEADERS = [
    (b"Host", b"api.shop.example"),
    (b"User-Agent", b"okhttp/4.12.0"),
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"gzip"),
    (b"Accept-Language", b"en-GB,en;q=0.9"),
    (b"Authorization", b"Bearer eyJhbGciOiJIUzI1NiJ9.e30.XmNK3GpH3Ys_7wsYBfq4C3M6goz71I7dTgUkuIa5lyQ"),
    (b"Content-Type", b"application/json; charset=utf-8"),
    (b"Content-Length", b"240"),
    (b"Cookie", b"session=4f1a; consent=all"),
    (b"X-Request-Id", b"7d0c3c0e-3f3c-4c8a-9f0a-2d1c5b7e9a11"),
]
_RESPONSE_HEADERS = [
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"600"),
    (b"Date", b"Tue, 14 Nov 2023 22:13:20 GMT"),
    (b"Cache-Control", b"no-store"),
    (b"Server", b"nginx"),
    (b"Set-Cookie", b"session=4f1b; Path=/; Secure; HttpOnly"),
    (b"Strict-Transport-Security", b"max-age=31536000"),
]
_SENT = b'{"event":"open","id":"%s"}' % (b"a" * 214)
_RECEIVED = b'{"ok":true,"items":[%s]}' % b",".join([b'{"name":"sock","price":3}'] * 22)


def _exchange(number: int) -> Exchange:
    at = _START + number * 1_000_000
    request = Request(Body(), headers=_REQUEST_HEADERS, method=b"POST", target=b"/v1/events?id=%d&lang=en" % number)
    request.authority = b"api.shop.example"
    request.body.append(_SENT)
    request.carried(Stamp(at, at, (number * 2 + 1,), number))
    response = Response(Body(), headers=_RESPONSE_HEADERS, status=200, reason=b"OK")
    response.body.append(_RECEIVED)
    response.carried(Stamp(at + 400_000, at + 500_000, (number * 2 + 2,), number))
    return Exchange(request, response)


def main(count: int) -> None:
    flow = Flow("1", "tcp", Endpoint("192.0.2.1", 40000), Endpoint("203.0.113.7", 443), "1:x=", _START, 1)
    tls = TlsFacts(sni="api.shop.example")
    spool = Spool()
    builder = EntryBuilder(Body, spool.write_blob)
    exchanges = [_exchange(number) for number in range(count)]

    begin = perf_counter()
    entries: list[Entry] = [builder.build(exchange, flow, tls)[0] for exchange in exchanges]
    built = perf_counter()
    for entry in entries:
        spool.append(entry)
    stored = perf_counter()
    writer = HarWriter(io.BytesIO())
    pieces = (writer.entry(spool.blobs, one, first=first, late=Annotations()) for _, first, one in spool.entries())
    writer.write({}, {}, pieces)
    written = perf_counter()
    spool.close()

    for name, took in (("build", built - begin), ("store", stored - built), ("write", written - stored)):
        print(f"{name:6} {took / count * 1e6:6.1f} µs an exchange")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
