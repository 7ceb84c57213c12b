"""A real browser for the tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from pruneviz.ui.shared.scripts import scripts

QUESTION = "Where is the cat?"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
SECONDS = 600
"""How long anything is waited for: a guard against a hang, no measure of speed."""
BROKEN_OFF = re.compile("AbortError: signal is aborted|Connection errored out")
USABLE = """() => {
  const parts = ":is(button, input, select, textarea, [tabindex='0'])";
  const all = [...document.querySelectorAll(`:is(.pv-inputs, #pv-tabs) ${parts}`)];
  const named = (e) => (e.innerText || '').trim() || e.getAttribute('aria-label') || e.title
    || (e.labels && e.labels.length) || e.getAttribute('aria-labelledby');
  const seen = all.filter((e) => e.checkVisibility());
  return [seen.length, seen.filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 120))];
}"""
expect.set_options(timeout=1000 * SECONDS)


def chromium() -> str:
    """Where the browser should lie."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if not Path(path).exists():
        pytest.fail("The browser tests need Chromium: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def new_page(browser: Browser, **settings: Any) -> Page:
    """An empty page that waits as long as a busy machine may need."""
    page = browser.new_page(**settings)
    page.set_default_timeout(1000 * SECONDS)
    return page


def scripted(browser: Browser) -> Page:
    """An empty page that can import the page's scripts; no server takes part."""

    def answer(route: Route) -> None:
        text = scripts().get(urlsplit(route.request.url).path[1:])
        kind = "text/html" if text is None else "text/javascript"
        route.fulfill(body=text or b"<!doctype html>", content_type=kind)

    page = new_page(browser)
    page.route("**/*", answer)
    page.goto("http://scripts.test/")
    return page


class Watched:
    """A page, and what it must not do: complain, fail, or call another machine."""

    def __init__(self, browser: Browser, url: str, width: int, theme: str) -> None:
        self.page: Page = new_page(browser, viewport={"width": width, "height": 900})
        self.faults: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._request)
        # The tour is offered once, and its card lies over the page.
        self.page.add_init_script("localStorage.setItem('pruneviz-tour', 'yes')")
        self.page.goto(f"{url}?__theme={theme}")
        expect(self.page.locator("#pv-ask")).to_be_enabled()
        # The opening example is answered first.
        expect(self.page.locator(".pv-view")).to_have_attribute("data-state", "ready")

    def _console(self, message) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text}")

    def _request(self, request) -> None:
        local = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
        if not request.url.startswith(local):
            self.faults.append(f"request: {request.url}")

    def go(self, address: str) -> None:
        """Leave for another address; of streams that Gradio then breaks off it complains itself."""
        known = len(self.faults)
        self.page.goto(address)
        self.faults[known:] = [one for one in self.faults[known:] if not BROKEN_OFF.search(one)]

    def ask(self, text: str = QUESTION) -> None:
        self.page.fill("#pv-question textarea", text)
        self.page.click("#pv-ask")

    def rests(self) -> AbstractContextManager[Any]:
        """A block during which the canvas tells the server that it has come to rest."""
        return self.page.expect_request("**/queue/join**")

    def handled(self, tab: str = "ask", status: str = "status") -> None:
        """Wait until all that was sent for the model is done.

        What is asked last comes last, and what cannot be asked changes nothing but the status.
        """
        self.page.fill("#pv-question textarea", " ")
        self.page.click(f"#pv-{tab}")
        refused = self.page.locator(f"#pv-{status} [role=alert]")
        expect(refused).to_contain_text("Type a question")

    def nameless(self) -> list[str]:
        """What can be used in the tab in view and says nobody what it is."""
        count, found = self.page.evaluate(USABLE)
        assert count > 20, "the page was rearranged, and these are not its parts any more"
        return found

    def settled(self) -> None:
        """Wait until what is worked out behind the first result is there: the model is free."""
        expect(self.page.locator("#pv-chance")).to_contain_text("10 draws")

    def more(self, name: str) -> None:
        """Open what lies below the Ask tab's first screen."""
        self.page.click(f"#pv-more button[role=tab]:has-text('{name}')")

    def open_tab(self, name: str) -> None:
        self.page.click(f"button[role=tab]:has-text('{name}')")


@pytest.fixture
def open_page(browser, url) -> Iterator:
    opened: list[Watched] = []

    def go(width: int = 1440, theme: str = "light") -> Watched:
        opened.append(Watched(browser, url, width, theme))
        return opened[-1]

    yield go
    for watched in opened:
        watched.page.close()
        assert not watched.faults, watched.faults
