"""Choosing the model in a real browser."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from huggingface_hub import constants
from playwright.sync_api import Page, Route, expect

from pruneviz.engine import Placement, Session, Shelf
from pruneviz.models.core import fetching
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.ui import build, launch_settings
from tests.hub import NAME, Hub, serving
from tests.ui.browsing import QUESTION, SECONDS, Watched, new_page
from tests.ui.test_browser_tabs import compared, swept

pytestmark = pytest.mark.browser
DONE, TITLE = ".pv-status[data-kind=done]", "#pv-model > button"


@pytest.fixture
def visit(browser, examples) -> Iterator[Callable[..., Watched]]:
    """Serve a shelf and open its page; whatever was opened must be without fault."""
    served, opened = {}, []

    def go(shelf: Shelf, width: int = 1440, theme: str = "light") -> Watched:
        if id(shelf) not in served:
            page = build(shelf, examples)
            settings = launch_settings() | {"allowed_paths": [str(examples[0].image.parent)]}
            page.launch(**settings, prevent_thread_lock=True, quiet=True)
            served[id(shelf)] = page
        opened.append(Watched(browser, served[id(shelf)].local_url, width, theme))
        return opened[-1]

    yield go
    for watched in opened:
        watched.page.close()
    for page in served.values():
        page.close()
    assert [watched.faults for watched in opened] == [[]] * len(opened)


def choose(page: Page, title: str, typed: str = "") -> None:
    """Open the box, pick a model, or type its name, and use it."""
    if "open" not in (page.locator(TITLE).get_attribute("class") or "").split():
        page.click(TITLE)
    page.click(f"#pv-choice label:has-text('{title}')")
    if typed:
        page.fill("#pv-typed input, #pv-typed textarea", typed)
    page.click("#pv-use")


def in_use(page: Page, title: str) -> None:
    expect(page.locator(TITLE)).to_contain_text(title)
    expect(page.locator("#pv-status")).to_contain_text(f"{title} answers from now on")


def finished(page: Page, words: str) -> None:
    expect(page.locator(f"#pv-status {DONE}")).to_contain_text(words)


def cpu(*names: str, **settings) -> Shelf:
    return Shelf((EMBEDDED, *names), placement=Placement(device="cpu"), **settings)


def test_a_second_model_answers_in_every_tab(visit, tiny) -> None:
    watched = visit(cpu(tiny))
    page = watched.page
    page.locator(".pv-canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    pinned = re.compile(r'"keep":\[\d')
    expect(page.locator(".pv-view")).to_have_attribute("data-pins", pinned)
    choose(page, "tiny")
    in_use(page, "tiny")
    expect(page.locator(TITLE)).to_contain_text("4 decoder layers")
    expect(page.locator("#pv-status .pv-earlier")).to_contain_text("result of “Built-in model”")
    expect(page.locator("#pv-use")).to_be_hidden()
    watched.ask()
    finished(page, "of 64 patches")
    expect(page.locator("#pv-pruned")).not_to_contain_text("pins")
    expect(page.locator(".pv-tile")).to_have_count(4)
    compared(watched, "Random", "Uniform")
    expect(page.locator("#pv-panels")).to_contain_text("16 (25 %)")
    swept(watched, "100, 50", "Uniform")
    expect(page.locator("#pv-sweep-tables")).to_contain_text("of 64")
    watched.open_tab("Ask")
    choose(page, "Built-in model")
    in_use(page, "Built-in model")
    for tab in ("compare", "sweep"):
        line = page.locator(f"#pv-{tab}-status")
        expect(line).to_contain_text("Built-in model answers from now on")


def test_the_choice_is_each_visitors_own(visit, tiny) -> None:
    shelf = cpu(tiny)
    first, second = visit(shelf), visit(shelf)
    choose(first.page, "tiny")
    in_use(first.page, "tiny")
    second.ask()
    finished(second.page, "of 256 patches")
    expect(second.page.locator(TITLE)).to_contain_text("Built-in model")
    first.ask()
    finished(first.page, "of 64 patches")


def test_a_slow_look_ahead_takes_no_word_of_what_is_done(visit, tmp_path) -> None:
    page = visit(cpu(any_name=True)).page
    page.click(TITLE)
    page.click("#pv-choice label:has-text('Another')")
    typed = page.locator("#pv-typed input, #pv-typed textarea")
    expect(typed).to_be_visible()
    expect(page.locator("#pv-ahead")).to_contain_text("Type a hub id")
    held: list[Route] = []
    page.route("**/gradio_api/run/**", lambda route: held.append(route))
    with page.expect_request("**/gradio_api/run/**"):
        typed.fill(str(tmp_path))
    page.click("#pv-use")
    alert = page.locator("#pv-fetching [role=alert]")
    expect(alert).to_contain_text("No model found")
    for route in held:
        route.continue_()
    expect(page.locator("#pv-ahead")).to_contain_text("No model found")
    expect(alert).to_contain_text("No model found")
    expect(page.locator("#pv-ahead .pv-status")).to_be_hidden()
    page.unroute_all()
    typed.fill("no-owner/no-model")
    expect(page.locator("#pv-ahead .pv-status")).to_be_visible()
    expect(alert).to_have_count(0)


def test_an_error_leaves_the_model_before_usable(visit, tiny, tmp_path) -> None:
    watched = visit(cpu(any_name=True))
    page = watched.page
    choose(page, "Another", str(tmp_path))
    alert = page.locator("#pv-picked [role=alert]")
    expect(alert).to_contain_text("No model found")
    page.fill("#pv-typed input, #pv-typed textarea", "no-owner/no-model")
    expect(page.locator("#pv-picked")).to_contain_text("not known before")
    page.keyboard.press("Enter")
    expect(alert).to_contain_text("No model found at 'no-owner/no-model'")
    page.click(TITLE)
    expect(page.locator(TITLE)).to_contain_text("Built-in model")
    watched.ask()
    finished(page, "of 256 patches")
    choose(page, "Another", tiny)
    in_use(page, "tiny")
    watched.ask()
    finished(page, "of 64 patches")
    choose(page, "Built-in model")
    in_use(page, "Built-in model")
    watched.ask()
    finished(page, "of 256 patches")
    choose(page, "tiny")
    in_use(page, "tiny")


@pytest.mark.parametrize("several", [False, True])
def test_a_shared_server_takes_no_typed_names(visit, tiny, several) -> None:
    page = visit(cpu(*[tiny] * several)).page
    page.click(TITLE)
    expect(page.locator(".pv-knows")).to_be_visible()
    expect(page.locator("#pv-choice label")).to_have_count(2 * several)
    expect(page.locator("#pv-use")).to_have_count(int(several))
    expect(page.locator("#pv-typed")).to_have_count(0)


def test_pages_open_while_a_model_is_loaded_for_somebody(visit, tiny) -> None:
    started, go_on = threading.Event(), threading.Event()

    def make(loaded) -> Session:
        if loaded.name == tiny:
            started.set()
            assert go_on.wait(SECONDS)
        return Session(loaded)

    shelf = cpu(tiny, make=make)
    page = visit(shelf).page
    try:
        choose(page, "tiny")
        assert started.wait(SECONDS)
        expect(page.locator("#pv-picked")).to_contain_text("Loading tiny")
        expect(page.locator("#pv-use")).to_be_disabled()
        other = visit(shelf).page
        expect(other.locator(DONE)).to_be_visible()
    finally:
        go_on.set()
    in_use(page, "tiny")


@pytest.fixture
def hub(tiny, tmp_path, monkeypatch) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name, value in {"CACHE": str(tmp_path), "OFFLINE": "0", "DISABLE_XET": "1"}.items():
        monkeypatch.setenv(f"HF_HUB_{name}", value)
    with serving(Path(tiny)) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def test_stop_ends_a_look_up_and_a_download_that_are_stuck(visit, hub, monkeypatch) -> None:
    started, real = [], fetching.subprocess.Popen

    def popen(*args, **settings) -> subprocess.Popen:
        started.append(real(*args, **settings))
        return started[-1]

    monkeypatch.setattr(fetching.subprocess, "Popen", popen)
    monkeypatch.setattr(fetching, "LOOK_SECONDS", SECONDS)
    monkeypatch.setattr(fetching, "STALLED_SECONDS", SECONDS)
    watched = visit(cpu(any_name=True))
    page = watched.page
    for stuck, told in (("*", "Looking for"), ("model.safetensors", "Downloading")):
        hub.stuck = {stuck}
        choose(page, "Another", NAME)
        expect(page.locator("#pv-picked")).to_contain_text(f"{told} {NAME}")
        expect(page.locator("#pv-use")).to_be_disabled()
        page.click("#pv-stop-model")
        expect(page.locator("#pv-picked")).to_contain_text("Stopped")
        expect(page.locator("#pv-stop-model")).to_be_hidden()
        expect(page.locator("#pv-use")).to_be_enabled()
        started[-1].wait(SECONDS)
    watched.ask()
    finished(page, "of 256 patches")
    hub.stuck = set()
    page.click("#pv-use")
    in_use(page, NAME)


def test_a_link_restores_the_model(browser, visit, tiny) -> None:
    shelf = cpu(tiny)
    url = visit(shelf).page.url.split("?")[0]
    query = {"example": "first", "q": QUESTION, "method": "random", "keep": 50, "model": tiny}
    with closing(new_page(browser)) as page:
        page.goto(f"{url}?{urlencode(query)}")
        finished(page, "Random kept 32 of 64")
        expect(page.locator(TITLE)).to_contain_text("tiny")
        page.click("#pv-ask")
        finished(page, "Random kept 32 of 64")
        page.goto(f"{url}?{urlencode(query | {'model': '/etc'})}")
        expect(page.locator("#pv-status")).to_contain_text("not offered here")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_open_box_fits(visit, tiny, width, theme) -> None:
    page = visit(cpu(tiny, any_name=True), width, theme).page
    page.click(TITLE)
    page.click("#pv-choice label:has-text('Another')")
    page.fill("#pv-typed input, #pv-typed textarea", tiny)
    expect(page.locator("#pv-picked")).to_contain_text("It takes")
    edges = page.evaluate(
        "[document.documentElement.scrollWidth,"
        " ...[...document.querySelectorAll('#pv-header *')].filter((e) => e.offsetParent)"
        ".map((e) => Math.ceil(e.getBoundingClientRect().right))]"
    )
    assert max(edges) <= width
    back, ink = page.evaluate(
        "(() => { const light = (c) => { const [r, g, b] = c.match(/\\d+/g).map(Number);"
        " return (r + g + b) / 765; };"
        " return [light(getComputedStyle(document.querySelector('#pv-model')).backgroundColor),"
        " light(getComputedStyle(document.querySelector('.pv-knows')).color)]; })()"
    )
    assert abs(back - ink) > 0.6
