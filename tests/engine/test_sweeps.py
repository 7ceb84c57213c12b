"""Sweeps and the search for break points."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pruneviz.engine import Settings, sweep
from pruneviz.engine.breakpoint import BreakPoint, break_point, next_count
from pruneviz.engine.curves import Curve, Point
from pruneviz.engine.sweeps import MAX_RATIOS, RATIOS, check_ratios
from pruneviz.errors import InputError
from pruneviz.methods import get_method

SHORT = Settings(max_new_tokens=4, signals=False)
FULL = 256


def search(holds, grid) -> tuple[BreakPoint, int]:
    """Run the search on a rule instead of a model; the result and the number of runs."""
    matches, runs = {count: holds(count) for count in grid}, 0
    while (count := next_count(break_point(matches, FULL))) is not None:
        matches[count] = holds(count)
        runs += 1
    return break_point(matches, FULL), runs


@pytest.mark.parametrize("threshold", [1, 2, 5, 6, 37, 64, 65, 128, 255, 256])
def test_a_monotone_answer_is_found_to_one_token(threshold) -> None:
    grid = [int(FULL * ratio) for ratio in RATIOS]
    found, runs = search(lambda count: count >= threshold, grid)
    assert found == BreakPoint(threshold, threshold - 1)
    assert found.resolved
    assert runs <= 7


def test_an_answer_that_comes_back_is_reported() -> None:
    found, _ = search(lambda count: count >= 100 or 20 <= count <= 40, [256, 128, 64, 32, 16])
    assert found.kept == 100
    assert 32 in found.holds_below


def test_the_break_point_needs_every_larger_count_to_hold() -> None:
    found = break_point({256: True, 128: False, 64: True, 32: True}, FULL)
    assert (found.kept, found.fails_at, found.holds_below) == (256, 128, (32, 64))
    assert next_count(found) == 192


def test_nothing_run_yet() -> None:
    assert break_point({}, FULL) == BreakPoint(FULL, 0)


def test_a_band_is_of_all_its_draws(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    *_, last = sweep(session, prepared, ["random"], [0.0625], SHORT, draws=4)
    (band,) = last.result.chance
    alone = [
        session.compare(prepared, get_method("random", keep_ratio=0.0625, seed=seed), SHORT)
        for seed in range(4)
    ]
    found = sorted(one.fidelity.answer_logprob for one in alone)
    assert band.answer_logprob == pytest.approx((found[0], sum(found[1:3]) / 2, found[3]), abs=1e-4)
    assert band.same == sum(one.fidelity.exact_match for one in alone)
    assert len(last.result.to_dict()["chance"]) == 1


def test_tokens_that_stand_for_no_patch_are_counted(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    *_, last = sweep(session, prepared, ["visionzip"], [0.25, 0.125], SHORT)
    (curve,) = last.result.curves
    assert [p.kept for p in curve.points if not p.searched] == [64, 32]
    assert curve.break_point.resolved
    assert last.result.chance == ()


def test_a_sweep_on_the_model(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    ratios, names = [1.0, 0.5, 0.25], ["transprune", "random"]
    events = list(sweep(session, prepared, names, ratios, SHORT, draws=3))
    last = events[-1]
    assert last.kind == "done"
    drawn = 2 * (3 - 1)
    assert last.done == last.total == sum(len(c.points) for c in last.result.curves) + drawn
    assert [c.name for c in last.result.curves] == names
    for curve in last.result.curves:
        asked = [p for p in curve.points if not p.searched]
        assert [p.keep_ratio for p in asked] == ratios
        assert [p.kept for p in asked] == [256, 128, 64]
        assert [p.kept for p in curve.points] == sorted({p.kept for p in curve.points})[::-1]
        top = curve.points[0]
        assert top.exact_match
        assert top.first_token_kl == 0.0
        assert all(p.largest_kl >= p.first_token_kl for p in curve.points)
        # Where the answers part, and nothing where they do not: the numbers that Ask shows.
        assert [p.parting_kl is None for p in curve.points] == [p.exact_match for p in curve.points]
        assert top.flops_share == 1.0
        assert top.answer_logprob == pytest.approx(last.result.baseline_logprob, abs=1e-5)
        found = curve.break_point
        assert found.resolved
        matches = curve.matches
        assert all(same for count, same in matches.items() if count >= found.kept)
        assert found.fails_at == 0 or not matches[found.fails_at]
        assert matches[found.kept]
    bands = last.result.chance
    assert [(b.kept, b.draws) for b in bands] == [(256, 3), (128, 3), (64, 3)]
    assert bands[0].same == 3
    curve = last.result.curves[1]
    for band in bands:
        (own,) = (p for p in curve.points if p.kept == band.kept and not p.searched)
        low, middle, high = band.answer_logprob
        assert low <= middle <= high
        assert low <= own.answer_logprob <= high
    average = {p.kept: p.layer_average for p in last.result.curves[0].points}
    assert average[64] > 64, "TransPrune keeps more in its first layers"
    done = [e.done for e in events]
    assert done == sorted(done)


def test_ratios_that_leave_nothing_are_named(session, picture) -> None:
    prepared = session.prepare(picture, "Where is the cat?")
    *_, last = sweep(session, prepared, ["uniform"], [0.5, 0.001], SHORT)
    (curve,) = last.result.curves
    assert curve.skipped == (0.001,)
    assert last.result.to_dict()["methods"][0]["skipped"] == (0.001,)


def test_equal_counts_must_both_hold() -> None:
    same = Point("uniform", 0.5, 128, 128.0, 0.5, 0.8, True, 0.0, 0.0, -0.1, "a cat")
    curve = Curve("uniform", "Uniform").with_point(same)
    assert curve.matches == {128: True}
    other = replace(same, keep_ratio=0.501, exact_match=False)
    assert curve.with_point(other).matches == {128: False}


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        ([], "at least one"),
        ("0.5", "at least one"),
        (0.5, "at least one"),
        ([0.5, 0], "above 0"),
        ([float("nan")], "above 0"),
        ([2], "up to 1"),
        (["half"], "above 0"),
        ([k / 100 for k in range(1, MAX_RATIOS + 2)], "at most"),
    ],
)
def test_bad_ratios(ratios, words) -> None:
    with pytest.raises(ValueError, match=words):
        check_ratios(ratios)


def test_too_many_runs_are_refused(session, picture, monkeypatch) -> None:
    monkeypatch.setattr("pruneviz.engine.sweeps.MAX_RUNS", 9)
    prepared = session.prepare(picture, "Where is the cat?")
    with pytest.raises(InputError, match="more than 9"):
        next(sweep(session, prepared, ["random"], [0.5], SHORT))
