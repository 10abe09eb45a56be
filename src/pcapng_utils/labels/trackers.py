"""Signatures of trackers in the form of Exodus Privacy's API: regular expressions from a file that is not ours.

They run on RE2, whose time grows with the text alone whatever the expression, and whose memory has a limit: a hostile
expression is refused when it is read, and none can hang. Expressions it does not take (those that look around
themselves) are left out and counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from pcapng_utils.errors import InputError, unreadable
from pcapng_utils.labels.catalogue import Sdk

_LARGEST_FILE: Final = 64 << 20
_LARGEST_SIGNATURE: Final = 20_000
_PATTERN_MEMORY: Final = 1 << 20
"""Bytes that a compiled expression may take."""
_LONGEST_NAME: Final = 1024
_LEAST_SIGNATURE: Final = 4
"""The file says "NC", "-" and the like where a signature is not known."""


class _Tracker(msgspec.Struct):
    name: str
    code_signature: str | None = None
    network_signature: str | None = None
    categories: tuple[str, ...] = ()
    website: str | None = None


class _File(msgspec.Struct):
    trackers: dict[str, _Tracker]


class _Signatures:
    """Expressions, and whose they are."""

    def __init__(self) -> None:
        self._expressions: list[tuple[Any, Sdk]] = []

    def add(self, signature: str | None, sdk: Sdk) -> bool:
        """Whether the signature could be taken."""
        import re2

        if signature is None or len(signature.strip()) < _LEAST_SIGNATURE:
            return True
        if len(signature) > _LARGEST_SIGNATURE:
            return False
        options = re2.Options()
        options.max_mem = _PATTERN_MEMORY
        options.log_errors = False
        try:
            self._expressions.append((re2.compile(signature.strip(), options), sdk))
        except re2.error:
            return False
        return True

    def find(self, text: str) -> Sdk | None:
        """Whose expression matches the most of the text; of equals, the first."""
        best, longest = None, 0
        for expression, sdk in self._expressions:
            match = expression.search(text)
            if match is not None and match.end() - match.start() > longest:
                best, longest = sdk, match.end() - match.start()
        return best


class Trackers:
    """The trackers of a file."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if the file cannot be read, or is not what Exodus Privacy's tracker API gives."""
        self.refused: list[str] = []
        """Names of trackers with a signature that is no expression of RE2's."""
        self.names: set[str] = set()
        """Names of the trackers, in lower case."""
        self._code = _Signatures()
        self._network = _Signatures()
        for tracker in _read(path).trackers.values():
            sdk = Sdk(tracker.name, categories=tuple(category.lower() for category in tracker.categories))
            self.names.add(sdk.name.lower())
            taken = (self._code.add(tracker.code_signature, sdk), self._network.add(tracker.network_signature, sdk))
            if not all(taken):
                self.refused.append(sdk.name)

    def of_class(self, name: str) -> Sdk | None:
        return self._code.find(name[:_LONGEST_NAME])

    def of_host(self, name: str) -> Sdk | None:
        return self._network.find(name[:_LONGEST_NAME])


def _read(path: Path) -> _File:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path} is larger than a list of trackers can be ({_LARGEST_FILE:,} bytes).")
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise unreadable(path, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f'{path} is no list of trackers: Exodus Privacy\'s form, {{"trackers": {{id: {{"name": ...}}}}}}, '
            f"was expected ({error})."
        ) from None
