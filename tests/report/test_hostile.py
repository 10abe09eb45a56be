"""What came from the capture is data: no view, and nothing that is copied from one, runs any of it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.report import hars
from tests.report.conftest import Open

pytest.importorskip("playwright.sync_api")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_EXCHANGES = len(hars.HOSTILE) * 4


_FOREIGN = """() => {
  const all = [...document.querySelectorAll('#app *')];
  const tags = new Set(['SCRIPT', 'IFRAME', 'OBJECT', 'EMBED', 'STYLE', 'LINK', 'FORM', 'META', 'BASE']);
  const leads = new Set(['href', 'src', 'action', 'xlink:href', 'style', 'srcdoc', 'formaction']);
  return all.filter((element) =>
    tags.has(element.tagName.toUpperCase()) ||
    [...element.attributes].some((one) => one.name.startsWith('on')) ||
    [...element.attributes].some((one) => leads.has(one.name) && /script:/i.test(one.value)) ||
    (element.tagName === 'A' && !/^(#|blob:)/.test(element.getAttribute('href')))
  ).map((element) => element.outerHTML.slice(0, 300));
}"""


def assert_nothing_ran(page: Page) -> None:
    """Nothing ran, and no element was made of what the capture holds."""
    assert page.evaluate("window.hacked") is None
    assert page.evaluate(_FOREIGN) == []


@pytest.mark.parametrize("view", ["overview", "exchanges", "connections", "problems"])
@pytest.mark.parametrize("width", [1280, 400])
def test_no_view_runs_anything(opened: Open, view: str, width: int) -> None:
    page = opened("hostile", view, width)
    page.wait_for_timeout(200)
    assert_nothing_ran(page)


_LOOK_AT_ALL = """async (numbers) => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const until = async (there) => {
    for (let tries = 0; !there(); tries++) {
      if (tries > 500) throw Error('it never came');
      await frame();
    }
  };
  let looks = 0;
  for (const number of numbers) {
    location.hash = `#/exchanges?open=${number}`;
    await until(() => document.querySelector('.detail .bar')?.textContent.includes(`Exchange ${number}`));
    await until(() => document.querySelector('.detail [role=tab]'));
    for (const tab of document.querySelectorAll('.detail [role=tab]')) {
      tab.click();
      await frame();
      for (const form of document.querySelectorAll('.detail .choice button')) {
        form.click();
        await frame();
        looks++;
      }
    }
  }
  return looks;
}"""


def test_no_part_of_an_exchange_runs_anything(opened: Open) -> None:
    page = opened("hostile", "exchanges")
    for first in range(1, _EXCHANGES + 1, 4):
        looks = page.evaluate(_LOOK_AT_ALL, list(range(first, first + 4)))
        assert looks > 20
        assert_nothing_ran(page)


def test_no_part_of_a_connection_runs_anything(opened: Open) -> None:
    page = opened("hostile", "connections")
    rows = page.locator(".tbody [role=row]")
    for number in range(len(hars.HOSTILE)):
        rows.nth(number).click()
        page.locator(".detail .panel").wait_for()
        assert_nothing_ran(page)
    page.get_by_role("button", name="Names (DNS)").click()
    assert_nothing_ran(page)


def test_an_address_is_data_too(opened: Open) -> None:
    evil = "%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E"
    page = opened("everything", f"exchanges?q={evil}&sender={evil}&connection={evil}&from={evil}&open={evil}")
    page.wait_for_timeout(200)
    assert_nothing_ran(page)


def test_control_characters_are_shown_by_name(opened: Open) -> None:
    page = opened("hostile", "problems")
    text = page.locator("main").inner_text()
    assert "␀␁␛[31m␡⟨U+202E⟩gnp.exe⟨U+2066⟩" in text
    assert not set(text) & set("\x00\x01\x1b\x7f\u202e\u2066\u2028")


def test_the_policy_holds_even_where_markup_gets_into_the_page(browser: Browser, made: Callable[[str], Path]) -> None:
    page = browser.new_page()
    page.goto(made("everything").as_uri())
    refused = page.evaluate(
        """() => [
          () => { document.body.innerHTML = '<img src=x onerror="window.hacked = 1">'; },
          () => { document.createElement('img').setAttribute('onerror', 'window.hacked = 1'); },
          () => { document.createElement('script').textContent = 'window.hacked = 1'; },
        ].map((attempt) => { try { attempt(); return false; } catch { return true; } })"""
    )
    assert refused == [True] * 3
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        page.evaluate(
            """(address) => {
              const image = document.createElement('img');
              image.src = address;
              document.body.append(image);
              fetch(address).catch(() => undefined);
              try { setTimeout('window.hacked = 1'); } catch { return; }
            }""",
            f"http://127.0.0.1:{server.getsockname()[1]}/",
        )
        with pytest.raises(TimeoutError):
            server.accept()
    assert page.evaluate("window.hacked") is None
    page.close()


def test_a_copied_command_runs_nothing_of_what_it_was_made_of(opened: Open) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    page = opened("hostile", "exchanges")
    page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text } }")
    tried = 0
    for number, text in enumerate(hars.HOSTILE):
        if "\x00" in text:  # no argument can hold it
            continue
        page.evaluate(f"window.copied = null; location.hash = '#/exchanges?open={number * 4 + 1}'")
        page.locator(".detail", has_text=f"Exchange {number * 4 + 1}").wait_for()
        page.get_by_role("button", name="Copy as curl").click()
        command = until(page, "window.copied")
        script = "curl() { printf '%s\\0' \"$@\"; }\n" + command
        out = subprocess.run([bash, "-c", script], capture_output=True, check=True, timeout=10).stdout
        arguments = out.decode().split("\0")
        assert arguments[arguments.index("--url") + 1] == f"https://{text}/{text}?{text}"
        assert arguments[arguments.index("--request") + 1] == text
        assert f"{text}: {text}" in arguments
        assert arguments[arguments.index("--data-raw") + 1] == text
        tried += 1
    assert tried == len(hars.HOSTILE) - 1


def until(page: Page, expression: str) -> Any:
    """The value of an expression as soon as it has one: the policy admits no evaluation inside the page."""
    for _ in range(100):
        value = page.evaluate(expression)
        if value is not None:
            return value
        page.wait_for_timeout(50)
    raise AssertionError(f"{expression} never came: {json.dumps(expression)}")
