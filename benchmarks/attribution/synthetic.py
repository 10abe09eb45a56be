"""Flows and operations of any size, made up: for measuring time and memory, where the truth does not matter."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from pcapng_utils.attribution.views import FlowView, MessageView
from pcapng_utils.layers import CLIENT, SERVER, UnitKind, UnitLog

_EPOCH = 1_764_000_000_000_000_000
_MS = 1_000_000


class Scene:
    """`flows` flows of `exchanges` requests and responses each; ten calls an exchange."""

    def __init__(self, flows: int, exchanges: int, seed: int = 1) -> None:
        chance = random.Random(seed)
        self.flows: list[FlowView] = []
        self.operations: list[tuple[int, int, int, int, str]] = []
        """(ms of the phone's clock, flow, thread, exchange, method), by time."""
        for number in range(flows):
            self._add(number, exchanges, chance)
        self.operations.sort()

    def _add(self, number: int, exchanges: int, chance: random.Random) -> None:
        units = UnitLog()
        flow = FlowView(
            str(number), "tcp", ("192.168.1.20", 10_000 + number), ("203.0.113.7", 443), _EPOCH, _EPOCH, units
        )
        time = _EPOCH + chance.randrange(60_000) * _MS
        flow.first = time
        frame = 0
        units.add(CLIENT, time, 1, 517, UnitKind.CLIENT_HELLO | UnitKind.HANDSHAKE)
        units.add(SERVER, time + _MS, 2, 1200, UnitKind.HANDSHAKE)
        self._log(time, number, 0, 0, "clientHello", chance)
        for exchange in range(exchanges):
            thread = chance.randrange(6)
            time += int(chance.expovariate(1 / 80) * _MS) + _MS
            kinds = [UnitKind.HEADERS, *[UnitKind.BODY] * 4]
            for direction, methods in ((CLIENT, "write"), (SERVER, "read")):
                own = []
                for kind in kinds:
                    frame += 1
                    own.append(units.add(direction, time, frame, 300, kind))
                    self._log(time, number, thread, exchange, f"{methods}{kind.name}", chance, late=direction)
                    time += int(chance.expovariate(1 / 2) * _MS)
                first = units.times[direction][own[0]]
                flow.messages.append(MessageView(exchange, direction, own, first, True, exchange, time))
                time += 5 * _MS
        flow.last = time
        self.flows.append(flow)

    def _log(
        self, time: int, flow: int, thread: int, exchange: int, method: str, chance: random.Random, late: int = 0
    ) -> None:
        delay = chance.expovariate(1 / 10)
        stamp = round(time / _MS + (delay if late else -delay))
        self.operations.append((stamp, flow, thread, exchange, method))

    def records(self) -> Iterator[bytes]:
        """The operations as a trace file's objects, each with a stack of some 3 KB."""
        for stamp, flow, thread, exchange, method in self.operations:
            stack = [
                {"class": "java.net.SocketOutputStream", "file": "SocketOutputStream.java", "line": -2,
                 "method": method, "is_native": True, "str": f"java.net.SocketOutputStream.{method}(Native Method)"},
                *(
                    {"class": f"okhttp3.internal.layer{depth}.Call", "file": "Call.java", "line": 40 + depth,
                     "method": f"{method}{depth}", "is_native": False,
                     "str": f"okhttp3.internal.layer{depth}.Call.{method}{depth}(Call.java:{40 + depth})"}
                    for depth in range(14)
                ),
                {"class": f"org.example.Sdk{(flow + exchange) % 40}", "file": "Sdk.java", "line": 7, "method": "send",
                 "is_native": False, "str": "org.example.Sdk.send(Sdk.java:7)"},
            ]  # fmt: skip
            record = {
                "type": "socket_trace_log", "dump": "socket_trace.json", "pid": 4242, "process": "org.example.app",
                "data_type": "json", "timestamp": stamp,
                "data": {
                    "socket_fd": 50 + flow % 60, "socket_type": "tcp6", "pid": 4242, "thread_id": 4300 + thread,
                    "socket_event_type": "write" if method.startswith(("write", "client")) else "read",
                    "dest_ip": "::ffff:203.0.113.7", "dest_port": 443, "local_ip": "::ffff:192.168.1.20",
                    "local_port": 10_000 + flow, "stack": stack,
                },
            }  # fmt: skip
            yield json.dumps(record, separators=(",", ":")).encode()

    def trace(self) -> Iterator[bytes]:
        """The trace file, in pieces."""
        yield b"["
        first = True
        for record in self.records():
            yield record if first else b",\n" + record
            first = False
        yield b"]"
