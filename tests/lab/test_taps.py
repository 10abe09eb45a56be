"""Which messages the client's own bytes belong to."""

from __future__ import annotations

import itertools

import h2.config
import h2.connection
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from lab.experiment.operations import Label
from lab.experiment.taps import CURRENT, Http1Connection, Http2Connection


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


def test_http1_headers_and_bodies_belong_to_who_wrote_them() -> None:
    connection = Http1Connection()
    CURRENT.set(7)
    assert connection.out.feed(b"POST / HTTP/1.1\r\n\r\n") == [Label(7, "request headers")]
    assert connection.out.feed(b"body") == [Label(7, "request body")]
    assert connection.into.feed(b"HTTP/1.1 200 OK\r\n\r\nwith body") == [
        Label(7, "response headers"),
        Label(7, "response body"),
    ]
    CURRENT.set(8)
    assert connection.out.feed(b"GET / HTTP/1.1\r\n\r\n") == [Label(8, "request headers")]


@given(st.lists(st.integers(0, 70_000), max_size=6), st.lists(st.integers(0, 200_000), max_size=8))
def test_websocket_messages_are_numbered_however_they_are_cut(sizes: list[int], cuts: list[int]) -> None:
    connection = Http1Connection()
    CURRENT.set(1)
    connection.out.feed(b"GET / HTTP/1.1\r\n\r\n")
    connection.into.feed(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    frames = [Frame(Opcode.TEXT, b"x" * size).serialize(mask=True) for size in sizes]
    frames.insert(len(frames) // 2, Frame(Opcode.PING, b"?").serialize(mask=True))
    labels = [label for piece in pieces(b"".join(frames), cuts) for label in connection.out.feed(piece)]
    assert list(dict.fromkeys(labels)) == [Label(1, f"send {n}") for n in range(len(sizes))]


@given(st.lists(st.integers(0, 3000), max_size=8))
def test_http2_streams_are_joined_with_requests_however_they_are_cut(cuts: list[int]) -> None:
    machine = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    machine.initiate_connection()
    head = [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", "/")]
    for stream in (1, 3):
        machine.send_headers(stream, [*head, ("x-truth", str(stream * 10))])
    for stream in (3, 1):
        machine.send_data(stream, b"d" * 900, end_stream=True)
    tap = Http2Connection().out
    labels = [label for piece in pieces(machine.data_to_send(), cuts) for label in tap.feed(piece)]
    assert list(dict.fromkeys(labels)) == [
        Label(10, "request headers"),
        Label(30, "request headers"),
        Label(30, "request body"),
        Label(10, "request body"),
    ]
