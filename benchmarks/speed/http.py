"""Exchanges over HTTP/1.1 and HTTP/2 on a TLS flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection

from benchmarks.speed.tls import RECORD, TlsFlow

_BURST: Final = 4 * RECORD
"""Bytes of a download that come at once."""
_AGENT: Final = "bench/1.0 (Linux; Android 14; Pixel 6)"


class Exchanges(Protocol):
    def exchange(self, path: str, request: bytes, answer: bytes, content_type: str, coding: str = "") -> None:
        """A POST of `request`, or a GET if it is empty, and its answer."""


class Http1Exchanges:
    def __init__(self, flow: TlsFlow, host: str) -> None:
        self._flow = flow
        self._host = host

    def exchange(self, path: str, request: bytes, answer: bytes, content_type: str, coding: str = "") -> None:
        self._flow.send(0, self._request(path, request) + request)
        self._flow.send(1, _response(len(answer), content_type, coding))
        self._flow.send(1, answer)

    def download(self, path: str, body: bytes, content_type: str) -> Iterator[bool]:
        """The same in bursts: each step yields True while there is more to come."""
        self._flow.send(0, self._request(path, b""))
        self._flow.send(1, _response(len(body), content_type, ""))
        for start in range(0, len(body), _BURST):
            self._flow.send(1, body[start : start + _BURST])
            yield True

    def _request(self, path: str, body: bytes) -> bytes:
        lines = [
            f"{'POST' if body else 'GET'} {path} HTTP/1.1",
            f"Host: {self._host}",
            f"User-Agent: {_AGENT}",
            "Accept: */*",
            "Accept-Encoding: gzip, deflate, br",
            "Authorization: Bearer 0123456789abcdef0123456789abcdef",
            *([f"Content-Length: {len(body)}", "Content-Type: application/json"] if body else []),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _response(size: int, content_type: str, coding: str) -> bytes:
    lines = [
        "HTTP/1.1 200 OK",
        "Date: Mon, 24 Nov 2025 16:00:00 GMT",
        "Server: bench",
        f"Content-Type: {content_type}",
        f"Content-Length: {size}",
        *([f"Content-Encoding: {coding}"] if coding else []),
        "Cache-Control: no-store",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Http2Exchanges:
    def __init__(self, flow: TlsFlow, host: str) -> None:
        self._flow = flow
        self._host = host
        self._ends = (H2Connection(), H2Connection(H2Configuration(client_side=False)))
        for end in self._ends:
            end.initiate_connection()
        for direction in (0, 1):
            self._flush(direction)

    def exchange(self, path: str, request: bytes, answer: bytes, content_type: str, coding: str = "") -> None:
        client, server = self._ends
        stream = client.get_next_available_stream_id()
        fields = [
            (":method", "POST" if request else "GET"),
            (":path", path),
            (":scheme", "https"),
            (":authority", self._host),
            ("user-agent", _AGENT),
            ("accept-encoding", "gzip, deflate, br"),
            ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
            *([("content-type", "application/json")] if request else []),
        ]
        client.send_headers(stream, fields, end_stream=not request)
        if request:
            client.send_data(stream, request, end_stream=True)
        self._flush(0)
        server.send_headers(
            stream,
            [
                (":status", "200"),
                ("date", "Mon, 24 Nov 2025 16:00:00 GMT"),
                ("content-type", content_type),
                *([("content-encoding", coding)] if coding else []),
            ],
        )
        self._flush(1)
        server.send_data(stream, answer, end_stream=True)
        self._flush(1)
        for end in self._ends:
            end.increment_flow_control_window(len(request) + len(answer))
        self._flush(0)

    def _flush(self, direction: int) -> None:
        data = self._ends[direction].data_to_send()
        if data:
            self._flow.send(direction, data)
            self._ends[1 - direction].receive_data(data)
