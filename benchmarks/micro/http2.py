"""What HTTP/2 costs: per small exchange, per record of a download, per header block.

    python benchmarks/micro/http2.py

The frames are made by hpack's encoder beforehand. Best of several rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hpack import Decoder, Encoder

from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange
from pcapng_utils.http.hpack_passive import HpackReader
from pcapng_utils.http.http2 import Http2Connection
from pcapng_utils.layers import CLIENT, SERVER, Problem, Stamp, UnitLog
from tests.http2.wire import CLIENT_START, DATA, END_HEADERS, END_STREAM, HEADERS, SERVER_START, Fields, frame

EXCHANGES = 2000
RECORDS = 4000
RECORD = 16384

REQUEST: Fields = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"api.example.org"),
    (b"accept", b"application/json"),
    (b"user-agent", b"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-GB,en;q=0.9"),
    (b"cookie", b"session=0123456789abcdef0123456789abcdef"),
]
RESPONSE: Fields = [
    (b":status", b"200"),
    (b"content-type", b"application/json; charset=utf-8"),
    (b"server", b"nginx"),
    (b"cache-control", b"no-store"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
]


def fail(problem: Problem) -> None:
    raise SystemExit(str(problem))


def ignore(exchange: Exchange) -> None:
    pass


def best(work: Callable[[], float], rounds: int = 7) -> float:
    return min(work() for _ in range(rounds))


def blocks() -> list[tuple[bytes, bytes]]:
    """Header blocks of successive exchanges: a path and a date that change, the rest repeated."""
    client, server = Encoder(), Encoder()
    return [
        (
            client.encode([*REQUEST, (b":path", b"/v1/items/%d?page=%d" % (number, number % 7))]),
            server.encode(
                [*RESPONSE, (b"date", b"Mon, 24 Nov 2025 10:%02d:%02d GMT" % (number // 60 % 60, number % 60))]
            ),
        )
        for number in range(EXCHANGES)
    ]


def small_exchanges(pairs: list[tuple[bytes, bytes]]) -> float:
    """Seconds an exchange: each message in a record of its own, with 200 bytes of body."""
    units = UnitLog()
    connection = Http2Connection(ignore, fail, Body, units)
    records = [(CLIENT, CLIENT_START), (SERVER, SERVER_START)]
    for number, (request, response) in enumerate(pairs):
        stream = 2 * number + 1
        records.append((CLIENT, frame(HEADERS, END_HEADERS | END_STREAM, stream, request)))
        body = frame(DATA, END_STREAM, stream, b"x" * 200)
        records.append((SERVER, frame(HEADERS, END_HEADERS, stream, response) + body))
    return feed(connection, units, records) / len(pairs)


def download() -> float:
    """Seconds a record of 16 KiB that is one DATA frame, as servers send them."""
    units = UnitLog()
    connection = Http2Connection(ignore, fail, lambda: Discarding(), units)
    records = [(CLIENT, CLIENT_START), (SERVER, SERVER_START)]
    records.append((CLIENT, frame(HEADERS, END_HEADERS | END_STREAM, 1, Encoder().encode(REQUEST))))
    records.append((SERVER, frame(HEADERS, END_HEADERS, 1, Encoder().encode(RESPONSE))))
    piece = frame(DATA, 0, 1, bytes(RECORD - 9))
    records += [(SERVER, piece)] * RECORDS
    return feed(connection, units, records) / RECORDS


class Discarding(Body):
    """A body that is not kept, so that memory is not what is measured."""

    def append(self, data: bytes) -> None:
        self.size += len(data)


def feed(connection: Http2Connection, units: UnitLog, records: list[tuple[int, bytes]]) -> float:
    stamped = []
    for number, (direction, data) in enumerate(records):
        unit = units.add(direction, number, number, len(data))
        stamped.append((direction, data, Stamp(number, number, (number,), unit)))
    begun = time.perf_counter()
    for direction, data, stamp in stamped:
        connection.data(direction, data, stamp)
    connection.close()
    return time.perf_counter() - begun


def hpack_passive(pairs: list[tuple[bytes, bytes]]) -> float:
    reader = HpackReader()
    begun = time.perf_counter()
    for request, _ in pairs:
        reader.read(request)
    return (time.perf_counter() - begun) / len(pairs)


def hpack_library(pairs: list[tuple[bytes, bytes]]) -> float:
    decoder = Decoder()
    begun = time.perf_counter()
    for request, _ in pairs:
        decoder.decode(request, raw=True)
    return (time.perf_counter() - begun) / len(pairs)


def main() -> None:
    pairs = blocks()
    record = best(download)
    print(f"small exchange               {1e6 * best(lambda: small_exchanges(pairs)):8.1f} µs")
    print(f"record of a download         {1e6 * record:8.1f} µs   ({RECORD / record / 1e9:.1f} GB/s)")
    print(f"request's header block       {1e6 * best(lambda: hpack_passive(pairs)):8.1f} µs")
    print(f"  the same by hpack.Decoder  {1e6 * best(lambda: hpack_library(pairs)):8.1f} µs")


if __name__ == "__main__":
    main()
