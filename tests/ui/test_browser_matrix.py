"""The main flow of every tab, on a screen and on a phone, light and dark.

Console errors and requests to other hosts fail each test when its page is closed.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.ui.browsing import Watched
from tests.ui.test_browser import finished
from tests.ui.test_browser_tabs import compared, swept

pytestmark = pytest.mark.browser
WIDTHS, THEMES = (1440, 390), ("light", "dark")
PARTS = {
    "Ask": ".pv-canvas .pv-readout .pv-tile .pv-play .pv-layer .pv-enterpic .pv-bigmap "
    "#pv-baseline #pv-pruned #pv-summary #pv-about math",
    "Compare": "#pv-compare-methods #pv-budget #pv-budget-kind .pv-mask .pv-mbadge .pv-said "
    ".pv-agreemap .pv-matrix",
    "Sweep": "#pv-sweep-methods #pv-sweep-ratios .pv-plot .pv-wide .pv-values",
}
SHARED = "#pv-image #pv-question .pv-gallery .pv-header h1"

# What is drawn beyond the window, but for the inside of what scrolls by itself.
BEYOND = """(width) => [...document.querySelectorAll(".gradio-container *")]
  .filter((e) => e.checkVisibility() && !e.closest(".pv-hidden"))
  .filter((e) => {
    for (let up = e.parentElement; up; up = up.parentElement) {
      if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(up).overflowX)
        && up.getBoundingClientRect().right <= width + 1 && !up.matches(".gradio-container, body"))
        return false;
    }
    return e.getBoundingClientRect().right > width + 1;
  }).map((e) => e.outerHTML.slice(0, 90))"""

# Difference of lightness between an element's text and what lies behind it, 0 to 1.
LEGIBLE = """(element) => {
  const style = (of) => getComputedStyle(of);
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
    return (r + g + b) / 765;
  };
  let back = element;
  while (/, 0\\)$|^transparent/.test(style(back).backgroundColor)) back = back.parentElement;
  return [light(style(element).color), light(style(back).backgroundColor)];
}"""


def ask(watched: Watched) -> Page:
    page = watched.page
    page.click("#pv-method label:has-text('FoPru')")
    expect(page.locator("#pv-about summary")).to_contain_text("FoPru")
    page.click("#pv-about summary")
    watched.ask()
    finished(page, "FoPru kept 64 of 256")
    return page


def run(watched: Watched, tab: str) -> Page:
    if tab == "Ask":
        return ask(watched)
    if tab == "Compare":
        return compared(watched, "Random", "Uniform")
    return swept(watched, "100, 50", "Uniform")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("tab", PARTS)
def test_main_flow(open_page, tab, width, theme) -> None:
    page = run(open_page(width, theme), tab)
    for part in (*SHARED.split(), *PARTS[tab].split()):
        expect(page.locator(part).locator("visible=true").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(BEYOND, width) == []
    picture = {"Ask": ".pv-canvas", "Compare": ".pv-mask", "Sweep": ".pv-plot"}[tab]
    # On a phone two cards of Compare stand side by side.
    least = 150 if tab == "Compare" else 250
    assert page.locator(picture).first.bounding_box()["width"] > least
    for part in ("h1", "#pv-question textarea", f"button[role=tab]:has-text('{tab}')"):
        ink, back = page.locator(part).first.evaluate(LEGIBLE)
        assert abs(ink - back) > 0.35, f"{part} cannot be read"
        assert (back < 0.3) == (theme == "dark"), part
