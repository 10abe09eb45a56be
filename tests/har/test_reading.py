"""HAR files read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pcapng_utils.errors import InputError
from pcapng_utils.har.reading import read_har


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_har_is_read_with_or_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.har"
    path.write_text(json.dumps({"log": {"entries": [], "comment": "ü"}, "other": 1}), encoding=encoding)
    assert read_har(path) == {"log": {"entries": [], "comment": "ü"}}


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "5", '{"log": []}', '{"log": {}}', '{"log": {"entries": {}}}', "[" * 100_000, '"\\ud800"'],
)
def test_what_is_no_har_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.har"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.har"):
        read_har(path)


def test_what_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.har", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_har(path)
