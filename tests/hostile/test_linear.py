"""Work grows with input and no faster, however the input is made: twice as much takes about twice as long."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from tests.cli.making import socket_call
from tests.hostile.making import Measured, connection, convert, datagrams, growth, ratio, write_capture
from tests.http2.wire import CLIENT_START, DATA, END_HEADERS, HEADERS, SERVER_START, frame
from tests.net.wire import ENDS, PSH, handshake, tcp, udp
from tests.quic.making import Talk, stream
from tests.tls.sender import Sender

#: What twice the input may take: what is quadratic takes four times as much.
MOST: Final = 3.0
GET: Final = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK: Final = b"HTTP/1.1 200 OK\r\n"


def from_the_last(count: int) -> Iterator[bytes]:
    """Every other byte, the last one first."""
    yield from handshake()
    yield from (tcp(0, 101 + 2 * number, 501, PSH, b"x") for number in range(count, 0, -1))


def in_any_order(count: int) -> Iterator[bytes]:
    order = list(range(count))
    random.Random(2).shuffle(order)
    yield from handshake()
    yield from (tcp(0, 101 + 100 * number, 501, PSH, b"x" * 100) for number in order)


def overlapping(count: int) -> Iterator[bytes]:
    """Behind a hole, segments over one another, of all sizes and at all places."""
    rng = random.Random(3)
    yield from handshake()
    for _ in range(count):
        yield tcp(0, 102 + rng.randrange(100 * count), 501, PSH, b"x" * rng.randrange(1, 1400))


def fragments(count: int) -> Iterator[bytes]:
    """Of one datagram after another, over one another."""
    rng = random.Random(4)
    for number in range(count):
        size, offset = 8 * rng.randrange(1, 100), rng.randrange(7000)
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, number // 5000, 0x2000 | offset, 64, 17, 0)
        yield bytes(12) + b"\x08\x00" + header + bytes(8) + bytes(size)


def tiny_records(count: int) -> Iterator[bytes]:
    sender = Sender()
    records = b"".join(sender.record(b"x") for _ in range(count))
    return connection([*sender.hellos(), (SERVER, records)])


def answered(response: Callable[[int], bytes]) -> Callable[[int], Iterator[bytes]]:
    return lambda count: connection([(CLIENT, GET), (SERVER, response(count))])


def http2_frames(count: int) -> Iterator[bytes]:
    first = CLIENT_START + frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x84")
    return connection([(CLIENT, first + frame(DATA, 0, 1, b"x") * count), (SERVER, SERVER_START)])


def flows(count: int) -> Iterator[bytes]:
    return (
        udp(0, b"x", (8 * (number % 5000) + 1, 9), (struct.pack(">I", number << 8), ENDS[1])) for number in range(count)
    )


def stream_numbers(count: int) -> Iterator[bytes]:
    """Whose hashes, as Python hashes integers, are alike in all bits that a small dictionary looks at first."""
    talk = Talk()
    said = ((CLIENT, talk.short(CLIENT, stream(number << 40, 0, b"a"))) for number in range(count))
    return datagrams([*talk.opening(), *said])


def start_lines(count: int) -> bytes:
    """What looks like the beginning of a message again and again, and is none."""
    return b"HTTP/1.1 2" * count


CASES: Final[dict[str, tuple[Callable[[int], Iterator[bytes]], int]]] = {
    "every other byte from the last": (from_the_last, 50_000),
    "segments in any order": (in_any_order, 50_000),
    "overlapping segments": (overlapping, 40_000),
    "overlapping fragments": (fragments, 50_000),
    "tiny TLS records": (tiny_records, 40_000),
    "flows": (flows, 6000),
    "stream numbers": (stream_numbers, 2000),
    "chunks of a byte": (answered(lambda n: OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * n), 80_000),
    "HTTP/2 frames of a byte": (http2_frames, 80_000),
    "start lines": (answered(start_lines), 400_000),
    "events": (answered(lambda n: OK + b"Content-Type: text/event-stream\r\n\r\n" + b"data:\n\n" * n), 40_000),
    "header fields": (answered(lambda n: (OK + b"A: b\r\n" * 5000 + b"Content-Length: 0\r\n\r\n") * n), 16),
}


@pytest.mark.parametrize("name", CASES)
def test_captures(tmp_path: Path, name: str) -> None:
    packets, count = CASES[name]
    assert growth(lambda path, size: write_capture(path, packets(size)), tmp_path, count) < MOST


TRACES: Final[dict[str, tuple[Callable[[int], bytes], int]]] = {
    "deep": (lambda n: b'[{"a":' + b"[" * n + b"]" * n + b"}]", 400_000),
    "never closed": (lambda n: b'[{"a":' + b"[" * n, 1_000_000),
    "a long string": (lambda n: b'[{"a":"' + b"x" * n, 16_000_000),
    "a string of escapes": (lambda n: b'[{"a":"' + rb"\"" * n, 4_000_000),
    "keys in another order": (
        lambda n: json.dumps([dict(reversed(socket_call(at, "write").items())) for at in range(n)]).encode(),
        4000,
    ),
}


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("option", ["-sf", "-cf"])
def test_traces(tmp_path: Path, name: str, option: str) -> None:
    text, size = TRACES[name]
    capture = write_capture(
        tmp_path / "x.pcap", connection([(CLIENT, GET), (SERVER, OK + b"Content-Length: 0\r\n\r\n")])
    )
    once, twice = tmp_path / "once.json", tmp_path / "twice.json"
    once.write_bytes(text(size))
    twice.write_bytes(text(2 * size))
    runs = (partial(convert, capture, *chosen) for chosen in (("-sf", ""), (option, once), (option, twice)))
    assert ratio(*runs) < MOST


def random_sides(count: int) -> list[bytes]:
    dice = random.Random(5)
    return [dice.randbytes(600) for _ in range(count)]


def sides_that_begin_alike(count: int) -> list[bytes]:
    """What a stream cipher makes of messages that begin alike, where the app gives it the same IV each time."""
    dice = random.Random(6)
    begin = dice.randbytes(500)
    return [begin + dice.randbytes(dice.randrange(20, 120)) for _ in range(count)]


def zero_sides(count: int) -> list[bytes]:
    """Of all sizes, each other than zero at its end, where none of the bodies is."""
    return [bytes(500 + number % 400) + number.to_bytes(4, "big") for number in range(count)]


BODIES: Final[dict[str, tuple[Callable[[int], list[bytes]], Callable[[bytes], bytes], int]]] = {
    "the same": (random_sides, lambda side: side, 3000),
    "others": (random_sides, lambda side: side[::-1], 3000),
    "begin alike": (sides_that_begin_alike, lambda side: side[:-3], 1500),
    "zeros": (zero_sides, lambda side: bytes(len(side)), 1000),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_and_cipher_calls(tmp_path: Path, name: str) -> None:
    make, body_of, count = BODIES[name]

    def run(count: int) -> partial[Measured]:
        sides, said = make(count), []
        for side in sides:
            body = body_of(side)
            head = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % len(body)
            said += [(CLIENT, head + body), (SERVER, OK + b"Content-Length: 0\r\n\r\n")]
        capture = write_capture(tmp_path / f"{count}.pcap", connection(said))
        calls = [{"data": {"alg": "AES", "in": side[28:].hex(), "out": side.hex()}} for side in sides]
        path = tmp_path / f"{count}.json"
        path.write_text(json.dumps(calls))
        return partial(convert, capture, "-cf", path)

    assert ratio(run(1), run(count), run(2 * count)) < MOST
