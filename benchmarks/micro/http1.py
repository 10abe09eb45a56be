"""How fast HTTP/1.x is read: small exchanges one after the other, and long downloads.

Run: python benchmarks/micro/http1.py
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial
from time import process_time

from pcapng_utils.http.body import Body
from pcapng_utils.http.codings import decode_body
from pcapng_utils.http.exchange import Exchange
from pcapng_utils.http.http1 import Http1Connection
from pcapng_utils.http.websocket import WebSocketLayer
from pcapng_utils.layers import CLIENT, SERVER, Problem, Stamp, UnitLog

HEADERS = b"".join(b"X-Header-%d: some value of a usual length, %d\r\n" % (n, n) for n in range(10))
REQUEST = b"GET /path/to/something?q=1 HTTP/1.1\r\nHost: example.org\r\n" + HEADERS + b"\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n" + HEADERS + b"\r\n" + bytes(100)


class Sink:
    """Bodies are dropped as they come."""

    def __init__(self) -> None:
        self.exchanges = 0

    def emit(self, exchange: Exchange) -> None:
        self.exchanges += 1

    def check(self, expected: int) -> None:
        if self.exchanges != expected:
            raise AssertionError(f"{self.exchanges} exchanges were emitted, not {expected}")

    def report(self, problem: Problem) -> None:
        raise AssertionError(problem)


class Dropped(Body):
    __slots__ = ()

    def append(self, data: bytes) -> None:
        self.size += len(data)


def exchanges(count: int) -> None:
    sink, units = Sink(), UnitLog()
    layer = Http1Connection(sink.emit, sink.report, Body, units, lambda exchange, kind: None)
    for number in range(count):
        for direction, data in ((CLIENT, REQUEST), (SERVER, RESPONSE)):
            unit = units.add(direction, number, number, len(data))
            layer.data(direction, data, Stamp(number, number, (number,), unit))
    sink.check(count)


def download(pieces: list[bytes], head: bytes) -> None:
    sink, units = Sink(), UnitLog()
    layer = Http1Connection(sink.emit, sink.report, Dropped, units, lambda exchange, kind: None)
    stamp = Stamp(0, 0, (0,), units.add(CLIENT, 0, 0, 0))
    layer.data(CLIENT, REQUEST, stamp)
    layer.data(SERVER, head, Stamp(0, 0, (0,), units.add(SERVER, 0, 0, 0)))
    for number, piece in enumerate(pieces):
        unit = units.add(SERVER, number, number, len(piece))
        layer.data(SERVER, piece, Stamp(number, number, (number,), unit))
    sink.check(1)


def chunked(size: int, total: int) -> list[bytes]:
    """A body in chunks of `size`, in pieces of 16 KiB that do not fit them."""
    wire = (b"%x\r\n" % size + bytes(size) + b"\r\n") * (total // size) + b"0\r\n\r\n"
    return [wire[at : at + 16384] for at in range(0, len(wire), 16384)]


def websocket(count: int) -> None:
    sink, units = Sink(), UnitLog()
    layer = WebSocketLayer(Exchange(None, None), sink.emit, sink.report, units)
    frame = b"\x81\xfe\x00\xc8\x01\x02\x03\x04" + bytes(200)
    for number in range(count):
        unit = units.add(CLIENT, number, number, len(frame))
        layer.data(CLIENT, frame, Stamp(number, number, (number,), unit))
    layer.close()
    sink.check(1)


def decode(count: int, raw: bytes) -> None:
    for _ in range(count):
        decode_body(raw, b"gzip")


def seconds(run: Callable[[], None]) -> float:
    best = float("inf")
    for _ in range(5):
        start = process_time()
        run()
        best = min(best, process_time() - start)
    return best


def main() -> None:
    count, total = 20_000, 64 << 20
    print(f"small exchanges      {seconds(partial(exchanges, count)) / count / 2 * 1e6:8.2f} us/message")
    counted = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total
    for size in (1460, 16384):
        pieces = [bytes(size)] * (total // size) + [bytes(total % size)] * (total % size > 0)
        print(f"download by {size:5}    {total / seconds(partial(download, pieces, counted)) / 1e6:8,.0f} MB/s")
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for size in (512, 8192):
        pieces = chunked(size, total)
        print(f"chunks of {size:5}      {total / seconds(partial(download, pieces, head)) / 1e6:8,.0f} MB/s")
    print(f"websocket messages   {seconds(partial(websocket, count)) / count * 1e6:8.2f} us/message")
    small = gzip.compress(REQUEST + RESPONSE)
    print(f"gzip, {len(small)} bytes      {seconds(partial(decode, count, small)) / count * 1e6:8.2f} us/body")


if __name__ == "__main__":
    main()
