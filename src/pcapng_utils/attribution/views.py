"""What goes into attribution, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pcapng_utils.layers import UnitLog

ShiftSource = Literal["given", "estimated", "experiment.json", "none"]
Origin = Literal["app", "not-shown"]


@dataclass(slots=True)
class MessageView:
    """A request, a response or a WebSocket message. Times are ns since the epoch, router's clock."""

    entry: int | str
    """What names it to the caller: given back in `Attribution.shared`."""
    direction: int
    units: Sequence[int]
    """Indices in the direction's `UnitLog`, in order: units[0] carried the first byte. Empty: not known."""
    first: int
    """First byte on the wire."""
    http1: bool = False
    """Its connection carries one exchange at a time."""
    exchange: int | str | None = None
    """The same for a request and its response, and for nothing else of the flow."""
    last: int = 0
    """Last byte on the wire; 0 where unknown."""


@dataclass(slots=True)
class FlowView:
    """A conversation. `local` is the phone's end."""

    id: str
    transport: Literal["tcp", "udp"]
    local: tuple[str, int]
    remote: tuple[str, int]
    first: int
    """Time of its first packet, in ns."""
    last: int
    units: UnitLog | None
    """None: only the messages' own times are known."""
    messages: list[MessageView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Alternative:
    operation: int
    confidence: float


@dataclass(slots=True)
class Attribution:
    """Which call carried a message."""

    operation: int | None
    """Element of the trace: the call that carried its first byte, or, if that was not logged, another of the same
    exchange; None where nothing fits, or nothing fits surely enough."""
    confidence: float
    """Probability that it is of the code that did it (of the best candidate, where `operation` is None)."""
    delta_ms: float | None
    """Call less message, on the corrected clock."""
    operations: list[int]
    """All calls that carried parts of the message, as far as they are sure, in order."""
    shared: list[int | str]
    """Other messages whose first bytes the same call carried."""
    alternatives: list[Alternative]
    """The next best, above a confidence of 0.05; with the best itself first where `operation` is None."""
    inferred: Alternative | None = None
    """A request whose own call likely is one of few that were not logged: another call of the code that carried the
    rest of the exchange, and the probability that the request is of it. That is no answer, and never given as one."""


@dataclass(frozen=True, slots=True)
class FlowAttribution:
    origin: Origin
    """Whether any call of the trace was made on this flow."""
    opened_by: int | None
    """The first write: who opened the flow."""
    translated: bool
    """Its local address is not the phone's: joined by remote address, port and time, so less surely."""


@dataclass(frozen=True, slots=True)
class ClockFound:
    """The phone's clock against the router's: phone = router + offset, and drift since the capture's start."""

    source: ShiftSource
    offset: float
    """Seconds."""
    drift: float
    """Parts per million by which the phone's clock runs fast."""
    anchors: int
    """Pairings that it rests on."""
    spread: float
    """Seconds within which the middle half of them lie, on either side."""
    steps: int = 0
    """Times the phone's clock was set while the trace was taken."""
    sureness: float = 1.0
    """Its probability against other clocks that explain the calls nearly as well."""


@dataclass(slots=True)
class Result:
    clock: ClockFound
    messages: dict[tuple[str, int], Attribution]
    """By flow's id and the message's place in `FlowView.messages`."""
    flows: dict[str, FlowAttribution]
    attributed: int = 0
    ambiguous: int = 0
    none: int = 0

    def metadata(self) -> dict[str, object]:
        """For `creator._metadata.attribution`."""
        clock = self.clock
        return {
            "method": "alignment",
            "shift": round(clock.offset, 6),
            "shiftSource": clock.source,
            "clock": {
                "offset": round(clock.offset, 6),
                "drift": round(clock.drift, 3),
                "anchors": clock.anchors,
                "spread": round(clock.spread, 6),
                "steps": clock.steps,
            },
            "attributed": self.attributed,
            "ambiguous": self.ambiguous,
            "none": self.none,
        }
