"""The socket calls an app made, as `socket_trace.json` logs them: Frida's hook, one object a call, with a Java stack.

The file can be hundreds of MB, nearly all of it stacks that repeat. It is read once, a block at a time; what is used
to compute is kept in arrays, a stack is known by the digest of its text, and the text stays in the file: it is read
again for the few calls that end up beside a message.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
from array import array
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal, NamedTuple

import msgspec

from pcapng_utils.attribution.json_array import SEPARATORS, ArrayReader, Block, NotAnArrayError, balanced_objects
from pcapng_utils.attribution.sites import Frame
from pcapng_utils.layers import CLIENT, SERVER

NEITHER: Final = -1
"""Direction of a call that moves no bytes (`connect`), of one logged a second time, and of a malformed record."""
NO_STACK: Final = -1
NO_FLOW: Final = -1

Transport = Literal["tcp", "udp"]
_TRANSPORTS: Final[dict[str, Transport]] = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp"}
_OUT: Final = ("write", "send")
_IN: Final = ("read", "recv")
_INNER: Final = frozenset(("sendto", "recvfrom"))
"""What other calls are made of in Android's C library: one call, logged twice."""


class FlowKey(NamedTuple):
    """A socket's two ends, as the phone names them."""

    transport: Transport
    local: tuple[str, int]
    remote: tuple[str, int]


_Number = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class _Data(msgspec.Struct):
    socket_event_type: str
    socket_type: str = ""
    socket_fd: _Number = -1
    pid: _Number = -1
    thread_id: _Number = -1
    dest_ip: str | None = None
    dest_port: int | None = None
    local_ip: str | None = None
    local_port: int | None = None
    stack: msgspec.Raw = msgspec.Raw(b"")


class _Record(msgspec.Struct):
    timestamp: float
    data: _Data


def plain_address(text: str) -> str:
    """An address in its usual spelling: IPv4-mapped IPv6 as IPv4, no zone; the text itself where it is no address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def direction_of(event: str) -> int:
    """CLIENT for a write-like call, SERVER for a read-like one, else NEITHER."""
    if event.startswith(_OUT):
        return CLIENT
    return SERVER if event.startswith(_IN) else NEITHER


class OperationLog:
    """Every call of a trace, in the file's order: row `i` of each array is the array's element `i`.

    `extend` takes decoded blocks; `read` and `open` do it all. After `open` the file is kept open for `record`.
    """

    DEPTH: Final = 24
    """Frames of a stack that are looked at to tell call sites apart, from the uppermost."""
    CALLERS: Final = 40
    """Frames of a stack that are looked at to tell on whose behalf calls are made, from the thread's first."""
    MAX_STACKS: Final = 250_000
    """Different stacks told apart; calls with others count as having none."""

    def __init__(self) -> None:
        self.times = array("d")
        """Milliseconds of the phone's clock; NaN for a malformed record."""
        self.directions = array("b")
        """CLIENT (written by the app), SERVER (read by it) or NEITHER."""
        self.flow_ids = array("i")
        """Index in `flows`, or NO_FLOW."""
        self.stack_ids = array("i")
        """Index in `stacks`, or NO_STACK."""
        self.threads = array("q")
        self.pids = array("q")
        self.fds = array("q")
        self.event_ids = array("B")
        """Index in `events`."""
        self.flows: list[FlowKey] = []
        self.events: list[str] = []
        self.stacks: list[tuple[int, ...]] = []
        """The uppermost frames of each different stack, as indices in `frames`."""
        self.frames: list[Frame] = []
        self.callers: list[tuple[int, ...]] = []
        """Each stack from the thread's first frame on: a number for each class and method, whatever the line."""
        self.malformed = 0
        """Elements of the array that could not be understood."""
        self.without_flow = 0
        """Calls on sockets that are neither TCP nor UDP, or whose ends were not logged."""
        self.repeated = 0
        """Calls left out because another record is the same call."""
        self.truncated = False
        """The file ends inside the array."""
        self._offsets = array("Q")
        self._lengths = array("L")
        self._source: BinaryIO | None = None
        self._flow_index: dict[tuple[str, str | None, int | None, str | None, int | None], int] = {}
        self._key_index: dict[FlowKey, int] = {}
        self._event_index: dict[str, tuple[int, int]] = {}
        self._stack_index: dict[bytes, int] = {}
        self._frame_index: dict[Frame, int] = {}
        self._method_index: dict[tuple[str | None, str | None], int] = {}
        self._last_calls: dict[tuple[int, int, int, int], tuple[float, list[tuple[str, int]]]] = {}
        self._decoder = msgspec.json.Decoder(_Record, strict=False)
        self._block_decoder = msgspec.json.Decoder(list[_Record], strict=False)
        self._stack_decoder = msgspec.json.Decoder(list[Frame], strict=False)

    @classmethod
    def open(cls, path: str | Path) -> OperationLog:
        """Read a trace file. Raises `OSError`, and `ValueError` naming the file where it is not a JSON array."""
        stream = Path(path).open("rb")  # noqa: SIM115 - kept open for `record`
        try:
            return cls.read(stream)
        except NotAnArrayError as error:
            stream.close()
            raise ValueError(f"{path}: not a socket trace: {error}") from None

    @classmethod
    def read(cls, stream: BinaryIO) -> OperationLog:
        """Read a trace from a seekable stream, which is kept for `record`."""
        log = cls()
        reader = ArrayReader()
        while data := stream.read(ArrayReader.BLOCK):
            for block in reader.feed(data):
                log.extend(block)
        for block in reader.finish():
            log.extend(block)
        log.truncated = reader.truncated
        if log.malformed and log.malformed == len(log.times):
            raise NotAnArrayError(f"none of its {log.malformed} elements is a socket call")
        log.finish()
        log._source = stream
        return log

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def __len__(self) -> int:
        return len(self.times)

    def record(self, index: int) -> dict[str, Any]:
        """Element `index` of the array, whole, as it is in the file; of text that is no UTF-8, what can be read."""
        if self._source is None:
            raise ValueError("the trace is no longer open")
        self._source.seek(self._offsets[index])
        text = self._source.read(self._lengths[index]).rstrip(SEPARATORS)
        for attempt in (text, text.decode("utf-8", "replace")):
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                record: dict[str, Any] = msgspec.json.decode(attempt)
                return record
        return {"timestamp": self.times[index], "data": {}}

    def by_flow(self) -> dict[FlowKey, tuple[list[int], list[int]]]:
        """The calls of each flow, by direction, in the order of their times (of the file, where these are equal)."""
        groups: dict[FlowKey, tuple[list[int], list[int]]] = {}
        directions, flow_ids = self.directions, self.flow_ids
        lists = [groups.setdefault(key, ([], [])) for key in self.flows]
        calls = [index for index, direction in enumerate(directions) if direction != NEITHER]
        calls.sort(key=self.times.__getitem__)
        for index in calls:
            lists[flow_ids[index]][directions[index]].append(index)
        return groups

    def extend(self, block: Block) -> None:
        """Take the objects of a block."""
        try:
            records = self._block_decoder.decode(b"[%b]" % block.data.strip(SEPARATORS))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            records = []
        if len(records) == len(block.starts):
            ends = [*block.starts[1:], len(block.data)]
            for record, start, end in zip(records, block.starts, ends, strict=True):
                self._add(record, block.offset + start, end - start)
            return
        for offset, piece in block.pieces():
            spans = list(balanced_objects(piece)) or [(0, len(piece))]
            for start, end in spans:
                try:
                    record = self._decoder.decode(piece[start:end])
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    self._add_malformed(offset + start, end - start)
                else:
                    self._add(record, offset + start, end - start)

    def finish(self) -> None:
        """Forget what only the reading needed."""
        self._last_calls.clear()
        self._stack_index.clear()
        self._frame_index.clear()
        self._method_index.clear()
        self._flow_index.clear()

    def _add(self, record: _Record, offset: int, length: int) -> None:
        data = record.data
        event = data.socket_event_type
        time = record.timestamp
        known = self._event_index.get(event)
        if known is None:
            known = self._new_event(event)
        event_id, direction = known
        flow_name = (data.socket_type, data.local_ip, data.local_port, data.dest_ip, data.dest_port)
        flow_id = self._flow_index.get(flow_name)
        if flow_id is None:
            flow_id = self._new_flow(flow_name)
        if flow_id == NO_FLOW:
            self.without_flow += direction != NEITHER
            direction = NEITHER
        stack_id = NO_STACK
        if len(data.stack) > len(b"null") and direction != NEITHER:
            stack_id = self._stack(data.stack)
        if direction != NEITHER and self._is_repeated(event, direction, time, data, stack_id):
            self.repeated += 1
            direction = NEITHER
        self.times.append(time)
        self.directions.append(direction)
        self.flow_ids.append(flow_id)
        self.stack_ids.append(stack_id)
        self.threads.append(data.thread_id)
        self.pids.append(data.pid)
        self.fds.append(data.socket_fd)
        self.event_ids.append(event_id)
        self._offsets.append(offset)
        self._lengths.append(length)

    def _add_malformed(self, offset: int, length: int) -> None:
        self.malformed += 1
        self.times.append(float("nan"))
        for numbers in (self.directions, self.flow_ids, self.stack_ids, self.threads, self.pids, self.fds):
            numbers.append(-1)
        self.event_ids.append(self._new_event("")[0])
        self._offsets.append(offset)
        self._lengths.append(length)

    def _is_repeated(self, event: str, direction: int, time: float, data: _Data, stack_id: int) -> bool:
        """Whether the same thread logged this call on this descriptor in this millisecond under another name."""
        caller = (data.pid, data.thread_id, data.socket_fd, direction)
        last = self._last_calls.get(caller)
        if last is None or last[0] != time:
            self._last_calls[caller] = (time, [(event, stack_id)])
            return False
        for other in last[1]:
            if other[0] != event and other[1] == stack_id and (event in _INNER or other[0] in _INNER):
                last[1].remove(other)
                return True
        last[1].append((event, stack_id))
        return False

    def _new_event(self, event: str) -> tuple[int, int]:
        if event not in self._event_index:
            event_id = min(len(self.events), 255)
            if event_id == len(self.events):
                self.events.append(event if event_id < 255 else "other")
            self._event_index[event] = (event_id, direction_of(event))
        return self._event_index[event]

    def _new_flow(self, name: tuple[str, str | None, int | None, str | None, int | None]) -> int:
        socket_type, local_ip, local_port, dest_ip, dest_port = name
        transport = _TRANSPORTS.get(socket_type)
        flow_id = NO_FLOW
        if transport and local_ip and local_port and dest_ip and dest_port:
            key = FlowKey(transport, (plain_address(local_ip), local_port), (plain_address(dest_ip), dest_port))
            flow_id = self._key_index.setdefault(key, len(self.flows))
            if flow_id == len(self.flows):
                self.flows.append(key)
        self._flow_index[name] = flow_id
        return flow_id

    def _stack(self, raw: msgspec.Raw) -> int:
        digest = hashlib.sha1(raw, usedforsecurity=False).digest()
        stack_id = self._stack_index.get(digest)
        if stack_id is None:
            stack_id = self._new_stack(raw) if len(self.stacks) < self.MAX_STACKS else NO_STACK
            self._stack_index[digest] = stack_id
        return stack_id

    def _new_stack(self, raw: msgspec.Raw) -> int:
        try:
            frames = self._stack_decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return NO_STACK
        if not frames:
            return NO_STACK
        known, ids = self._frame_index, []
        for frame in frames[: self.DEPTH]:
            frame_id = known.setdefault(frame, len(self.frames))
            if frame_id == len(self.frames):
                self.frames.append(frame)
            ids.append(frame_id)
        self.stacks.append(tuple(ids))
        methods = self._method_index
        lowest = frames[: -self.CALLERS - 1 : -1]
        self.callers.append(tuple(methods.setdefault((one.class_, one.method), len(methods)) for one in lowest))
        return len(self.stacks) - 1
