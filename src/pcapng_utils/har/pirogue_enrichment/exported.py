"""A socket call in the form it has in a HAR: `_stacktrace`."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypedDict

#: Said by the entry already.
REDUNDANT_KEYS: Final = frozenset({"localIp", "localPort", "destIp", "destPort", "communityId"})

_DEPTH: Final = 50
_NESTED: Final = (dict, list)


class SocketTraceData(TypedDict, total=False):
    """A call as it is exported; keys of `data` that are not listed here are passed through, camel-cased."""

    stack: list[dict[str, Any]] | None
    """Frames as logged, uppermost first: `class`, `file`, `line`, `method`, `isNative`, `str`; None: there was none."""
    timestamp: float
    """When the call was entered: seconds since the epoch, phone's clock."""
    process: str | None
    pid: int | None
    threadId: int
    socketFd: int
    socketType: str
    """"tcp", "tcp6", "udp" or "udp6"."""
    socketEventType: str
    """The C library's name of the call."""
    compact: list[str] | None
    """Class names of the stack in order, each once."""


class ExportedStack(NamedTuple):
    """What many calls may have in common of a `SocketTraceData`."""

    stack: list[dict[str, Any]] | None
    compact: list[str] | None


def export_stack(record: dict[str, Any]) -> ExportedStack:
    """The stack of an element of a socket trace."""
    logged = record["data"].get("stack")
    if not isinstance(logged, list):
        return ExportedStack(None, None)
    stack = camel_cased(logged)
    return ExportedStack(stack, _compact(stack))


def export_stacktrace(
    record: dict[str, Any],
    stack: ExportedStack | None = None,
    *,
    leave_out: AbstractSet[str] = REDUNDANT_KEYS,
    prefix: str = "",
) -> dict[str, Any]:
    """An element of a socket trace (`OperationLog.record`) as a `SocketTraceData`; `prefix` is put before its keys.

    `stack`: that of the element, where it was exported before."""
    data = record["data"]
    stack = stack or export_stack(record)
    exported: dict[str, Any] = {
        "stack": stack.stack,
        "timestamp": float(record["timestamp"]) / 1000,
        "process": record.get("process"),
    }
    for name, value in data.items():
        key = _camel_case(name)
        if key not in exported and key not in leave_out:
            exported[key] = camel_cased(value)
    exported.setdefault("pid", record.get("pid"))
    exported["compact"] = stack.compact
    return {prefix + key: value for key, value in exported.items()} if prefix else exported


def _compact(stack: list[Any]) -> list[str]:
    classes = (frame.get("class") for frame in stack if isinstance(frame, dict))
    return list(dict.fromkeys(name for name in classes if isinstance(name, str)))


def camel_cased(value: Any, depth: int = _DEPTH) -> Any:
    """JSON whose keys are `camelCase` where they were `snake_case`, at every depth but those that no log has."""
    if not depth:
        return value
    if isinstance(value, dict):
        return {
            _camel_case(key): camel_cased(item, depth - 1) if isinstance(item, _NESTED) else item
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [camel_cased(item, depth - 1) for item in value]
    return value


@lru_cache(256)
def _camel_case(name: str) -> str:
    first, *others = [part for part in name.split("_") if part] or [name]
    return first + "".join(part.capitalize() for part in others)
