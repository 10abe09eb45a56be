"""What is known of SDKs: the list that comes with the package, and where a name of it begins a class or ends a host.

A class or a host is cut into its parts, and its longest known beginning (or end) decides: no pattern is tried in vain,
and `com.facebook.ads` is found before `com.facebook`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable
from importlib.resources import files
from typing import Final

import msgspec

_FILE: Final = "sdks.toml"


class Sdk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of code that apps embed, or the service it talks to."""

    name: str
    company: str | None = None
    categories: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Beginnings of Java class names, up to a dot or to the end of the name."""
    hosts: tuple[str, ...] = ()
    """Registered names: the host itself, and all below it."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    sdk: tuple[Sdk, ...]


def built_in_sdks() -> tuple[Sdk, ...]:
    """The SDKs of the list that comes with the package."""
    text = files("pcapng_utils.labels").joinpath(_FILE).read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _File).sdk


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
