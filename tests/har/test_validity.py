"""Every HAR is valid: by the JSON schema of HAR 1.2, and by what a schema cannot say."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT6

from tests.har.converted import ROOT, converted, lab_captures, name_of, public_captures
from tests.har.invariants import violations

SCHEMA = ROOT / "node_modules" / "har-schema" / "lib"
needs_schema = pytest.mark.skipif(not SCHEMA.exists(), reason="npm's har-schema is not installed (make test does)")


@cache
def validator() -> jsonschema.Draft6Validator:
    schemas = {path.name: json.loads(path.read_text()) for path in SCHEMA.glob("*.json")}
    registry = Registry().with_resources((name, DRAFT6.create_resource(schema)) for name, schema in schemas.items())
    checker = jsonschema.FormatChecker()

    @checker.checks("date-time", ValueError)  # type: ignore[untyped-decorator]
    def has_zone(value: object) -> bool:
        return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None

    return jsonschema.Draft6Validator(schemas["har.json"], registry=registry, format_checker=checker)


def har_of(capture: Path) -> dict[str, Any]:
    har = converted(capture)
    if har is None:
        pytest.skip("a capture that is refused")
    return har


CAPTURES = lab_captures() + public_captures()


@needs_schema
@pytest.mark.parametrize("capture", CAPTURES, ids=name_of)
def test_it_is_valid_by_the_schema(capture: Path) -> None:
    assert [error.message for error in validator().iter_errors(har_of(capture))] == []


@pytest.mark.parametrize("capture", CAPTURES, ids=name_of)
def test_its_values_agree(capture: Path) -> None:
    assert list(violations(har_of(capture))) == []


def first_with(log: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    entry: dict[str, Any] = next(entry for entry in log["entries"] if wanted(entry))
    return entry


def _has_plain_text(entry: dict[str, Any]) -> bool:
    content = entry["response"]["content"]
    return "text" in content and "encoding" not in content and "charset" not in content["mimeType"]


def _negative(log: dict[str, Any]) -> None:
    log["entries"][0]["timings"]["wait"] = -2


def _longer(log: dict[str, Any]) -> None:
    log["entries"][0]["time"] += 1


def _later(log: dict[str, Any]) -> None:
    log["entries"][0]["startedDateTime"] = "2001-01-01T00:00:00+00:00"


def _reversed(log: dict[str, Any]) -> None:
    log["entries"].reverse()


def _twice(log: dict[str, Any]) -> None:
    log["entries"].append(log["entries"][-1])


def _other_body(log: dict[str, Any]) -> None:
    first_with(log, _has_plain_text)["response"]["content"]["text"] += "!"


def _other_size(log: dict[str, Any]) -> None:
    first_with(log, lambda e: e["request"]["bodySize"] > 0)["request"]["bodySize"] = 0


def _other_frames(log: dict[str, Any]) -> None:
    log["entries"][0]["request"]["_rawFramesNumbers"] = [10**9]


def _other_server(log: dict[str, Any]) -> None:
    log["entries"][0]["serverIPAddress"] = "203.0.113.99"


def _no_connection(log: dict[str, Any]) -> None:
    log["_connections"].pop(0)


CHANGES = [
    _negative,
    _longer,
    _later,
    _reversed,
    _twice,
    _other_body,
    _other_size,
    _other_frames,
    _other_server,
    _no_connection,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_agree_is_noticed(change: Callable[[dict[str, Any]], None]) -> None:
    har = copy.deepcopy(har_of(ROOT / "tests" / "fixtures" / "http1" / "traffic.pcap"))
    change(har["log"])
    assert list(violations(har))


@needs_schema
def test_what_is_no_har_is_noticed_by_the_schema() -> None:
    har = copy.deepcopy(har_of(ROOT / "tests" / "fixtures" / "http1" / "traffic.pcap"))
    har["log"]["entries"][0]["startedDateTime"] = "2001-01-01T00:00:00"
    del har["log"]["entries"][0]["response"]["content"]
    assert {error.validator for error in validator().iter_errors(har)} == {"format", "pattern", "required"}
