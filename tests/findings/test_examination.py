"""Label, findings and redaction of an entry, in this order."""

from __future__ import annotations

from typing import Any

from pcapng_utils.findings.examination import examination
from pcapng_utils.findings.search import Limits, Search
from tests.findings.making import EMAIL, IDENTIFIERS, entry


def stacked(*classes: str) -> dict[str, Any]:
    item = entry("https://h.example/", body=EMAIL.encode())
    item["request"]["_stacktrace"] = {"stack": [{"class": name} for name in classes]}
    return item


def test_a_finding_says_whose_it_is() -> None:
    this = examination(identifiers=IDENTIFIERS)
    item = stacked("java.net.SocketOutputStream", "okhttp3.A", "com.adjust.sdk.Sender", "org.example.Main")
    this.entry(7, item)
    assert item["_sdk"]["name"] == "Adjust"
    assert list(this.findings()) == [
        {
            "identifier": "email",
            "form": "plain",
            "where": "body",
            "direction": "out",
            "entry": 7,
            "code": "com.adjust.sdk.Sender",
            "sdk": "Adjust",
            "sdkSource": "code",
            "host": "h.example",
        }
    ]


def test_more_frames_can_be_the_system_s() -> None:
    this = examination(identifiers=IDENTIFIERS, system_frames=("com.adjust.",))
    this.entry(0, stacked("com.adjust.sdk.Sender", "org.example.Main"))
    assert next(this.findings())["code"] == "org.example.Main"


def test_what_is_found_is_found_before_it_is_redacted() -> None:
    this = examination(identifiers=IDENTIFIERS, redaction_key=b"k")
    item = stacked()
    this.entry(0, item)
    assert EMAIL not in str(item)
    assert next(this.findings())["identifier"] == "email"


def test_the_response_s_stack_stands_in_for_the_request_s() -> None:
    item = stacked()
    item["response"]["_stacktrace"] = {"stack": [{"class": "io.sentry.A"}]}
    label = examination().label(item)
    assert label is not None
    assert label["name"] == "Sentry"


def test_a_connection_goes_by_its_name() -> None:
    row = {"server": {"host": "192.0.2.1"}, "tls": {"sni": "app.adjust.com"}}
    assert examination().connection(row)["_sdk"]["name"] == "Adjust"
    assert examination().connection({"server": {"host": "api.mixpanel.com"}, "tls": None})["_sdk"]["name"] == "Mixpanel"
    assert examination().connection({})["_sdk"] is None


def test_an_entry_that_holds_too_much_says_so() -> None:
    this = examination(identifiers=IDENTIFIERS)
    this.finders[0].search = Search(IDENTIFIERS, Limits(bytes=10))  # type: ignore[attr-defined]
    item = entry(body=b"4142434445464748494a4b4c4d4e4f50 " * 9)
    this.entry(0, item)
    assert item["_searchIncomplete"] is True
    other = entry(body=b"short")
    this.entry(1, other)
    assert "_searchIncomplete" not in other
