"""Content codings: what encoders made, undone; what is broken, kept."""

from __future__ import annotations

import gzip
import random
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.http.body import Body
from pcapng_utils.http.codings import DecodedBody, Decoder, decode, decode_body, message_codings, parse_codings
from pcapng_utils.http.exchange import Response


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


class ZWriter:
    """A plain encoder of Unix's `.Z`, to have something to undo; gzip reads what it writes."""

    def __init__(self, max_width: int, *, block_mode: bool) -> None:
        self.out = bytearray((0x1F, 0x9D, max_width | block_mode << 7))
        self.max_width = max_width
        self.first_free = 257 if block_mode else 256
        self.group: list[int] = []
        self.reset()

    def reset(self) -> None:
        self.width = 9
        self.table = {bytes((value,)): value for value in range(256)}
        self.free = self.first_free

    def write(self, data: bytes, clear_at: int) -> bytes:
        known = b""
        for position in range(len(data)):
            if position == clear_at:
                self.put(self.table[known])
                self.put(256)
                self.flush(self.width)
                self.reset()
                known = b""
            byte = data[position : position + 1]
            if known + byte in self.table:
                known += byte
            else:
                self.put(self.table[known])
                self.define(known + byte)
                known = byte
        if known:
            self.put(self.table[known])
        self.flush((len(self.group) * self.width + 7) // 8)
        return bytes(self.out)

    def define(self, string: bytes) -> None:
        if self.free < 1 << self.max_width:
            self.table[string] = self.free
        self.free += 1
        # A decoder has defined one entry less than the encoder when it reads the next code.
        if self.free - 1 > (1 << self.width) - 1 and self.width < max(self.max_width, 10):
            self.flush(self.width)
            self.width += 1

    def put(self, code: int) -> None:
        self.group.append(code)
        if len(self.group) == 8:
            self.flush(self.width)

    def flush(self, size: int) -> None:
        if self.group:
            bits = sum(code << (self.width * place) for place, code in enumerate(self.group))
            self.out += bits.to_bytes(size, "little")
            self.group.clear()


def compress_z(data: bytes, max_width: int = 16, clear_at: int = -1, *, block_mode: bool = True) -> bytes:
    return ZWriter(max_width, block_mode=block_mode).write(data, clear_at)


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd,
    "compress": compress_z,
}
TEXT = b"a body that is long enough to be worth it, " * 20
SKIPPABLE = struct.pack("<II", 0x184D2A5F, 4) + b"skip"


def _gzip(data: bytes) -> bytes:
    """Without the time of day: each process of a test run collects the same tests."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    ("coding", "raw", "clear"),
    [
        (b"gzip", _gzip(TEXT), TEXT),
        (b"x-gzip", _gzip(TEXT), TEXT),
        (b"GZip", _gzip(TEXT) + _gzip(b"more") + _gzip(b""), TEXT + b"more"),
        (b"gzip", _gzip(TEXT) + b"\0" * 100, TEXT),
        (b"gzip", _gzip(TEXT) + b"\n", TEXT),
        (b"gzip", _gzip(TEXT) + b"garbage", TEXT),
        (b"gzip", zlib.compress(TEXT), TEXT),
        (b"gzip", _gzip(b""), b""),
        (b"deflate", zlib.compress(TEXT), TEXT),
        (b"deflate", raw_deflate(TEXT), TEXT),
        (b"deflate", zlib.compress(TEXT) + b"garbage", TEXT),
        (b"br", brotli.compress(TEXT), TEXT),
        (b"zstd", zstd(TEXT), TEXT),
        (b"zstd", SKIPPABLE + zstd(TEXT) + SKIPPABLE + zstd(b"more"), TEXT + b"more"),
        (b"zstd", zstd(TEXT) + b"garbage", TEXT),
        (b"compress", compress_z(TEXT), TEXT),
        (b"x-compress", compress_z(TEXT, block_mode=False), TEXT),
        (b"deflate, gzip", _gzip(zlib.compress(TEXT)), TEXT),
        (b"br , identity,, gzip;q=1", _gzip(brotli.compress(TEXT)), TEXT),
    ],
)
def test_codings_are_undone(coding: bytes, raw: bytes, clear: bytes) -> None:
    assert decode_body(raw, coding) == DecodedBody(clear, True, "")


@pytest.mark.parametrize("coding", [None, b"", b"identity", b"Identity, "])
def test_a_body_without_coding_stays_as_it_is(coding: bytes | None) -> None:
    assert decode_body(TEXT, coding) == DecodedBody(TEXT, None, "")


def test_an_empty_body_has_nothing_to_undo() -> None:
    assert decode_body(b"", b"gzip") == DecodedBody(b"", None, "")


@pytest.mark.parametrize(
    ("coding", "raw", "problem"),
    [
        (b"gzip", TEXT, "gzip: Error -3 while decompressing data: incorrect header check"),
        (b"gzip", _gzip(TEXT)[:-1], "gzip: the data ends before the stream does"),
        (b"gzip", _gzip(TEXT)[:-8] + bytes(8), "gzip: Error -3 while decompressing data: incorrect data check"),
        (b"gzip", _gzip(TEXT) + _gzip(TEXT)[:-1], "gzip: the data ends before the stream does"),
        (b"deflate", b"x", "deflate: the data ends before the stream does"),
        (b"deflate", TEXT, "deflate: Error -3 while decompressing data: invalid stored block lengths"),
        (b"br", TEXT, "br: brotli: decoder failed"),
        (b"br", brotli.compress(TEXT)[:-1], "br: the data ends before the stream does"),
        (b"zstd", TEXT, "zstd: zstd decompressor error: Unknown frame descriptor"),
        (b"zstd", zstd(TEXT)[:-1], "zstd: the data ends before the stream does"),
        (b"compress", TEXT, "compress: no .Z header"),
        (b"compress", b"\x1f\x9d", "compress: the data ends before the stream does"),
        (b"compress", b"\x1f\x9d\x88abcdef", "compress: code width out of range"),
        (b"compress", b"\x1f\x9d\x90" + b"\xff" * 9, "compress: a code that was not defined"),
        (b"dcb", TEXT, "unknown coding 'dcb'"),
        (b"gzip, dcz", _gzip(TEXT), "unknown coding 'dcz'"),
        (b"nonsense, gzip", _gzip(TEXT), "unknown coding 'nonsense'"),
        (b"gzip," * 9, TEXT, "more than 8 codings"),
    ],
)
def test_a_body_that_fails_to_decode_is_kept_as_it_was(coding: bytes, raw: bytes, problem: str) -> None:
    assert decode_body(raw, coding) == DecodedBody(raw, False, problem)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_of_a_body_cut_short_what_can_be_decoded_is_kept(coding: str) -> None:
    noise = random.Random(1).randbytes(600_000)
    decoded = decode(ENCODERS[coding](noise)[:-300_000], [coding], whole=False)
    assert decoded.decoded
    assert decoded.problem == f"{coding}: the data ends before the stream does"
    assert len(decoded.data) > 100_000
    assert noise.startswith(decoded.data)


def test_of_a_body_with_a_fault_inside_what_comes_before_is_kept_if_it_is_known_not_to_be_whole() -> None:
    text = b"".join(b"line %d\n" % n for n in range(50_000))
    raw = _gzip(text)
    broken = raw[:40_000] + raw[40_100:]
    decoded = decode(broken, ["gzip"], whole=False)
    assert decoded.decoded and decoded.problem
    assert len(decoded.data) > 100_000
    assert decode(broken, ["gzip"]) == DecodedBody(broken, False, decoded.problem)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "compress"])
def test_a_bomb_costs_its_limit(coding: str) -> None:
    bomb = ENCODERS[coding](bytes(3_000_000))
    assert decode(bomb, [coding], limit=100_000) == DecodedBody(
        bomb, False, f"{coding}: more than 100000 bytes come out"
    )
    assert decode(bomb, [coding], limit=3_000_000) == DecodedBody(bytes(3_000_000), True, "")


def test_a_bomb_made_of_small_members_is_bounded() -> None:
    bomb = _gzip(bytes(50_000)) * 100
    assert decode(bomb, ["gzip"], limit=100_000).decoded is False
    assert decode(bomb, ["gzip"]).data == bytes(5_000_000)


def test_message_codings_are_content_codings_then_transfer_codings() -> None:
    headers = [
        (b"Transfer-Encoding", b"gzip, chunked"),
        (b"content-encoding", b"br"),
        (b"Content-Encoding", b"deflate"),
    ]
    assert message_codings(Response(Body(), headers=headers)) == ["br", "deflate", "gzip"]
    assert parse_codings(b"Identity, GZIP ;x=y,chunked") == ["gzip"]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000), st.lists(st.sampled_from(sorted(ENCODERS)), min_size=1, max_size=3), st.data())
def test_any_split_gives_the_same_bytes(clear: bytes, codings: list[str], data: st.DataObject) -> None:
    raw = clear
    for coding in codings:
        raw = ENCODERS[coding](raw)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    decoder = Decoder(codings)
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    parts = [part for piece in pieces for part in decoder.feed(piece)]
    assert b"".join([*parts, *decoder.finish()]) == clear
    assert decoder.problem == ""


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(ENCODERS)), st.binary(max_size=300), st.integers(0, 300), st.integers(0, 255))
def test_no_input_makes_it_raise(coding: str, clear: bytes, place: int, value: int) -> None:
    raw = bytearray(ENCODERS[coding](clear))
    raw[place % len(raw)] ^= value
    decoded = decode(bytes(raw), [coding], limit=1000, whole=False)
    assert decoded.decoded is not None
    assert len(decoded.data) <= max(1000, len(raw))


WORDS = b" ".join(random.Random(7).choices([b"lorem", b"ipsum", b"dolor", b"sit", b"amet", b"%d" % 10**30], k=40_000))


@pytest.mark.parametrize("max_width", [9, 10, 12, 16])
@pytest.mark.parametrize("clear_at", [-1, 1000, 100_003])
def test_compress_widens_and_clears_as_gzip_reads_it(max_width: int, clear_at: int) -> None:
    raw = compress_z(WORDS, max_width, clear_at)
    if shutil.which("gzip"):
        assert subprocess.run(["gzip", "-dc"], input=raw, capture_output=True, check=True).stdout == WORDS
    assert decode(raw, ["compress"]) == DecodedBody(WORDS, True, "")
