"""Several methods side by side: one encoding, one baseline, agreement and overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pruneviz.engine import Budget, Session, Settings, compare_many
from pruneviz.engine import session as session_module
from pruneviz.engine.agreement import agreement, likeness_order, overlap_matrix
from pruneviz.engine.compare import candidates
from pruneviz.errors import InputError
from pruneviz.metrics import overlap

SHORT = Settings(max_new_tokens=4, signals=False)
NAMES = ["transprune", "resprune", "fopru", "fastv", "random", "uniform"]


def test_agreement_counts_methods_per_token() -> None:
    sets = [np.array([0, 1]), np.array([1, 3]), np.array([], dtype=np.int64)]
    assert agreement(sets, 5).tolist() == [1, 2, 0, 1, 0]
    assert agreement([], 3).tolist() == [0, 0, 0]


def test_overlaps_are_intersection_over_union() -> None:
    none = np.array([], dtype=np.int64)
    matrix = overlap_matrix([np.array([0, 1, 2]), np.array([2, 3]), none, none])
    assert matrix[0, 1] == matrix[1, 0] == 0.25
    assert matrix[0, 2] == 0.0
    assert matrix[2, 3] == 1.0
    assert (np.diag(matrix) == 1.0).all()


def test_methods_that_keep_alike_stand_beside_each_other() -> None:
    ways = {0: [0, 1, 2, 3], 2: [0, 1, 2, 4], 4: [0, 1, 5, 4], 1: [9, 8, 7], 3: [9, 8, 6]}
    overlaps = overlap_matrix([np.array(ways[row]) for row in range(5)])
    assert likeness_order(overlaps) in ([4, 2, 0, 3, 1], [0, 2, 4, 3, 1], [0, 2, 4, 1, 3])
    assert likeness_order(overlaps[:1, :1]) == [0]
    assert likeness_order(overlaps[:0, :0]) == []


def test_merged_tokens_are_not_compared(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    names = ["visionzip", "random", "prumerge", "uniform"]
    *_, last = compare_many(session, prepared, names, Budget(0.125), SHORT)
    result = last.result
    assert set(result.overlap_names) == {"random", "uniform"}
    assert result.merged_names == ("visionzip", "prumerge")
    assert result.agreement.sum() == 2 * 32
    assert result.agreement_of("visionzip") is None
    assert [one["final_tokens"] for one in result.to_dict()["methods"]] == [32] * 4
    assert [one["merged"] for one in result.to_dict()["methods"]] == [True, False, True, False]


def test_encoder_and_baseline_run_once(session, monkeypatch) -> None:
    fresh, calls = Session(session.loaded), []

    def counted(name, called):
        real = getattr(session_module, name)

        def call(*args):
            calls.append(called(args))
            return real(*args)

        monkeypatch.setattr(session_module, name, call)

    counted("encode", lambda _: "encode")
    counted("run_baseline", lambda _: "baseline")
    counted("run_pruned", lambda args: args[2].name)
    prepared = fresh.prepare(Image.new("RGB", (90, 60), "teal"), "What is this?")
    events = list(compare_many(fresh, prepared, NAMES, Budget(0.5), SHORT))
    assert calls == ["encode", "baseline", *NAMES]
    result = events[-1].result
    assert events[-1].kind == "done"
    for outcome in result.outcomes:
        assert outcome.comparison.baseline is result.baseline
        assert len(outcome.kept) == 128
        assert outcome.comparison.fidelity is not None
        assert outcome.to_dict()["final_keep_ratio"] == 0.5
    assert result.agreement.sum() == 128 * len(NAMES)
    assert result.agreement.dtype == np.int64
    assert result.overlaps.shape == (len(NAMES), len(NAMES))
    assert sorted(result.overlap_names) == sorted(NAMES)
    kept = {outcome.name: outcome.kept for outcome in result.outcomes}
    expected = overlap_matrix([kept[name] for name in result.overlap_names])
    assert np.array_equal(result.overlaps, expected)
    others = [overlap(kept["fopru"], kept[name]) for name in NAMES if name != "fopru"]
    assert result.agreement_of("fopru") == pytest.approx(np.mean(others))


def test_a_baseline_with_signals_serves_runs_without(session, picture) -> None:
    prepared = session.prepare(picture, "How many dogs are here?")
    rich = session.baseline(prepared, Settings(max_new_tokens=4, signals=True))
    assert session.baseline(prepared, SHORT) is rich


def test_equal_compute_is_equal(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    *_, last = compare_many(session, prepared, NAMES, Budget(0.6, "compute"), SHORT)
    shares = [o.comparison.pruned.cost.layer_average / 256 for o in last.result.outcomes]
    assert shares == pytest.approx([0.6] * len(NAMES), abs=0.5 / 256)
    assert len({len(o.kept) for o in last.result.outcomes}) > 2


def test_a_budget_out_of_reach_is_said_and_nothing_else_is_run(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    *_, last = compare_many(session, prepared, ["fastv", "uniform"], Budget(0.1, "compute"), SHORT)
    first, second = last.result.outcomes
    assert "cannot come down" in first.problem
    assert first.comparison is None
    assert second.comparison is not None
    assert last.result.overlap_names == ("uniform",)
    assert last.result.to_dict()["methods"][0]["problem"] == first.problem


@pytest.mark.parametrize("names", [[], (), "random", ["random", "nothing"]])
def test_bad_choices(names) -> None:
    with pytest.raises(InputError, match=r"at least one|Unknown"):
        candidates(names, Budget(0.5), 256, 10)


def test_repeated_names_run_once() -> None:
    found = candidates(["random", "fopru", "random"], Budget(0.5), 256, 10)
    assert [o.name for o in found] == ["random", "fopru"]


def test_closing_stops_and_leaves_the_session_usable(session) -> None:
    prepared = session.prepare(Image.new("RGB", (64, 64), "olive"), "Where is the cat?")
    events = compare_many(session, prepared, NAMES, Budget(0.5), Settings(max_new_tokens=200))
    kinds = [next(events).kind for _ in range(3)]
    assert kinds[0] == "result"
    events.close()
    *_, last = compare_many(session, prepared, ["random"], Budget(0.5), SHORT)
    assert last.kind == "done"
