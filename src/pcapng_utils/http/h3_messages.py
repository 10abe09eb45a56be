"""HTTP/3 messages (RFC 9114, section 4): one direction of a request stream, or a push stream.

Strategy: frames are told to the `Stream` as they come, until a field section refers to entries of the dynamic table
that were not seen yet. Such a section holds up what follows it in its direction of its stream: that is kept, in order,
and told once the section can be read (or it is clear that it never will be).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pcapng_utils.http.h3_frames import FrameReader, FrameType, read_varint
from pcapng_utils.http.qpack_passive import Blocked
from pcapng_utils.layers import SERVER, Stamp

if TYPE_CHECKING:
    from pcapng_utils.http.http3 import Http3Connection
    from pcapng_utils.http.streams import Stream


class MessageReceiver:
    """Takes in what one direction sent on a request stream, or the server on a push stream."""

    __slots__ = ("_connection", "_direction", "_held", "_later", "_reader", "_section", "_stream")

    def __init__(self, connection: Http3Connection, stream: Stream, direction: int) -> None:
        services = connection.services
        self._connection = connection
        self._stream = stream
        self._direction = direction
        self._reader = FrameReader(direction, self, services.units, services.limits.header_block)
        self._section: tuple[bytes, list[Stamp], int | None] | None = None
        """The field section that waits, where it was, and the push that it promises, if any."""
        self._later: deque[Callable[[], None]] = deque()
        """What follows it."""
        self._held = 0
        """Bytes of that."""

    # Receiver

    def data(self, data: bytes, stamp: Stamp) -> None:
        self._reader.data(data, stamp)

    def gap(self, size: int, stamp: Stamp) -> None:
        if not self._reader.gap(size, stamp):
            self._problem("gap", "bytes of an HTTP/3 message were lost, and with them where its next frame is", stamp)
            self._do(partial(self._stream.data_lost, self._direction, 0, stamp))

    def end(self, stamp: Stamp) -> None:
        if self._reader.skipped:
            message = "bytes of an HTTP/3 message could not be read as frames"
            self._problem("skipped", message, stamp, self._reader.skipped)
        if self._reader.inside:
            self._problem("truncated", "an HTTP/3 message ends inside a frame", stamp)
            self._do(partial(self._stream.cut, self._direction))
        else:
            self._do(partial(self._stream.end, self._direction, stamp))
        self._do(partial(self._connection.streams.settle, self._stream))

    def reset(self, reason: str, stamp: Stamp) -> None:
        self._do(partial(self._stream.reset, self._direction, reason, stamp))
        self._do(partial(self._connection.streams.settle, self._stream))

    # FrameSink

    def content(self, data: bytes, stamp: Stamp) -> None:
        if self._section is None:
            self._stream.data(self._direction, data, stamp)
            return
        self._later.append(partial(self._stream.data, self._direction, data, stamp))
        # A piece costs something however small it is.
        self._held += len(data) + 64
        if self._held > self._connection.services.limits.held:
            self.retry(final=True)

    def content_lost(self, size: int, stamp: Stamp) -> None:
        self._do(partial(self._stream.data_lost, self._direction, size, stamp))

    def damaged(self, kind: int, stamps: list[Stamp]) -> None:
        if kind == FrameType.HEADERS:
            self._do(partial(self._stream.section_lost, self._direction, stamps))

    def frame(self, kind: int, payload: bytes, stamps: list[Stamp]) -> None:
        if kind == FrameType.HEADERS:
            self._do(partial(self._read, payload, stamps, None))
            return
        push = read_varint(payload, 0) if kind == FrameType.PUSH_PROMISE and self._direction == SERVER else None
        if push is None:
            self._problem("bad-frame", "an HTTP/3 message has a frame that does not belong there", stamps[0])
        else:
            self._do(partial(self._read, payload[push[1] :], stamps, push[0]))

    # Field sections that wait

    def retry(self, *, final: bool) -> None:
        """Try again to read the section that waits; `final`: nothing more will be known."""
        if self._connection.streams.get(self._stream.id) is not self._stream:
            return
        waiting, self._section = self._section, None
        if waiting is not None:
            self._read(*waiting, final=final)
        while self._later and self._section is None:
            self._later.popleft()()
        if not self._later:
            self._held = 0

    def _do(self, action: Callable[[], None]) -> None:
        """Act in order: now, or once the section that waits was read."""
        if self._section is None:
            action()
        else:
            self._later.append(action)

    def _read(self, payload: bytes, stamps: list[Stamp], push: int | None, *, final: bool = False) -> None:
        qpack = self._connection.qpack[self._direction]
        section = qpack.read(payload, stamps[-1].frames[-1], final)
        if isinstance(section, Blocked):
            if self._connection.wait(self, self._direction):
                self._section = payload, stamps, push
            else:
                self._read(payload, stamps, push, final=True)
            return
        if section.error:
            message = "an HTTP/3 field section could not be read"
            self._connection.services.problem("bad-section", message, stamps[0], section.error)
        if push is None:
            self._stream.section(self._direction, section, len(payload), stamps)
        else:
            self._connection.promise(push, section, len(payload), stamps)

    def _problem(self, kind: str, message: str, stamp: Stamp, lost: int = 0) -> None:
        sender = "server" if self._direction == SERVER else "client"
        self._connection.services.problem(kind, message, stamp, f"stream {self._stream.id}, sent by the {sender}", lost)
