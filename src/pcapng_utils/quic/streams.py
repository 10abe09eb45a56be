"""The streams of one connection: put in order, and handed to the layer above.

A hole in a stream is normally filled: the sender repeats what its peer did not acknowledge. Where the *capture* lost a
packet that the peer did get, nothing will fill it. Such holes are given up when the peer's ACKs show that packets
arrived that were never seen, when too much waits behind them, and at the end of the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pcapng_utils.layers import Problem, Report, Stamp, StreamsLayer
from pcapng_utils.quic.limits import Limits
from pcapng_utils.quic.numbers import NumberSet
from pcapng_utils.quic.reassembly import Piece, Reassembler

_GAP: Final = "Bytes of a QUIC stream are missing from the capture"
_TOO_MANY: Final = "Too many QUIC streams are open at once: further ones were left out"


class StreamTable:
    """All streams of a connection, both directions."""

    __slots__ = (
        "_checked",
        "_done",
        "_held",
        "_limits",
        "_missed",
        "_missed_at",
        "_open",
        "_open_upper",
        "_refused",
        "_report",
        "_streams",
        "_upper",
        "_waiting",
    )

    def __init__(self, open_upper: Callable[[], StreamsLayer | None], report: Report, limits: Limits) -> None:
        """`open_upper` is asked once, when the first byte of a stream is to be handed on."""
        self._open_upper = open_upper
        self._upper: StreamsLayer | None = None
        self._open = False
        self._report = report
        self._limits = limits
        self._held = 0
        self._refused = False
        self._streams: tuple[dict[int, Reassembler], dict[int, Reassembler]] = ({}, {})
        self._done = tuple(tuple(NumberSet() for _ in range(4)) for _ in range(2))
        self._waiting: tuple[set[int], set[int]] = (set(), set())
        self._missed = [-1, -1]
        self._missed_at = [0, 0]
        self._checked = 0

    def data(self, stream_id: int, direction: int, offset: int, data: bytes, fin: bool, stamp: Stamp) -> None:
        """A STREAM frame."""
        stream = self._streams[direction].get(stream_id)
        if stream is None:
            stream = self._begin(stream_id, direction)
            if stream is None:
                return
        if offset == stream.next and not fin and not stream.held and data and self._upper is not None:
            stream.next += len(data)
            self._upper.stream_data(stream_id, direction, data, False, stamp)
            return
        before = stream.held
        pieces = stream.add(offset, data, fin, stamp)
        self._held += stream.held - before
        self._hand_on(stream_id, direction, pieces)
        if stream.ended:
            self._end(stream_id, direction)
        elif stream.held:
            self._waiting[direction].add(stream_id)
            if stream.held > self._limits.held_per_stream or self._held > self._limits.held_per_connection:
                self._give_up(stream_id, direction, stream)
        elif before:
            self._waiting[direction].discard(stream_id)

    def reset(self, stream_id: int, direction: int, error_code: int, stamp: Stamp) -> None:
        """A RESET_STREAM frame: what lies behind a hole will not be read by the application either."""
        if stream_id >> 2 in self._done[direction][stream_id & 3]:
            return
        upper = self._get_upper()
        self._end(stream_id, direction)
        if upper is not None:
            upper.stream_reset(stream_id, direction, error_code, stamp)

    def acknowledged(self, sender: int, ranges: tuple[tuple[int, int], ...], seen: NumberSet, time: int) -> None:
        """The peer of `sender` acknowledged ranges of 1-RTT packets, at a time in ns; `seen` are those that were read.

        Where the peer has packets that were not seen, a hole that opened about then will never be filled.
        """
        if not self._waiting[sender]:
            return
        missing = max(seen.highest_missing(first, last) for first, last in ranges)
        if missing > self._missed[sender]:
            self._missed[sender], self._missed_at[sender] = missing, time
        patience = self._limits.hole_patience
        if self._missed[sender] >= 0 and time - self._checked > patience >> 2:
            self._checked = time
            self._give_up_before(sender, min(time - patience, self._missed_at[sender] + patience))

    def close(self) -> None:
        """Hand on all that waits, with its holes."""
        for direction, streams in enumerate(self._streams):
            for stream_id, stream in sorted(streams.items()):
                while stream.held:
                    self._give_up(stream_id, direction, stream)
        if self._upper is not None:
            self._upper.close()
            self._upper = None

    def _give_up_before(self, direction: int, time: int) -> None:
        """Give up the holes of a direction that were noticed before a time in ns."""
        for stream_id in sorted(self._waiting[direction]):
            stream = self._streams[direction][stream_id]
            if stream.since < time:
                self._give_up(stream_id, direction, stream)

    def _begin(self, stream_id: int, direction: int) -> Reassembler | None:
        if stream_id >> 2 in self._done[direction][stream_id & 3]:
            return None
        streams = self._streams[direction]
        if len(streams) >= self._limits.streams:
            if not self._refused:
                self._refused = True
                self._report(Problem("quic-too-many-streams", _TOO_MANY))
            return None
        stream = streams[stream_id] = Reassembler()
        return stream

    def _end(self, stream_id: int, direction: int) -> None:
        stream = self._streams[direction].pop(stream_id, None)
        if stream is not None:
            self._held -= stream.held
        self._waiting[direction].discard(stream_id)
        self._done[direction][stream_id & 3].add(stream_id >> 2)

    def _give_up(self, stream_id: int, direction: int, stream: Reassembler) -> None:
        before = stream.held
        pieces = stream.give_up()
        self._held += stream.held - before
        self._hand_on(stream_id, direction, pieces)
        if stream.ended:
            self._end(stream_id, direction)
        elif not stream.held:
            self._waiting[direction].discard(stream_id)

    def _hand_on(self, stream_id: int, direction: int, pieces: list[Piece]) -> None:
        upper = self._get_upper() if pieces else None
        for gap, data, fin, stamp in pieces:
            if gap:
                frame = stamp.frames[0] if stamp.frames else None
                self._report(Problem("quic-stream-gap", _GAP, frame, f"stream {stream_id}", gap))
            if upper is None:
                continue
            if gap:
                upper.stream_gap(stream_id, direction, gap, stamp)
            upper.stream_data(stream_id, direction, data, fin, stamp)

    def _get_upper(self) -> StreamsLayer | None:
        if not self._open:
            self._open = True
            self._upper = self._open_upper()
        return self._upper
