"""Walking through the decoder layers in a real browser: slider, play button, both pictures."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
ALL, LEFT = 256, 64


def test_the_slider_walks_the_layers(open_page) -> None:
    page = open_page().page
    view, slider = page.locator("#pv-view .pv-view"), page.locator(".pv-layer")
    slider.focus()
    page.keyboard.press("Home")
    expect(view).to_have_attribute("data-layer", f"1:{ALL}")
    expect(page.locator(".pv-maptitle")).to_have_text("TTV, layer 1, pruned run")
    expect(page.locator(".pv-enterread")).to_have_text("Nothing was dropped yet.")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^Layer 5 of 16, \d+ of 256"))
    expect(page.locator(".pv-enterread")).to_contain_text("dropped just before it")
    expect(page.locator(".pv-tile[aria-pressed=true]")).to_contain_text("5")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    expect(view).to_have_attribute("data-layer", f"16:{LEFT}")
    page.click(".pv-runs button:has-text('Baseline')")
    expect(view).to_have_attribute("data-layer", f"16:{ALL}")
    page.locator(".pv-tile").nth(3).click()
    expect(slider).to_have_value("4")


def test_play_goes_to_the_end_and_stops_there(open_page) -> None:
    page = open_page().page
    view, play = page.locator("#pv-view .pv-view"), page.locator(".pv-play")
    page.clock.install()
    page.locator(".pv-tile").nth(6).click()
    play.click()
    expect(play).to_have_text(re.compile("Pause"))
    expect(view).to_have_attribute("data-layer", f"16:{LEFT}")
    expect(play).to_have_text(re.compile("Play"))
    play.click()
    expect(view).to_have_attribute("data-layer", re.compile("^[12]:"))
    play.click()
    expect(play).to_have_accessible_name(re.compile("^Play"))
    stood = view.get_attribute("data-layer")
    page.clock.run_for(5000)
    assert view.get_attribute("data-layer") == stood, "paused"
