"""What the lab can make, by name: a function for each scenario, in the module of its protocol."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Make = Callable[[Path], None]
"""Leaves capture, key log and truth in a folder, which it makes."""


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    description: str
    make: Make
    fixture: bool
    """Its files are committed under tests/fixtures."""
    needs: tuple[str, ...]
    """Commands beyond the lab's own."""

    def lacks(self) -> list[str]:
        """The commands that are not installed."""
        return [command for command in self.needs if shutil.which(command) is None]


_REGISTRY: Final[dict[str, Scenario]] = {}


def scenario(name: str, *, fixture: bool = True, needs: Sequence[str] = ()) -> Callable[[Make], Make]:
    """Register the function below under this name; its docstring is the description."""

    def register(make: Make) -> Make:
        description = " ".join((make.__doc__ or "").split())
        _REGISTRY[name] = Scenario(name, description, make, fixture, tuple(needs))
        return make

    return register


def all_scenarios() -> dict[str, Scenario]:
    """By name, in alphabetical order."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(_REGISTRY.items()))
