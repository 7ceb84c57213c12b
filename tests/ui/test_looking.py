"""Where the answers look, as the page is told."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from pruneviz.engine import Shelf, where_it_looks
from pruneviz.ui.ask import looking
from pruneviz.ui.ask.asking import ask, prepare
from pruneviz.ui.ask.looking import look
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import Held
from tests.ui.conftest import QUESTION


def held(session, picture, method: str) -> Held:
    return Held(merge(list(ask(session, Question(str(picture), QUESTION, method, 12.5)))).shown)


def decoded(packed: dict[str, Any]) -> np.ndarray:
    codes = np.frombuffer(base64.b64decode(packed["codes"]), "<u2").astype(float)
    step = (packed["high"] - packed["low"]) / 65533
    values = np.exp(packed["low"] + (codes - 1) * step) - packed["offset"]
    return np.where(codes == 0, np.nan, values).reshape(packed["layers"], -1)


def test_the_rows_are_the_engines_of_the_tokens_that_are_read(session, picture) -> None:
    asked = held(session, picture, "transprune")
    screens = list(look(Shelf.of(session), asked, 7))
    sent = [screen.data for screen in screens if screen.data]
    assert [len(data["runs"]) for data in sent] == [1, 2], "the baseline does not wait"
    assert {data["turn"] for data in sent} == {7}
    assert screens[-1].line == ""
    prepared, method = prepare(session, asked.shown.question)
    done = asked.shown.done
    runs = zip(sent[-1]["runs"], (done.baseline, done.pruned), (None, method), strict=True)
    for run, answer, pruner in runs:
        found = where_it_looks(session, prepared, pruner, answer)
        count = len(run["tokens"])
        assert "".join(run["tokens"]) == answer.text.replace(" ", "")
        assert count == len(answer.token_ids) - 1, "the end of the answer is no word of it"
        largest = np.nanmax(found.layers)
        for name, wanted in (("mean", found.mean), ("layers", found.layers)):
            own = wanted[..., :count, :].reshape(-1, 256)
            np.testing.assert_allclose(decoded(run[name]), own, rtol=1e-2, atol=2e-6 * largest)
        np.testing.assert_allclose(run["shares"], found.shares.mean(0)[:count], atol=1e-5)
        assert np.shape(run["layerShares"]) == (16, count)
    absent = np.isnan(decoded(sent[-1]["runs"][1]["mean"])).any(0)
    np.testing.assert_array_equal(np.flatnonzero(~absent), done.pruned.trace.kept)


def test_long_answers_send_the_mean_alone_and_nothing_is_said_of_nothing(
    session, picture, monkeypatch
) -> None:
    monkeypatch.setattr(looking, "SENT", 100)
    *_, last, _ = look(Shelf.of(session), held(session, picture, "tome"), 1)
    assert [run["layers"] for run in last.data["runs"]] == [None, None]
    (nothing,) = look(Shelf.of(session), None, 1)
    assert nothing.data == {"turn": 1, "runs": []}
