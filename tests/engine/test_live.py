"""Answers at a dozen budgets, and the ticks that follow from them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from pruneviz import get_method
from pruneviz.engine import (
    LIVE_RATIOS,
    LiveAnswer,
    Settings,
    Ticks,
    ladder,
    live_answers,
    ticks,
)
from pruneviz.engine.live import nearest_first
from pruneviz.methods import Uniform

PLAIN = Settings(signals=False)


def built(name: str, **settings: Any) -> Any:
    return lambda ratio: get_method(name, num_layers=16, keep_ratio=ratio, **settings)


@pytest.mark.parametrize("total", [49, 256, 576, 729])
@pytest.mark.parametrize("name", ["uniform", "fastv", "transprune"])
def test_a_ladder_reaches_down_to_one_patch(name: str, total: int) -> None:
    rungs = ladder(built(name), total)
    assert len(rungs) == len(LIVE_RATIOS) + 1 if total > 100 else 9 <= len(rungs) <= 12
    ratios = [ratio for ratio, _ in rungs]
    assert ratios == sorted(ratios, reverse=True)
    last = rungs[-1][1]
    assert last.count(last.stages()[-1], total) == 1


def test_budgets_that_keep_as_many_are_tried_once_and_none_that_keeps_nothing() -> None:
    rungs = ladder(built("uniform"), 10, (0.5, 0.54, 0.05, 0.1))
    assert [round(ratio, 6) for ratio, _ in rungs] == [0.54, 0.1]
    whole = ladder(built("uniform"), 1)
    assert [ratio for ratio, _ in whole] == [1.0]


def test_the_nearest_budgets_come_first() -> None:
    rungs = ladder(built("uniform"), 256, (0.5, 0.25, 0.125))
    order = [round(ratio, 4) for ratio, _ in nearest_first(rungs, 0.2)]
    assert order == [0.25, 0.125, 0.5, 0.0039]


def test_live_answers_are_those_of_whole_runs(session) -> None:
    prepared = session.prepare(Image.open("assets/examples/farm.png"), "Which vehicle is there?")
    rungs = ladder(built("transprune"), 256, (0.5, 0.04))
    found = list(live_answers(session, prepared, rungs, 0.05))
    assert [round(one.ratio, 4) for one in found] == [0.04, 0.5, 0.0039]
    for one in found:
        (method,) = (method for ratio, method in rungs if ratio == one.ratio)
        alone = session.compare(prepared, method, PLAIN)
        assert one.text == alone.pruned.text
        assert one.same == alone.fidelity.exact_match
        assert one.kept == len(alone.pruned.trace.kept)
        assert one.comparison.pruned.trace.kept.tolist() == alone.pruned.trace.kept.tolist()
        assert one.to_dict()["text"] == one.text
    assert {one.same for one in found} == {True, False}, "the test needs both"


def test_closing_stops(session) -> None:
    prepared = session.prepare(Image.open("assets/examples/farm.png"), "Which vehicle is there?")
    running = live_answers(session, prepared, ladder(built("random"), 256), 0.25)
    next(running)
    running.close()
    assert session.compare(prepared, Uniform(keep_ratio=0.5), PLAIN).fidelity is not None


def tried(**same: bool) -> list[LiveAnswer]:
    """Answers by kept count out of 100, such as ``k50=True``."""
    nothing = cast(Any, SimpleNamespace())
    counts = {int(name[1:]): value for name, value in same.items()}
    return [LiveAnswer(kept / 100, kept, value, "", nothing) for kept, value in counts.items()]


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        (tried(k50=True, k20=True, k5=False), Ticks(0.2, 0.05)),
        (tried(k5=False, k20=False, k50=False), Ticks(1.0, 0.5)),
        (tried(k50=True, k1=True), Ticks(0.01, None)),
        (tried(k50=True, k20=False, k10=True, k5=True), Ticks(0.5, 0.2, (0.1, 0.05))),
        ([], Ticks(1.0, None)),
    ],
)
def test_ticks(answers: list[LiveAnswer], wanted: Ticks) -> None:
    assert ticks(answers, 100) == wanted


def test_two_budgets_of_one_count_must_both_hold() -> None:
    nothing = cast(Any, SimpleNamespace())
    answers = [LiveAnswer(0.2, 20, True, "", nothing), LiveAnswer(0.205, 20, False, "", nothing)]
    assert ticks(answers, 100) == Ticks(1.0, 0.2)
