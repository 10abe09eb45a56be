"""A recording's capture, dissected once: its flows, and for each of their messages who knows the truth of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from lab.experiment import Label
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.har.entry import Entry
from pcapng_utils.har.problems import ProblemLog
from pcapng_utils.har.spool import Spool
from pcapng_utils.http.exchange import Exchange
from pcapng_utils.layers import CLIENT
from pcapng_utils.net.names import Names
from pcapng_utils.pipeline.conversation import Conversation
from pcapng_utils.pipeline.dissection import BuilderOptions, Dissection
from pcapng_utils.pipeline.traced import Key, TracedFlows
from pcapng_utils.tls.keylog import SecretStore, read_keylog

Group = Literal["request", "HTTP/1.1 response", "HTTP/2 response", "WebSocket message"]

JUDGED: Final[frozenset[Group]] = frozenset({"request", "HTTP/1.1 response"})
"""The demands are made of these. Of HTTP/2 responses the right call is known, but no code is theirs."""


@dataclass(slots=True)
class Captured:
    traced: TracedFlows
    labels: dict[tuple[str, int], tuple[Label, Group]] = field(default_factory=dict)
    """By flow, and place among its messages: the part of the recording that decides, and what kind of message it is."""


def dissect(capture: Path, keylog: Path) -> Captured:
    """As a conversion does, but for what only the HAR needs."""
    secrets = SecretStore()
    with keylog.open("rb") as file:
        for lines in read_keylog(file):
            secrets.add_keylog(lines, keylog.name)
    spool = Spool()
    dissection = Dissection(spool, secrets, Names(), ProblemLog(), BuilderOptions(bodies=False))
    traced = TracedFlows()
    exchanges: dict[int, tuple[int, bool]] = {}

    def watch(ordinal: int, entry: Entry, exchange: Exchange, conversation: Conversation) -> None:
        traced.exchange(ordinal, entry, exchange, conversation)
        number = exchange.request.header(b"x-truth") if exchange.request else None
        if number is not None and exchange.request is not None:
            exchanges[ordinal] = int(number), exchange.request.version.startswith("HTTP/1")

    dissection.watch, dissection.watch_end = watch, traced.end
    with capture.open("rb") as stream:
        for event in CaptureReader(stream, str(capture)):
            dissection.feed(event)
    dissection.close()
    spool.close()
    return _labelled(traced, exchanges)


def _labelled(traced: TracedFlows, exchanges: dict[int, tuple[int, bool]]) -> Captured:
    captured = Captured(traced)
    for flow in traced.flows:
        data: Counter[tuple[int, int]] = Counter()
        for place, (key, view) in enumerate(zip(traced.keys[flow.id], flow.messages, strict=True)):
            if key[0] in exchanges:
                number, http1 = exchanges[key[0]]
                part, group = _part(key, view.direction, data, http1)
                captured.labels[flow.id, place] = Label(number, part), group
    return captured


def _part(key: Key, direction: int, data: Counter[tuple[int, int]], http1: bool) -> tuple[str, Group]:
    ordinal, what = key
    if what == "request":
        return "request headers", "request"
    if what == "response":
        return "response headers", "HTTP/1.1 response" if http1 else "HTTP/2 response"
    place = data[ordinal, direction]
    data[ordinal, direction] += 1
    return f"{'send' if direction == CLIENT else 'receive'} {place}", "WebSocket message"
