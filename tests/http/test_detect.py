"""Is it HTTP? First bytes in, an answer out."""

from __future__ import annotations

import pytest

from pcapng_utils.http.detect import HTTP2_PREFACE, MAX_START_LINE, looks_like_http1, looks_like_http2_preface
from pcapng_utils.http.startline import parse_request_line
from pcapng_utils.layers import CLIENT, SERVER


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\r\n",
        b"get  /a b  http/1.0\n",
        b"CONNECT a:443 HTTP/1.1\r\n",
        b"X-CUSTOM * HTTP/1.9 \r\n",
        b"\r\n\nPOST /\xff\x01 HTTP/1.1\r\n",
    ],
)
def test_request_lines(line: bytes) -> None:
    assert looks_like_http1(line + b"Host: x\r\n", CLIENT) is True
    assert [looks_like_http1(line[:n], CLIENT) for n in range(len(line))] == [None] * len(line)
    assert looks_like_http1(line, SERVER) is False


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK\r\n", b"http/1.0  404\n", b"HTTP/1.1 200 \r\n", b"ICY 200 OK\r\n"])
def test_status_lines(line: bytes) -> None:
    assert looks_like_http1(line + b"Server: x\r\n", SERVER) is True
    assert [looks_like_http1(line[:n], SERVER) for n in range(len(line))] == [None] * len(line)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /\r\n",
        b"GET HTTP/1.1\r\n",
        b" GET / HTTP/1.1\r\n",
        b"OPTIONS rtsp://a RTSP/1.0\r\n",
        b"INVITE sip:a SIP/2.0\r\n",
        b"EHLO mail.example.org\r\n",
        b"this is no HTTP/1.1\r\n",
        b"\x00" * 10,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        HTTP2_PREFACE,
    ],
)
def test_other_clients(data: bytes) -> None:
    assert looks_like_http1(data, CLIENT) is False


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x03",
        b"RTSP/1.0 200 OK\r\n",
        b"HTTP/2 200\r\n",
        b"HTTP/1.1 2x",
        b"220 mail ESMTP\r\n",
        b"HTTP/1.1 2000 ",
    ],
)
def test_other_servers(data: bytes) -> None:
    assert looks_like_http1(data, SERVER) is False


def test_the_end_of_a_line_is_not_waited_for_without_end() -> None:
    assert looks_like_http1(b"GET /" + b"a" * MAX_START_LINE, CLIENT) is True
    assert looks_like_http1(b"word " + b"a" * MAX_START_LINE, CLIENT) is False
    assert looks_like_http1(b"HTTP/1.1 200 " + b"a" * MAX_START_LINE, SERVER) is False


def test_the_preface_of_http2() -> None:
    assert looks_like_http2_preface(HTTP2_PREFACE + b"\x00") is True
    assert [looks_like_http2_preface(HTTP2_PREFACE[:n]) for n in range(24)] == [None] * 24
    assert looks_like_http2_preface(b"PRI * HTTP/1.1") is False
    assert looks_like_http2_preface(b"GET / HTTP/1.1\r\n\r\n") is False


def test_a_long_run_of_letters_is_no_method() -> None:
    assert parse_request_line(b"M" * 64 + b" / HTTP/1.1") is not None
    assert parse_request_line(b"B" * 65 + b" / HTTP/1.1") is None
