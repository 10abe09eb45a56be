"""A HAR as the report reads it: the small members at once, entries and rows one at a time.

The file is mapped, not read: the list of entries is found by one pass over the text, and each entry is decoded when its
turn comes. So a HAR of a gigabyte costs what its largest entry costs.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pcapng_utils.errors import InputError, unreadable

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Har:
    """What the report needs of a HAR. Each of the iterables is gone through once."""

    creator: Json
    entries: Iterable[Json]
    name: str = "the HAR"
    """Of its file."""
    connections: Iterable[Json] = ()
    dns: Iterable[Json] = ()
    problems: Iterable[Json] = ()
    findings: Iterable[Json] = ()
    device: Mapping[str, str] = field(default_factory=dict)
    """Properties of the phone, to be shown as they are."""

    @classmethod
    def of_dict(cls, har: Json, device: Mapping[str, str] | None = None) -> Har:
        """A HAR that was parsed already."""
        log = har["log"]
        return cls(
            creator=log.get("creator") or {},
            entries=log["entries"],
            connections=log.get("_connections") or (),
            dns=log.get("_dns") or (),
            problems=log.get("_problems") or (),
            findings=log.get("_findings") or (),
            device=device or {},
        )


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]
    creator: Json = {}
    connections: list[msgspec.Raw] = msgspec.field(name="_connections", default=[])
    dns: list[msgspec.Raw] = msgspec.field(name="_dns", default=[])
    problems: list[msgspec.Raw] = msgspec.field(name="_problems", default=[])
    findings: list[msgspec.Raw] = msgspec.field(name="_findings", default=[])


class _Har(msgspec.Struct):
    log: _Log


@contextlib.contextmanager
def open_har(path: Path, device: Mapping[str, str] | None = None) -> Iterator[Har]:
    """A HAR file, open for the length of the block. Raises InputError if it is no HAR."""
    try:
        with path.open("rb") as file:
            text = _mapped(file.fileno())
    except OSError as error:
        raise unreadable(path, error) from None
    log = _decode(path, text)
    yield Har(
        creator=log.creator,
        entries=_objects(path, "entries", log.entries),
        name=str(path),
        connections=_objects(path, "_connections", log.connections),
        dns=_objects(path, "_dns", log.dns),
        problems=_objects(path, "_problems", log.problems),
        findings=_objects(path, "_findings", log.findings),
        device=device or {},
    )


def _mapped(descriptor: int) -> mmap.mmap | bytes:
    try:
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except ValueError:  # an empty file cannot be mapped
        return b""


def _decode(path: Path, text: mmap.mmap | bytes) -> _Log:
    try:
        return msgspec.json.decode(text, type=_Har).log
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f'{path} is no HAR: an object "log" with a list "entries" was expected ({error}).') from None


def _objects(path: Path, name: str, items: list[msgspec.Raw]) -> Iterator[Json]:
    for number, item in enumerate(items):
        try:
            yield msgspec.json.decode(item, type=Json)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path}: {name}[{number}] is not what HAR has there ({error}).") from None
