"""The page in a real browser: the shared column and the Ask tab."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.ui.browsing import QUESTION, SECONDS

pytestmark = pytest.mark.browser
DONE = ".pv-status[data-kind=done]"
ADVISED = """() => getComputedStyle(document.querySelector('#pv-status .pv-status'), '::after')
  .content.includes('Press Ask')"""
"""What is shown is said to be of before."""


def finished(page: Page, words: str) -> None:
    expect(page.locator(DONE)).to_contain_text(words)


def test_an_uploaded_picture_is_asked(open_page, picture) -> None:
    watched = open_page()
    page = watched.page
    expect(page.locator(".pv-thumb[aria-pressed=true]")).to_have_count(1)
    put(page, picture)
    expect(page.locator("#pv-image img")).to_be_visible()
    expect(page.locator(".pv-thumb[aria-pressed=true]")).to_have_count(0)
    expect(page.locator(".pv-question")).to_have_count(0)
    page.click("#pv-method label:has-text('ResPrune')")
    expect(page.locator("#pv-about")).to_contain_text("rebuild")
    watched.ask()
    finished(page, "ResPrune kept 64 of 256")
    for card in ("#pv-baseline", "#pv-pruned"):
        expect(page.locator(f"{card} .pv-answer")).not_to_be_empty()
    view = page.locator(".pv-view")
    expect(view).to_have_attribute("data-painted", "1:64:mask")
    # Of no least size: clocks of pages are coarse.
    expect(view).to_have_attribute("data-milliseconds", re.compile(r"^\d+\.\d\d$"))
    expect(page.locator("#pv-summary")).to_contain_text("KV cache")
    expect(page.locator(".pv-tile")).to_have_count(16)
    watched.more("Cost")
    expect(page.locator("#pv-cost")).to_contain_text("KV cache")


def put(page: Page, picture: Path) -> None:
    """Another picture in place of the one shown, as a visitor does it."""
    page.get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
    page.set_input_files("#pv-image input[type=file]", str(picture))


@pytest.mark.parametrize("typed", ["", QUESTION, "What is on the left?"])
def test_what_is_typed_alone_stays_with_ones_own_picture(open_page, picture, typed) -> None:
    """A question that came with an example goes; the same one stays where a visitor typed it."""
    page = open_page().page
    question = page.locator("#pv-question textarea")
    expect(question).to_have_value("What is this?")
    if typed:
        question.fill(typed)
    put(page, picture)
    expect(page.locator(".pv-question")).to_have_count(0)
    page.wait_for_function(ADVISED)
    expect(question).to_have_value(typed)
    page.click("#pv-ask")
    if typed:
        # What was asked before says the same, but not without the advice.
        asked = page.locator("#pv-tab-ask:not([data-stale]) #pv-status")
        expect(asked).to_contain_text("kept 64")
    else:
        expect(page.locator("#pv-status")).to_contain_text("Type a question")


def test_a_picked_example_is_asked_at_once(open_page, examples) -> None:
    page = open_page().page
    page.click("#pv-method label:has-text('Random')")
    page.locator(".pv-thumb").nth(1).click()
    expect(page.locator("#pv-question textarea")).to_have_value(examples[1].questions[0])
    finished(page, "Random kept 64 of 256")
    # A tip may move the slider as well.
    page.locator(".pv-question").nth(1).click()
    finished(page, "Uniform kept 128 of 256")
    expect(page.locator("#pv-question textarea")).to_have_value(examples[1].questions[1])


def test_a_picked_example_waits_where_runs_do_not_start_by_themselves(open_page, examples) -> None:
    watched = open_page()
    page = watched.page
    page.uncheck("#pv-auto input")
    page.click("#pv-method label:has-text('Random')")
    with watched.rests():
        page.locator(".pv-thumb").nth(1).click()
    expect(page.locator("#pv-question textarea")).to_have_value(examples[1].questions[0])
    watched.handled()
    expect(page.locator("#pv-pruned")).to_contain_text("TransPrune")
    watched.ask()
    finished(page, "Random kept 64 of 256")


def test_stages_scores_and_readout(open_page) -> None:
    page = open_page().page
    view, stages = page.locator(".pv-view"), page.locator(".pv-stages button")
    expect(stages).to_have_count(4)
    stages.nth(0).click()
    expect(view).to_have_attribute("data-painted", "0:256:mask")
    stages.nth(1).click()
    page.select_option(".pv-show", "ttv")
    expect(view).to_have_attribute("data-painted", re.compile(r"1:\d+:ttv"))
    expect(page.locator(".pv-sides")).to_have_count(0)
    page.select_option(".pv-show", "score")
    expect(page.locator(".pv-sides span")).to_have_text(["dropped here", "kept here"])
    kept = int(stages.nth(1).inner_text().split(": ")[1])
    cut = float(page.locator(".pv-colourbar[data-cut]").get_attribute("data-cut"))
    assert cut == pytest.approx(100 * (255.5 - kept) / 255, abs=0.06), "where they meet, by rank"
    canvas = page.locator(".pv-canvas")
    canvas.hover(position={"x": 200, "y": 120})
    expect(page.locator(".pv-readout")).to_contain_text("Rank")
    before = page.locator(".pv-readout .pv-where").inner_text()
    canvas.click(position={"x": 200, "y": 120})
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".pv-readout .pv-where")).not_to_have_text(before)
    expect(canvas).to_have_attribute("aria-label", re.compile("patches kept after layer"))
    page.locator(".pv-astext summary").click()
    expect(page.locator(".pv-astext p")).to_contain_text("Columns by row")


@pytest.mark.parametrize("size", [(480, 240), (150, 450)])
def test_all_of_a_wide_or_tall_upload_is_read_out(open_page, tmp_path, size) -> None:
    """Every corner of it is a patch, for the model sees all of it."""
    Image.new("RGB", size, (90, 120, 200)).save(tmp_path / "upload.png")
    watched = open_page()
    page = watched.page
    put(page, tmp_path / "upload.png")
    page.click("#pv-method label:has-text('ResPrune')")
    watched.ask()
    finished(page, "ResPrune kept 64 of 256")
    canvas, where = page.locator(".pv-canvas"), page.locator(".pv-readout .pv-where").first
    box = canvas.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(size[0] / size[1], rel=0.02)
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = (0.02 + 0.96 * right) * box["width"], (0.02 + 0.96 * down) * box["height"]
        canvas.hover(position={"x": x, "y": y})
        expect(where).to_contain_text(f"Row {1 + 15 * down},")
        expect(where).to_contain_text(f"column {1 + 15 * right}")
    expect(page.locator(".pv-legend")).not_to_contain_text("never seen")
    expect(page.locator(".pv-cropped")).to_be_empty()


def test_layer_maps(open_page) -> None:
    page = open_page().page
    page.click(".pv-signals button:has-text('IGA')")
    expect(page.locator(".pv-signote")).to_contain_text("attention")
    page.click(".pv-runs button:has-text('Baseline')")
    page.click(".pv-scales button:has-text('Rank')")
    expect(page.locator(".pv-layers .pv-cbar")).to_contain_text("rank within the layer")
    page.locator(".pv-tile").nth(6).click()
    expect(page.locator(".pv-maptitle")).to_have_text("IGA, layer 7, baseline")
    page.locator(".pv-bigmap").hover(position={"x": 60, "y": 60})
    expect(page.locator(".pv-mapread")).to_contain_text("% of the patches")


def test_the_slider_repaints_at_once_and_then_asks_again(open_page) -> None:
    page = open_page().page
    page.locator("#pv-keep input[type=range]").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".pv-badge")).to_contain_text("76 of 256")
    finished(page, "kept 76 of 256")


def test_the_preview_stays_when_it_is_not_to_run_again(open_page) -> None:
    watched = open_page()
    page = watched.page
    page.uncheck("#pv-auto input")
    page.locator("#pv-keep input[type=range]").focus()
    with watched.rests():
        page.keyboard.press("ArrowRight")
    badge, view = page.locator(".pv-badge"), page.locator(".pv-view")
    expect(badge).to_contain_text("Preview: 66 of 256")
    watched.handled()
    expect(badge).to_contain_text("Preview: 66 of 256")
    expect(view).to_have_attribute("data-state", "ready")
    page.locator(".pv-stages button").last.click()
    expect(view).to_have_attribute("data-painted", "3:64:mask")


@pytest.mark.parametrize("percent", ["40", "12.5"])
@pytest.mark.parametrize("method", ["Uniform", "FastV", "DivPrune"])
def test_a_preview_that_is_called_exact_is_what_a_run_keeps(open_page, method, percent) -> None:
    """Whole percents are looked up; between them the server is asked."""
    watched = open_page()
    page = watched.page
    page.uncheck("#pv-auto input")
    page.click(f"#pv-method label:has-text('{method}')")
    page.fill("#pv-keep input[type=number]", "60")
    watched.ask()
    finished(page, f"{method} kept 15")
    page.locator(".pv-astext summary").click()
    page.fill("#pv-keep input[type=number]", percent)
    page.keyboard.press("Tab")
    badge, rows = page.locator(".pv-badge"), page.locator(".pv-astext p")
    kept = round(256 * float(percent) / 100) if method != "Uniform" else int(2.56 * float(percent))
    expect(badge).to_contain_text(f"Exact: {kept} of 256")
    drawn = rows.inner_text().split("Columns by row:")[1]
    page.click("#pv-ask")
    finished(page, f"{method} kept {kept} of 256")
    expect(badge).not_to_contain_text("Exact")
    assert rows.inner_text().split("Columns by row:")[1] == drawn


def test_a_budget_that_leaves_nothing_is_said(open_page) -> None:
    page = open_page().page
    page.uncheck("#pv-auto input")
    page.fill("#pv-keep input[type=number]", "0.1")
    page.keyboard.press("Enter")
    badge = page.locator(".pv-badge")
    expect(badge).to_contain_text("Out of reach")
    expect(page.locator(".pv-view")).to_have_attribute("data-painted", "3:64:mask")
    page.fill("#pv-keep input[type=number]", "25")
    page.keyboard.press("Enter")
    expect(badge).to_contain_text("64 of 256")


def test_stop_ends_a_run_and_leaves_the_page_usable(open_page, session) -> None:
    watched = open_page()
    page = watched.page
    watched.settled()
    session.endless.set()
    try:
        watched.ask()
        expect(page.locator("#pv-baseline .pv-answer")).to_contain_text("word")
        page.click("#pv-stop")
        assert session.closed.wait(SECONDS)
        expect(page.locator(".pv-status")).to_contain_text("Stopped")
    finally:
        session.endless.clear()
    expect(page.locator("#pv-ask")).to_be_enabled()
    page.click("#pv-method label:has-text('Uniform')")
    watched.ask()
    finished(page, "Uniform kept")


def test_errors_are_shown_and_do_not_hurt(open_page) -> None:
    watched = open_page()
    watched.ask("   ")
    alert = watched.page.locator(".pv-status[role=alert]")
    expect(alert).to_contain_text("Type a question")
    watched.ask("<img src=x onerror=alert(1)>")
    finished(watched.page, "kept")


def test_everything_that_can_be_used_has_a_name(open_page) -> None:
    assert open_page().nameless() == []


def test_a_run_that_waits_says_so_and_can_be_stopped(browser, url, session, open_page) -> None:
    first, second = open_page(), open_page(390)
    for watched in (first, second):
        watched.settled()
    session.endless.set()
    try:
        first.ask()
        expect(first.page.locator("#pv-baseline .pv-answer")).to_contain_text("word")
        # Only what has come to the server can be stopped there.
        with second.page.expect_response("**/queue/join**"):
            second.page.click("#pv-ask")
        expect(second.page.locator(".pv-status")).to_contain_text("Waiting for the model")
        expect(second.page.locator("#pv-stop")).to_be_in_viewport()
        second.page.click("#pv-stop")
        expect(second.page.locator(".pv-status")).to_contain_text("Stopped")
        expect(second.page.locator("#pv-ask")).to_be_enabled()
        first.page.click("#pv-stop")
        assert session.closed.wait(SECONDS)
    finally:
        session.endless.clear()
    second.page.click("#pv-ask")
    finished(second.page, "TransPrune kept 64 of 256")


def test_bad_files_and_numbers_are_explained_in_the_status_line(open_page, tmp_path) -> None:
    page = open_page().page
    status = page.locator(".pv-status")
    page.fill("#pv-keep input[type=number]", "150")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("up to 1, not 1.5")
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    page.get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
    page.set_input_files("#pv-image input[type=file]", str(broken))
    page.fill("#pv-keep input[type=number]", "25")
    page.click("#pv-ask")
    expect(status).to_contain_text("not an image that can be read")
    expect(page.locator("#pv-ask")).to_be_enabled()
    expect(page.locator(".toast-body")).to_have_count(0)
