"""Server-sent events: the stream in, events out (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.http import sse
from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Response, ServerSentEvent
from pcapng_utils.http.sse import EventStreamParser, event_stream_reader, is_event_stream


def read(*pieces: bytes) -> list[tuple[int, str, str, str]]:
    """Events of a stream whose piece n comes at time n: (time, event, id, data)."""
    parser = EventStreamParser()
    for time, piece in enumerate(pieces):
        parser.feed(piece, time)
    return [(e.time, e.event, e.id, e.data) for e in parser.events]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [("message", "", "a")]),
        (b"data:a\ndata\ndata:  b\n\n", [("message", "", "a\n\n b")]),
        (b"data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "", "\n")]),
        (b"data:test\n\ndata: test\n\n", [("message", "", "test"), ("message", "", "test")]),
        (b": comment\n\ndata: x\n:\nignored: y\nretry: 10\n\n", [("message", "", "x")]),
        (b"event: add\rdata: 1\r\revent: gone\r\ndata: 2\r\n\r\n", [("add", "", "1"), ("gone", "", "2")]),
        (b"event: lost\n\ndata: x\n\n", [("message", "", "x")]),
        (
            b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
            [("message", "1", "a"), ("message", "1", "b"), ("message", "", "c")],
        ),
        (b"id: 1\nid: 2\x003\ndata: a\n\n", [("message", "1", "a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", "", "a")]),
        (b"data: \xff\xc3\xa9\n\n", [("message", "", "\ufffd\u00e9")]),
        (b"data: not ended\n", []),
        (b"data: a:b: c\n\n", [("message", "", "a:b: c")]),
    ],
)
def test_events(stream: bytes, events: list[tuple[str, str, str]]) -> None:
    assert [e[1:] for e in read(stream)] == events
    assert [e[1:] for e in read(*(stream[i : i + 1] for i in range(len(stream))))] == events


def test_an_event_has_the_time_of_its_blank_line() -> None:
    assert read(b"data: a\r\n", b"\r", b"\ndata: b", b"\n", b"\n") == [(1, "message", "", "a"), (4, "message", "", "b")]


def test_a_byte_order_mark_counts_at_the_start_alone() -> None:
    assert read(b"\xef", b"\xbb", b"\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == [(2, "message", "", "a")]


def test_after_lost_bytes_reading_goes_on_behind_the_next_blank_line() -> None:
    parser = EventStreamParser()
    parser.feed(b"data: a\n\ndata: b", 0)
    parser.gap()
    parser.feed(b"rest\ndata: c\n\ndata: d\n\n", 1)
    assert [e.data for e in parser.events] == ["a", "d"]


LINES = st.sampled_from(
    [b"data: x", b"data:\xc3\xa9", b"id: 7", b"event: e", b"", b"", b":c", b"data", b"\xef\xbb\xbfdata: y", b"retry: 1"]
)


@given(st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=12), st.data())
def test_any_split_gives_the_same_events(lines: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(line + end for line, end in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [e[1:] for e in read(*pieces)] == [e[1:] for e in read(stream)]


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 10)
    monkeypatch.setattr(sse, "MAX_RETAINED", 1000)
    parser = EventStreamParser()
    parser.feed(b"data: " + b"x" * 20, 0)
    assert parser.problem == "a line of more than 10 bytes"
    parser.feed(b"\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n", 1)
    assert [e.data for e in parser.events] == ["1", "2"]
    assert parser.problem == "more events than are kept"


def _zlib_flush(text: bytes, wbits: int) -> bytes:
    compressor = zlib.compressobj(wbits=wbits)
    return compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)


def _brotli_flush(text: bytes) -> bytes:
    compressor = brotli.Compressor()
    flushed: bytes = compressor.process(text) + compressor.flush()
    return flushed


def _zstd_flush(text: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(text) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        (b"gzip", lambda text: _zlib_flush(text, 31)),
        (b"deflate", lambda text: _zlib_flush(text, 15)),
        (b"br", _brotli_flush),
        (b"zstd", _zstd_flush),
        (b"identity", lambda text: text),
    ],
)
def test_a_coded_stream_is_read_while_it_comes(coding: bytes, compress: Callable[[bytes], bytes]) -> None:
    response = Response(
        Body(), headers=[(b"Content-Type", b"Text/Event-Stream; charset=utf-8"), (b"Content-Encoding", coding)]
    )
    assert is_event_stream(response)
    events: list[ServerSentEvent] = []
    reader = event_stream_reader(response, events)
    wire = compress(b"data: first\n\n")
    reader.feed(wire[:5], 1)
    reader.feed(wire[5:], 2)
    assert [(e.time, e.data) for e in events] == [(2, "first")]
    assert reader.problem == ""


def test_after_lost_bytes_a_compressed_stream_is_given_up() -> None:
    events: list[ServerSentEvent] = []
    reader = event_stream_reader(Response(Body(), headers=[(b"content-encoding", b"gzip")]), events)
    reader.gap()
    reader.feed(gzip.compress(b"data: x\n\n"), 1)
    assert events == []
    assert reader.problem == "bytes of a compressed stream were lost"


@pytest.mark.parametrize("content_type", [b"text/html", b"text/event-streams", b""])
def test_other_types_are_not_event_streams(content_type: bytes) -> None:
    assert not is_event_stream(Response(Body(), headers=[(b"Content-Type", content_type)]))
