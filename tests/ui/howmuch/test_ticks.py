"""Ticks of a logarithmic axis: as the page draws them."""

from __future__ import annotations

from pathlib import Path

import pytest

import pruneviz.ui.sweep as sweep


@pytest.mark.browser
@pytest.mark.parametrize(
    ("low", "wanted"),
    [
        (0.5, [0.5, 1, 2, 5, 10, 20, 50, 100]),
        (4.5, [5, 10, 20, 50, 100]),
        (18, [20, 30, 50, 70, 100]),
        (45, [50, 60, 70, 80, 90, 100]),
    ],
)
def test_a_narrow_range_has_more_than_two(browser, low, wanted) -> None:
    source = (Path(sweep.__file__).parent / "plot.js").read_text(encoding="utf-8")
    taken = source[source.index("function logTicks") : source.index("function axes")]
    page = browser.new_page()
    assert page.evaluate(f"(() => {{ {taken}; return logTicks({low}, 104); }})()") == wanted
    page.close()
