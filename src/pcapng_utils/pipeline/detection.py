"""Finding out what a conversation speaks: its bytes are held back until the first of either side are recognised.

Bytes that are the beginning of nothing known are passed over. What follows them may begin something: TLS after
STARTTLS, the next message behind a body whose beginning was not captured. So each run of bytes is looked at by itself
too, up to a limit; then the conversation is left unread.

A message may begin in the midst of what was passed over: behind a PROXY line, or the tail of a body. So a reader that
finds its place by itself gets those bytes too, and says what it could not use of them; others only count them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, NamedTuple

from pcapng_utils.layers import SERVER, ByteLayer, SegmentLayer, Stamp, UnitLog
from pcapng_utils.net.flow import Flow
from pcapng_utils.pipeline.adapters import Unread
from pcapng_utils.pipeline.detect import Answer, MoreBytes, Protocol, Verdict, identify, may_begin, proxy_header_size

_HELD_LIMIT: Final = 1 << 16
"""Bytes that are held; as many again that were passed over."""
_RUNS_LIMIT: Final = 64

_FIND_THEIR_PLACE: Final = frozenset((Protocol.HTTP1,))


class Held(NamedTuple):
    """A run of bytes, or a hole or an end between such runs."""

    direction: int
    data: bytes
    stamp: Stamp
    lost: int | None = None
    """Size of the hole, if it is one."""
    end: bool = False
    passed: bool = False
    """It is the beginning of nothing known."""


class Detector(ABC):
    """What both detectors share: they differ in the kind of layer that takes over."""

    __slots__ = ("_held", "_identify", "_runs", "_starts")

    def __init__(self, probe: Callable[[bytes], Answer]) -> None:
        self._identify = probe
        self._held: list[Held] = []
        self._starts = [b"", b""]
        """By direction, held bytes that may be the beginning of something."""
        self._runs = 0

    @abstractmethod
    def _take_over(self, protocol: Protocol | None, held: list[Held], *, swap: bool) -> None:
        """Make the layer for the protocol (None: it is nothing known) and repeat to it what was held. `swap`: what was
        recognised is what the other side would send."""

    @abstractmethod
    def _let_go(self, held: Held) -> None:
        """No layer will read these bytes."""

    def _look_at(self, run: Held) -> None:
        size = 0 if self._held else proxy_header_size(run.data)
        if 0 < size < len(run.data):
            self._held.append(run._replace(data=run.data[:size], passed=True))
            run = run._replace(data=run.data[size:])
        self._held.append(run)
        if run.lost is not None:
            self._starts[run.direction] = b""
            return
        start = self._starts[run.direction]
        answer = self._identify(start + run.data)
        if answer is None and start:
            self._pass_over(run.direction, but=run)
            start = b""
            answer = self._identify(run.data)
        if isinstance(answer, Verdict):
            self._settle(answer, run.direction)
            return
        if answer is MoreBytes.NEEDED:
            self._starts[run.direction] = start + run.data
        else:
            self._pass_over(run.direction)
        self._runs += 1
        if self._runs > _RUNS_LIMIT or sum(len(held.data) for held in self._held if not held.passed) > _HELD_LIMIT:
            self._take_over(None, self._empty(None), swap=False)

    def _settle(self, verdict: Verdict, direction: int) -> None:
        other = 1 - direction
        if self._starts[other] and not may_begin(verdict.protocol, self._starts[other]):
            self._pass_over(other)  # it might have become something else
        client = direction if verdict.sent_by_client else 1 - direction
        swap = verdict.sent_by_client is not None and client == SERVER
        self._take_over(verdict.protocol, self._empty(verdict.protocol), swap=swap)

    def _empty(self, protocol: Protocol | None) -> list[Held]:
        """What is to be repeated to that protocol's layer."""
        held, self._held = self._held, []
        if protocol in _FIND_THEIR_PLACE:
            return held
        for run in held:
            if run.passed:
                self._let_go(run)
        return [run for run in held if not run.passed]

    def _pass_over(self, direction: int, but: Held | None = None) -> None:
        """What is held of a direction is nothing known; of what was passed over, the last bytes are kept."""
        held = self._held
        for at, run in enumerate(held):
            if run.direction == direction and run is not but and not run.end:
                held[at] = run._replace(passed=True)
        surplus = sum(len(run.data) for run in held if run.passed) - _HELD_LIMIT
        for at, run in enumerate(held):
            if surplus > 0 and run.passed and run.data:
                self._let_go(run)
                held[at] = run._replace(data=b"", lost=len(run.data))
                surplus -= len(run.data)
        self._starts[direction] = b""


class SegmentDetector(Detector):
    """Stands right above TCP; the layer it finds becomes the flow's receiver."""

    __slots__ = ("_flow", "_open", "_units")

    def __init__(
        self,
        flow: Flow,
        units: UnitLog,
        open_layer: Callable[[Protocol | None], SegmentLayer],
        probe: Callable[[bytes], Answer] = identify,
    ) -> None:
        super().__init__(probe)
        self._flow = flow
        self._units = units
        self._open = open_layer

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self._look_at(Held(direction, data, Stamp(time, time, (frame,), 0)))

    def gap(self, direction: int, size: int, time: int, frame: int) -> None:
        self._look_at(Held(direction, b"", Stamp(time, time, (frame,), 0), lost=size))

    def end(self, direction: int, time: int, frame: int) -> None:
        self._held.append(Held(direction, b"", Stamp(time, time, (frame,), 0), end=True))

    def close(self) -> None:
        for run in self._held:
            self._let_go(run)

    def _let_go(self, held: Held) -> None:
        if held.data:
            self._units.add(held.direction, held.stamp.first, held.stamp.frames[0], len(held.data))

    def _take_over(self, protocol: Protocol | None, held: list[Held], *, swap: bool) -> None:
        if swap:
            self._flow.swap()
            self._units.swap()
            held = [run._replace(direction=1 - run.direction) for run in held]
        layer = self._open(protocol)
        self._flow.receiver = layer
        for run in held:
            time, frame = run.stamp.first, run.stamp.frames[0]
            if run.lost is not None:
                layer.gap(run.direction, run.lost, time, frame)
            elif run.end:
                layer.end(run.direction, time, frame)
            else:
                layer.segment(run.direction, run.data, time, frame)


class ByteDetector(Detector):
    """Stands inside TLS or a tunnel, where the sides are known, and stays there: what it found is behind it."""

    __slots__ = ("_layer", "_open")

    def __init__(self, open_layer: Callable[[Protocol], ByteLayer]) -> None:
        super().__init__(identify)
        self._open = open_layer
        self._layer: ByteLayer | None = None

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        if self._layer is not None:
            self._layer.data(direction, data, stamp)
        else:
            self._look_at(Held(direction, data, stamp))

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        if self._layer is not None:
            self._layer.gap(direction, size, stamp)
        else:
            self._look_at(Held(direction, b"", stamp, lost=size))

    def end(self, direction: int, stamp: Stamp | None) -> None:
        if self._layer is not None:
            self._layer.end(direction, stamp)
        else:
            self._held.append(Held(direction, b"", stamp or Stamp(0, 0, (), 0), end=True))

    def close(self) -> None:
        if self._layer is not None:
            self._layer.close()

    def _let_go(self, held: Held) -> None:
        pass

    def _take_over(self, protocol: Protocol | None, held: list[Held], *, swap: bool) -> None:
        self._layer = layer = self._open(protocol) if protocol is not None else Unread()
        for run in held:
            if run.lost is not None:
                layer.gap(run.direction, run.lost, run.stamp)
            elif run.end:
                layer.end(run.direction, run.stamp)
            else:
                layer.data(run.direction, run.data, run.stamp)
