"""The Compare and Sweep tabs in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.ui.browsing import SECONDS

pytestmark = pytest.mark.browser


def untick(page: Page, group: str, *keep: str) -> None:
    for label in page.locator(f"{group} label").all():
        box = label.locator("input")
        if box.is_checked() != (label.inner_text().strip() in keep):
            label.click()


def compared(watched, *names: str) -> Page:
    page = watched.page
    watched.open_tab("Compare")
    untick(page, "#pv-compare-methods", *names)
    page.click("#pv-compare")
    expect(page.locator("#pv-compare-status [data-kind=done]")).to_be_visible()
    return page


def swept(watched, ratios: str, *names: str) -> Page:
    page = watched.page
    watched.open_tab("Sweep")
    untick(page, "#pv-sweep-methods", *names)
    page.fill("#pv-sweep-ratios input, #pv-sweep-ratios textarea", ratios)
    page.click("#pv-sweep")
    expect(page.locator("#pv-sweep-status [data-kind=done]")).to_be_visible()
    return page


def test_methods_side_by_side(open_page) -> None:
    page = compared(open_page(), "Random", "Uniform", "FastV")
    cards = page.locator(".pv-method-card[data-state=done]")
    expect(cards).to_have_count(3)
    for index in range(3):
        expect(cards.nth(index).locator(".pv-answer")).not_to_be_empty()
        expect(cards.nth(index)).to_contain_text("64 of 256 patches, as run")
    root = page.locator(".pv-side-by-side")
    expect(root).to_have_attribute("data-painted", "64:64:64")
    expect(page.locator(".pv-matrix td[title]")).to_have_count(9)
    expect(page.locator(".pv-agreelegend")).to_contain_text("3 (all)")
    page.locator(".pv-agreemap").hover(position={"x": 200, "y": 120})
    expect(page.locator(".pv-agreeread")).to_contain_text(re.compile(r"kept by \d of 3"))


def test_the_table_is_sorted_by_keyboard(open_page) -> None:
    page = compared(open_page(), "Random", "TransPrune", "Uniform")
    titles = page.locator(".pv-methods tbody th")
    head = page.locator(".pv-methods thead th")

    def values(column: int) -> list[float]:
        cells = page.locator(f".pv-methods tbody td:nth-child({column + 1})")
        return [
            float(text.split()[0].replace("\N{MINUS SIGN}", "-"))
            for text in cells.all_inner_texts()
        ]

    assert values(2) == sorted(values(2), reverse=True), "the most faithful first"
    expect(head.nth(2)).to_have_attribute("aria-sort", "descending")
    average = page.get_by_role("button", name="Layer average")
    average.focus()
    page.keyboard.press("Enter")
    expect(head.nth(7)).to_have_attribute("aria-sort", "ascending")
    expect(head.nth(2)).to_have_attribute("aria-sort", "none")
    expect(titles.last).to_have_text("TransPrune")
    expect(average).to_be_focused()
    page.keyboard.press("Enter")
    expect(head.nth(7)).to_have_attribute("aria-sort", "descending")
    expect(titles.first).to_have_text("TransPrune")


def test_two_methods_on_one_picture_and_their_patches_swapped(open_page) -> None:
    page = compared(open_page(), "Random", "FoPru", "ToMe")
    legend = page.locator(".pv-pairlegend")
    expect(page.locator(".pv-paira option")).to_have_text(["FoPru", "Random"])
    text = legend.inner_text()
    counts = [int(number) for number in re.findall("\N{MULTIPLICATION SIGN} (\\d+)", text)]
    assert sum(counts) == 256
    assert counts[0] + counts[2] == counts[1] + counts[2] == 64
    page.locator(".pv-pairmap").hover(position={"x": 5, "y": 5})
    expect(page.locator(".pv-pairread")).to_contain_text("Row 1, column 1: kept by")
    page.click(".pv-swapab")
    expect(page.locator(".pv-swapped")).to_contain_text("FoPru with Random's patches")
    expect(page.locator("#pv-compare-status [data-kind=done]")).to_be_visible()
    page.click("#pv-compare-export button")
    with page.expect_download() as saved:
        page.click("#pv-compare-export-table-csv")
    assert saved.value.suggested_filename == "pruneviz-compare-table.csv"


def test_a_link_opens_the_tab_that_it_was_copied_in(open_page) -> None:
    watched = open_page()
    page = swept(watched, "50, 25", "Uniform")
    page.click("#pv-sweep-export button")
    page.click("#pv-sweep-link")
    box = page.locator("#pv-sweep-copied textarea, #pv-sweep-copied input")
    expect(box).to_have_value(re.compile("tab=sweep"))
    watched.go(box.input_value())
    expect(page.locator("#pv-sweep-status")).to_contain_text("settings are filled in")
    expect(page.locator("#pv-sweep-methods label.selected")).to_have_text(["Uniform"])
    ratios = page.locator("#pv-sweep-ratios input, #pv-sweep-ratios textarea")
    expect(ratios).to_have_value("50, 25")
    expect(page.locator("#pv-tab-sweep")).to_be_visible()


def test_the_budget_slider_repaints_all_masks_without_a_run(open_page) -> None:
    watched = open_page()
    page = compared(watched, "TransPrune", "Random", "Uniform")
    root = page.locator(".pv-side-by-side")
    page.locator("#pv-budget input[type=range]").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(root).to_have_attribute("data-painted", "76:76:76")
    badges = page.locator(".pv-mbadge b")
    expect(badges).to_have_text(["preview", "preview", "exact"])
    expect(page.locator(".pv-previewline")).to_contain_text("Masks at 30 %")
    with watched.rests():
        for _ in range(10):
            page.keyboard.press("ArrowLeft")
    expect(root).to_have_attribute("data-painted", "51:51:51")
    expect(badges).to_have_text(["preview", "exact", "exact"])
    watched.handled("compare", "compare-status")
    expect(root).to_have_attribute("data-painted", "51:51:51")
    page.click("#pv-budget-kind label:has-text('Compute')")
    expect(badges.first).to_have_text("out of reach")
    page.click("#pv-budget-kind label:has-text('Patches')")
    for _ in range(5):
        page.keyboard.press("Tab")
    page.locator("#pv-budget input[type=range]").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".pv-previewline")).to_be_hidden()
    expect(badges).to_have_text(["exact", "exact", "exact"])


def test_masks_between_whole_percents_are_counted_by_the_server(open_page) -> None:
    page = compared(open_page(), "TransPrune", "FastV", "Uniform")
    page.fill("#pv-budget input[type=number]", "12.7")
    page.keyboard.press("Tab")
    root, badges = page.locator(".pv-side-by-side"), page.locator(".pv-mbadge b")
    expect(root).to_have_attribute("data-painted", "32:33:32")
    expect(badges).to_have_text(["preview", "exact", "exact"])
    expect(page.locator(".pv-previewline")).to_contain_text("Masks at 12.7 %")
    page.click("#pv-compare")
    expect(page.locator(".pv-previewline")).to_be_hidden()
    expect(badges).to_have_text(["exact"] * 3)
    expect(root).to_have_attribute("data-painted", "32:33:32")


def test_the_slider_runs_again_when_it_is_told_to(open_page) -> None:
    page = compared(open_page(), "Random")
    page.check("#pv-compare-auto input")
    page.locator("#pv-budget input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".pv-method-card")).to_contain_text("66 (25.8 %)")


def test_a_budget_out_of_reach_is_said_on_its_card(open_page) -> None:
    watched = open_page()
    watched.open_tab("Compare")
    page = watched.page
    page.click("#pv-budget-kind label:has-text('Compute')")
    page.fill("#pv-budget input[type=number]", "10")
    page.keyboard.press("Tab")
    compared(watched, "FastV", "Random")
    expect(page.locator(".pv-method-card[data-state=problem]")).to_contain_text("cannot come down")
    expect(page.locator(".pv-method-card[data-state=done]")).to_have_count(1)
    expect(page.locator(".pv-agreement")).to_be_hidden()


@pytest.mark.parametrize(("tab", "name"), [("Compare", "compare"), ("Sweep", "sweep")])
def test_stop_leaves_a_tab_usable(open_page, session, tab, name) -> None:
    watched = open_page()
    page = watched.page
    watched.open_tab(tab)
    watched.settled()
    session.endless.set()
    try:
        page.click(f"#pv-{name}")
        expect(page.locator(f"#pv-{name}-status")).to_contain_text("TransPrune")
        page.click(f"#pv-{name}-stop")
        assert session.closed.wait(SECONDS)
        expect(page.locator(f"#pv-{name}-status")).to_contain_text("Stopped")
    finally:
        session.endless.clear()
    expect(page.locator(f"#pv-{name}")).to_be_enabled()


def test_enter_runs_the_tab_in_view(open_page) -> None:
    watched = open_page()
    watched.open_tab("Compare")
    untick(watched.page, "#pv-compare-methods", "Uniform")
    watched.page.locator("#pv-question textarea").press("Enter")
    done = watched.page.locator("#pv-compare-status [data-kind=done]")
    expect(done).to_contain_text("of 1 methods")


def test_errors_name_the_remedy(open_page) -> None:
    watched = open_page()
    page = watched.page
    watched.open_tab("Compare")
    untick(page, "#pv-compare-methods")
    page.click("#pv-compare")
    alert = page.locator("#pv-compare-status [role=alert]")
    expect(alert).to_contain_text("Choose at least one method")


def test_a_sweep_is_drawn_hovered_and_tabled(open_page) -> None:
    page = swept(open_page(), "100, 50, 25", "Random", "FastV")
    root = page.locator(".pv-sweep")
    expect(root).to_have_attribute("data-painted", re.compile(r"answer_logprob:kept:\d+"))
    runs = page.locator(".pv-values tbody tr:not(.pv-grouprow)").count()
    expect(root).to_have_attribute("data-painted", f"answer_logprob:kept:{runs}")
    expect(page.locator(".pv-wide tbody tr")).to_have_count(2)
    expect(page.locator(".pv-plot .pv-ring")).not_to_have_count(0)
    page.locator(".pv-plot").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".pv-tip")).to_contain_text("256 of 256")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".pv-plotread")).not_to_contain_text("256 of 256 patches at the end")
    for measure, key in (("Largest KL", "largest_kl"), ("Same answer", "exact_match")):
        page.click(f".pv-measures button:has-text('{measure}')")
        expect(root).to_have_attribute("data-painted", f"{key}:kept:{runs}")
    page.select_option(".pv-across", "layer_average")
    expect(root).to_have_attribute("data-painted", f"exact_match:layer_average:{runs}")
    page.click(".pv-serie:has-text('Random')")
    expect(page.locator(".pv-serie[aria-pressed=false]")).to_have_text("Random")
    assert int(root.get_attribute("data-painted").split(":")[-1]) < runs


@pytest.mark.parametrize("tab", ["Compare", "Sweep"])
def test_everything_that_can_be_used_has_a_name(open_page, tab) -> None:
    watched = open_page()
    watched.open_tab(tab)
    assert watched.nameless() == []
