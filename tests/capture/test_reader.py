from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from io import BytesIO, RawIOBase

import lz4.frame  # type: ignore[import-untyped]
import pytest
import zstandard

from pcapng_utils.capture.compression import STEP
from pcapng_utils.capture.errors import CaptureError
from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader, Digests
from pcapng_utils.layers import Problem
from tests.capture.making import enhanced, interface, pcap_header, record, section, sort_out

T = 1_700_000_000
PCAP = pcap_header() + b"".join(record(bytes([n % 251]) * 200, T + n) for n in range(3000))
PCAPNG = section() + interface() + b"".join(enhanced(bytes([n % 251]) * 200, n) for n in range(3000))

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
}


class Pipe(RawIOBase):
    """What standard input may be: no seeking, and reads that return less than was asked for."""

    def __init__(self, data: bytes, most: int) -> None:
        self._inner = BytesIO(data)
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._inner.read(min(len(buffer), self._most))
        buffer[: len(data)] = data
        return len(data)


def kinds(reader: CaptureReader) -> tuple[int, list[str]]:
    packets, others = sort_out(reader)
    return len(packets), [event.kind for event in others if isinstance(event, Problem)]


@pytest.mark.parametrize(("capture", "form"), [(PCAP, "pcap"), (PCAPNG, "pcapng")])
@pytest.mark.parametrize("compression", [None, "gzip", "zstd", "lz4"])
def test_format_and_compression_are_told_by_the_first_bytes(capture: bytes, form: str, compression: str | None) -> None:
    data = COMPRESSORS[compression](capture) if compression else capture
    reader = CaptureReader(BytesIO(data), "x")
    assert (reader.format, reader.compression) == (form, compression)
    packets, others = sort_out(reader)
    assert packets == sort_out(CaptureReader(BytesIO(capture), "x"))[0]
    assert (len(packets), others) == (3000, [])


@pytest.mark.parametrize("most", [1, 7, 5000])
@pytest.mark.parametrize("compression", [None, "gzip", "zstd", "lz4"])
def test_a_pipe_that_trickles(most: int, compression: str | None) -> None:
    capture = PCAP[: 24 + 216 * 50]
    data = COMPRESSORS[compression](capture) if compression else capture
    assert kinds(CaptureReader(Pipe(data, most), "-")) == (50, [])  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_several_members_are_one_capture(compression: str) -> None:
    compress = COMPRESSORS[compression]
    data = compress(PCAP[:5]) + compress(b"") + compress(PCAP[5:3000]) + compress(PCAP[3000:])
    assert kinds(CaptureReader(BytesIO(data), "x")) == (3000, [])


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_zeros_behind_the_last_member_are_padding(compression: str) -> None:
    assert kinds(CaptureReader(BytesIO(COMPRESSORS[compression](PCAP) + bytes(512)), "x")) == (3000, [])


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_compressed_capture_cut_short_keeps_what_was_read(compression: str) -> None:
    """Said once, though the packets end in the middle of one, too."""
    noise = hashlib.shake_128(b"").digest(400_000)
    capture = pcap_header() + b"".join(record(noise[n : n + 200], T) for n in range(0, len(noise), 200))
    data = COMPRESSORS[compression](capture)
    count, found = kinds(CaptureReader(BytesIO(data[: len(data) * 3 // 4]), "x"))
    assert 500 < count < 2000
    assert found == ["capture-truncated"]


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_compressed_capture_that_only_lacks_its_end(compression: str) -> None:
    data = COMPRESSORS[compression](PCAP)
    assert kinds(CaptureReader(BytesIO(data[:-1]), "x"))[1] == ["capture-truncated"]


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_damage_keeps_what_came_before(compression: str) -> None:
    data = COMPRESSORS[compression](PCAP) + b"\xff" * 100
    reader = CaptureReader(BytesIO(data), "x", digests=True)
    assert kinds(reader) == (3000, ["capture-corrupted"])
    assert reader.size == len(data)


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_a_bomb_is_read_in_steps(compression: str) -> None:
    data = COMPRESSORS[compression](pcap_header() + record(bytes(200_000), T) * 200)
    largest = max(len(event.data) for event in CaptureReader(BytesIO(data), "x") if isinstance(event, PacketBatch))
    slack = 1024 // 4 * 128 * 1024 if compression == "zstd" else 256 * 1024
    assert largest <= STEP + 200_016 + slack


def test_digests_are_those_of_the_stored_bytes() -> None:
    data = gzip.compress(PCAP)
    reader = CaptureReader(BytesIO(data), "x", digests=True)
    for _ in reader:
        pass
    assert reader.digests == Digests(hashlib.sha1(data).hexdigest(), hashlib.sha256(data).hexdigest())
    assert reader.size == len(data)


def test_no_digests_unless_asked_for() -> None:
    reader = CaptureReader(BytesIO(PCAP), "x")
    assert kinds(reader)[0] == 3000
    assert reader.digests is None
    assert reader.size == len(PCAP)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "x is empty: a pcap or pcapng capture was expected. Did the capture stop too soon?"),
        (
            b"\x01\x02\x03\x04",
            "x is no capture: pcap or pcapng was expected, but it is unknown: its first bytes are 01 02 03 04.",
        ),
        (b"{}", "x is no capture: pcap or pcapng was expected, but it is JSON text."),
        (b"PK\x03\x04....", "x is no capture: pcap or pcapng was expected, but it is a ZIP archive: unpack it first."),
        (
            gzip.compress(b"[1, 2]", mtime=0),
            "x, decompressed with gzip, is no capture: pcap or pcapng was expected, but it is JSON text.",
        ),
    ],
)
def test_what_is_no_capture_is_refused_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(CaptureError) as caught:
        CaptureReader(BytesIO(data), "x")
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "data", [gzip.compress(b"", mtime=0), gzip.compress(PCAP, mtime=0)[:8], b"\x28\xb5\x2f\xfd\xff\xff\xff\xff"]
)
def test_compressed_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(CaptureError, match=r"x, decompressed with \w+, holds nothing"):
        CaptureReader(BytesIO(data), "x")
