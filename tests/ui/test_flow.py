"""The picture over the layers, of methods that fall, merge and stay, as they run."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.shared.question import Question
from tests.ui.conftest import QUESTION

METHODS = ("transprune", "pyramiddrop", "sparsevlm", "fopru", "tome", "visionzip", "prumerge")


@pytest.mark.parametrize(("name", "percent"), [(name, 25) for name in METHODS] + [("random", 100)])
def test_the_stream_is_what_each_layer_computes(session, picture, name, percent) -> None:
    screen = merge(list(ask(session, Question(str(picture), QUESTION, name, percent))))
    flow, trace = screen.view["flow"], screen.shown.done.pruned.trace
    kinds = flow["kinds"]
    counts = [
        flow["extra"][index]
        + sum(k["count"] for k in kinds if k["layer"] is None or k["layer"] > index)
        for index in range(flow["layers"])
    ]
    assert tuple(counts) == trace.tokens_per_layer
    fates = np.frombuffer(base64.b64decode(flow["fates"]), dtype=np.uint8)
    assert np.bincount(fates).tolist() == [kind["count"] for kind in kinds]
    stays = [number for number, kind in enumerate(kinds) if kind["layer"] is None]
    np.testing.assert_array_equal(np.flatnonzero(np.isin(fates, stays)), trace.kept)
    merged = [number for number, kind in enumerate(kinds) if kind["end"] == "merged"]
    holders, every = trace.merged_into, np.arange(len(fates))
    in_others = (holders >= 0) & (holders != every)
    assert np.isin(np.flatnonzero(in_others), np.flatnonzero(np.isin(fates, merged))).all()
    assert bool(merged) == bool(in_others.any())
