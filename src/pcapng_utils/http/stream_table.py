"""The streams of one HTTP/2 or HTTP/3 connection that are open.

Strategy: a stream leaves when *both* directions are done, so that the exchange does not depend on which direction was
read first. Where one side has reset it, the other may have sent more before it learnt of that, or nothing: such
streams linger, a limited number of them, until the other side ends too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pcapng_utils.http.stream_services import Services
from pcapng_utils.http.streams import Stream
from pcapng_utils.layers import CLIENT, SERVER


class StreamTable:
    """Opens streams, finds them, and has them hand on their exchanges when they are over."""

    __slots__ = ("_finished", "_lingering", "_on_finish", "_services", "_streams")

    def __init__(self, services: Services, on_finish: Callable[[int], None] | None = None) -> None:
        """`on_finish` is told the identifier of each stream that is over."""
        self._on_finish = on_finish
        self._services = services
        self._streams: dict[int, Stream] = {}
        self._finished: dict[int, None] = {}
        self._lingering: dict[int, None] = {}

    def get(self, stream: int) -> Stream | None:
        """The stream, if it is open."""
        return self._streams.get(stream)

    def open(self, stream: int, *, pushed: bool = False) -> Stream | None:
        """The stream, opened if need be; None if it is over."""
        found = self._streams.get(stream)
        if found is not None or stream in self._finished:
            return found
        if len(self._streams) >= self._services.limits.streams:
            self._services.problem("too-many-streams", "more streams are open than can be kept: the oldest is cut off")
            self.finish(next(iter(self._streams.values())))
        found = self._streams[stream] = Stream(self._services, stream, pushed=pushed)
        return found

    def settle(self, stream: Stream) -> None:
        """See whether a direction's end was the stream's."""
        if stream.done[CLIENT] and stream.done[SERVER]:
            self.finish(stream)
        elif stream.was_reset:
            self.linger(stream)

    def linger(self, stream: Stream) -> None:
        """Wait for the end of a stream of which little more is to be expected, but not for ever."""
        if stream.id not in self._streams:
            return
        self._lingering[stream.id] = None
        if len(self._lingering) > self._services.limits.lingering:
            self.finish(self._streams[next(iter(self._lingering))])

    def finish(self, stream: Stream) -> None:
        """Hand on a stream's exchange, whatever its state."""
        if self._streams.pop(stream.id, None) is None:
            return
        self._lingering.pop(stream.id, None)
        self._finished[stream.id] = None
        if len(self._finished) > self._services.limits.finished:
            del self._finished[next(iter(self._finished))]
        if self._on_finish is not None:
            self._on_finish(stream.id)
        stream.finish()

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._streams.values()))

    def close(self) -> None:
        """Nothing more will come on any stream."""
        for stream in self:
            self.finish(stream)
