"""What a capture may cost: every way to make much of little ends at a limit, with a problem, within memory and time."""

from __future__ import annotations

import gzip
import random
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hpack import Encoder

from pcapng_utils.errors import UsageError
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.limits import DEFAULTS
from pcapng_utils.pipeline.options import Options
from tests.hostile.making import Measured, Said, connection, convert, datagrams, write_capture
from tests.http2.wire import CLIENT_START, CONTINUATION, END_HEADERS, END_STREAM, HEADERS, SERVER_START, frame
from tests.http2.wire import GET as GET_FIELDS
from tests.http3 import wire as h3
from tests.net.wire import PSH, SYN, handshake, tcp, udp
from tests.quic.making import Talk, stream, varint

FIXTURES: Final = Path(__file__).parent.parent / "fixtures"
MB: Final = 1 << 20
#: Of memory, of which the program itself takes 34, and `--max-memory` allows 64 more.
MOST_MB: Final = 110
#: Of CPU: what it takes to decode a quarter of a gigabyte, on a busy machine.
MOST_SECONDS: Final = 6

GET: Final = (CLIENT, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
OK: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Case(NamedTuple):
    packets: Callable[[], Iterator[bytes]]
    problems: set[str]
    """That say what was left out; where it is the end of the capture that cuts a message short, the exchange does."""
    incomplete: str = ""
    """Of the exchange."""


def answered(response: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: connection([GET, (SERVER, response)])


def coded(coding: bytes, body: bytes) -> Callable[[], Iterator[bytes]]:
    return answered(OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)) + body)


def zeros(megabytes: int, wbits: int, flush: int = zlib.Z_FINISH) -> bytes:
    deflate, piece = zlib.compressobj(9, zlib.DEFLATED, wbits), bytes(MB)
    return b"".join(deflate.compress(piece) for _ in range(megabytes)) + deflate.flush(flush)


def brotli_zeros(megabytes: int) -> bytes:
    compressor, piece = brotli.Compressor(quality=5), bytes(MB)
    return b"".join([compressor.process(piece) for _ in range(megabytes)] + [compressor.finish()])


def zstd_zeros(megabytes: int) -> bytes:
    compressor, piece = zstandard.ZstdCompressor().compressobj(), bytes(MB)
    return b"".join([compressor.compress(piece) for _ in range(megabytes)] + [compressor.flush()])


UPGRADE: Final[list[Said]] = [
    (
        CLIENT,
        b"GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ),
    (
        SERVER,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ),
]


def websocket_frame(data: bytes, first: int = 0x82, promised: int = 0) -> bytes:
    return bytes((first, 127)) + struct.pack(">Q", promised or len(data)) + data


def websockets(count: int) -> Iterator[bytes]:
    """Connections that stay open, each with a bomb."""
    bomb = websocket_frame(zeros(40, -15, zlib.Z_SYNC_FLUSH)[:-4], 0xC2)
    for number in range(count):
        yield from connection([*UPGRADE, (SERVER, bomb)], (41000 + number, 443), end=False)


def event_streams(count: int) -> Iterator[bytes]:
    said = (
        SERVER,
        OK + b"Content-Type: text/event-stream\r\n\r\n" + b"id: %b\n" % (b"x" * 1000) + b"data:\n\n" * 10_000,
    )
    for number in range(count):
        yield from connection([GET, said], (41000 + number, 443), end=False)


def http2(client: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: connection([(CLIENT, CLIENT_START + client), (SERVER, SERVER_START)])


def hpack_bomb() -> bytes:
    encoder = Encoder()
    first = frame(HEADERS, END_HEADERS, 1, encoder.encode([*GET_FIELDS, (b"x-bomb", b"b" * 3900)]))
    return first + b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, 3 + 2 * number, encoder.encode(GET_FIELDS) + b"\xbe" * 100)
        for number in range(500)
    )


TALK: Final = Talk()


def quic(*frames: tuple[int, bytes]) -> Iterator[bytes]:
    talk = Talk()
    return datagrams([*talk.opening(), *((side, talk.short(side, one)) for side, one in frames)])


def qpack_bomb() -> Iterator[bytes]:
    settings = h3.frame(h3.SETTINGS, varint(1) + varint(4096))
    insert = h3._prefixed(0x40, 0x1F, b"x-bomb") + h3._prefixed(0, 0x7F, b"b" * 1000)
    section = h3.frame(h3.HEADERS, b"\x02\x00" + b"\x80" * 1000)
    return quic(
        (SERVER, stream(3, 0, b"\x00" + settings)),
        (CLIENT, stream(2, 0, b"\x02\x3f\xe1\x1f" + insert)),
        *((CLIENT, stream(4 * number, 0, section, fin=True)) for number in range(300)),
    )


def waiting_sections() -> Iterator[bytes]:
    settings = (SERVER, stream(3, 0, b"\x00" + h3.frame(h3.SETTINGS, varint(1) + varint(4096))))
    section = h3.frame(h3.HEADERS, b"\x02\x00\x80")
    return quic(settings, *((CLIENT, stream(4 * number, 0, section, fin=True)) for number in range(500)))


def half_open(count: int) -> Iterator[bytes]:
    return (
        tcp(0, 100, None, SYN, b"", (10000 + number % 50000, 443), (struct.pack(">I", number), b"\xcb\x00\x71\x07"))
        for number in range(count)
    )


def udp_flows(count: int) -> Iterator[bytes]:
    return (udp(0, b"x", (10000 + number, 9), (b"\x0a\0\0\1", b"\xcb\x00\x71\x07")) for number in range(count))


def fragment(number: int, offset: int, data: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), number & 0xFFFF, 0x2000 | offset // 8, 64, 17, 0)
    return bytes(12) + b"\x08\x00" + header + struct.pack(">I", number) + b"\xcb\x00\x71\x07" + data


def jumps(count: int) -> Iterator[bytes]:
    rng = random.Random(1)
    yield from handshake()
    yield from (tcp(0, rng.getrandbits(32), 501, PSH, b"x" * 100) for _ in range(count))


def holes(count: int) -> Iterator[bytes]:
    yield from handshake()
    yield from (tcp(0, 101 + 2 * number + 1, 501, PSH, b"x") for number in range(count))


ZEROS: Final = zeros(300, 31)
CASES: Final[dict[str, Case]] = {
    "gzip": Case(coded(b"gzip", ZEROS), {"body-not-decoded"}),
    "deflate": Case(coded(b"deflate", zeros(300, -15)), {"body-not-decoded"}),
    "br": Case(coded(b"br", brotli_zeros(300)), {"body-not-decoded"}),
    "zstd": Case(coded(b"zstd", zstd_zeros(300)), {"body-not-decoded"}),
    "gzip in gzip": Case(coded(b"gzip, gzip", gzip.compress(ZEROS)), {"body-not-decoded"}),
    "gzip in br": Case(coded(b"gzip, br", brotli.compress(ZEROS)), {"body-not-decoded"}),
    "nine codings": Case(coded(b"gzip" + b", gzip" * 8, zeros(1, 31)), {"body-not-decoded"}),
    "permessage-deflate": Case(lambda: websockets(3), {"websocket-bad-message", "websocket-too-much"}),
    "HPACK": Case(http2(hpack_bomb()), {"http2-header-list"}, "request: headers-unknown"),
    "QPACK": Case(qpack_bomb, {"http3-header-list"}, "request: headers-unknown"),
    "endless header lines": Case(answered(OK + b"X-A: b\r\n" * 500_000), {"http1-head-too-long"}),
    "an endless header line": Case(answered(OK + b"X-A: " + b"b" * 4 * MB), {"http1-head-too-long"}),
    "an endless start line": Case(lambda: connection([(CLIENT, b"GET /" + b"a" * 4 * MB)]), {"http1-head-too-long"}),
    "endless trailers": Case(answered(CHUNKED + b"0\r\n" + b"X-A: b\r\n" * 500_000), {"http1-trailers-too-long"}),
    "an endless chunk extension": Case(answered(CHUNKED + b"5;" + b"x" * 4 * MB), {"http1-not-chunked"}),
    "endless continuations": Case(
        http2(frame(HEADERS, 0, 1, b"\x82") + frame(CONTINUATION, 0, 1) * 100_000),
        {"http2-header-block", "http2-orphan"},
    ),
    "endless interim responses": Case(
        answered(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + OK + b"Content-Length: 0\r\n\r\n"),
        {"http1-too-many-interim"},
        "interim response: interim-left-out",
    ),
    "requests that nobody answers": Case(lambda: connection([(CLIENT, GET[1] * 1000)]), {"http1-unanswered"}),
    "a chunk of a terabyte": Case(answered(CHUNKED + b"FFFFFFFFFF\r\nabc"), set(), "response: truncated"),
    "a chunk of a size beyond all numbers": Case(answered(CHUNKED + b"F" * 1000 + b"\r\nabc"), {"http1-not-chunked"}),
    "a body of an exabyte": Case(answered(OK + b"Content-Length: 1%017d\r\n\r\nabc" % 0), set(), "response: truncated"),
    "a body of a length beyond all numbers": Case(
        answered(OK + b"Content-Length: %d\r\n\r\nabc" % 10**400), {"http1-bad-length"}
    ),
    "a WebSocket frame of exabytes": Case(
        lambda: connection([*UPGRADE, (SERVER, websocket_frame(b"abc", promised=1 << 62))]), {"websocket-bad-message"}
    ),
    "an HTTP/2 frame of 16 MB": Case(
        http2(frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x84") + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01abc"),
        {"http2-truncated"},
    ),
    "an HTTP/3 frame of exabytes": Case(
        lambda: quic((CLIENT, stream(0, 0, h3.frame(h3.HEADERS, h3.literal(h3.GET)) + b"\0" + varint((1 << 62) - 1)))),
        set(),
        "request: truncated",
    ),
    "events": Case(lambda: event_streams(2), {"http1-bad-event-stream"}, "response: events-left-out"),
    "sections that wait": Case(waiting_sections, {"http3-too-many-blocked", "http3-unknown-fields"}),
    "half-open flows": Case(lambda: half_open(3000), {"net-too-many-flows"}),
    "UDP flows": Case(lambda: udp_flows(3000), {"net-too-many-flows"}),
    "fragments never completed": Case(
        lambda: (fragment(number, 0, bytes(1400)) for number in range(4000)), {"ip-fragments-incomplete"}
    ),
    "fragments of 8 bytes": Case(
        lambda: (fragment(1, 8 * (number % 8000), bytes(8)) for number in range(50_000)), {"ip-fragments-incomplete"}
    ),
    "sequence numbers that jump": Case(lambda: jumps(10_000), {"tcp-gap", "tcp-stray-segments"}),
    "every other byte": Case(lambda: holes(50_000), {"tcp-limit", "tcp-gap"}),
    "QUIC: every other kilobyte": Case(
        lambda: quic(*((SERVER, stream(3, 10 + 2000 * number, bytes(1000))) for number in range(6000))),
        {"quic-stream-gap"},
    ),
    "QUIC: streams": Case(
        lambda: quic(*((CLIENT, stream(4 * number, 0, b"a")) for number in range(6000))),
        {"quic-too-many-streams", "http3-too-many-streams"},
    ),
    "QUIC: offsets that jump": Case(
        lambda: quic(*((CLIENT, stream(0, (1 << 61) - (number << 30), b"a" * 100)) for number in range(5000))),
        {"quic-stream-gap", "http3-gap"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bounds(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    keys = tmp_path / "keys.txt"
    keys.write_bytes(TALK.keylog())
    done = convert(write_capture(tmp_path / "x.pcap", case.packets()), "-k", keys, "--max-memory", "64M")
    assert set(done.problems) == case.problems
    reasons = [reason for entry in done.log["entries"] for reason in entry.get("_incomplete", ())]
    assert not case.incomplete or case.incomplete in reasons, reasons
    assert done.peak < MOST_MB
    assert done.cpu < MOST_SECONDS


def test_a_limit_is_changed_by_its_name(tmp_path: Path) -> None:
    path = write_capture(
        tmp_path / "x.pcap", answered(OK + b"X-A: " + b"b" * 400_000 + b"\r\nContent-Length: 0\r\n\r\n")()
    )
    assert convert(path).problems == {"http1-head-too-long": 1}
    done = convert(path, "--limit", "http1.head=1M")
    assert done.problems == {}
    assert done.log["creator"]["_metadata"]["options"] == {"limits": {"http1.head": 1_000_000}}
    assert convert(path, "--limit", "http1.length=1").code == convert(path, "--limit", "http1.head=x").code == 2


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_limit_of_nothing_is_refused(tmp_path: Path, name: str) -> None:
    path = write_capture(tmp_path / "x.pcap", answered(OK + b"Content-Length: 0\r\n\r\n")())
    with pytest.raises(UsageError, match=f"{name}=0: a limit was expected to be 1 at least"):
        Conversion(path, Options(limits=((name, 0),))).read()
    with Conversion(path, Options(limits=((name, 1),))) as conversion:
        conversion.read()
        assert "internal-error" not in {row["kind"] for row in conversion.problems.rows()}


def test_a_body_may_become_what_gzip_makes_of_it(tmp_path: Path) -> None:
    done = convert(write_capture(tmp_path / "x.pcap", coded(b"gzip", zeros(20, 31))()))
    assert done.problems == {}
    (entry,) = done.log["entries"]
    assert entry["response"]["content"]["size"] == 20 * MB
    small = convert(tmp_path / "x.pcap", "--limit", "body.decoded=10M")
    assert small.problems == {"body-not-decoded": 1}


@pytest.mark.parametrize("name", ["websocket", "websocket-h2", "websocket-h3"])
def test_limits_of_websockets_hold_over_every_version_of_http(tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(FIXTURES / name, tmp_path / name)
    small = convert(folder / "traffic.pcap", "--limit", "websocket.message=1k")
    assert set(small.problems) == {"websocket-bad-message"}
    assert longest_message(small) == 1000
    few = convert(folder / "traffic.pcap", "--limit", "websocket.retained=4k")
    assert few.problems["websocket-too-much"] == 1
    assert longest_message(few) < 4000


def longest_message(done: Measured) -> int:
    """In bytes; those that are base64 are left out."""
    messages = [message for entry in done.log["entries"] for message in entry.get("_webSocketMessages", ())]
    return max(len(message["data"]) for message in messages if message["opcode"] == 1)
