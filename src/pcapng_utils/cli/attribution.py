"""`pcapng-utils attribution`: which code sent what, for people, from a HAR that was made of an experiment."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pcapng_utils.cli.terminal import printable, show, table
from pcapng_utils.cli.values import file

NOBODY: Final = "(no code)"
_DOUBTFUL: Final = 0.9
_SIDES: Final = ("request", "response")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "attribution",
        help="show which code sent the exchanges of a HAR, and how sure that is",
        description="Show which code sent the exchanges of a HAR, how surely, and the doubtful ones with what else "
        "they may be. The code is the first frame of the stack that is neither Android's, Java's, Kotlin's nor the "
        "HTTP client's.",
    )
    parser.add_argument("har", metavar="FILE.har", type=file)
    parser.add_argument(
        "--system-frames",
        default="",
        metavar="PREFIXES",
        help="class prefixes to pass over as well, with commas between them",
    )
    parser.add_argument("--all", action="store_true", help="list every exchange, not the doubtful ones alone")
    parser.set_defaults(command=attribution)


def attribution(arguments: argparse.Namespace) -> int:
    prefixes = tuple(prefix for prefix in arguments.system_frames.split(",") if prefix)
    log = _read(arguments.har)
    requests = list(_requests(log["entries"], prefixes))
    for line in _clock(log):
        show(printable(line))
    show(_by_code(requests))
    listed = requests if arguments.all else [one for one in requests if _is_doubtful(one)]
    if listed:
        show("\n" + ("All exchanges" if arguments.all else "In doubt"))
        show(_listing(listed))
    return 0


def _read(path: Path) -> dict[str, Any]:
    """`log`. Raises InputError if this is no HAR."""
    from pcapng_utils.errors import InputError
    from pcapng_utils.har.reading import check_entry, is_har, read_har

    if path.exists() and not is_har(path):
        raise InputError(f"{path} is no HAR: `pcapng-utils convert` makes one of a capture or an experiment first.")
    log: dict[str, Any] = read_har(path)["log"]
    for number, entry in enumerate(log["entries"]):
        check_entry(number, entry, str(path))
    return log


@dataclass(frozen=True, slots=True)
class _Request:
    """What is shown of an exchange."""

    started: str
    method: str
    url: str
    host: str
    size: int
    code: str
    confidence: float | None
    shared: int
    alternatives: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    """The exchanges of one piece of code."""

    count: int = 0
    bytes: int = 0
    confidences: list[float] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


def _requests(entries: Sequence[dict[str, Any]], prefixes: tuple[str, ...]) -> Iterator[_Request]:
    from pcapng_utils.attribution.sites import frame_name, responsible_frame

    for entry in entries:
        request = entry["request"]
        chosen = request.get("_attribution") or {}
        stack = (request.get("_stacktrace") or {}).get("stack")
        frame = responsible_frame(stack, prefixes)
        url = request.get("url") or ""
        yield _Request(
            started=entry.get("startedDateTime") or "",
            method=request.get("method") or "",
            url=url,
            host=url.partition("://")[2].partition("/")[0],
            size=sum(int(max(request.get(part) or 0, 0)) for part in ("headersSize", "bodySize")),
            code=frame_name(frame) if frame else ("(system)" if stack else NOBODY),
            confidence=chosen.get("confidence"),
            shared=len(chosen.get("shared") or ()),
            alternatives=(*map(_alternative, chosen.get("alternatives") or ()), *_inferred(chosen)),
        )


def _alternative(other: dict[str, Any]) -> str:
    """Whose call it may have been instead; where only the system's frames are known, which."""
    code = other.get("code") or f"call {other.get('operation')}"
    return f"{code} ({other.get('confidence') or 0.0:.2f})"


def _inferred(chosen: dict[str, Any]) -> Iterator[str]:
    """Whose the rest of the exchange is, where the request's own call was not logged."""
    if other := chosen.get("inferred"):
        yield f"{_alternative(other)} by the rest of the exchange"


def _is_doubtful(request: _Request) -> bool:
    return request.confidence is None or request.confidence < _DOUBTFUL


def _clock(log: dict[str, Any]) -> Iterator[str]:
    """What is known of the two clocks."""
    found = ((log.get("creator") or {}).get("_metadata") or {}).get("attribution")
    if not found:
        named = sum(any("_stacktrace" in (entry.get(side) or ()) for side in _SIDES) for entry in log["entries"])
        if named:
            yield (
                f"This HAR names code for {named:,} of {len(log['entries']):,} exchanges, and says neither how sure "
                "that is nor what it made of the clocks."
            )
        else:
            yield "This HAR has no attribution: it was made without a socket trace."
        return
    clock = found.get("clock")
    if not clock:
        yield (
            f"Clock: {found.get('shiftSource', 'none')}, phone minus router {found.get('shift') or 0:+.3f} s; "
            "each message has the call that is nearest in time"
        )
        return
    yield (
        f"Clock: {found.get('shiftSource', 'none')}, phone minus router {clock.get('offset', 0):+.3f} s, "
        f"drift {clock.get('drift', 0):+.1f} ppm, {clock.get('anchors', 0)} anchors within "
        f"{clock.get('spread', 0):.3f} s"
    )


def _by_code(requests: Sequence[_Request]) -> str:
    groups: dict[str, _Group] = defaultdict(_Group)
    for request in requests:
        group = groups[request.code]
        group.count += 1
        group.bytes += request.size
        group.hosts.add(request.host)
        if request.confidence is not None:
            group.confidences.append(request.confidence)
    rows = [
        (
            code,
            f"{group.count:,}",
            f"{group.bytes:,}",
            f"{sum(group.confidences) / len(group.confidences):.3f}" if group.confidences else "-",
            f"{min(group.confidences):.3f}" if group.confidences else "-",
            ", ".join(sorted(group.hosts)[:4]) + (", ..." if len(group.hosts) > 4 else ""),
        )
        for code, group in sorted(groups.items(), key=lambda item: (-item[1].count, item[0]))
    ]
    header = ("code", "requests", "bytes", "confidence", "least", "hosts")
    return table(header, rows, right=frozenset({1, 2, 3, 4}))


def _listing(requests: Sequence[_Request]) -> str:
    rows = [
        (
            request.started[11:23],
            request.method,
            request.url[:80],
            "-" if request.confidence is None else f"{request.confidence:.3f}",
            request.code,
            str(request.shared) if request.shared else "",
            ", ".join(request.alternatives),
        )
        for request in requests
    ]
    return table(("time", "method", "URL", "confidence", "code", "shared", "or else"), rows, right=frozenset({3}))
