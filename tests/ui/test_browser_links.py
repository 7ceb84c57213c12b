"""Pages opened by a link, and pages left in the middle of an answer, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from pruneviz.ui.ask import wiring
from tests.ui.browsing import SECONDS, new_page
from tests.ui.test_browser import finished

pytestmark = pytest.mark.browser
LINK = "?q=How+many%3F&example=second&method=random&keep=40"


@pytest.fixture
def endless(session):
    session.endless.set()
    yield session
    session.endless.clear()


@pytest.fixture
def page(browser):
    page = new_page(browser)
    yield page
    page.close()


def streaming(page: Page) -> None:
    expect(page.locator("#pv-baseline .pv-answer")).to_contain_text("word")


def usable(page: Page) -> None:
    expect(page.locator("#pv-ask")).to_be_enabled()
    page.click("#pv-method label:has-text('Uniform')")
    page.click("#pv-ask")
    finished(page, "Uniform kept")


def test_stop_ends_a_run_that_a_link_began(page, url, endless) -> None:
    page.goto(url + LINK)
    streaming(page)
    expect(page.locator("#pv-ask")).to_be_disabled()
    page.click("#pv-stop")
    assert endless.closed.wait(SECONDS)
    expect(page.locator(".pv-status")).to_contain_text("Stopped")
    expect(page.locator("#pv-stop")).to_be_disabled()
    endless.endless.clear()
    usable(page)


def test_a_link_s_run_gives_the_buttons_back(page, url) -> None:
    page.goto(url + LINK)
    finished(page, "Random kept 102 of 256")
    expect(page.locator(".pv-thumb").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#pv-stop")).to_be_disabled()
    usable(page)


def test_a_reload_in_the_middle_of_an_answer_leaves_the_app_usable(
    page, url, session, monkeypatch
) -> None:
    # The page that comes next works out what lies around its first result: not endlessly here.
    monkeypatch.setattr(wiring, "live", lambda *_: (one for one in ()))
    # Gradio's own script complains in the console that the page was left; so none is watched.
    page.goto(url)
    finished(page, "kept 64 of 256")
    session.endless.set()
    try:
        page.click("#pv-ask")
        streaming(page)
        page.reload()
        assert session.closed.wait(SECONDS), "nobody reads that answer any more"
    finally:
        session.endless.clear()
    finished(page, "kept 64 of 256")
    usable(page)


def test_a_link_closed_in_the_middle_ends_its_run(browser, url, endless) -> None:
    page = new_page(browser)
    page.goto(url + LINK)
    streaming(page)
    page.close()
    assert endless.closed.wait(SECONDS)
