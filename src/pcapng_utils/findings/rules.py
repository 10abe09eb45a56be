"""YARA rules, on YARA-X, applied to what was sent: URLs, headers, clear bodies and messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pcapng_utils.errors import InputError, UsageError, unreadable
from pcapng_utils.findings.finder import Finding
from pcapng_utils.findings.places import Json, Large, Place, places

FORM: Final = "YARA rule"

_TIMEOUT: Final = 10
"""Seconds that the rules may take for one part of an exchange."""
_OVERLAP: Final = 1 << 14
_PARTS: Final = frozenset({"body", "decrypted body", "websocket", "event stream"})


class YaraFinder:
    """Finds what YARA rules match; a finding's identifier is the rule's name."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if the file cannot be read or compiled, UsageError if YARA-X is not installed."""
        try:
            import yara_x
        except ImportError:
            raise UsageError("--yara needs YARA-X: pip install 'pcapng-utils[yara]'.") from None
        compiler = yara_x.Compiler()
        compiler.enable_includes(False)
        try:
            compiler.add_source(path.read_text("utf-8"), origin=str(path))
        except OSError as error:
            raise unreadable(path, error) from None
        except (yara_x.CompileError, UnicodeDecodeError) as error:
            told = " ".join(str(error).split())  # it is of several lines
            raise InputError(f"{path}: YARA rules were expected ({told}).") from None
        self.incomplete = 0
        """Parts for which the rules took too long."""
        self._scanner = yara_x.Scanner(compiler.build())
        self._scanner.set_timeout(_TIMEOUT)
        self._timeout = yara_x.TimeoutError

    def find(self, entry: Json, large: Large | None = None) -> list[Finding]:
        found: dict[Finding, None] = {}
        for place in _parts(entry, large):
            for window in place.windows(_OVERLAP):
                for rule in self._matching(window):
                    found[Finding(rule, FORM, place.where, place.direction)] = None
        return list(found)

    def _matching(self, data: bytes) -> list[str]:
        try:
            return [rule.identifier for rule in self._scanner.scan(data).matching_rules]
        except self._timeout:
            self.incomplete += 1
            return []


def _parts(entry: Json, large: Large | None) -> Iterator[Place]:
    request = entry["request"]
    yield Place("URL", "out", str(request.get("url") or "").encode("utf-8", "surrogatepass"))
    yield Place("headers", "out", _header_lines(request))
    yield Place("headers", "in", _header_lines(entry.get("response") or {}))
    yield from (place for place in places(entry, large) if place.where in _PARTS)


def _header_lines(message: Json) -> bytes:
    lines = (f"{header.get('name')}: {header.get('value')}\r\n" for header in message.get("headers") or ())
    return "".join(lines).encode("utf-8", "surrogatepass")
