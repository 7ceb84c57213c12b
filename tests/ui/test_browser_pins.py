"""By hand and export in a real browser."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from pruneviz import Trace, TransPrune, best_dropped
from tests.ui.browsing import Watched, new_page
from tests.ui.test_browser import DONE, finished

pytestmark = pytest.mark.browser
COPIED = "#pv-copied textarea, #pv-copied input"


def pins(page: Page) -> dict:
    return json.loads(page.locator("#pv-view .pv-view").get_attribute("data-pins"))


def cell(page: Page, row: int, column: int) -> dict[str, float]:
    """Middle of a cell of the 16 x 16 grid, which covers all of the 4:3 picture."""
    box = page.locator(".pv-canvas").bounding_box()
    return {"x": (column + 0.5) * box["width"] / 16, "y": (row + 0.5) * box["height"] / 16}


def mode(page: Page, name: str) -> None:
    page.locator(".pv-hand").evaluate("part => { part.open = true; }")
    page.click(f".pv-modes button:has-text('{name}')")


def test_pins_by_click_and_brush(open_page) -> None:
    page = open_page().page
    canvas = page.locator(".pv-canvas")
    before = canvas.evaluate("(canvas) => canvas.toDataURL()")
    mode(page, "Keep")
    canvas.click(position=cell(page, 2, 3))
    expect(page.locator(".pv-pincount")).to_have_text("1 kept, 0 dropped by hand")
    assert pins(page)["keep"] == [2 * 16 + 3]
    assert canvas.evaluate("(canvas) => canvas.toDataURL()") != before, "drawn"
    mode(page, "Drop")
    canvas.scroll_into_view_if_needed()
    box, first, last = canvas.bounding_box(), cell(page, 9, 4), cell(page, 9, 7)
    page.mouse.move(box["x"] + first["x"], box["y"] + first["y"])
    page.mouse.down()
    page.mouse.move(box["x"] + last["x"], box["y"] + last["y"], steps=2)
    page.mouse.up()
    page.mouse.move(box["x"] + last["x"], box["y"] + last["y"] + 90)
    assert pins(page)["drop"] == [9 * 16 + column for column in range(4, 8)]
    expect(page.locator(".pv-legend")).to_contain_text("dropped by hand")
    expect(page.locator(".pv-badge")).to_contain_text("Preview: 64 of 256")
    mode(page, "Erase")
    canvas.click(position=cell(page, 9, 4))
    expect(page.locator(".pv-pincount")).to_have_text("1 kept, 3 dropped by hand")
    page.click(".pv-clear")
    expect(page.locator(".pv-pincount")).to_have_text("")
    expect(page.locator(".pv-badge")).to_contain_text("After layer 6")


def test_pins_by_keyboard(open_page) -> None:
    page = open_page().page
    page.locator(".pv-canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("d")
    expect(page.locator(".pv-pincount")).to_have_text("1 kept, 1 dropped by hand")
    assert (pins(page)["keep"], pins(page)["drop"]) == ([0], [16])
    expect(page.locator(".pv-readout")).to_contain_text("Dropped by hand")
    page.keyboard.press("e")
    expect(page.locator(".pv-pincount")).to_have_text("1 kept, 0 dropped by hand")


def test_asking_again_with_pins(open_page) -> None:
    watched: Watched = open_page()
    page = watched.page
    state = "() => document.querySelector('.pv-view').dataset.painted"
    mode(page, "Drop")
    for column in range(4):
        page.locator(".pv-canvas").click(position=cell(page, 0, column))
    page.click(".pv-again")
    finished(page, "TransPrune + pins kept 64 of 256")
    expect(page.locator("#pv-pruned h2")).to_have_text("TransPrune + pins")
    expect(page.locator(".pv-badge")).not_to_contain_text("Preview")
    assert page.evaluate(state).startswith("3:64")
    page.locator("#pv-keep input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    finished(page, "TransPrune + pins kept 66 of 256")
    expect(page.locator(".pv-pincount")).to_have_text("0 kept, 4 dropped by hand")
    # Runs with these pins stand behind the result: exact where one was made, with its answer.
    expect(page.locator(".pv-chance")).to_contain_text("random draws of 66 patches")
    page.uncheck("#pv-auto input")
    page.fill("#pv-keep input[type=number]", "50")
    page.keyboard.press("Enter")
    badge, live = page.locator(".pv-badge"), page.locator("#pv-live .pv-live")
    expect(badge).to_have_text("Exact: 128 of 256 patches (50 %), with the pins.")
    expect(live).to_contain_text("exact: 128 patches")
    # With other pins they tell nothing.
    page.locator(".pv-canvas").click(position=cell(page, 1, 0))
    expect(badge).to_contain_text("Preview: 128 of 256")
    expect(badge).to_contain_text("Ask again to run it with the pins.")
    expect(live).to_be_hidden()
    page.click(".pv-clear")
    expect(badge).to_contain_text("Preview: 128 of 256")
    expect(live).to_be_hidden()
    mode(page, "Drop")
    for column in range(4):
        page.locator(".pv-canvas").click(position=cell(page, 0, column))
    expect(badge).to_contain_text("Exact: 128 of 256")
    page.check("#pv-auto input")
    with watched.rests():
        page.locator(".pv-question").nth(1).click()
    expect(page.locator(".pv-pincount")).to_have_text("0 kept, 4 dropped by hand")
    page.locator(".pv-thumb").nth(1).click()
    expect(page.locator(".pv-pincount")).to_have_text("")
    watched.ask()
    finished(page, "TransPrune kept 128 of 256")


def test_giving_back_the_best_dropped(open_page, session, examples) -> None:
    page = open_page().page
    method = TransPrune.at(0.25, session.num_layers)
    first = session.prepare(examples[0].image, examples[0].questions[0])
    best = best_dropped(session.compare(first, method).pruned.trace, 7)
    page.locator(".pv-hand").evaluate("part => { part.open = true; }")
    page.fill(".pv-givecount", "7")
    page.click(".pv-giveback")
    finished(page, "TransPrune + pins kept 71 of 256")
    expect(page.locator(".pv-pincount")).to_have_text(
        "7 kept (7 beyond the budget), 0 dropped by hand"
    )
    assert pins(page)["keep"] == sorted(best), "as the library would"


def test_pins_at_a_very_small_budget(open_page) -> None:
    """The preview raises the number kept as the method does."""
    page = open_page().page
    page.uncheck("#pv-auto input")
    mode(page, "Keep")
    for column in range(5):
        page.locator(".pv-canvas").click(position=cell(page, 5, column))
    page.locator("#pv-keep input[type=range]").focus()
    page.keyboard.press("Home")
    expect(page.locator(".pv-badge")).to_contain_text("Preview: 5 of 256")
    page.click(".pv-again")
    finished(page, "kept 5 of 256")


def test_every_export_is_a_file(open_page, tmp_path) -> None:
    page = open_page().page
    page.click("#pv-more button[role=tab]:has-text('Export')")
    for name in ("figure.pdf", "figure.png", "layers.pdf", "table.csv", "trace.json"):
        with page.expect_download() as download:
            page.click(f"#pv-export-{name.replace('.', '-')}")
        assert download.value.suggested_filename == f"pruneviz-transprune-25-{name}"
        path = tmp_path / name
        download.value.save_as(path)
        assert path.stat().st_size > 500, name
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert {"fidelity", "cost"} <= {row["group"] for row in rows}
    assert len(Trace.from_json(tmp_path / "trace.json").kept) == 64
    expect(page.locator("#pv-exportnote")).to_contain_text("Saved as")
    if shutil.which("pdftotext"):
        assert "Question: What is this?" in pdf_text(tmp_path / "figure.pdf")


def pdf_text(path: Path) -> str:
    command = ["pdftotext", str(path), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


def test_a_link_brings_the_view_back(open_page, browser, url) -> None:
    page = open_page().page
    page.locator(".pv-thumb").nth(1).click()
    page.click("#pv-method label:has-text('FoPru')")
    mode(page, "Keep")
    page.click("#pv-ask")
    finished(page, "FoPru kept 64")
    # The status may come before the picture, which brings its own pins.
    expect(page.locator(".pv-view")).to_contain_text("Before the LLM: 64")
    page.locator(".pv-canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    page.click(".pv-again")
    finished(page, "FoPru + pins")
    page.click("#pv-more button[role=tab]:has-text('Export')")
    page.click("#pv-link")
    box = page.locator(COPIED).first
    expect(box).to_have_value(re.compile("^http"))
    link = box.input_value()
    assert parse_qs(urlparse(link).query)["pin_keep"] == ["0"]
    page.click("#pv-command")
    expect(box).to_have_value(re.compile("--method fopru .*--pin-keep 0"))
    fresh = new_page(browser)
    fresh.goto(link)
    finished(fresh, "FoPru + pins kept 64 of 256")
    expect(fresh.locator("#pv-question textarea")).to_have_value("How many things are there?")
    expect(fresh.locator("#pv-method label.selected")).to_have_text("FoPru")
    expect(fresh.locator(".pv-pincount")).to_have_text("1 kept, 0 dropped by hand")
    fresh.close()


def test_a_link_without_its_picture_says_so(browser, url) -> None:
    page = new_page(browser)
    page.goto(f"{url}?q=Where+is+it%3F&method=random&keep=40")
    expect(page.locator(".pv-status")).to_contain_text("without its picture")
    expect(page.locator("#pv-question textarea")).to_have_value("Where is it?")
    expect(page.locator(DONE)).to_have_count(0)
    page.close()


def test_pin_controls_fit_a_phone(open_page) -> None:
    page = open_page(390).page
    mode(page, "Keep")
    page.locator(".pv-canvas").click(position=cell(page, 4, 4))
    page.click("#pv-more button[role=tab]:has-text('Export')")
    expect(page.locator("#pv-command")).to_be_visible()
    wide = page.evaluate(
        "[document.documentElement.scrollWidth, ...[...document.querySelectorAll("
        "'.pv-pinbar *, .pv-exports *')].map((e) => Math.ceil(e.getBoundingClientRect().right))]"
    )
    assert max(wide) <= 390
