"""Where a line on the scale of a stage's scores parts kept from dropped, and where none does."""

from __future__ import annotations

import numpy as np
import pytest

from pruneviz.render.threshold import MERGED, OTHERWISE, PINNED, TIED, UNSCORED, threshold
from pruneviz.trace import StageTrace, Trace


def trace(scores, kept, alive=None, into=None, method="random", pins=()) -> Trace:
    alive = np.arange(len(scores)) if alive is None else np.array(alive)
    into = None if into is None else np.array(into)
    stage = StageTrace(0, method, alive, np.array(kept), np.array(scores, np.float32), {}, (), into)
    parameters = {"keep": list(pins), "drop": []} if method == "pinned" else {}
    return Trace(method, parameters, "keep", 8, 3, (stage,), (len(kept),), (9,))


@pytest.mark.parametrize(
    ("scores", "kept", "side", "edges"),
    [
        ([0.5, 0.25, 2.0, 0.75], [2, 3], "above", [0.75, 0.5]),
        ([0.5, 0.25, 2.0, 0.75], [0, 1], "below", [0.5, 0.75]),
        ([1.0, 0.0, 1.0, 0.0], [0, 2], "above", [1.0, 0.0]),
    ],
)
def test_the_line_lies_between_both_sides(scores, kept, side, edges) -> None:
    found = threshold(trace(scores, kept), 0)
    assert found.to_dict() == {"kept": side, "edges": edges, "why": ""}


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (trace([3, 2, 1, 0], [0, 2]), OTHERWISE),
        (trace([1, 1, 0, 1], [0, 1]), TIED),
        (trace([1, np.nan, 0, 3], [0, 3]), UNSCORED),
        (trace([3, 2, 1, 0], [0, 1], into=[0, 1, 1, 1]), MERGED),
        (trace([3, 2, 1, 0], [0, 1], method="pinned", pins=[1]), PINNED),
        (trace([3, 2, 1, 0], [0, 1, 2, 3]), ""),
    ],
)
def test_no_line_is_drawn_where_scores_alone_do_not_decide(run, why) -> None:
    assert threshold(run, 0).to_dict() == {"kept": None, "edges": [None, None], "why": why}


def test_a_later_stage_is_parted_by_its_own_scores_of_what_it_saw() -> None:
    found = threshold(trace([0.1, 0.9, 0.4], [4, 7], alive=[2, 4, 7]), 0)
    assert (found.kept, found.kept_edge) == ("above", pytest.approx(0.4))
