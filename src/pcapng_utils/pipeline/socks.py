"""SOCKS (RFC 1928, RFC 1929, and version 4): the negotiation is passed over, what it carries is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pcapng_utils.layers import ByteLayer, Problem, Report, Stamp

_LIMIT: Final = 2048

OpenInner = Callable[[str, int], ByteLayer]
"""Makes the layer that reads what the tunnel carries, given the target's host and port."""


class SocksLayer:
    """A ByteLayer that reads a SOCKS negotiation, then hands everything to the layer inside."""

    __slots__ = ("_buffers", "_inner", "_open_inner", "_report", "_stages", "_stamps", "_target")

    def __init__(self, open_inner: OpenInner, report: Report) -> None:
        self._open_inner = open_inner
        self._report = report
        self._inner: ByteLayer | None = None
        self._target: tuple[str, int] = ("", 0)
        self._buffers = [b"", b""]
        self._stamps: list[Stamp | None] = [None, None]
        self._stages: list[Callable[[bytes], int | None] | None] = [self._client_greeting, None]

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        if self._inner is not None:
            self._inner.data(direction, data, stamp)
            return
        self._buffers[direction] += data
        self._stamps[direction] = stamp
        if len(self._buffers[direction]) > _LIMIT:
            self._give_up("a SOCKS negotiation was expected, longer bytes were found", stamp)
            return
        for side in (direction, 1 - direction, direction):
            self._read(side)
        self._hand_over()

    def _read(self, side: int) -> None:
        """Consume the messages of the negotiation that are there."""
        while (stage := self._stages[side]) is not None and self._buffers[side]:
            used = stage(self._buffers[side])
            if used is None:
                return
            self._buffers[side] = self._buffers[side][used:]

    def _hand_over(self) -> None:
        """The negotiation over, give what stands behind it to the layer inside."""
        if self._stages != [None, None] or not self._target[0]:
            return
        self._inner = self._open_inner(*self._target)
        for side, stamp in enumerate(self._stamps):
            data, self._buffers[side] = self._buffers[side], b""
            if data and stamp is not None:
                self._inner.data(side, data, stamp)

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        if self._inner is not None:
            self._inner.gap(direction, size, stamp)
        else:
            self._give_up("bytes of a SOCKS negotiation were lost: what it carried cannot be told", stamp)

    def end(self, direction: int, stamp: Stamp | None) -> None:
        if self._inner is not None:
            self._inner.end(direction, stamp)

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()

    def _give_up(self, message: str, stamp: Stamp) -> None:
        self._stages = [None, None]
        self._buffers = [b"", b""]
        self._target = ("", 0)
        self._report(Problem("socks-unreadable", message, frame=stamp.frames[0] if stamp.frames else None))

    # Stages: each is given what its side sent, and returns the length of one message, or None for too few bytes.

    def _client_greeting(self, data: bytes) -> int | None:
        if data[0] == 4:
            return self._version4_request(data)
        if len(data) < 2 or len(data) < 2 + data[1]:
            return None
        self._stages = [None, self._server_choice]
        return 2 + data[1]

    def _version4_request(self, data: bytes) -> int | None:
        user_end = data.find(b"\x00", 8)
        if user_end < 0:
            return None
        end = user_end + 1
        host = ".".join(str(byte) for byte in data[4:8])
        if data[4:7] == b"\x00\x00\x00" and data[7]:  # version 4a: the name stands behind the user
            name_end = data.find(b"\x00", end)
            if name_end < 0:
                return None
            host = data[end:name_end].decode("latin-1")
            end = name_end + 1
        self._target = (host, int.from_bytes(data[2:4], "big"))
        self._stages = [None, self._version4_reply]
        return end

    def _version4_reply(self, data: bytes) -> int | None:
        if len(data) < 8:
            return None
        self._stages = [None, None]
        return 8

    def _server_choice(self, data: bytes) -> int | None:
        if len(data) < 2:
            return None
        password = data[1] == 2
        self._stages = [self._client_password if password else self._client_request, None]
        return 2

    def _client_password(self, data: bytes) -> int | None:
        if len(data) < 2 or len(data) < 3 + data[1]:
            return None
        length = 3 + data[1] + data[2 + data[1]]
        if len(data) < length:
            return None
        self._stages = [None, self._password_reply]
        return length

    def _password_reply(self, data: bytes) -> int | None:
        if len(data) < 2:
            return None
        self._stages = [self._client_request, None]
        return 2

    def _client_request(self, data: bytes) -> int | None:
        address = _address(data)
        if address is None:
            return None
        host, port, length = address
        self._target = (host, port)
        self._stages = [None, self._server_reply]
        return length

    def _server_reply(self, data: bytes) -> int | None:
        address = _address(data)
        if address is None:
            return None
        self._stages = [None, None]
        return address[2]


def _address(data: bytes) -> tuple[str, int, int] | None:
    """Host, port and length of a request or reply (RFC 1928, sections 4 and 6); None: more bytes are needed."""
    if len(data) < 5:
        return None
    start, size = {1: (4, 4), 3: (5, data[4]), 4: (4, 16)}.get(data[3], (4, 0))
    end = start + size
    if len(data) < end + 2:
        return None
    raw = data[start:end]
    if data[3] == 3:
        host = raw.decode("latin-1")
    elif data[3] == 4:
        host = ":".join(raw[i : i + 2].hex() for i in range(0, 16, 2))
    else:
        host = ".".join(str(byte) for byte in raw)
    return host, int.from_bytes(data[end : end + 2], "big"), end + 2
