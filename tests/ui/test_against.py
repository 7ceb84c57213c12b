"""Compare's methods held against what matters, on the page."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pruneviz.engine import Session, Shelf
from pruneviz.exports.compared import table
from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.mattering import measure_effects
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.compare.against import measure_for_all
from pruneviz.ui.compare.comparing import MATTERS, Wanted, compare
from pruneviz.ui.compare.mattering import summary
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.runs import Run
from pruneviz.ui.shared.shown import Held

NAMES = ["transprune", "uniform", "tome"]
ZOO, COUNTING = "assets/examples/zoo.png", "How many animals are there?"
TITLES = ["What matters", "Top blocks"]


@pytest.fixture
def fresh(session) -> Session:
    """A session that remembers nothing yet."""
    return Session(session.loaded)


def compared(session) -> tuple[Run, dict]:
    *_, last = compare(session, Wanted(ZOO, COUNTING, NAMES, 12.5))
    return last.run, last.view


def test_a_press_adds_two_columns_to_table_files_and_command(fresh) -> None:
    run, before = compared(fresh)
    assert before["against"]["button"]
    assert "64 forwards in all, once for all methods" in before["against"]["note"]
    assert not {*TITLES} & {one["title"] for one in before["measures"]}
    screens = list(measure_for_all(fresh, run))
    assert any("of 64 forwards" in screen.status for screen in screens[:-1])
    last = screens[-1]
    json.dumps(last.view, allow_nan=False)
    assert not last.view["against"]["button"]
    assert [one["title"] for one in last.view["measures"]][-2:] == TITLES
    judged = [last.run.result.judgement_of(name) for name in NAMES]
    told = [panel["told"][-2:] for panel in last.view["panels"]]
    assert [one[0]["value"] for one in told] == [found.correlation for found in judged]
    assert told[1][0]["text"].endswith("(kept set)")
    left = [len(found.top) - len(found.dropped) for found in judged]
    assert told[1][1] == {"text": f"{left[1]} kept", "value": None}
    shared = f"{len(judged[0].shared)} of {len(judged[0].top)}, {left[0]} kept"
    assert told[0][1] == {"text": shared, "value": judged[0].overlap}
    assert f",{judged[0].correlation},scores," in table(last.run.result)
    assert ",,,,\n" in table(run.result), "nothing where it was not measured"
    assert last.run.arguments == (*run.arguments, MATTERS)


def test_what_ask_measured_is_there_at_once(fresh) -> None:
    question = Question(ZOO, COUNTING, "random", 25, max_new_tokens=64)
    asked = Held(merge(list(ask(fresh, question))).shown)
    list(measure_effects(Shelf.of(fresh), asked, 2))
    run, view = compared(fresh)
    assert run.result.effects.finished
    assert not view["against"]["button"]
    assert MATTERS in run.arguments
    status = list(measure_for_all(fresh, run))[-1].status
    assert "Done: 64 forwards. " in status


def test_the_best_is_named_only_where_chance_does_not_explain_it(fresh) -> None:
    run, _ = compared(fresh)
    measured = list(measure_for_all(fresh, run))[-1].run.result
    name = next(one.name for one in measured.outcomes if measured.judgement_of(one.name))
    scores = np.nan_to_num(measured.judgement_of(name).scores)
    agreeing = replace(measured, effects=replace(measured.effects, values=scores))
    assert summary(agreeing).endswith("1.00.")
    noise = np.random.default_rng(3).permutation(len(scores)).astype(float)
    unrelated = replace(measured, effects=replace(measured.effects, values=noise))
    assert "No method orders the blocks" in summary(unrelated)


def test_only_the_run_that_is_shown_can_be_measured(session) -> None:
    *_, last = measure_for_all(session, None)
    assert "Run the methods first" in last.status
    run, _ = compared(session)
    *_, last = measure_for_all(session, replace(run, model="another"))
    assert "Compare again" in last.status
