"""axe-core finds nothing to complain of, in any view, width or theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.report.conftest import Open

axe_of = pytest.importorskip("axe_playwright_python.sync_playwright")
pytest.importorskip("playwright.sync_api")

if TYPE_CHECKING:
    from playwright.sync_api import Page

_PLACES = (
    "overview",
    "exchanges",
    "exchanges?open=2",
    "exchanges?sender=AdNova&q=bid",
    "connections",
    "connections?open=20",
    "problems",
)


_PARTS = {
    2: ("Request", "Code", "Times and facts"),
    5: ("Request",),
    11: ("Response",),
    68: ("Request",),
    69: ("Messages",),
}
"""Exchanges, and the tabs of each that hold what no other has."""


def violations(page: Page, *rules: str) -> list[tuple[str, str]]:
    """What axe finds by these rules, or by all."""
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = axe_of.Axe().run(page, options=options).response["violations"]
    return [(one["id"], node["html"][:200]) for one in found for node in one["nodes"]]


@pytest.mark.parametrize("width", [1280, 400])
def test_views(opened: Open, width: int) -> None:
    page = opened("everything", "overview", width)
    for place in _PLACES:
        page.evaluate(f"location.hash = '#/{place}'")
        page.wait_for_timeout(150)
        assert violations(page) == [], place


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_told_apart(opened: Open, theme: str) -> None:
    page = opened("everything", "overview", theme=theme)
    for place in _PLACES:
        page.evaluate(f"location.hash = '#/{place}'")
        page.wait_for_timeout(150)
        assert violations(page, "color-contrast") == [], place


def test_parts_of_an_exchange(opened: Open) -> None:
    page = opened("everything", "exchanges")
    for number, tabs in _PARTS.items():
        page.evaluate(f"location.hash = '#/exchanges?open={number}'")
        page.locator(".detail", has_text=f"Exchange {number}").locator(".panel").wait_for()
        for tab in tabs:
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(100)
            assert violations(page) == [], (number, tab)


def test_the_first_stop_of_the_tab_key_leads_to_the_content(opened: Open) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
