"""Small scenes: flows with units and messages, and the calls that an app made for them."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pcapng_utils.attribution.attribute import attribute
from pcapng_utils.attribution.operations import OperationLog
from pcapng_utils.attribution.views import FlowView, MessageView, Result
from pcapng_utils.layers import CLIENT, SERVER, UnitKind, UnitLog

EPOCH = 1_764_000_000_000
"""ms"""
LOCAL, REMOTE = ("192.168.1.20", 40_000), ("203.0.113.7", 443)


def record(
    time: float, event: str = "write", *, port: int = LOCAL[1], thread: int = 1, stack: Sequence[str] | None = ("App",),
    socket_type: str = "tcp6", fd: int = 50, remote: tuple[str, int] = REMOTE,
) -> dict[str, Any]:  # fmt: skip
    """One call as the trace holds it; `time` in ms after EPOCH; `stack`: classes from the uppermost."""
    data: dict[str, Any] = {
        "socket_fd": fd, "socket_type": socket_type, "pid": 7, "thread_id": thread, "socket_event_type": event,
        "dest_ip": f"::ffff:{remote[0]}", "dest_port": remote[1], "local_ip": f"::ffff:{LOCAL[0]}", "local_port": port,
    }  # fmt: skip
    if stack is not None:
        data["stack"] = [{"class": name, "method": "run", "file": None, "line": -2} for name in stack]
    return {"type": "socket_trace_log", "timestamp": EPOCH + time, "data": data}


def encoded(records: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps(records).encode()


def log_of(records: Sequence[dict[str, Any]]) -> OperationLog:
    return OperationLog.read(io.BytesIO(encoded(records)))


@dataclass
class Tape:
    """What is seen on the wire, and what is logged."""

    chance: random.Random
    delay: float
    flows: list[FlowView] = field(default_factory=list)
    calls: list[tuple[float, dict[str, Any], tuple[str, int] | None]] = field(default_factory=list)
    latest: dict[tuple[int, str], float] = field(default_factory=dict)

    def flow(self) -> FlowView:
        number = len(self.flows)
        flow = FlowView(f"flow {number}", "tcp", (LOCAL[0], LOCAL[1] + number), REMOTE, 0, 0, UnitLog())
        self.flows.append(flow)
        return flow

    def unit(self, flow: FlowView, direction: int, time: float, kind: int) -> int:
        assert flow.units is not None
        return flow.units.add(direction, round((EPOCH + time) * 1e6), len(flow.units.times[0]), 300, kind)

    def message(self, flow: FlowView, direction: int, time: float, units: list[int], exchange: int) -> tuple[str, int]:
        stamp = round((EPOCH + time) * 1e6)
        flow.messages.append(MessageView(exchange, direction, units, stamp, True, exchange, stamp))
        flow.first, flow.last = flow.first or stamp - 10**7, stamp
        return flow.id, len(flow.messages) - 1

    def call(
        self, flow: FlowView, event: str, time: float, stack: list[str], thread: int, key: tuple[str, int] | None = None
    ) -> None:
        """A call at a time, logged a while later (a read) or earlier (a write); none overtakes the one before it."""
        late = self.chance.expovariate(1 / self.delay)
        line = flow.local[1], event
        # A write is logged so much before it is seen; seen from the other side, later than the one before.
        earliest = self.latest.get(line, 0.0)
        time = self.latest[line] = max(time + late if event == "read" else time - late, earliest)
        self.calls.append((time, record(int(time), event, port=flow.local[1], thread=thread, stack=stack), key))

    def attributed(self) -> tuple[list[int], Result]:
        """What comes of it: for each record of the log, the place in `calls` that it is of; and the answers."""
        order = sorted(range(len(self.calls)), key=lambda index: self.calls[index][0])
        return order, attribute(self.flows, log_of([self.calls[index][1] for index in order]))

    def direction(self, key: tuple[str, int]) -> int:
        """Of a message."""
        return next(flow for flow in self.flows if flow.id == key[0]).messages[key[1]].direction


@dataclass(slots=True)
class Scene:
    flows: list[FlowView]
    records: list[dict[str, Any]]
    truth: dict[tuple[str, int], int]
    """For each message, by flow and place, the record of its call."""


def requests(
    seed: int = 1, *, flows: int = 3, exchanges: int = 30, delay: float = 2.0, shift: float = 0.0, pause: float = 40.0
) -> Scene:
    """HTTP/1.1 from one thread a flow. `delay` in ms, mean; `shift`: the phone's clock less the router's, in ms."""
    chance = random.Random(seed)
    views: list[FlowView] = []
    records: list[dict[str, Any]] = []
    calls: list[tuple[float, str, int, str, tuple[str, int]]] = []
    for number in range(flows):
        units = UnitLog()
        port = LOCAL[1] + number
        flow = FlowView(f"flow {number}", "tcp", (LOCAL[0], port), REMOTE, 0, 0, units)
        time = chance.uniform(0, 100)
        latest = {CLIENT: float("-inf"), SERVER: float("-inf")}
        for exchange in range(exchanges):
            time += chance.expovariate(1 / pause) + 1
            for direction, event in ((CLIENT, "write"), (SERVER, "read")):
                stamp = round((EPOCH + time) * 1e6)
                unit = units.add(direction, stamp, len(units.times[0]), 300, UnitKind.HEADERS)
                flow.messages.append(MessageView(exchange, direction, [unit], stamp, True, exchange, stamp))
                late = chance.expovariate(1 / delay) * (1 if direction else -1) if delay else 0.0
                latest[direction] = max(latest[direction], time + late)
                calls.append(
                    (latest[direction], event, port, f"Sdk{number}_{exchange}", (flow.id, 2 * exchange + direction))
                )
                time += chance.expovariate(1 / 5) + 0.5
        flow.first, flow.last = flow.messages[0].first, flow.messages[-1].last
        views.append(flow)
    truth = {}
    for time, event, port, name, key in sorted(calls):
        truth[key] = len(records)
        stack = ["java.net.Socket", "okhttp3.Call", name]
        records.append(record(int(time + shift), event, port=port, thread=port, stack=stack))
    return Scene(views, records, truth)
