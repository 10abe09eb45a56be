"""Exodus Privacy's signatures: read as they are given, and unable to hang."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.errors import InputError
from pcapng_utils.labels.labeller import Labeller
from pcapng_utils.labels.trackers import Trackers


def trackers(folder: Path, *entries: dict[str, Any]) -> Trackers:
    path = folder / "trackers.json"
    path.write_text(json.dumps({"trackers": {str(number): entry for number, entry in enumerate(entries)}}))
    return Trackers(path)


def tracker(name: str, code: str = "", network: str = "") -> dict[str, Any]:
    return {
        "id": 1,
        "name": name,
        "description": "",
        "creation_date": "2017-09-24",
        "code_signature": code,
        "network_signature": network,
        "website": "https://example.org",
        "categories": ["Advertisement"],
        "documentation": [],
    }


def name_of(labeller: Labeller, code: str | None = None, host: str | None = None) -> str | None:
    label = labeller.label([{"class": code}] if code else None, host)
    return str(label["name"]) if label else None


def test_both_signatures_are_used(tmp_path: Path) -> None:
    known = trackers(tmp_path, tracker("Teemo", "com.databerries.|com.geolocstation.", r"databerries\.com"))
    label = Labeller(known).label([{"class": "com.geolocstation.A"}], None)
    assert label == {"name": "Teemo", "company": "Teemo", "categories": ["advertisement"], "source": "code"}
    assert name_of(Labeller(known), host="api.databerries.com") == "Teemo"


def test_the_file_goes_before_the_built_in_list(tmp_path: Path) -> None:
    labeller = Labeller(trackers(tmp_path, tracker("Something else", "com.adjust.sdk")))
    assert name_of(labeller, "com.adjust.sdk.A") == "Something else"
    assert name_of(labeller, "io.sentry.A") == "Sentry"


def test_where_both_know_a_name_the_file_s_signatures_alone_count(tmp_path: Path) -> None:
    labeller = Labeller(trackers(tmp_path, tracker("ADJUST", r"com\.adjust\.other")))
    assert name_of(labeller, "com.adjust.other.A") == "ADJUST"
    assert name_of(labeller, "com.adjust.sdk.A") is None
    assert name_of(labeller, host="app.adjust.com") is None


def test_the_longest_match_wins(tmp_path: Path) -> None:
    known = trackers(tmp_path, tracker("Wide", r"com\.facebook"), tracker("Narrow", r"com\.facebook\.ads"))
    assert name_of(Labeller(known), "com.facebook.ads.A") == "Narrow"


@pytest.mark.parametrize("signature", ["", "NC", "-", None])
def test_a_signature_that_is_not_known_matches_nothing(tmp_path: Path, signature: str | None) -> None:
    known = trackers(tmp_path, {"name": "Unknown", "code_signature": signature, "network_signature": signature})
    assert known.of_class("com.NC.-.A") is None
    assert known.refused == []


@pytest.mark.parametrize(
    "signature", ["(a+)+$", "(a|aa)+$", "(a*)*b", "(.*a){20}", "a{1,1000}{1,1000}", "(?<=a)b{5}", "((("]
)
def test_no_signature_can_hang(tmp_path: Path, signature: str) -> None:
    known = trackers(tmp_path, tracker("Hostile", signature, signature), tracker("Kind", "com.kind."))
    begin = time.process_time()
    known.of_class("a" * 100_000 + "!")
    known.of_host("a" * 100_000 + "!")
    assert time.process_time() - begin < 2
    assert name_of(Labeller(known), "com.kind.A") == "Kind"


def test_what_was_refused_is_told(tmp_path: Path) -> None:
    assert trackers(tmp_path, tracker("Backwards", "(?<=com)ads"), tracker("Fine", "com.fine")).refused == ["Backwards"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"trackers": []}', '{"trackers": {"1": {"id": 1}}}', "[" * 100_000, "\xff"]
)
def test_a_file_that_is_something_else_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trackers.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"trackers\.json"):
        Trackers(path)
    with pytest.raises(InputError, match=r"missing\.json"):
        Trackers(tmp_path / "missing.json")
