"""From the true calls to the log of a phone: its clock, its delays, what it lost, what it logged twice.

The laws of spec: a write is logged before its bytes are seen on the wire, a read either when it was entered (perhaps
long before its bytes came) or after they were; delays differ from call to call, and never change the order of the calls
of one socket in one direction (unless `reorder` asks for it). Everything is decided by the seed.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from lab.experiment.operations import FAILED, Frame, Label, Operation
from lab.experiment.recording import Recording

Tail = Literal["exponential", "lognormal", "pareto"]

PID: Final = 4242
PROCESS: Final = "org.example.weather"

SIGMA: Final = 1.0
"""Of log-normal delays."""
PARETO_SHAPE: Final = 2.2

_NS: Final = 1_000_000_000
_TWICE: Final = {"write": "sendto", "read": "recvfrom", "sendto": "send", "recvfrom": "recv"}


@dataclass(frozen=True, slots=True)
class Distortion:
    """Times in seconds, shares from 0 to 1."""

    offset: float = 0.0
    """The phone's clock less the router's; positive: the phone is ahead."""
    drift: float = 0.0
    """Parts per million by which the phone's clock runs fast."""
    steps: tuple[tuple[float, float], ...] = ()
    """The phone's clock is set: (seconds after the start, seconds forward), for each time."""
    delay: float = 0.0
    """Mean time between the log and the wire."""
    tail: Tail = "exponential"
    early_reads: float = 0.0
    """Share of the reads that are logged when they were entered, the rest when they returned."""
    silent_library: bool = False
    """Of a TLS handshake only the first write is logged, as where the library makes its own calls."""
    loss: float = 0.0
    """Share of the calls that are not in the log."""
    failed: float = 0.0
    """Calls that moved nothing (EAGAIN), added before others, as a share of the calls."""
    twice: float = 0.0
    """Share of the calls that are logged again under their other name (`send` and `sendto`)."""
    jumble: float = 0.0
    """Mean time by which records arrive late at the file: between threads, its order is not that of their times."""
    capture_loss: float = 0.0
    """Share of the packets that the capture missed (`write_experiment` alone looks at it)."""
    reorder: bool = False
    """Delays may change the order of one socket's calls in one direction, as no byte stream can."""


@dataclass(slots=True)
class Trace:
    """A distorted log, as `socket_trace.json` holds it, and what is true of it."""

    records: list[dict[str, Any]]
    source: list[int]
    """For each record, the index of the true call; -1 for a call that moved nothing."""
    carriers: dict[Label, list[int]]
    """For each part of each message, the indices of the records of the calls that carried it, in the order of the bytes
    (the first is *the* operation). A part is missing if the call that carried its first bytes is not in the log."""


@dataclass(slots=True)
class _Logged:
    stamp: float
    """ns after the start, on the router's clock."""
    operation: Operation
    source: int
    event: str
    arrival: float = 0.0


def distort(recording: Recording, distortion: Distortion, seed: int) -> Trace:
    chance = random.Random(seed)
    kept: list[_Logged] = []
    for calls in _by_direction(recording.operations).values():
        kept += _logged(calls, recording.started, distortion, chance)
    jumble = _delays(distortion.jumble, "exponential", chance)
    latest: dict[int, float] = {}
    for logged in sorted(kept, key=lambda logged: logged.stamp):
        # What one thread logs arrives in its order; between threads it may not.
        thread = logged.operation.thread
        logged.arrival = latest[thread] = max(logged.stamp + jumble(), latest.get(thread, 0))
    kept.sort(key=lambda logged: logged.arrival)
    clock = _clock(recording.started, distortion)
    frames = [_stack(stack) for stack in recording.stacks]
    records = [_record(logged, clock(logged.stamp), frames[logged.operation.stack]) for logged in kept]
    source = [logged.source for logged in kept]
    return Trace(records, source, _carriers(recording, source))


def _by_direction(operations: list[Operation]) -> dict[tuple[Any, ...], list[Operation]]:
    found: dict[tuple[Any, ...], list[Operation]] = {}
    for operation in operations:
        found.setdefault((operation.local, operation.remote, operation.direction), []).append(operation)
    return found


def _logged(calls: list[Operation], started: int, distortion: Distortion, chance: random.Random) -> list[_Logged]:
    """One socket and direction: its calls at their distorted times."""
    delay = _delays(distortion.delay, distortion.tail, chance)
    found: list[_Logged] = []
    for call in _without_handshake(calls) if distortion.silent_library else calls:
        late = delay()
        if call.direction == "out":
            stamp = call.entered - started - late
        else:
            early = chance.random() < distortion.early_reads
            stamp = (call.entered if early else call.returned) - started + late
        source = -1 if call.size == FAILED else call.index
        if chance.random() < distortion.failed:
            found.append(_Logged(stamp - chance.random() * 0.003 * _NS, call, -1, call.event))
        found.append(_Logged(stamp, call, source, call.event))
    if not distortion.reorder:
        _keep_order(found, forwards=calls[0].direction == "in")
    found = [logged for logged in found if chance.random() >= distortion.loss]
    again = [logged for logged in found if chance.random() < distortion.twice]
    return found + [_Logged(item.stamp, item.operation, item.source, _TWICE[item.event]) for item in again]


def _without_handshake(calls: list[Operation]) -> list[Operation]:
    """Over TLS the second write ends the handshake; no read before the first message is of anything else."""
    if calls[0].event not in ("read", "write"):
        return calls
    if calls[0].direction == "out":
        return calls[:1] + calls[2:]
    return list(itertools.dropwhile(lambda call: not call.labels, calls))


def _keep_order(logged: list[_Logged], *, forwards: bool) -> None:
    """A read is late: none is before the one before it. A write is early: none is after the one after it."""
    if forwards:
        for before, after in itertools.pairwise(logged):
            after.stamp = max(after.stamp, before.stamp)
    else:
        for after, before in itertools.pairwise(logged[::-1]):
            before.stamp = min(before.stamp, after.stamp)


def _delays(mean: float, tail: Tail, chance: random.Random) -> Callable[[], float]:
    """Delays in ns with this mean."""
    if mean <= 0:
        return lambda: 0.0
    scale = mean * _NS
    draw: dict[Tail, Callable[[], float]] = {
        "exponential": lambda: chance.expovariate(1.0),
        "lognormal": lambda: chance.lognormvariate(-SIGMA * SIGMA / 2, SIGMA),
        "pareto": lambda: (chance.paretovariate(PARETO_SHAPE) - 1) * (PARETO_SHAPE - 1),
    }
    return lambda: scale * draw[tail]()


def _clock(started: int, distortion: Distortion) -> Callable[[float], int]:
    """From ns after the start, on the router's clock, to ms of the phone's."""

    def phone(elapsed: float) -> int:
        steps = sum(size for at, size in distortion.steps if elapsed >= at * _NS)
        shift = elapsed * distortion.drift * 1e-6 + (distortion.offset + steps) * _NS
        return int((started + round(elapsed + shift)) // 1_000_000)

    return phone


def _stack(frames: list[Frame]) -> list[dict[str, Any]]:
    return [
        {
            "class": frame.class_,
            "file": frame.file,
            "line": frame.line,
            "method": frame.method,
            "is_native": False,
            "str": f"{frame.class_}.{frame.method}({frame.file}:{frame.line})",
        }
        for frame in frames
    ]


def _record(logged: _Logged, timestamp: int, stack: list[dict[str, Any]]) -> dict[str, Any]:
    call = logged.operation
    return {
        "type": "socket_trace_log",
        "dump": "socket_trace.json",
        "pid": PID,
        "process": PROCESS,
        "data_type": "json",
        "timestamp": timestamp,
        "data": {
            "socket_fd": call.fd,
            "socket_type": call.socket_type,
            "pid": PID,
            "thread_id": call.thread,
            "socket_event_type": logged.event,
            "dest_ip": call.remote[0],
            "dest_port": call.remote[1],
            "local_ip": call.local[0],
            "local_port": call.local[1],
            "stack": stack,
        },
    }


def _carriers(recording: Recording, source: list[int]) -> dict[Label, list[int]]:
    places: dict[int, list[int]] = {}
    for place, index in enumerate(source):
        places.setdefault(index, []).append(place)
    return {
        label: [place for index in indices for place in places.get(index, [])]
        for label, indices in recording.carriers().items()
        if indices[0] in places
    }
