"""Ticks of a logarithmic axis: as the page draws them."""

from __future__ import annotations

import pytest

from tests.ui.browsing import scripted


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
    page = scripted(browser)
    ticks = "async (low) => (await import('/sweep/plot.js')).logTicks(low, 104)"
    assert page.evaluate(ticks, low) == wanted
    page.close()
