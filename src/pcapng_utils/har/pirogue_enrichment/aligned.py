"""Alignment for a HAR on its own: no capture, so no records to go by, only the times of its messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final, Literal, NamedTuple

from pcapng_utils.attribution.attribute import Settings, attribute
from pcapng_utils.attribution.operations import OperationLog
from pcapng_utils.attribution.sites import frame_name, responsible_frame
from pcapng_utils.attribution.views import Alternative, Attribution, FlowView, MessageView, Result
from pcapng_utils.layers import CLIENT, SERVER

_SIDES: Final = (("request", CLIENT), ("response", SERVER))

Message = dict[str, Any]


class _Flow(NamedTuple):
    view: FlowView
    messages: list[Message]
    """In the order of `FlowView.messages`."""


def align(entries: Iterable[dict[str, Any]], log: OperationLog, settings: Settings) -> tuple[Result, list[Message]]:
    """Attribute the messages of HAR entries: what was found, and the messages that got an `_attribution`, in place.

    An entry without `_communication` is on no flow, and gets nothing.
    """
    flows = list(_flows(entries).values())
    views = [flow.view for flow in flows]
    result = attribute(views, log, settings)
    told = []
    for flow in flows:
        for index, message in enumerate(flow.messages):
            message["_attribution"] = export_attribution(result.messages[flow.view.id, index], log)
            told.append(message)
    return result, told


def export_attribution(answer: Attribution, log: OperationLog) -> dict[str, Any]:
    """`_attribution`: how the call of a message was chosen, and whose the next best are."""
    exported = {
        "method": "alignment",
        "confidence": answer.confidence,
        "deltaMs": None if answer.delta_ms is None else round(answer.delta_ms, 3),
        "operations": answer.operations,
        "shared": answer.shared,
        "alternatives": [_candidate(alternative, log) for alternative in answer.alternatives],
    }
    if answer.inferred is not None:
        exported["inferred"] = _candidate(answer.inferred, log)
    return exported


def _candidate(candidate: Alternative, log: OperationLog) -> dict[str, Any]:
    """With who made the call, by name; None where only the system's frames are known."""
    frame = responsible_frame((log.record(candidate.operation).get("data") or {}).get("stack"))
    return {**asdict(candidate), "code": frame_name(frame) if frame else None}


def _flows(entries: Iterable[dict[str, Any]]) -> dict[tuple[str, str], _Flow]:
    """By Community ID and connection."""
    flows: dict[tuple[str, str], _Flow] = {}
    for number, entry in enumerate(entries):
        key = (entry.get("_communityId", ""), entry.get("connection", ""))
        for message, view in _messages(entry, number):
            flow = flows.get(key)
            if flow is None:
                ends = _ends(entry)
                if ends is None:
                    break
                flow = flows[key] = _Flow(FlowView(str(len(flows)), *ends, view.first, view.first, None), [])
            flow.view.first = min(flow.view.first, view.first)
            flow.view.last = max(flow.view.last, view.first)
            flow.view.messages.append(view)
            flow.messages.append(message)
    return flows


def _messages(entry: dict[str, Any], number: int) -> Iterator[tuple[Message, MessageView]]:
    identity = entry.get("_sha1Id", number)
    for side, direction in _SIDES:
        message = entry[side]
        if message.get("_timestamp") is not None:
            first = round(message["_timestamp"] * 1e6) * 1000
            http1 = str(message.get("httpVersion", "")).upper().startswith("HTTP/1")
            yield message, MessageView(identity, direction, (), first, http1, number)


def _ends(entry: dict[str, Any]) -> tuple[Literal["tcp", "udp"], tuple[str, int], tuple[str, int]] | None:
    """Transport, client and server."""
    try:
        source, target = (entry["request"]["_communication"][name] for name in ("src", "dst"))
        ends = (source["ip"], source["port"]), (target["ip"], target["port"])
    except (KeyError, TypeError):
        return None
    return "udp" if entry["request"].get("httpVersion") == "HTTP/3" else "tcp", *ends
