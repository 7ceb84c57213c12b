"""What matters, on the page."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from pruneviz.engine import Shelf
from pruneviz.engine.matters import judge, what_matters
from pruneviz.ui.ask import mattering
from pruneviz.ui.ask.asking import ask, prepare
from pruneviz.ui.ask.mattering import find_restoring, measure_effects
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import Held
from tests.ui.conftest import QUESTION


def held(session, picture, method: str, percent: float) -> Held:
    shown = merge(list(ask(session, Question(str(picture), QUESTION, method, percent)))).shown
    return Held(shown)


def values(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def test_the_map_is_the_engines(session, picture) -> None:
    asked = held(session, picture, "resprune", 12.5)
    screens = list(measure_effects(Shelf.of(session), asked, 4))
    data = screens[-1].data
    prepared, _ = prepare(session, asked.shown.question)
    *_, whole = what_matters(session, prepared, block=4)
    found = judge(whole, asked.shown.done.pruned.trace, title="ResPrune")
    np.testing.assert_allclose(values(data["effects"]), whole.per_token, rtol=1e-4, atol=1e-5)
    assert data["finished"]
    assert data["block"] == 4
    assert data["said"][0] == found.sentence
    assert [tuple(tokens) for tokens in data["top"]] == [
        tuple(whole.blocks[n].tokens.tolist()) for n in found.top
    ]
    assert "Done, 16 forwards" in screens[-1].line
    assert any("forwards" in screen.line for screen in screens[1:-1])


def test_it_says_what_cannot_be_measured(session, picture) -> None:
    shelf = Shelf.of(session)
    nothing = list(measure_effects(shelf, None, 2))
    assert 'data-kind="error"' in nothing[-1].line
    same = list(find_restoring(shelf, held(session, picture, "random", 100), 2))
    assert "nothing need be given back" in same[-1].line


@pytest.mark.parametrize("method", ["random", "uniform"])
def test_what_restores_the_answer_does(session, picture, method) -> None:
    for percent in (6, 3, 1):
        asked = held(session, picture, method, percent)
        if not asked.shown.done.fidelity.exact_match:
            break
    else:
        pytest.fail("no budget breaks the answer")
    last = list(find_restoring(Shelf.of(session), asked, 2))[-1]
    assert last.data is not None, last.line
    tokens = last.data["restore"]
    kept = set(asked.shown.done.pruned.trace.kept)
    assert tokens
    assert not kept & set(tokens)
    assert f"{len(tokens)} dropped patch" in last.line


def test_closing_stops(session, picture, monkeypatch) -> None:
    monkeypatch.setattr(mattering, "REFRESH", 0.0)
    screens = measure_effects(Shelf.of(session), held(session, picture, "fopru", 25), 1)
    seen = [next(screens) for _ in range(3)]
    screens.close()
    assert not seen[-1].data["finished"]
