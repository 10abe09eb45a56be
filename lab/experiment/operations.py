"""What a client's socket calls were, and which messages each of them carried.

Strategy: every call is noted with its place in the byte stream of its socket and direction. Beside it the client notes,
for every run of bytes of that stream, the messages in it (`StreamMap.add`). At the end both are laid over each other:
so the truth does not rest on times, and holds for shared connections, split writes and one-threaded clients alike.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, Literal, NamedTuple

Direction = Literal["out", "in"]

FAILED: Final = -1
"""Size of a call that moved nothing (EAGAIN)."""

_DISGUISE: Final = str(Path(__file__).with_name("disguise.py"))
"""Its own frames are no part of any app."""
_APP_SUFFIX: Final = ".java"
"""Code whose file has this suffix stands for the app's own: its qualified name is a Java class and method."""


class Label(NamedTuple):
    """A part of a message."""

    exchange: int
    part: str
    """"request headers", "request body", "response headers", "response body", "send N", "receive N" (WebSocket)."""


class Frame(NamedTuple):
    class_: str
    file: str
    line: int
    method: str


@dataclass(slots=True)
class Operation:
    """One call on a socket."""

    index: int
    entered: int
    """Time of the system's clock (ns since the epoch) just before the call."""
    returned: int
    """... and just after it."""
    thread: int
    fd: int
    event: str
    """The C library's name for the call."""
    direction: Direction
    socket_type: str
    local: tuple[str, int]
    remote: tuple[str, int]
    offset: int
    """Place of its first byte in the stream of this socket and direction."""
    size: int
    """Bytes moved, or FAILED."""
    stack: int
    """Index in `OperationLog.stacks`."""
    labels: list[Label] = field(default_factory=list)


class OperationLog:
    """All calls of a client, from all its threads."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.stacks: list[list[Frame]] = []
        self._known: dict[tuple[tuple[str, str, int], ...], int] = {}
        self._lock = threading.Lock()

    def enter(self, socket_: StreamMap, event: str) -> Operation:
        """Note that the calling thread is about to make a call."""
        stack = self._stack()
        entered = time.time_ns()
        with self._lock:
            operation = Operation(
                len(self.operations), entered, entered, threading.get_native_id(), socket_.fd, event, socket_.direction,
                socket_.socket_type, socket_.local, socket_.remote, socket_.moved, FAILED, stack,
            )  # fmt: skip
            self.operations.append(operation)
        return operation

    def _stack(self) -> int:
        frame = _caller()
        key: list[tuple[str, str, int]] = []
        while frame is not None:
            if frame.f_code.co_filename != _DISGUISE:
                # Not the code itself: two that differ in file and qualified name alone are equal to Python.
                key.append((frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno))
            frame = frame.f_back
        known = tuple(key)
        with self._lock:
            number = self._known.get(known)
            if number is None:
                number = self._known[known] = len(self.stacks)
                self.stacks.append([_describe(*place) for place in known])
        return number


def _caller() -> FrameType | None:
    """The innermost frame outside of this package's recording."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame


def _describe(file: str, name: str, line: int) -> Frame:
    path = Path(file)
    class_, _, method = name.rpartition(".")
    return Frame(class_ if path.suffix == _APP_SUFFIX else f"py.{path.stem}", path.name, line, method)


class StreamMap:
    """One direction of one connection: the calls that moved its bytes, and what the bytes were."""

    def __init__(
        self,
        log: OperationLog,
        direction: Direction,
        fd: int,
        local: tuple[str, int],
        remote: tuple[str, int],
        socket_type: str = "tcp",
    ) -> None:
        self.direction = direction
        self.fd = fd
        self.local = local
        self.remote = remote
        self.socket_type = socket_type
        self.moved = 0
        """Bytes moved so far."""
        self._log = log
        self._calls: list[Operation] = []
        self._runs: list[tuple[int, int, list[Label]]] = []

    def enter(self, event: str) -> Operation:
        operation = self._log.enter(self, event)
        self._calls.append(operation)
        return operation

    def leave(self, operation: Operation, size: int) -> None:
        operation.returned = time.time_ns()
        operation.offset = self.moved
        operation.size = size
        if size > 0:
            self.moved += size

    def add(self, start: int, end: int, labels: list[Label]) -> None:
        """The bytes from `start` to `end` of the stream carry these parts of messages."""
        if labels and end > start:
            self._runs.append((start, end, labels))

    def settle(self) -> None:
        """Give each call the labels of the bytes that it moved. Linear: calls and runs are in the stream's order."""
        first = 0
        calls = [call for call in self._calls if call.size > 0]
        for start, end, labels in self._runs:
            while first < len(calls) and calls[first].offset + calls[first].size <= start:
                first += 1
            place = first
            while place < len(calls) and calls[place].offset < end:
                calls[place].labels.extend(label for label in labels if label not in calls[place].labels)
                place += 1
