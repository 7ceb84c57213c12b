from __future__ import annotations

from dataclasses import replace

import pytest

from pruneviz.engine import Curve, Sweep
from pruneviz.engine.breakpoint import BreakPoint
from pruneviz.engine.curves import Band, Point
from pruneviz.ui.sweep.tables import tables_html
from pruneviz.ui.sweep.wording import chance, how, no_better, point_lines, summary


def point(kept: int, same: bool, text: str = "a cat", searched: bool = False) -> Point:
    return Point(
        "random",
        kept / 256,
        kept,
        kept,
        kept / 256,
        kept / 300,
        same,
        0.1,
        0.2,
        -0.5,
        text,
        searched,
    )


def test_tables_escape_and_name_what_was_skipped() -> None:
    points = (point(128, True), point(64, False, "<i>dog"), point(96, True, searched=True))
    curve = Curve("random", "Random", points, BreakPoint(96, 64), (0.001,))
    html = tables_html(Sweep("?", 256, None, -0.1, (curve,)))
    assert "<i>" not in html
    assert "≠ &lt;i&gt;dog" in html
    assert "0.1 %" in html
    assert "37.5 % *" in html
    assert "from <b>96</b>&nbsp;of&nbsp;256 (37.5 %) up" in html


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


def swept(*curves: Curve, chance: tuple[Band, ...] = ()) -> Sweep:
    return Sweep("?", 256, None, -0.1, curves, chance)


def curve(name: str, kept: int, average: float, title: str = "") -> Curve:
    points = (point(256, True), replace(point(kept, True), method=name, layer_average=average))
    return Curve(name, title or name, points, BreakPoint(kept, kept - 1))


def test_the_summary_speaks_of_compute_first() -> None:
    said = summary(swept(curve("fopru", 16, 16.0), curve("transprune", 2, 88.0)), 9)
    assert said == (
        "Done: 9 runs. fopru gets by with the least compute: from 16 of 256 patches up (layer "
        "average 6.25 %, FLOPs 5.33 % of the baseline's) it gives the baseline's answer. "
        "transprune goes down to 2 at the end, at a layer average of 34.4 %."
    )
    both = summary(swept(curve("a", 8, 8.0), curve("b", 8, 8.0), Curve("c", "c")), 9)
    assert "a and b get by with the least compute: from 8 of 256 patches up" in both
    assert both.endswith("they give the baseline's answer.")
    assert summary(swept(Curve("random", "Random")), 9) == "Done: 9 runs."


BANDS = (
    Band(1.0, 256, 10, 10, (-0.1, -0.1, -0.1), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    Band(0.25, 64, 10, 10, (-0.5, -0.2, -0.1), (0.1, 0.2, 0.3), (0.1, 0.2, 0.3)),
    Band(0.0625, 16, 10, 3, (-2.0, -1.0, -0.8), (0.1, 0.2, 0.3), (0.1, 0.2, 0.3)),
)


def test_a_point_against_chance_of_equal_compute() -> None:
    result = swept(chance=BANDS)

    def verdict(logprob: float, average: float) -> str | None:
        return result.against_chance(
            replace(point(16, True), answer_logprob=logprob, layer_average=average)
        )

    assert [verdict(v, 16) for v in (-0.79, -0.8, -2.0, -2.1)] == [
        "above",
        "within",
        "within",
        "below",
    ]
    # Halfway in the logarithm between 16 and 64.
    assert [verdict(v, 32) for v in (-0.44, -0.46, -1.24, -1.26)] == [
        "above",
        "within",
        "within",
        "below",
    ]
    assert [verdict(0.0, average) for average in (15, 256)] == [None, None]
    assert swept().against_chance(point(16, True)) is None


def test_chance_in_words() -> None:
    lucky = replace(point(16, True), method="fopru", answer_logprob=-0.1)
    plain = replace(point(16, True), method="fastv", answer_logprob=-0.9)
    curves = (
        Curve("fopru", "FoPru", (lucky,), BreakPoint(16, 15)),
        Curve("fastv", "FastV", (plain,), BreakPoint(16, 15)),
        Curve("random", "Random", (plain,), BreakPoint(16, 15)),
    )
    result = swept(*curves, chance=BANDS)
    assert [no_better(one, result) for one in curves] == [False, True, False]
    assert [chance(one, result) for one in curves] == [
        "better at 1 of 1 budgets",
        "no better than the luckiest draw",
        "chance itself: all 10 draws give it from 64 up",
    ]
    assert point_lines(plain, result)[-1] == "no better than chance at equal compute"
    assert summary(result, 3).endswith("luckiest of 10 random draws of equal compute: FastV.")
    html = tables_html(result)
    assert "<td>3 of 10</td>" in html
    assert "better than chance" in html
    assert "Against chance" not in tables_html(swept(*curves))


def test_the_token_at_which_answers_part_is_told() -> None:
    apart = replace(point(64, False), parting_kl=0.75)
    html = tables_html(swept(Curve("random", "Random", (point(128, True), apart))))
    assert "<td>1.00e-01</td><td></td><td>2.00e-01</td>" in html
    assert "<td>1.00e-01</td><td>7.50e-01</td><td>2.00e-01</td>" in html
    assert "first token 0.1, where they part 0.75, largest 0.2" in point_lines(apart, swept())[2]
    assert "part" not in point_lines(point(128, True), swept())[2]


def test_why_more_merged_tokens_need_not_help() -> None:
    found = BreakPoint(64, 63, (5, 9))
    assert "mixtures of patches" in how(Curve("prumerge", "PruMerge", (), found))
    assert "mixtures" not in how(Curve("fastv", "FastV", (), found))
