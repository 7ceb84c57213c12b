"""The How much tab in a real browser."""

from __future__ import annotations

import re
import threading
import zipfile

import pytest
from gradio_client import handle_file
from playwright.sync_api import Page, expect

from tests.ui.browsing import SECONDS
from tests.ui.conftest import QUESTION, connect
from tests.ui.howmuch.made import own_set

pytestmark = pytest.mark.browser
PLOT = ".pv-howmuch .pv-plot"
READ = ".pv-howmuch .pv-plotread"
STATUS = "#pv-howmuch-status"


def set_up(watched, count: int, budgets: str, *names: str) -> Page:
    """The tab with everything set, not yet run."""
    page = watched.page
    watched.open_tab("How much")
    page.fill("#pv-howmuch-count input", str(count))
    page.fill("#pv-howmuch-budgets :is(input, textarea)", budgets)
    page.fill("#pv-howmuch-draws input", "1")
    for label in page.locator("#pv-howmuch-methods label").all():
        if label.locator("input").is_checked() != (label.inner_text().strip() in names):
            label.click()
    return page


def measured(watched, count: int, budgets: str, *names: str) -> Page:
    page = set_up(watched, count, budgets, *names)
    page.click("#pv-howmuch")
    expect(page.locator(f"{STATUS} [data-kind=done]")).to_be_visible()
    return page


def test_an_evaluation_from_the_first_press_to_the_saved_file(open_page, tmp_path) -> None:
    watched = open_page()
    page = measured(watched, 8, "50, 3", "FoPru", "FastV")
    root = page.locator(".pv-howmuch")
    expect(page.locator(STATUS)).to_contain_text("Done: 8 questions, 72 of 72 rows")
    expect(root).to_have_attribute("data-painted", "0:all:8")
    expect(page.locator(".pv-muchmain")).to_contain_text("in 95 % of resamples")
    expect(page.locator(".pv-evidencebox").first.locator("tbody tr")).to_have_count(9)
    expect(page.locator(f"{PLOT} .pv-interval")).to_have_count(4)
    expect(page.locator(f"{PLOT} .pv-baseband")).to_have_count(1)
    told = page.locator(PLOT).get_attribute("aria-label")
    assert "Unpruned: " in told
    assert "Random at 3 %: " in told
    for axis, name in ((1, "Layer average"), (2, "True FLOPs")):
        page.click(f".pv-muchaxes button:has-text('{name}')")
        expect(root).to_have_attribute("data-painted", f"{axis}:all:8")
        expect(page.locator(PLOT)).to_contain_text(name)
    slices = page.locator(".pv-muchslice option").count()
    page.select_option(".pv-muchslice", index=slices - 1)
    expect(root).to_have_attribute("data-painted", re.compile(r"2:kind:.*:8"))
    page.select_option(".pv-muchslice", "all")
    page.click(".pv-howmuch .pv-serie:has-text('Random')")
    expect(root).to_have_attribute("data-painted", "2:all:6")
    page.click(".pv-howmuch .pv-serie:has-text('Random')")
    page.click("#pv-howmuch-export button")
    page.click("#pv-howmuch-copy")
    command = page.locator("#pv-howmuch-command textarea")
    expect(command).to_have_value(re.compile("^pruneviz evaluate scenes:8:0 --method fopru"))
    with page.expect_download() as download:
        page.click("#pv-howmuch-save")
    download.value.save_as(tmp_path / "saved.zip")
    assert "report.html" in zipfile.ZipFile(tmp_path / "saved.zip").namelist()


def test_from_a_point_to_a_lost_question_to_the_ask_tab(open_page) -> None:
    watched = open_page()
    page = measured(watched, 8, "50, 3", "FoPru")
    page.locator(PLOT).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(READ)).to_contain_text("FoPru at 3 %")
    page.keyboard.press("ArrowRight")
    expect(page.locator(READ)).to_contain_text("FoPru at 50 %")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    expect(page.locator(READ)).to_contain_text("Random at 3 %")
    page.keyboard.press("Enter")
    expect(page.locator(".pv-changed h2")).to_have_text("What changes: Random at 3 %")
    lost = page.locator(".pv-changedlist").first.locator(".pv-changeditem")
    expect(lost.first).to_contain_text("Unpruned:")
    question = lost.first.locator("b").inner_text()
    said = lost.first.locator("span span", has_text="Pruned:").last.inner_text()
    lost.first.click()
    expect(page.locator("#pv-tab-ask")).to_be_visible()
    expect(page.locator("#pv-question textarea")).to_have_value(question)
    expect(page.locator("#pv-status [data-kind=done]")).to_contain_text("Random kept 7 of 256")
    expect(page.locator("#pv-pruned .pv-answer")).to_have_text(said.removeprefix("Pruned: "))
    expect(page.locator("#pv-method input:checked")).to_have_value("random")


def test_a_click_on_the_plot_is_a_choice_too(open_page) -> None:
    page = measured(open_page(), 2, "50, 3", "FoPru")
    mark = page.locator(f"{PLOT} .pv-mark").first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".pv-changed h2")).to_contain_text("What changes: ")
    expect(page.locator(".pv-changedlist h3")).to_have_count(2)


def test_stop_keeps_results_and_another_visitor_was_not_kept_waiting(
    open_page, url, picture
) -> None:
    watched = open_page()
    page = set_up(watched, 400, "50, 25", "FoPru")
    page.click("#pv-howmuch")
    expect(page.locator(".pv-howmuch")).to_have_attribute("data-state", "ready")
    client = connect(url)
    assert client.predict(handle_file(picture), QUESTION, "uniform", 0.5, api_name="/ask")
    expect(page.locator("#pv-howmuch-stop")).to_be_enabled()
    expect(page.locator(f"{STATUS} [role=progressbar]")).to_be_visible()
    page.click("#pv-howmuch-stop")
    stopped = page.locator(f"{STATUS} [data-kind=stopped]")
    expect(stopped).to_contain_text(re.compile(r"Stopped. [\d,]+ of 2,800 rows are there"))
    expect(page.locator("#pv-howmuch")).to_be_enabled()
    expect(page.locator(".pv-howmuch")).to_have_attribute("data-state", "ready")
    expect(page.locator(".pv-doubts")).to_contain_text("the run was stopped")


def evaluating() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "pruneviz-evaluate"]


def test_who_closes_the_page_ends_the_run(open_page) -> None:
    watched = open_page()
    page = set_up(watched, 400, "50, 25", "FoPru")
    page.click("#pv-howmuch")
    expect(page.locator(f"{STATUS} [role=progressbar]")).to_be_visible()
    (thread,) = evaluating()
    page.goto("about:blank")
    thread.join(SECONDS)
    watched.faults.clear()  # what Gradio says of a page that is left in the middle
    assert not evaluating(), "nobody is there to see it"


def test_ones_own_questions(open_page, tmp_path) -> None:
    watched = open_page()
    page = set_up(watched, 1, "50", "Uniform")
    page.click("#pv-howmuch-data label:has-text('My questions')")
    expect(page.locator("#pv-howmuch-count")).to_be_hidden()
    page.click("#pv-howmuch")
    expect(page.locator(f"{STATUS} [role=alert]")).to_contain_text("Choose your files first")
    page.set_input_files("#pv-howmuch-files input[type=file]", str(own_set(tmp_path)))
    expect(page.locator("#pv-howmuch-files")).to_contain_text("own")
    page.click("#pv-howmuch")
    expect(page.locator(f"{STATUS} [data-kind=done]")).to_contain_text("Done: 3 questions")
    page.click(".pv-evidence summary")
    expect(page.locator(".pv-evidence details th[scope=col]").last).to_have_text("is (1)")


def test_too_many_rows_are_refused_in_words(open_page) -> None:
    page = set_up(open_page(), 20000, "50", "FoPru")
    page.click("#pv-howmuch")
    refused = page.locator(f"{STATUS} [role=alert]")
    expect(refused).to_contain_text("At most 30,000 are run here: ask at most 7,500 questions")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_cut_off(open_page, width, theme) -> None:
    page = measured(open_page(width, theme), 2, "50, 3", "FoPru", "FastV", "ToMe")
    page.locator(PLOT).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".pv-changed h2")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    outside = page.evaluate(
        "[...document.querySelectorAll('#pv-tab-howmuch *')].filter((e) => e.offsetParent &&"
        " !e.closest('.pv-evidencebox, .pv-hidden, svg, .pv-chips input') &&"
        " e.getBoundingClientRect().right > window.innerWidth + 1)"
        ".map((e) => e.outerHTML.slice(0, 120))"
    )
    assert outside == []


def test_everything_that_can_be_used_has_a_name(open_page) -> None:
    page = measured(open_page(), 1, "50", "FoPru")
    nameless = page.evaluate(
        "[...document.querySelectorAll('#pv-tab-howmuch button, #pv-tab-howmuch input,"
        ' #pv-tab-howmuch select, #pv-tab-howmuch textarea, #pv-tab-howmuch [tabindex="0"]\')]'
        ".filter((e) => e.offsetParent && !(e.innerText || '').trim() &&"
        " !e.getAttribute('aria-label') && !e.title && !(e.labels && e.labels.length) &&"
        " !e.getAttribute('aria-labelledby')).map((e) => e.outerHTML.slice(0, 120))"
    )
    assert nameless == []
