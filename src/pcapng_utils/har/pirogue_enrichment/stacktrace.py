"""Which code sent a request and read its response: the socket call of each message, with its stack.

Works on any HAR dict whose entries have `_communityId` and whose messages have `_timestamp`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, NamedTuple, get_args

import msgspec

from pcapng_utils.attribution.nearest import NearestCalls, Operations, Window
from pcapng_utils.attribution.operations import OperationLog
from pcapng_utils.experiment import METADATA
from pcapng_utils.har.pirogue_enrichment.base import HarEnrichment
from pcapng_utils.har.pirogue_enrichment.exported import REDUNDANT_KEYS, SocketTraceData, export_stacktrace
from pcapng_utils.layers import CLIENT, SERVER

logger = logging.getLogger(__name__)

Method = Literal["nearest", "alignment"]

#: Messages that are named as sharing one call, before and behind a message each.
_SHARED_LIMIT: Final = 20
_DIRECTIONS: Final[tuple[Literal["out", "in"], ...]] = ("out", "in")
_SIDES: Final = {CLIENT: "request", SERVER: "response"}


@dataclass(frozen=True)
class HAREntryMetadata:
    """What names a message of a HAR."""

    community_id: str
    direction: Literal["in", "out"]
    """"out": a request, "in": a response."""
    timestamp: float
    """First byte on the wire: seconds since the epoch, router's clock."""
    entry_id: str
    """`_sha1Id`"""
    is_http2: bool
    """HTTP/2 or later: several messages may be in one call."""


class _Paired(NamedTuple):
    who: HAREntryMetadata
    message: dict[str, Any]


def compute_time_shift_from_pirogue_experiment_metadata(folder: Path) -> float | None:
    """Phone's clock minus router's clock in seconds, from the starts of both captures in `experiment.json`.

    None if the folder has no such file. Raises ValueError naming the file if it does not hold the two times.
    """
    path = Path(folder) / METADATA
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(text, type=_Experiment)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: the start times of both captures were expected: {error}") from None
    return (found.device.start_capture_time - found.network.start_capture_time) / 1000


class _Start(msgspec.Struct):
    start_capture_time: float
    """Milliseconds since the epoch."""


class _Experiment(msgspec.Struct):
    network: _Start
    device: _Start


class Stacktrace(HarEnrichment):
    """Adds `_stacktrace` and `_attribution` to requests and responses."""

    ID: ClassVar[str] = "pirogue_stacktrace"
    KEYS_PREFIX: ClassVar[str] = ""
    """Put before every key of an exported call."""
    DO_NOT_EXPORT_STACKTRACE_KEYS: ClassVar[set[str]] = set(REDUNDANT_KEYS)

    def __init__(
        self,
        har_data: dict[str, Any],
        input_data_file: Path,
        *,
        systematic_time_shift: float | None = None,
        time_window_requests: tuple[float, float] = (-5.0, 2.0),
        time_window_responses: tuple[float, float] = (-2.0, 5.0),
        method: Method = "nearest",
        operations: Operations = "all",
        min_confidence: float = 0.5,
    ) -> None:
        """`systematic_time_shift`: seconds to add to network times to get the phone's; None: from the `experiment.json`
        beside the trace, where there is one (alignment estimates it). Windows: how far a call may be from its message,
        call minus message, in seconds, ends included. `operations` "seed": the calls that pcapng-utils 1.1 knew alone.
        Windows and operations are for the nearest method, `min_confidence` is for alignment: below it, a message gets
        no `_stacktrace`.
        """
        for given, known in ((method, get_args(Method)), (operations, get_args(Operations))):
            if given not in known:
                raise ValueError(f"{given!r}: one of {', '.join(map(repr, known))} was expected")
        super().__init__(har_data, input_data_file)
        beside = compute_time_shift_from_pirogue_experiment_metadata(self.input_data_file.parent)
        shift = beside if systematic_time_shift is None else systematic_time_shift
        self._shift = round((shift or 0.0) * 1e6)
        self._settings = systematic_time_shift, beside, min_confidence
        self._windows = Window.of_seconds(time_window_requests), Window.of_seconds(time_window_responses)
        self._method = method
        self._operations: Operations = operations
        self._log: OperationLog | None = None
        self._calls: NearestCalls | None = None
        self._paired: dict[int, list[_Paired]] = {}
        """Messages by the row of their call."""

    @property
    def log(self) -> OperationLog:
        """The trace. Raises ValueError naming the file if it is not a JSON array of socket calls."""
        if self._log is None:
            self._log = OperationLog.open(self.input_data_file)
        return self._log

    @property
    def calls(self) -> NearestCalls:
        if self._calls is None:
            self._calls = NearestCalls(self.log, self._operations)
        return self._calls

    def has_data(self) -> bool:
        return len(self.log) > 0

    def enrich(self) -> bool:
        try:
            return super().enrich()
        finally:
            self._name_shared()
            if self._log is not None:
                self._log.close()
                self._log = self._calls = None

    def enrich_all(self, entries: list[dict[str, Any]]) -> None:
        if self._method == "alignment":
            found = self._align(entries)
        else:
            super().enrich_all(entries)
            found = self._nearest_metadata(entries)
        self.har_data["log"]["creator"]["_metadata"]["attribution"] = found

    def enrich_entry(self, har_entry: dict[str, Any]) -> None:
        """Add the nearest call to both messages of an entry."""
        for direction, side in _SIDES.items():
            message = har_entry[side]
            if message.get("_timestamp") is not None:
                self._enrich_message(message, direction, _metadata_of(har_entry, direction))

    def export(self, row: int) -> dict[str, Any]:
        """The call as it is attached to a message: a `SocketTraceData`, but for the prefix of its keys."""
        record = self.log.record(row)
        return export_stacktrace(record, leave_out=self.DO_NOT_EXPORT_STACKTRACE_KEYS, prefix=self.KEYS_PREFIX)

    def _align(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        # Imported when asked for: the nearest method does without all of it.
        from pcapng_utils.attribution.attribute import Settings
        from pcapng_utils.har.pirogue_enrichment.aligned import align

        result, messages = align(entries, self.log, Settings(*self._settings))
        for message in messages:
            operations = message["_attribution"]["operations"]
            if operations:
                message["_stacktrace"] = self.export(operations[0])
        return result.metadata()

    def _nearest_metadata(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        given, beside, _ = self._settings
        attributed = sum("_stacktrace" in entry[side] for entry in entries for side in _SIDES.values())
        messages = sum(entry[side].get("_timestamp") is not None for entry in entries for side in _SIDES.values())
        return {
            "method": "nearest",
            "shift": self._shift / 1e6,
            "shiftSource": "given" if given is not None else "none" if beside is None else "experiment.json",
            "attributed": attributed,
            "ambiguous": 0,
            "none": messages - attributed,
        }

    def _enrich_message(self, message: dict[str, Any], direction: int, who: HAREntryMetadata) -> None:
        moment = round(who.timestamp * 1e6) + self._shift
        row = self.calls.find(who.community_id, direction, moment, self._windows[direction])
        if row is None:
            inside = " inside the window" if self.calls.has_calls(who.community_id, direction) else ""
            logger.warning("No socket operation was found%s for %s", inside, who)
            return
        delta = self.calls.delta(row, moment) / 1000
        logger.debug("A socket operation was found %+.3f ms from %s", delta, who)
        self._pair(row, _Paired(who, message))
        message["_stacktrace"] = self.export(row)
        message["_attribution"] = {
            "method": "nearest",
            "confidence": None,
            "deltaMs": delta,
            "operations": [row],
            "shared": [],
            "alternatives": [],
        }

    def _pair(self, row: int, new: _Paired) -> None:
        """Note which message a call was given to, and warn where it cannot be the call of all of them."""
        paired = self._paired.setdefault(row, [])
        if paired:
            last = paired[-1].who
            if last.timestamp != new.who.timestamp:
                logger.warning("%s has the socket operation of %s, which is from another time", new.who, last)
            elif not (last.is_http2 and new.who.is_http2):
                logger.warning("%s has the socket operation of %s, though HTTP/1 has one message a call", new.who, last)
        paired.append(new)

    def _name_shared(self) -> None:
        """Tell each message with which others it shares its call."""
        for paired in self._paired.values():
            for i, (_, message) in enumerate(paired):
                others = [*paired[max(i - _SHARED_LIMIT, 0) : i], *paired[i + 1 : i + 1 + _SHARED_LIMIT]]
                message["_attribution"]["shared"] = [other.who.entry_id for other in others]
        self._paired.clear()


def _metadata_of(entry: dict[str, Any], direction: int) -> HAREntryMetadata:
    message = entry[_SIDES[direction]]
    version = message.get("httpVersion") or entry["request"].get("httpVersion") or ""
    return HAREntryMetadata(
        community_id=entry.get("_communityId", ""),
        direction=_DIRECTIONS[direction],
        timestamp=float(message["_timestamp"]),
        entry_id=entry.get("_sha1Id", ""),
        is_http2=not version.upper().startswith("HTTP/1"),
    )


__all__ = [
    "HAREntryMetadata",
    "Method",
    "SocketTraceData",
    "Stacktrace",
    "compute_time_shift_from_pirogue_experiment_metadata",
]
