"""Take the README's screenshots from the running page: ``python -m docs.screenshots``.

Needs Playwright (requirements-dev.txt) and a Chromium on the path.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from pruneviz import load_model
from pruneviz.engine import Session
from pruneviz.ui import build, launch_settings

FOLDER = Path(__file__).parent
PATIENCE = 600_000
# The Ask tab is shown down to its mask, Compare with all of its cards.
HEIGHTS = {"ask": 1640, "compare": 1430, "sweep": 1000}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def shoot(browser: Browser, url: str, name: str, theme: str) -> None:
    """Run one tab on the opening example and save what a reader should see of it."""
    page = browser.new_page(viewport={"width": 1440, "height": HEIGHTS[name]})
    page.goto(f"{url}?__theme={theme}")
    page.wait_for_selector(".pv-view[data-state=ready]", timeout=PATIENCE)
    if name != "ask":
        page.click(f"button[role=tab]:has-text('{name.title()}')")
        page.click(f"#pv-{name}")
        page.wait_for_selector(f"#pv-{name}-status [data-kind=done]", timeout=PATIENCE)
        _scroll_to(page, f"#pv-{name}-status")
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
    page.close()


def _scroll_to(page: Page, selector: str) -> None:
    page.wait_for_timeout(800)
    page.locator(selector).evaluate("e => window.scrollBy(0, e.getBoundingClientRect().y - 120)")
    page.wait_for_timeout(400)


def main() -> int:
    """Serve the page on a free port, visit every tab, save the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        parser.error("Chromium is not on the path; on Debian: apt-get install chromium")
    page = build(Session(load_model()))
    _, address, _ = page.launch(**launch_settings(), prevent_thread_lock=True, quiet=True)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for name in HEIGHTS:
                shoot(browser, address, name, options.theme)
            browser.close()
    finally:
        page.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
