"""Take the screenshots of docs/screenshots: each view of the report of a sample, wide and narrow, light and dark.

.venv/bin/python -m scripts.report_screenshots
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from pcapng_utils.report.page import write_page
from pcapng_utils.report.source import Har
from tests.report import hars

FOLDER: Final = Path(__file__).parents[1] / "docs" / "screenshots"
WIDTHS: Final = (1280, 400)
THEMES: Final = ("light", "dark")

#: Name of each screenshot: the address in the report, the tab that is chosen, whether the whole page is taken.
SHOTS: Final = {
    "overview": ("overview", None, True),
    "exchanges": ("exchanges", None, False),
    "decrypted": ("exchanges?open=2", "Request", False),
    "code": ("exchanges?open=5", "Code", False),
    "messages": ("exchanges?open=69", "Messages", False),
    "connections": ("connections?open=20", None, False),
    "problems": ("problems", None, False),
}
_COLOURS: Final = 256


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is not installed", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "weather-app.html"
        with path.open("wb") as file:
            write_page(Har.of_dict(hars.everything(), hars.DEVICE), file, title="weather-app")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for theme in THEMES:
            for width in WIDTHS:
                page = browser.new_page(
                    viewport={"width": width, "height": 800}, color_scheme="dark" if theme == "dark" else "light"
                )
                for name in SHOTS:
                    take(page, path.as_uri(), name, FOLDER / f"{name}-{width}-{theme}.png")
                page.close()
        browser.close()
    size = sum(file.stat().st_size for file in FOLDER.glob("*.png"))
    print(f"{len(list(FOLDER.glob('*.png')))} screenshots, {size:,} bytes")
    return 0


def take(page: Page, address: str, name: str, path: Path) -> None:
    """Take a screenshot; what is written is as small as it can be without looking worse."""
    place, tab, whole = SHOTS[name]
    page.goto("about:blank")
    page.goto(f"{address}#/{place}")
    page.locator("main").wait_for()
    if tab is not None:
        page.get_by_role("tab", name=tab).click()
    page.wait_for_timeout(300)
    image = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    image.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
