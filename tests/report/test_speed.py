"""Ten thousand exchanges: seen at once, filtered at once, scrolled without a stop.

A machine that is busy with something else makes any time longer. So the best of a few tries counts, and, of a task or
where more is to be done than there are processors, the time that a processor worked for the page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.report import hars
from tests.report.conftest import Open

pytest.importorskip("playwright.sync_api")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FIRST_VIEW_MS = 2000
FILTER_MS = 200
LONG_TASK_MS = 50
_TRIES = 12


def is_busy() -> bool:
    """Whether more want the processors than there are."""
    return os.getloadavg()[0] > (os.cpu_count() or 1)


def processor_time(page: Page) -> float:
    """Milliseconds that the page's process, all of its threads together, has had of a processor."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["ProcessTime"]) * 1000


def longest_task(browser: Browser, page: Page, act: Callable[[], object]) -> float:
    """Processor time, in ms, of the longest task of the page's thread while something is done."""
    browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
    act()
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        event.get("tdur", 0) / 1000
        for event in events
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in threads
    ]
    assert len(tasks) > 10
    return float(max(tasks))


def best(measure: Callable[[], float], limit: float) -> float:
    """The least of some measurements; the first that is within the limit ends them."""
    least = float("inf")
    for _ in range(_TRIES):
        least = min(least, measure())
        if least <= limit:
            break
    return least


def time_to_count(page: Page, action: str, expected: str, argument: Any = None) -> float:
    """Milliseconds from an action to the frame in which the number of exchanges is the expected one."""
    return float(
        page.evaluate(
            f"""async ([expected, argument]) => {{
              const begin = performance.now();
              ({action})(argument);
              while (!document.querySelector('.count').textContent.startsWith(expected)) {{
                if (performance.now() - begin > 20000) throw Error(document.querySelector('.count').textContent);
                await new Promise((resolve) => requestAnimationFrame(resolve));
              }}
              return performance.now() - begin;
            }}""",
            [expected, argument],
        )
    )


@pytest.mark.parametrize("view", ["overview", "exchanges"])
def test_the_first_view_is_there_soon(opened: Open, view: str) -> None:
    def measure() -> float:
        page = opened("long", view)
        page.locator(".tiles" if view == "overview" else ".tbody [role=row]").first.wait_for()
        shown = float(page.evaluate("performance.now()"))
        share = processor_time(page)
        page.close()
        return share if is_busy() else shown

    assert best(measure, FIRST_VIEW_MS) <= FIRST_VIEW_MS


def test_filters_and_sorting_answer_at_once(opened: Open) -> None:
    page = opened("long", "exchanges")
    select = """([facet, option]) => {
      const field = [...document.querySelectorAll('.facet')].find((one) => one.textContent.startsWith(facet));
      const select = field.querySelector('select');
      select.value = [...select.options].find((one) => one.text.startsWith(option + ' (') || one.text === option).value;
      select.dispatchEvent(new Event('change', { bubbles: true }));
    }"""
    for facet, option in (("Method", "POST"), ("Status", "404"), ("Host", "api.weather.example"), ("Code", "AdNova")):
        number = page.locator(".facet", has_text=facet).locator("option", has_text=f"{option} (").first.inner_text()
        expected = number.rpartition("(")[2].rstrip(")")

        def measure(facet: str = facet, option: str = option, expected: str = expected) -> float:
            took = time_to_count(page, select, f"{expected} of", [facet, option])
            time_to_count(page, select, "10,000 exchanges", [facet, "any"])
            return took

        assert best(measure, FILTER_MS) <= FILTER_MS, facet
    click = (
        "() => [...document.querySelectorAll('.th button')].find((one) => one.textContent.startsWith('Size')).click()"
    )
    assert best(lambda: time_to_count(page, click, "10,000"), FILTER_MS) <= FILTER_MS


def test_a_search_answers_at_once_and_leaves_the_page_free_while_it_reads_bodies(
    browser: Browser, opened: Open
) -> None:
    page = opened("long", "exchanges")
    search = """(term) => {
      const field = document.querySelector('input[type=search]');
      field.value = term;
      field.dispatchEvent(new Event('input', { bubbles: true }));
    }"""

    def look() -> None:
        time_to_count(page, search, f"{hars.NEEDLES} of", "needle")
        page.get_by_text("searching bodies").wait_for(state="detached")

    assert longest_task(browser, page, look) <= 2 * LONG_TASK_MS
    typing = 120

    def measure() -> float:
        took = time_to_count(page, search, "1 of", "resource/4711")
        time_to_count(page, search, "10,000", "")
        return took - typing

    assert best(measure, FILTER_MS) <= FILTER_MS


def test_it_scrolls_without_a_long_task(browser: Browser, opened: Open) -> None:
    page = opened("long", "exchanges")
    page.locator(".tbody [role=row]").first.wait_for()
    page.wait_for_timeout(500)

    def scroll() -> None:
        page.evaluate(
            """async () => {
              const table = document.querySelector('.table');
              for (let frame = 0; frame < 100; frame++) {
                table.scrollTop += 400;
                await new Promise((resolve) => requestAnimationFrame(resolve));
              }
            }"""
        )

    assert best(lambda: longest_task(browser, page, scroll), LONG_TASK_MS) <= LONG_TASK_MS
    assert page.locator(".tbody [role=row]").count() < 60
