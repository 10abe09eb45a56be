"""The label of a message or a connection: by the code that made it, where a stack says so, else by its host.

The *responsible* frame, the uppermost that is not the platform's or an HTTP client's, decides. An app's own
interceptors and wrappers stand above the SDK that asked for a request, so SDKs deeper in the stack are named too; one
of them is the label itself only where neither the responsible frame nor the host is known, and then it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from pcapng_utils.attribution.sites import SYSTEM_PREFIXES
from pcapng_utils.labels.catalogue import Catalogue, Sdk, built_in_sdks
from pcapng_utils.labels.trackers import Trackers

Source = Literal["code", "host"]
Stack = Iterable[Mapping[str, Any]]

_REMEMBERED: Final = 50_000
"""Classes and hosts whose SDK is remembered: the same come again and again."""


class _Knowledge(Protocol):
    def of_class(self, name: str) -> Sdk | None: ...

    def of_host(self, name: str) -> Sdk | None: ...


class Labeller:
    """Labels by the built-in list, and by a file of trackers, which goes first."""

    def __init__(self, trackers: Trackers | None = None, system_frames: Sequence[str] = ()) -> None:
        """`system_frames`: beginnings of class names to pass over, besides those that are known."""
        sdks = built_in_sdks()
        own = Catalogue(sdks, without=trackers.names if trackers else ())
        self._sources: tuple[_Knowledge, ...] = (own,) if trackers is None else (trackers, own)
        self._system = (*SYSTEM_PREFIXES, *system_frames)
        self._companies = {sdk.name.lower(): sdk.company for sdk in sdks}
        self._classes: dict[str, Sdk | None] = {}
        self._hosts: dict[str, Sdk | None] = {}

    def label(self, stack: Stack | None, host: str | None) -> dict[str, Any] | None:
        """`_sdk`: `name`, `company`, `categories`, `source` ("code" or "host"); None if nobody is known.

        `also`: other SDKs in the stack, uppermost first. `deeper`: true where the label is of a frame below the
        responsible one.
        """
        classes = self._app_classes(stack or ())
        found = [self._of_class(name) for name in classes]
        by_host = self._of_host(host) if host else None
        deeper = list(dict.fromkeys(sdk for sdk in found[1:] if sdk is not None))
        if found and found[0] is not None:
            return self._fields(found[0], "code", deeper)
        if by_host is not None:
            return self._fields(by_host, "host", deeper)
        if deeper:
            return self._fields(deeper[0], "code", deeper[1:]) | {"deeper": True}
        return None

    def responsible(self, stack: Stack | None) -> str | None:
        """The responsible frame's class."""
        return next(iter(self._app_classes(stack or ())), None)

    def _app_classes(self, stack: Stack) -> list[str]:
        """Classes that are not the system's, uppermost first, each once."""
        names = (frame.get("class") for frame in stack)
        return list(
            dict.fromkeys(
                name for name in names if isinstance(name, str) and name and not name.startswith(self._system)
            )
        )

    def _of_class(self, name: str) -> Sdk | None:
        return self._remembered(self._classes, name, lambda source: source.of_class(name))

    def _of_host(self, name: str) -> Sdk | None:
        return self._remembered(self._hosts, name, lambda source: source.of_host(name))

    def _remembered(
        self, memory: dict[str, Sdk | None], name: str, ask: Callable[[_Knowledge], Sdk | None]
    ) -> Sdk | None:
        if name in memory:
            return memory[name]
        if len(memory) >= _REMEMBERED:
            memory.clear()
        found = next((sdk for source in self._sources if (sdk := ask(source)) is not None), None)
        memory[name] = found
        return found

    def _fields(self, sdk: Sdk, source: Source, others: Iterable[Sdk]) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "name": sdk.name,
            "company": sdk.company or self._companies.get(sdk.name.lower()),
            "categories": list(sdk.categories),
            "source": source,
        }
        also = [other.name for other in others if other.name != sdk.name]
        if also:
            fields["also"] = also
        return fields
