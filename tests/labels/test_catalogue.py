"""The list of SDKs is data: sound, without doubles, and found by the longest name that fits."""

from __future__ import annotations

import re

import pytest

from pcapng_utils.attribution.sites import SYSTEM_PREFIXES
from pcapng_utils.labels.catalogue import Catalogue, Sdk, built_in_sdks

SDKS = built_in_sdks()
PACKAGE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
CATEGORIES = {
    "ad verification", "advertisement", "analytics", "attribution", "audience measurement", "authentication",
    "configuration", "consent", "content", "crash reporting", "customer support", "debugging", "delivery", "engagement",
    "feedback", "framework", "game engine", "identification", "image loading", "location", "machine learning", "map",
    "media", "payment", "performance", "platform", "profiling", "push", "search", "security", "session replay",
    "social", "storage", "subscription", "video",
}  # fmt: skip


def test_there_are_enough_of_them() -> None:
    assert len(SDKS) >= 120


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_each_says_what_it_is(sdk: Sdk) -> None:
    assert sdk.name.strip() == sdk.name != ""
    assert sdk.company
    assert sdk.categories
    assert set(sdk.categories) <= CATEGORIES
    assert sdk.packages or sdk.hosts
    assert [name for name in sdk.packages if not PACKAGE.fullmatch(name)] == []
    assert [name for name in sdk.hosts if not HOST.fullmatch(name)] == []


def test_no_name_package_or_host_is_there_twice() -> None:
    for names in (
        [sdk.name.lower() for sdk in SDKS],
        [package for sdk in SDKS for package in sdk.packages],
        [host for sdk in SDKS for host in sdk.hosts],
    ):
        assert sorted(names) == sorted(set(names))


def test_no_package_is_one_of_the_system_frames() -> None:
    assert [package for sdk in SDKS for package in sdk.packages if f"{package}.".startswith(SYSTEM_PREFIXES)] == []


@pytest.mark.parametrize(
    ("name", "sdk"),
    [
        ("com.adjust.sdk.ActivityHandler", "Adjust"),
        ("com.adjust.sdk.ActivityHandler$1$2", "Adjust"),
        ("com.facebook.ads.internal.a", "Facebook Ads"),
        ("com.facebook.GraphRequest", "Facebook SDK"),
        ("com.facebook.react.bridge.X", "React Native"),
        ("com.facebookx.Y", None),
        ("com.adjust", None),
        ("org.example.app.Main", None),
        ("", None),
        ("...", None),
    ],
)
def test_of_a_class_the_longest_package_decides(name: str, sdk: str | None) -> None:
    found = Catalogue(SDKS).of_class(name)
    assert (found.name if found else None) == sdk


@pytest.mark.parametrize(
    ("host", "sdk"),
    [
        ("app.adjust.com", "Adjust"),
        ("APP.Adjust.COM.", "Adjust"),
        ("notadjust.com", None),
        ("adjust.com.evil.example", None),
        ("googleads.g.doubleclick.net", "Google AdMob"),
        ("stats.g.doubleclick.net", "Google Ad Manager"),
        ("192.0.2.1", None),
        ("", None),
    ],
)
def test_of_a_host_the_longest_suffix_decides(host: str, sdk: str | None) -> None:
    found = Catalogue(SDKS).of_host(host)
    assert (found.name if found else None) == sdk
