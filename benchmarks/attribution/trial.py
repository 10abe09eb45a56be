"""One recording under one distortion: both methods' answers, held against what the client itself noted."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.attribution.captured import Captured, Group, dissect
from benchmarks.attribution.observer import can_tell, observe
from benchmarks.attribution.scenarios import Scenario
from benchmarks.attribution.tally import Answer, Tally
from lab.edit import Capture
from lab.experiment import Label, Recording, Trace, distort
from pcapng_utils.attribution.attribute import Settings, attribute
from pcapng_utils.attribution.nearest import NearestCalls
from pcapng_utils.attribution.operations import OperationLog
from pcapng_utils.attribution.views import ClockFound
from pcapng_utils.net.community import community_id_of


@dataclass(slots=True)
class Trial:
    clock: ClockFound
    nearest: dict[Group, Tally] = field(default_factory=dict)
    alignment: dict[Group, Tally] = field(default_factory=dict)
    observer: Tally | None = None
    """Of requests: what could be known at best, where that can be told."""


class Truth:
    """What is true of a distorted trace."""

    def __init__(self, recording: Recording, trace: Trace) -> None:
        self._trace = trace
        self._by_code = recording.load.client == "threads"
        """The stacks of threads name the request; of one thread the call itself is asked for."""
        self._codes = [_code(record) for record in trace.records]

    def present(self, label: Label) -> bool:
        return label in self._trace.carriers

    def holds(self, label: Label, group: Group, row: int) -> bool:
        """Whether a record is the call that carried the first byte, or (threads) another of the same request's."""
        carriers = self._trace.carriers.get(label)
        if carriers and self._trace.source[row] == self._trace.source[carriers[0]]:
            return True
        return self._by_code and group != "WebSocket message" and self._codes[row] == f"truth.T{label.exchange}"


def _code(record: dict[str, Any]) -> str:
    classes = (frame["class"] for frame in record["data"]["stack"])
    return next((name for name in classes if name.startswith("truth.T")), "")


def run(recording: Recording, captured: Captured, scenario: Scenario, seed: int) -> Trial:
    if scenario.distortion.capture_loss:
        captured = _lossy(recording, scenario.distortion.capture_loss, seed)
    trace = distort(recording, scenario.distortion, seed)
    truth = Truth(recording, trace)
    log = OperationLog.read(io.BytesIO(json.dumps(trace.records, separators=(",", ":")).encode()))
    result = attribute(captured.traced.flows, log, Settings())
    trial = Trial(result.clock)
    if recording.load.client == "asyncio" and can_tell(scenario.distortion):
        trial.observer = observe(recording, trace, scenario.distortion)
    nearest = _nearest(captured, log)
    for key, (label, group) in captured.labels.items():
        answer = result.messages[key]
        best = answer.operation
        if best is None and answer.alternatives:
            best = answer.alternatives[0].operation
        right = best is not None and truth.holds(label, group, best)
        given = answer.operation is not None
        aligned = Answer(truth.present(label), right, given, answer.confidence if best is not None else 0.0)
        trial.alignment.setdefault(group, Tally()).add(aligned)
        row = nearest(key)
        right = row is not None and truth.holds(label, group, row)
        trial.nearest.setdefault(group, Tally()).add(Answer(truth.present(label), right, row is not None, 0.0))
    return trial


def _nearest(captured: Captured, log: OperationLog) -> Callable[[tuple[str, int]], int | None]:
    calls = NearestCalls(log)
    flows = {flow.id: flow for flow in captured.traced.flows}

    def find(key: tuple[str, int]) -> int | None:
        flow = flows[key[0]]
        message = flow.messages[key[1]]
        identity = community_id_of(flow.transport, flow.local, flow.remote)
        return calls.find(identity, message.direction, message.first // 1000)

    return find


def _lossy(recording: Recording, share: float, seed: int) -> Captured:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "traffic.pcap"
        Capture.read(recording.capture).lossy(share, seed).write(path)
        return dissect(path, recording.keylog)


def trials(recording: Recording, scenarios: list[Scenario], seed: int) -> Iterator[tuple[Scenario, Trial]]:
    """All scenarios on one recording, its capture dissected once."""
    captured = dissect(recording.capture, recording.keylog)
    for number, scenario in enumerate(scenarios):
        yield scenario, run(recording, captured, scenario, seed * 1000 + number)
