from __future__ import annotations

from types import SimpleNamespace

import pytest

from pruneviz.engine import Curve, Sweep
from pruneviz.engine.breakpoint import BreakPoint
from pruneviz.engine.curves import Point
from pruneviz.ui.sweep.sweeping import summary
from pruneviz.ui.sweep.tables import how, tables_html


def point(kept: int, same: bool, text: str = "a cat", searched: bool = False) -> Point:
    return Point("random", kept / 256, kept, kept, kept / 256, same, 0.1, -0.5, text, searched)


def test_tables_escape_and_name_what_was_skipped() -> None:
    points = (point(128, True), point(64, False, "<i>dog"), point(96, True, searched=True))
    curve = Curve("random", "Random", points, BreakPoint(96, 64), (0.001,))
    html = tables_html(Sweep("?", 256, None, -0.1, (curve,)))
    assert "<i>" not in html
    assert "≠ &lt;i&gt;dog" in html
    assert "0.1 %" in html
    assert "37.5 % *" in html
    assert "<b>96</b>&nbsp;of&nbsp;256 (37.5&nbsp;%)" in html


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (BreakPoint(10, 9), "Holds at 10, fails at 9."),
        (BreakPoint(1, 0), "down to one patch"),
        (BreakPoint(64, 32), "Nothing was run between 32 and 64."),
        (BreakPoint(64, 63, (5, 9)), "Gives it again at 5, 9"),
        (None, ""),
    ],
)
def test_the_search_in_words(found, words) -> None:
    assert words in how(Curve("random", "Random", (), found))


def test_a_curve_without_a_search() -> None:
    html = tables_html(Sweep("?", 256, None, -0.1, (Curve("random", "Random"),)))
    assert "not searched" in html


def test_the_summary_names_all_that_need_the_fewest() -> None:
    def curve(title: str, kept: int | None) -> SimpleNamespace:
        return SimpleNamespace(title=title, break_point=kept and SimpleNamespace(kept=kept))

    def said(*curves: SimpleNamespace) -> str:
        return summary(SimpleNamespace(curves=curves, num_visual=256), 9)

    one = said(curve("FoPru", 9), curve("FastV", 8), curve("Random", None))
    assert "FastV gets by with the fewest patches: from 8 of 256 up it gives" in one
    tie = said(curve("FoPru", 8), curve("FastV", 8), curve("Random", 8))
    assert "FoPru, FastV and Random get by with the fewest patches: from 8 of 256 up they" in tie
    assert said(curve("Random", None)) == "Done: 9 runs."
