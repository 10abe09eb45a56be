"""The socket trace joined to what the capture gave: what is added to each message and to each connection."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from pcapng_utils.attribution.attribute import Settings, attribute
from pcapng_utils.attribution.nearest import NearestCalls
from pcapng_utils.attribution.operations import NO_STACK, OperationLog
from pcapng_utils.attribution.views import Attribution, FlowAttribution, MessageView
from pcapng_utils.errors import InputError, file_name, unreadable
from pcapng_utils.har.pirogue_enrichment.aligned import export_attribution
from pcapng_utils.har.pirogue_enrichment.exported import ExportedStack, export_stack, export_stacktrace
from pcapng_utils.har.pirogue_enrichment.stacktrace import compute_time_shift_from_pirogue_experiment_metadata
from pcapng_utils.har.writer import Annotations
from pcapng_utils.layers import CLIENT, SERVER, Problem
from pcapng_utils.net.community import community_id_of
from pcapng_utils.pipeline.options import Options
from pcapng_utils.pipeline.traced import Key, TracedFlows

_REMEMBERED: Final = 200
"""Stacks that are kept as they are written, at most."""
_SURE_OF_CLOCK: Final = 0.9
_CLOCK_AMBIGUOUS: Final = (
    "other clocks explain the trace nearly as well, as where an app sends to a beat: all confidence is less for it, "
    "and --time-shift can tell which is right"
)


def open_trace(path: Path) -> OperationLog:
    """Read a socket trace. Raises InputError naming the file."""
    try:
        return OperationLog.open(path)
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:
        raise InputError(f"{error}.") from None


class JoinedTrace:
    """Answers for messages by their entry's ordinal, and for connections by their id."""

    def __init__(self, log: OperationLog, traced: TracedFlows, options: Options) -> None:
        self.problems: list[Problem] = []
        self.metadata: dict[str, Any] = {}
        """`creator._metadata.attribution`"""
        self.read: list[Path] = []
        """What was read besides the trace."""
        self._log = log
        self._answers: dict[int, list[tuple[str | int, Attribution | dict[str, Any]]]] = {}
        self._flows: dict[str, FlowAttribution] = {}
        self._stacks: dict[int, ExportedStack] = {}
        """Of the calls that were exported last, by `OperationLog.stack_ids`: an app sends from few places."""
        shift = self._experiment_shift(options)
        if options.attribution == "nearest":
            given = options.time_shift is not None
            source = "given" if given else "none" if shift is None else "experiment.json"
            self._take_nearest(traced, (options.time_shift if given else shift) or 0.0, source)
        else:
            self._align(traced, Settings(options.time_shift, shift, options.min_confidence))

    def annotate(self, ordinal: int) -> Annotations:
        """What is added to an entry."""
        late = Annotations()
        for place, answer in self._answers.get(ordinal, ()):
            added = self._added(answer)
            if place == "request":
                late.request.update(added)
            elif place == "response":
                late.response.update(added)
            elif isinstance(place, int):
                late.websocket += [{} for _ in range(place + 1 - len(late.websocket))]
                late.websocket[place] = added
        return late

    def annotate_connection(self, connection: str) -> dict[str, Any]:
        """What is added to a row of `_connections`: whose it is, and which code opened it."""
        found = self._flows.get(connection)
        if found is None:
            return {"origin": "not-shown"}
        added: dict[str, Any] = {"origin": found.origin}
        if found.opened_by is not None:
            added["_stacktrace"] = self._exported(found.opened_by)
        if found.translated:
            added["_addressTranslated"] = True
        return added

    def close(self) -> None:
        self._log.close()

    def _experiment_shift(self, options: Options) -> float | None:
        if options.metadata is None:
            return None
        try:
            shift = compute_time_shift_from_pirogue_experiment_metadata(options.metadata.parent)
            self.read.append(options.metadata)
            return shift
        except (ValueError, OSError) as error:
            if isinstance(error, ValueError):
                self.read.append(options.metadata)
            message = f"{file_name(options.metadata)} was expected to tell when both captures began: it was not used"
            self.problems.append(Problem("experiment-unreadable", message))
            return None

    def _added(self, answer: Attribution | dict[str, Any]) -> dict[str, Any]:
        if isinstance(answer, dict):
            operation = answer["operations"][0]
            exported = answer
        else:
            operation = answer.operation
            exported = export_attribution(answer, self._log)
        added: dict[str, Any] = {"_attribution": exported}
        if operation is not None:
            added["_stacktrace"] = self._exported(operation)
        return added

    def _exported(self, operation: int) -> dict[str, Any]:
        """`_stacktrace`"""
        record, stack_id = self._log.record(operation), self._log.stack_ids[operation]
        if stack_id == NO_STACK:
            return export_stacktrace(record)
        if stack_id not in self._stacks:
            if len(self._stacks) >= _REMEMBERED:
                self._stacks.clear()
            self._stacks[stack_id] = export_stack(record)
        return export_stacktrace(record, self._stacks[stack_id])

    def _align(self, traced: TracedFlows, settings: Settings) -> None:
        result = attribute(traced.flows, self._log, settings)
        self.metadata = dict(result.metadata())
        self._flows = result.flows
        if result.clock.sureness < _SURE_OF_CLOCK:
            detail = f"phone minus router {result.clock.offset:+.3f} s, probability {result.clock.sureness:.2f}"
            self.problems.append(Problem("clock-ambiguous", _CLOCK_AMBIGUOUS, detail=detail))
        for flow in traced.flows:
            for index, (ordinal, place) in enumerate(traced.keys[flow.id]):
                self._answers.setdefault(ordinal, []).append((place, result.messages[flow.id, index]))

    def _take_nearest(self, traced: TracedFlows, shift: float, source: str) -> None:
        """As pcapng-utils 1.1 did, to the letter."""
        calls = NearestCalls(self._log)
        counts: Counter[str] = Counter()
        for flow in traced.flows:
            identity = community_id_of(flow.transport, flow.local, flow.remote)
            shown = any(calls.has_calls(identity, direction) for direction in (CLIENT, SERVER))
            self._flows[flow.id] = FlowAttribution("app" if shown else "not-shown", None, False)
            for key, message in zip(traced.keys[flow.id], flow.messages, strict=True):
                counts[self._nearest_of(calls, identity, key, message, shift)] += 1
        clocks = {"shift": shift, "shiftSource": source}
        self.metadata = {"method": "nearest", **clocks, "attributed": 0, "ambiguous": 0, "none": 0, **counts}

    def _nearest_of(self, calls: NearestCalls, flow: str, key: Key, message: MessageView, shift: float) -> str:
        moment = message.first // 1000 + round(shift * 1e6)
        row = calls.find(flow, message.direction, moment)
        if row is None:
            return "none"
        answer = {
            "method": "nearest",
            "confidence": None,
            "deltaMs": calls.delta(row, moment) / 1000,
            "operations": [row],
            "shared": [],
            "alternatives": [],
        }
        self._answers.setdefault(key[0], []).append((key[1], answer))
        return "attributed"
