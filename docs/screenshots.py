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
# What a reader should see of each tab, in pixels of height.
HEIGHTS = {"ask": 900, "compare": 1500, "sweep": 1000, "howmuch": 1000}
LABELS = {"howmuch": "How much"}
# Of each visible canvas, how many different colours a coarse look at it finds.
COLOURS = """() => [...document.querySelectorAll("canvas")].filter((one) => one.checkVisibility()
  && one.getBoundingClientRect().bottom > 0 && one.getBoundingClientRect().top < innerHeight)
  .map((one) => {
    const { data } = one.getContext("2d").getImageData(0, 0, one.width, one.height);
    const seen = new Set();
    for (let at = 0; at < data.length; at += 4 * 97) {
      seen.add(data[at + 3] ? `${data[at]},${data[at + 1]},${data[at + 2]}` : "none");
    }
    return seen.size;
  })"""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def shoot(browser: Browser, url: str, name: str, theme: str) -> None:
    """Run one tab on the opening example and save what a reader should see of it.

    Raises
    ------
    SystemExit
        If a picture on it is blank.
    """
    page = browser.new_page(viewport={"width": 1440, "height": HEIGHTS[name]})
    page.add_init_script("localStorage.setItem('pruneviz-tour', 'yes')")
    page.goto(f"{url}?__theme={theme}")
    page.wait_for_selector(".pv-view[data-state=ready]", timeout=PATIENCE)
    if name == "ask":
        # What is worked out behind the result: the marks on the slider, and ten random draws.
        page.wait_for_selector(".pv-ticks i", timeout=PATIENCE)
        page.wait_for_selector("#pv-chance :text('10 draws')", timeout=PATIENCE)
    else:
        page.click(f"button[role=tab]:has-text('{LABELS.get(name, name.title())}')")
        page.click(f"#pv-{name}")
        page.wait_for_selector(f"#pv-{name}-status [data-kind=done]", timeout=PATIENCE)
        _scroll_to(page, f"#pv-{name}-status")
    page.wait_for_timeout(600)
    if blank := [count for count in page.evaluate(COLOURS) if count < 3]:
        raise SystemExit(f"{len(blank)} of the pictures on the {name} tab are blank.")
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
