"""The stream over the layers and the answers' attention in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
CELLS = """() => {
  const canvas = document.querySelector('.pv-canvas'), pen = canvas.getContext('2d');
  const [w, h] = [canvas.width / 16, canvas.height / 16];
  return Array.from({ length: 256 }, (_, cell) => {
    const x = (cell % 16 + 0.25) * w, y = (Math.floor(cell / 16) + 0.25) * h;
    return pen.getImageData(x, y, w / 2, h / 2).data.join();
  });
}"""
"""The inside of every patch on the mask."""


def test_a_kind_marks_its_patches_and_a_patch_its_kind(open_page) -> None:
    watched = open_page()
    page, view = watched.page, watched.page.locator("#pv-view .pv-view")
    chips = page.locator(".pv-flowkind")
    first = chips.first
    count = int(re.search(r"\d+", first.inner_text()).group())
    assert page.locator(".pv-flowsvg").get_attribute("aria-label").startswith("Of 256 visual")
    plain = page.evaluate(CELLS)
    first.focus()
    page.keyboard.press("Enter")
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".pv-flowover.pv-on")).to_have_count(1)
    layer = int(re.search(r"after layer (\d+)", first.inner_text()).group(1))
    expect(view).to_have_attribute("data-layer", re.compile(f"^{layer + 1}:{256 - count}$"))
    now = page.evaluate(CELLS)
    striped = [cell for cell in range(256) if now[cell] != plain[cell]]
    assert len(striped) == count, "exactly those that fall there"
    # The other way round: a patch of them under the pointer marks its band, another one does not.
    box = page.locator(".pv-enterpic").bounding_box()
    for cell, wanted in (
        (striped[0], True),
        (next(c for c in range(256) if c not in striped), False),
    ):
        x, y = (cell % 16 + 0.5) * box["width"] / 16, (cell // 16 + 0.5) * box["height"] / 16
        page.mouse.move(box["x"] + x, box["y"] + y)
        expect(page.locator(".pv-flowband.pv-pointed")).to_have_count(1)
        pointed = page.locator(".pv-flowband.pv-pointed").get_attribute("data-kind")
        assert (pointed == first.get_attribute("data-kind")) is wanted
    # Under another tab the stripes are explained and can be taken away.
    watched.more("Attention")
    line = page.locator(".pv-flowmark")
    expect(line).to_contain_text(f"Striped: {count}")
    assert not watched.nameless()
    line.get_by_text("Unmark").click()
    expect(line).to_be_hidden()
    page.mouse.move(0, 0)
    page.locator(".pv-canvas").evaluate("(canvas) => canvas.blur()")
    assert page.evaluate(CELLS) == plain
    expect(first).to_have_attribute("aria-pressed", "false")


def test_the_attention_of_a_chosen_token_is_drawn_once_it_is_looked_at(open_page) -> None:
    watched = open_page()
    page, view = watched.page, watched.page.locator("#pv-view .pv-view")
    assert view.get_attribute("data-looks") is None, "nothing is computed before"
    watched.more("Attention")
    expect(view).to_have_attribute("data-looks", "2:0:0,0")
    tokens = page.locator(".pv-look-pruned .pv-looktokens button")
    assert "".join(tokens.all_inner_texts()) in page.inner_text("#pv-pruned").replace(" ", "")
    tokens.nth(1).focus()
    page.keyboard.press("Enter")
    expect(tokens.nth(1)).to_have_attribute("aria-pressed", "true")
    word = tokens.nth(1).inner_text()
    expect(page.locator(".pv-look-pruned .pv-looksaid")).to_contain_text(f"“{word}” gives")
    page.select_option(".pv-looklayer", "1")
    expect(view).to_have_attribute("data-looks", re.compile(r"^2:1:\d,1$"))
    # Before the first stage every patch is there.
    expect(page.locator(".pv-look-pruned .pv-lookbar")).not_to_contain_text("not there")
    page.select_option(".pv-looklayer", "16")
    expect(page.locator(".pv-look-pruned .pv-lookbar")).to_contain_text("not there")
    assert not watched.nameless()
