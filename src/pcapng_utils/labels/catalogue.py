"""What is known of SDKs: the list that comes with the package, and where a name of it begins a class or ends a host.

The list, `sdks.json`, has an SDK a line. Names, not judgements: a label says whose code it is.

A class or a host is cut into its parts, and its longest known beginning (or end) decides: no pattern is tried in vain,
and `com.facebook.ads` is found before `com.facebook`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

_FILE: Final = Path(__file__).with_name("sdks.json")


class Sdk(msgspec.Struct, frozen=True):
    """A piece of code that apps embed, or the service it talks to."""

    name: str
    company: str | None = None
    categories: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Beginnings of Java class names, up to a dot or to the end of the name."""
    hosts: tuple[str, ...] = ()
    """Registered names: the host itself, and all below it."""


def built_in_sdks() -> tuple[Sdk, ...]:
    """The SDKs of the list that comes with the package."""
    # Not by a typed decoder: a signal that comes while msgspec learns the type is a segmentation fault (0.20, 0.21).
    rows: list[dict[str, Any]] = msgspec.json.decode(_FILE.read_bytes())
    return tuple(Sdk(**{name: _frozen(value) for name, value in row.items()}) for row in rows)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Catalogue:
    """Finds the SDK of a class or of a host."""

    def __init__(self, sdks: Iterable[Sdk], *, without: Collection[str] = ()) -> None:
        """`without`: names, in lower case, of SDKs that somebody else speaks for."""
        self._by_package: dict[str, Sdk] = {}
        self._by_host: dict[str, Sdk] = {}
        for sdk in sdks:
            if sdk.name.lower() not in without:
                self._by_package.update(dict.fromkeys(sdk.packages, sdk))
                self._by_host.update(dict.fromkeys(sdk.hosts, sdk))

    def of_class(self, name: str) -> Sdk | None:
        known = self._by_package
        name = name.partition("$")[0]
        while name:
            found = known.get(name)
            if found is not None:
                return found
            name = name.rpartition(".")[0]
        return None

    def of_host(self, name: str) -> Sdk | None:
        known = self._by_host
        name = name.lower().rstrip(".")
        while name:
            found = known.get(name)
            if found is not None:
                return found
            name = name.partition(".")[2]
        return None
