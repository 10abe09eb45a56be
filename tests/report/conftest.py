"""Pages of the HARs made here, and a browser to look at them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pcapng_utils.report.page import write_page
from pcapng_utils.report.source import Har
from tests.report import hars

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PAGES = {"everything": hars.everything, "hostile": hars.hostile, "long": hars.long, "empty": hars.empty}

Open = Callable[..., "Page"]
"""Opens a page of one of the HARs: its name, the address after `#`, and the width and theme of the window."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of a HAR, made once."""
    folder = tmp_path_factory.mktemp("pages")

    def make(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            with path.open("wb") as file:
                write_page(Har.of_dict(_PAGES[name](), hars.DEVICE), file, title="weather-app")
        return path

    return make


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, made: Callable[[str], Path]) -> Iterator[Open]:
    """Whatever a page complains of fails the test that opened it."""
    complaints: list[str] = []
    contexts = []

    def open_page(name: str = "everything", place: str = "overview", width: int = 1280, theme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme="dark" if theme == "dark" else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url[:4] == "http" else None)
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(f"{made(name).as_uri()}#/{place}", wait_until="commit")
        page.locator("main").wait_for()
        page.locator("main .loading").wait_for(state="detached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
