"""The button that measures time, in a real browser."""

from __future__ import annotations

import threading
import time

import pytest
from playwright.sync_api import expect

from pruneviz.engine.bench import PairEvent, Plan, paired
from pruneviz.ui.ask import measuring
from tests.ui.browsing import SECONDS

pytestmark = pytest.mark.browser
PLAN = Plan(rounds=2, warmup=0, tokens=2, reference=False)


@pytest.mark.parametrize("width", [1440, 390])
def test_time_is_shown_once_it_is_measured(open_page, monkeypatch, width) -> None:
    monkeypatch.setattr(measuring, "paired", lambda *args: paired(*args, PLAN))
    watched = open_page(width)
    page = watched.page
    watched.more("Cost")
    cost, line = page.locator("#pv-cost"), page.locator("#pv-timing")
    expect(cost).to_contain_text("KV cache")
    expect(cost).not_to_contain_text("Measured time")
    page.click("#pv-measure")
    expect(line.locator("[data-kind=done]")).to_contain_text("of the unpruned time")
    expect(cost).to_contain_text("Measured time")
    expect(cost.locator("tr:has-text('Picture and prefill') .pv-share")).to_contain_text(" to ")
    expect(page.locator("#pv-measure")).to_be_enabled()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Of another result nothing is known.
    page.click("#pv-method label:has-text('Uniform')")
    watched.ask()
    expect(page.locator("#pv-status [data-kind=done]")).to_contain_text("Uniform kept")
    expect(cost).not_to_contain_text("Measured time")
    expect(line).to_be_empty()


def test_measuring_can_be_stopped(open_page, monkeypatch) -> None:
    closed = threading.Event()

    def endless(*_):
        try:
            while True:
                yield PairEvent("Batch 1, round 1 of 5: unpruned …")
                time.sleep(0.05)
        finally:
            closed.set()

    monkeypatch.setattr(measuring, "paired", endless)
    watched = open_page()
    page = watched.page
    watched.more("Cost")
    page.click("#pv-measure")
    line = page.locator("#pv-timing")
    expect(line).to_contain_text("round 1 of 5")
    expect(page.locator("#pv-measure")).to_be_disabled()
    page.click("#pv-measure-stop")
    assert closed.wait(SECONDS)
    expect(line).to_contain_text("No time was measured")
    expect(page.locator("#pv-measure")).to_be_enabled()
    expect(page.locator("#pv-cost")).not_to_contain_text("Measured time")
    expect(page.locator("#pv-status [data-kind=done]")).to_contain_text("kept")
