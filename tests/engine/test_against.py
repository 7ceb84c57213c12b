"""Several methods set against one map of what matters."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pruneviz.engine import Budget, Session, Settings, compare_many, judge, what_matters
from pruneviz.engine.against import set_against, with_known_map
from pruneviz.engine.matters import maps, remembered_map
from pruneviz.engine.matters.remembering import shared_side
from pruneviz.geometry import PatchGrid

PLAIN = Settings(signals=False)
NAMES = ["transprune", "uniform", "visionzip"]
QUESTION = "Where is the cat?"


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    """How many blocks each batch of interventions takes away."""
    asked: list[int] = []
    real = maps.taking_of

    def taking_of(*arguments):
        taking = real(*arguments)
        logits = taking.logits
        taking.logits = lambda taken: asked.append(len(taken)) or logits(taken)
        return taking

    monkeypatch.setattr(maps, "taking_of", taking_of)
    return asked


def test_one_map_serves_all_methods_and_whoever_asks_again(session, picture, counted) -> None:
    fresh = Session(session.loaded)
    prepared = fresh.prepare(picture, QUESTION)
    events = list(compare_many(fresh, prepared, NAMES, Budget(0.25), PLAIN, matters=True))
    assert sum(counted) == 1 + 64, "the whole, then every block of 2 x 2 once"
    assert "64 forwards" in next(e.text for e in events if "Taking patches" in e.text)
    result = events[-1].result
    assert [event.kind for event in events].count("done") == 1
    assert (result.effects.block, result.effects.finished) == (2, True)
    # What Ask shows is the same map, which is not measured again.
    (again,) = remembered_map(fresh, prepared, block=2, settings=Settings(max_new_tokens=200))
    assert again is result.effects
    *_, bare = compare_many(fresh, prepared, NAMES, Budget(0.5), PLAIN)
    assert bare.result.effects is None
    assert with_known_map(fresh, prepared, bare.result).effects is again
    assert sum(counted) == 65
    # Another question has another one.
    other = fresh.prepare(picture, "Which animal do you see?")
    *_, last = compare_many(fresh, other, ["uniform"], Budget(0.5), PLAIN)
    assert with_known_map(fresh, other, last.result).effects is None


def test_every_method_is_judged_as_ask_judges_it(session, picture) -> None:
    prepared = session.prepare(picture, QUESTION)
    *_, whole = what_matters(session, prepared, block=2)
    *_, last = compare_many(session, prepared, NAMES, Budget(0.25), PLAIN, matters=True)
    told = json.loads(json.dumps(last.result.to_dict(), allow_nan=False))
    np.testing.assert_allclose([b["effect"] for b in told["matters"]["blocks"]], whole.values,
                               atol=1e-5)  # fmt: skip
    for outcome, plain in zip(last.result.outcomes, told["methods"], strict=True):
        trace = outcome.comparison.pruned.trace
        found = judge(last.result.effects, trace, title=outcome.title)
        assert plain["judgement"]["correlation"] == found.correlation
        assert plain["judgement"]["shared"] == list(found.shared)
    assert [one["judgement"]["by"] for one in told["methods"]] == ["scores", "kept", "scores"]


def test_stopping_remembers_nothing_and_nothing_run_measures_nothing(session, picture) -> None:
    fresh = Session(session.loaded)
    prepared = fresh.prepare(picture, QUESTION)
    *_, last = compare_many(fresh, prepared, ["random"], Budget(0.5), PLAIN)
    running = set_against(fresh, prepared, last.result, PLAIN)
    next(running)
    running.close()
    assert with_known_map(fresh, prepared, last.result).effects is None
    *_, none = compare_many(
        fresh, prepared, ["fastv"], Budget(0.05, "compute"), PLAIN, matters=True
    )
    assert (none.kind, none.result.effects) == ("done", None)
    assert none.result.judgement_of("fastv") is None


@pytest.mark.parametrize(("cells", "side"), [(24, 2), (33, 4), (80, 8)])
def test_blocks_are_as_large_as_the_forwards_ask_for(cells, side) -> None:
    grid = PatchGrid.regular((cells, cells), cells, cells, (0, 0, cells, cells))
    assert shared_side(grid) == side
