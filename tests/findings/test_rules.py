"""YARA rules: what they match is a finding under the rule's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.errors import InputError
from pcapng_utils.findings.finder import Finding
from tests.findings.making import entry

yara_x = pytest.importorskip("yara_x")

from pcapng_utils.findings.rules import FORM, YaraFinder  # noqa: E402 - only where YARA-X is

RULES = """
rule beacon { strings: $a = "beacon" condition: $a }
rule key_header { strings: $a = /x-key: [0-9a-f]{4}/ nocase condition: $a }
rule magic { strings: $a = { de ad be ef } condition: $a at 0 }
"""


def finder(folder: Path, text: str = RULES) -> YaraFinder:
    path = folder / "rules.yar"
    path.write_text(text)
    return YaraFinder(path)


@pytest.mark.parametrize(
    ("item", "rule", "where", "direction"),
    [
        (entry("https://h/beacon?x=1"), "beacon", "URL", "out"),
        (entry(headers={"X-Key": "abcd"}), "key_header", "headers", "out"),
        (entry(answer_headers={"X-Key": "abcd"}), "key_header", "headers", "in"),
        (entry(body=b"a beacon"), "beacon", "body", "out"),
        (entry(answer=b"\xde\xad\xbe\xef"), "magic", "body", "in"),
        (entry(_webSocketMessages=[{"type": "send", "opcode": 1, "data": "beacon"}]), "beacon", "websocket", "out"),
    ],
)
def test_rules_are_applied_to_each_part(
    tmp_path: Path, item: dict[str, Any], rule: str, where: str, direction: Any
) -> None:
    assert finder(tmp_path).find(item) == [Finding(rule, FORM, where, direction)]


def test_nothing_matches(tmp_path: Path) -> None:
    assert finder(tmp_path).find(entry(body=b"xx\xde\xad\xbe\xef")) == []


@pytest.mark.parametrize("text", ["rule {", 'include "/etc/passwd"', "\udcff"])
def test_rules_that_are_none_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.yar"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"rules\.yar"):
        YaraFinder(path)
    with pytest.raises(InputError, match="missing"):
        YaraFinder(tmp_path / "missing")
