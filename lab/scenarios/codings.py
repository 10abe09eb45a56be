"""Content codings."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import zstandard

from lab.clients.httpx_client import HttpxClient
from lab.conversation import conversation
from lab.scenarios import scenario
from lab.servers.application import CODINGS, answer_body
from lab.stage import HOST, Stage
from lab.truth import KEY, Body, Exchange


@scenario("codings")
def codings(directory: Path) -> None:
    """Every content coding, alone and stacked, over HTTP/1.1 and HTTP/2; coded requests; bodies that do not decode."""
    with Stage.built("codings", directory) as stage, stage.hypercorn(), stage.on_phone():
        for http2 in (False, True):
            with HttpxClient.open(stage, http2=http2) as client:
                for name in (*CODINGS, "gzip,br", "deflate,gzip,zstd"):
                    client.fetch("GET", f"/data?size=3000&seed={len(name)}&coding={name}")
                body = answer_body(2000, 8)
                for name in ("gzip", "br", "zstd", "deflate"):
                    client.fetch("POST", "/echo", [("content-encoding", name)], CODINGS[name](body), decoded=body)
        _odd(stage)


def _odd(stage: Stage) -> None:
    """What clients do read, or should: several members, upper case, x-gzip, two header lines; and what none can."""
    text = b"the same clear text, " * 30
    whole = gzip.compress(text)
    answers = [
        (["X-GZIP"], whole, text),
        (["gzip", "br"], CODINGS["br"](whole), text),
        (["gzip"], gzip.compress(text[:100]) + gzip.compress(text[100:]), text),
        (["zstd"], zstandard.compress(text[:100]) + zstandard.compress(text[100:]), text),
        (["compress"], compress(text), text),
        (["identity, gzip"], whole, text),
        (["gzip"], b"", b""),
        (["gzip"], b"this is not gzip", b"this is not gzip"),
        (["unheard-of"], b"who knows", b"who knows"),
        (["deflate"], zlib.compress(text)[:-9], zlib.compress(text)[:-9]),
    ]
    with conversation(stage, 8001) as talk:
        for lines, sent, decoded in answers:
            number = stage.number()
            url = f"http://{HOST}:8001/coded/{number}"
            exchange = Exchange(number, "HTTP/1.1", "GET", url, status=200, server=stage.server)
            exchange.request_headers = [(KEY, str(number))]
            exchange.response_headers = [("Content-Encoding", line) for line in lines]
            exchange.response = Body.of(decoded, len(sent))
            stage.truth.exchanges.append(exchange)
            talk.client_says(f"GET /coded/{number} HTTP/1.1\r\nHost: {HOST}:8001\r\n{KEY}: {number}\r\n\r\n".encode())
            coding = "".join(f"Content-Encoding: {line}\r\n" for line in lines)
            talk.server_says(f"HTTP/1.1 200 OK\r\nContent-Length: {len(sent)}\r\n{coding}\r\n".encode() + sent)


def compress(data: bytes) -> bytes:
    """The coding "compress": LZW of 9 to 16 bits as the program of that name writes it, without ever clearing its table
    (enough for texts that do not fill it)."""
    table = {bytes([n]): n for n in range(256)}
    next_code, width, bits, filled = 257, 9, 0, 0
    out = bytearray(b"\x1f\x9d\x90")
    group = 0
    prefix = b""

    def emit(code: int) -> None:
        nonlocal bits, filled, group
        bits |= code << filled
        filled += width
        group += 1
        while filled >= 8:
            out.append(bits & 255)
            bits >>= 8
            filled -= 8

    for value in data:
        longer = prefix + bytes([value])
        if longer in table:
            prefix = longer
            continue
        emit(table[prefix])
        table[longer] = next_code
        next_code += 1
        if next_code > (1 << width) and width < 16:
            while group % 8:  # codes are written in groups of eight, padded when their width grows
                emit(0)
            width += 1
        prefix = bytes([value])
    if prefix:
        emit(table[prefix])
    if filled:
        out.append(bits & 255)
    return bytes(out)
