"""Which messages the clear bytes of a connection belong to: what a client knows while it writes and reads them.

A tap is fed the clear bytes of one direction, in the pieces that a TLS record or a call carries, and names the parts of
messages in each piece. It knows just enough of each protocol: where a message begins.
"""

from __future__ import annotations

import contextvars
import struct
from typing import Final, Protocol

import hpack

from lab.experiment.operations import Direction, Label
from lab.truth import number_in

CURRENT: contextvars.ContextVar[int] = contextvars.ContextVar("exchange that the running code works for")

_FRAME_HEADER: Final = 9
"""Bytes: RFC 9113, section 4.1."""
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _CONTINUATION = 0, 1, 9
_PADDED, _PRIORITY, _END_HEADERS = 8, 32, 4
_CONTROL_OPCODE: Final = 8


class Tap(Protocol):
    def feed(self, data: bytes) -> list[Label]: ...


class Http1Connection:
    """HTTP/1.1 without pipelining: whoever writes last owns what comes next. After an upgrade: WebSocket frames."""

    def __init__(self) -> None:
        self.current = -1
        self.upgraded = False
        self.out = _Http1Tap(self, "request")
        self.into = _Http1Tap(self, "response")


class _Http1Tap:
    def __init__(self, connection: Http1Connection, message: str) -> None:
        self._connection = connection
        self._message = message
        self._owner = -1
        self._frames = _WebSocketFrames("send" if message == "request" else "receive")

    def feed(self, data: bytes) -> list[Label]:
        connection = self._connection
        if connection.upgraded:
            return [Label(connection.current, part) for part in self._frames.feed(data)]
        if self._message == "request":
            connection.current = CURRENT.get(-1)
        begins = self._owner != connection.current
        self._owner = connection.current
        if connection.current < 0:
            return []
        if not begins:
            return [Label(connection.current, f"{self._message} body")]
        head, _, body = data.partition(b"\r\n\r\n")
        labels = [Label(connection.current, f"{self._message} headers")]
        if body:
            labels.append(Label(connection.current, f"{self._message} body"))
        connection.upgraded = self._message == "response" and head.startswith(b"HTTP/1.1 101")
        return labels


class _WebSocketFrames:
    """Numbers the data messages of one direction (RFC 6455, section 5.2)."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._buffer = b""
        self._rest = 0
        self._label: str | None = None
        self._count = 0

    def feed(self, data: bytes) -> list[str]:
        labels: list[str] = []
        data = self._buffer + data
        self._buffer = b""
        place = 0
        while place < len(data):
            if not self._rest:
                header = _frame_header(data, place)
                if header is None:
                    self._buffer = data[place:]
                    break
                size, opcode = header
                self._begin(opcode)
                self._rest = size
            if self._label and self._label not in labels:
                labels.append(self._label)
            step = min(self._rest, len(data) - place)
            self._rest -= step
            place += step
        return labels

    def _begin(self, opcode: int) -> None:
        if opcode >= _CONTROL_OPCODE:
            self._label = None
            return
        if opcode:
            self._count += 1
        self._label = f"{self._word} {self._count - 1}"


def _frame_header(data: bytes, place: int) -> tuple[int, int] | None:
    """Size of the whole frame at `place` and its opcode; None if too little of it is there."""
    if len(data) - place < 2:
        return None
    size = data[place + 1] & 127
    header = 2 + (4 if data[place + 1] & 128 else 0)
    extended = {126: 2, 127: 8}.get(size, 0)
    if len(data) - place < 2 + extended:
        return None
    if extended:
        size = int.from_bytes(data[place + 2 : place + 2 + extended])
    return header + extended + size, data[place] & 15


class Http2Connection:
    """HTTP/2: streams are joined with exchanges by the client's own HEADERS."""

    def __init__(self) -> None:
        self.streams: dict[int, int] = {}
        self.out = _Http2Tap(self, "out")
        self.into = _Http2Tap(self, "in")


class _Http2Tap:
    def __init__(self, connection: Http2Connection, direction: Direction) -> None:
        self._streams = connection.streams
        self._message = "request" if direction == "out" else "response"
        self._skip = len(_PREFACE) if direction == "out" else 0
        self._decoder = hpack.Decoder() if direction == "out" else None
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Label]:
        labels: list[Label] = []
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        buffer = self._buffer
        buffer += data[skipped:]
        place = 0
        while len(buffer) - place >= _FRAME_HEADER:
            length = int.from_bytes(buffer[place : place + 3])
            kind, flags, stream = struct.unpack_from("!BBI", buffer, place + 3)
            if len(buffer) - place - 9 >= length:
                self._see_headers(kind, flags, stream, bytes(buffer[place + 9 : place + 9 + length]))
            label = self._label(kind, stream)
            if label and label not in labels:
                labels.append(label)
            if len(buffer) - place - 9 < length:
                break
            place += 9 + length
        del buffer[:place]
        return labels

    def _see_headers(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._decoder is None or kind != _HEADERS:
            return
        if not flags & _END_HEADERS:
            raise ValueError("the lab's clients send their headers in one frame")
        start = (1 if flags & _PADDED else 0) + (5 if flags & _PRIORITY else 0)
        end = len(payload) - (payload[0] if flags & _PADDED else 0)
        fields = [(_text(field[0]), _text(field[1])) for field in self._decoder.decode(payload[start:end])]
        path = next((value for name, value in fields if name == ":path"), "")
        number = number_in(fields, path)
        if number is not None:
            self._streams[stream] = number

    def _label(self, kind: int, stream: int) -> Label | None:
        number = self._streams.get(stream)
        if number is None or kind not in (_DATA, _HEADERS, _CONTINUATION):
            return None
        return Label(number, f"{self._message} {'body' if kind == _DATA else 'headers'}")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
