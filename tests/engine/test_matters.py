"""What matters, on the embedded model: against single real runs; blocks, bounds, judging."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from pruneviz import get_method
from pruneviz.cost import ModelShape
from pruneviz.engine import (
    Effects,
    Session,
    Settings,
    judge,
    restore,
    what_giving_back_does,
    what_matters,
)
from pruneviz.engine.matters import Block, blocks_of
from pruneviz.engine.matters.batching import MOST, MOST_CPU, bytes_of_row, rows_at_once
from pruneviz.engine.matters.blocks import fitting
from pruneviz.errors import InputError
from pruneviz.geometry import PatchGrid
from pruneviz.methods import FastV, Pinned, Random, Uniform, VisionZip
from pruneviz.metrics import spearman
from pruneviz.trace import StageTrace, Trace

PLAIN = Settings(signals=False)
ZOO = "assets/examples/zoo.png"
COUNTING = "How many animals are there?"


@pytest.fixture(scope="module")
def zoo(session):
    return session.prepare(Image.open(ZOO), COUNTING)


@pytest.fixture(scope="module")
def taken(session, zoo):
    *_, last = what_matters(session, zoo, block=4)
    return last


@pytest.mark.parametrize("positions", ["keep", "renumber"])
def test_taking_away_is_what_single_runs_without_the_block_give(session, zoo, positions) -> None:
    """Of the largest effects, and of none: a run whose prompt really lacks those tokens."""
    *_, found = what_matters(session, zoo, block=4, positions=positions)
    strict = Session(session.loaded, positions=positions)
    prepared = strict.prepare(Image.open(ZOO), COUNTING)
    assert found.finished
    assert found.forwards == len(found.blocks) == 16
    for number in (*found.order[:3], found.order[-1]):
        method = Pinned(Uniform(keep_ratio=1.0), drop=found.blocks[number].tokens.tolist())
        alone = strict.compare(prepared, method, PLAIN)
        logprob = alone.fidelity.answer_logprob * len(found.token_ids)
        assert found.reference_logprob - found.values[number] == pytest.approx(logprob, abs=1e-4)
    whole = alone.fidelity.baseline_logprob * len(found.token_ids)
    assert found.reference_logprob == pytest.approx(whole, abs=1e-5)
    assert found.values.max() > 1.0


def test_the_map_grows_and_tells_where_everything_lies(session, zoo) -> None:
    *_, together = what_matters(session, zoo, block=8)
    states = list(what_matters(session, zoo, block=8, memory_bytes=0))
    assert [state.done for state in states] == list(range(5)), "no room: one at a time"
    np.testing.assert_allclose(states[-1].values, together.values, atol=1e-4)
    assert not states[0].finished
    assert np.isnan(states[0].per_token).all()
    spread = together.per_token.reshape(16, 16)
    for block, value in zip(together.blocks, together.values, strict=True):
        cells = spread[block.row : block.row + 8, block.column : block.column + 8]
        assert (cells == value).all()
    ordered = together.values[together.order]
    assert all(a >= b for a, b in pairwise(ordered))
    told = json.loads(json.dumps(states[3].to_dict(), allow_nan=False))
    assert [block["effect"] is None for block in told["blocks"]] == [False] * 3 + [True]


def test_stopping_leaves_the_session_free(session, zoo) -> None:
    running = what_matters(session, zoo, block=8, memory_bytes=0)
    next(running)
    next(running)
    other = threading.Thread(target=lambda: session.baseline(zoo, PLAIN))
    other.start()
    other.join(timeout=60)
    assert not other.is_alive(), "the model is kept between batches"
    running.close()
    assert session.compare(zoo, Random(keep_ratio=0.5), PLAIN).fidelity is not None


@pytest.mark.parametrize(
    "method",
    [
        Random(keep_tokens=12),
        Pinned(Random(keep_tokens=12), drop=(3,)),
    ],
    ids=["plain", "pinned"],
)
def test_giving_back_is_what_single_runs_with_the_block_give(session, zoo, method) -> None:
    done = session.compare(zoo, method, PLAIN)
    trace = done.pruned.trace
    *_, found = what_giving_back_does(session, zoo, method, trace, block=4)
    assert {t for b in found.blocks for t in b.tokens.tolist()} == (
        set(range(256)) - set(trace.kept.tolist())
    )
    count = len(found.token_ids)
    assert found.reference_logprob == pytest.approx(done.fidelity.answer_logprob * count, abs=1e-4)
    for number in found.order[[0, 1, -1]]:
        kept = np.union1d(trace.kept, found.blocks[number].tokens)
        # Whatever chose them: a run from which all others are gone in every layer.
        gone = np.setdiff1d(np.arange(256), kept).tolist()
        alone = session.compare(zoo, Pinned(Uniform(keep_ratio=1.0), drop=gone), PLAIN)
        logprob = alone.fidelity.answer_logprob * count
        assert found.reference_logprob + found.values[number] == pytest.approx(logprob, abs=2e-4)


def test_giving_back_to_a_run_that_prunes_late_changes_all_layers_and_nothing_else(
    session, zoo
) -> None:
    """Once nothing else is missing, what is given back makes the unpruned run."""
    method = FastV(prune_layer=5, keep_tokens=240)
    trace = session.compare(zoo, method, PLAIN).pruned.trace
    *_, found = what_giving_back_does(session, zoo, method, trace, block=16)
    whole = session.compare(zoo, Uniform(keep_ratio=1.0), PLAIN).fidelity.baseline_logprob
    assert len(found.blocks) == 1
    assert found.values[0] + found.reference_logprob == pytest.approx(
        whole * len(found.token_ids), abs=1e-5
    )


def test_what_cannot_be_given_back_is_refused(session, zoo) -> None:
    merging = VisionZip(keep_tokens=40)
    trace = session.compare(zoo, merging, PLAIN).pruned.trace
    with pytest.raises(InputError, match="VisionZip merges patches"):
        next(what_giving_back_does(session, zoo, merging, trace))
    whole = Uniform(keep_ratio=1.0)
    trace = session.compare(zoo, whole, PLAIN).pruned.trace
    with pytest.raises(InputError, match="Nothing was dropped"):
        next(what_giving_back_does(session, zoo, whole, trace))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"block": 1, "max_forwards": 255}, "256 forwards, more than the 255 .* blocks of 2 x 2"),
        ({"block": 0}, "side must be"),
        ({"block": 2.0}, "side must be"),
        ({"max_forwards": 0}, "from 1"),
        ({"positions": "gone"}, "keep"),
    ],
)
def test_bad_settings(session, zoo, settings, words) -> None:
    with pytest.raises(InputError, match=words):
        next(what_matters(session, zoo, **settings))


def test_the_finest_blocks_that_are_allowed(session, zoo) -> None:
    for most, side in ((256, 1), (255, 2), (64, 2), (63, 4), (1, 16)):
        assert fitting(zoo.grid, None, most)[0] == side


def test_blocks_cover_every_part_and_leave_out_what_has_no_place() -> None:
    whole = PatchGrid.regular((50, 30), 3, 5, (0, 0, 50, 30))
    first = replace(whole, token_cell=np.append(np.arange(15), [-1, *[-1] * 15]))
    second = replace(whole, token_cell=np.append([-1] * 16, np.arange(15)[::-1]))
    grid = replace(first, others=(second,))
    blocks = blocks_of(grid, 2)
    assert len(blocks) == 12
    covered = np.concatenate([block.tokens for block in blocks])
    assert sorted(covered.tolist()) == [n for n in range(31) if n != 15]
    assert blocks[0].tokens.tolist() == [0, 1, 5, 6]
    assert [(b.part, b.row, b.column) for b in blocks[:3]] == [(0, 0, 0), (0, 0, 2), (0, 0, 4)]
    assert [b.tokens.tolist() for b in blocks_of(grid, 2, np.array([6, 15, 30]))] == [[6], [30]]
    with pytest.raises(InputError, match="no patch"):
        fitting(grid, None, 9, np.array([15]))


def test_rows_are_bounded_in_bytes() -> None:
    shape = ModelShape(layers=2, hidden=8, intermediate=16, heads=2, kv_heads=1, head_dim=4,
                       vocabulary=10, value_bytes=2)  # fmt: skip
    plain = bytes_of_row(shape, 5, 7, 3, "sdpa")
    assert plain == 5 * (8 * 8 + 3 * 16) * 2 + 4 * 7 * 2 * 4 * 2 + 5 * 7 + 8 * 3 * 10
    assert bytes_of_row(shape, 5, 7, 3, "eager") - plain == 5 * 7 * (2 * 4 * 2 - 1)
    assert rows_at_once(plain, 3 * plain + 1, "cpu") == 3
    assert rows_at_once(plain, 0, "cpu") == 1
    assert rows_at_once(1, 10**9, "cpu") == MOST_CPU
    assert rows_at_once(1, 10**9, "cuda") == MOST


def effects(values: list[float], noise: float = 0.0, kind: str = "taken") -> Effects:
    """A map of so many single patches in a row."""
    blocks = tuple(Block(0, 0, n, np.array([n])) for n in range(len(values)))
    return Effects(kind, "?", "!", (5, 2), "", len(values), 1, "keep", -0.5, noise, blocks,
                   np.array(values))  # fmt: skip


def one_stage(scores: list[float], kept: list[int]) -> Trace:
    number = len(scores)
    stage = StageTrace(0, "random", np.arange(number), np.array(kept),
                       np.array(scores, dtype=np.float32))  # fmt: skip
    return Trace("random", {}, "keep", number, 3, (stage,), (len(kept),) * 2, (9, 9))


def test_a_judgement() -> None:
    found = judge(
        effects([3.0, -1.0, 2.0, 0.05, 0.5, np.nan], noise=0.1),
        one_stage([0.9, 0.8, 0.1, 0.2, 0.3, 7.0], [0, 1]),
        k=10,
        title="Mine",
    )
    assert found.top == (0, 2, 4), "what rounding could be does not matter"
    assert found.dropped == (2, 4)
    assert found.favourites == (0, 1, 4), "the method's own best among those tried"
    assert found.shared == (0, 4)
    assert found.overlap == pytest.approx(2 / 3)
    assert found.sentence == "Mine drops 2 of the 3 patches that matter most."
    assert found.correlation == pytest.approx(0.1)
    assert found.strongest == 3.0
    json.dumps(found.to_dict(), allow_nan=False)
    two = judge(effects([3.0, -1.0, 2.0]), one_stage([1, 2, 3], [0, 2]), k=2)
    assert two.sentence == "random drops 0 of the 2 patches that matter most."


def test_judgements_say_when_there_is_little_to_say() -> None:
    trace = one_stage([1.0, 1.0, 1.0], [0])
    none = judge(effects([-1.0, 0.0, -2.0]), trace)
    assert none.sentence.startswith("No patch matters by itself")
    assert none.overlap is None
    assert (none.by, none.favourites) == ("kept", ()), "equal scores order nothing"
    faint = judge(effects([1e-4, 0.0, -2.0]), trace)
    assert faint.top == (), "a hundredth of the probability is nothing"
    assert faint.sentence.startswith("No patch matters by itself")
    assert "0.0001 nats less" in faint.sentence
    assert judge(effects([0.5, 0.5, 0.5]), trace).correlation is None
    unknown = judge(effects([np.nan] * 3), trace)
    assert (unknown.top, unknown.strongest) == ((), 0.0)


def test_scores_that_say_no_more_than_who_is_kept_are_the_kept_set() -> None:
    measured = effects([3.0, 2.0, -1.0, 0.5])
    kept = judge(measured, one_stage([0.0, 1.0, 0.0, 1.0], [1, 3]))
    assert (kept.by, kept.opinion) == ("kept", "what it keeps")
    assert kept.correlation == pytest.approx(spearman([0, 1, 0, 1], measured.values))
    assert (kept.favourites, kept.shared, kept.overlap) == ((), (), None)
    assert (kept.top, kept.dropped) == ((0, 1, 3), (0,))
    scored = judge(measured, one_stage([0.0, 2.0, 0.0, 1.0], [1, 3]))
    assert (scored.by, scored.favourites) == ("scores", (1, 3, 0))
    # A merged token stands for its group: where it lies is no opinion.
    trace = one_stage([1.0] * 4, [1, 3])
    merged = replace(trace.stages[0], into=np.array([1, 1, 3, 3]))
    assert judge(measured, replace(trace, stages=(merged,))).correlation is None


def test_blocks_are_dropped_when_nothing_of_them_is_left(taken) -> None:
    best = taken.blocks[taken.order[0]].tokens
    others = np.setdiff1d(np.arange(256), best)
    scores = np.arange(256.0)
    whole = one_stage(scores.tolist(), others.tolist())
    assert judge(taken, whole).dropped == (taken.order[0],)
    one_left = one_stage(scores.tolist(), [*others.tolist(), int(best[0])])
    found = judge(taken, one_left)
    assert found.dropped == ()
    assert "blocks of 4 x 4 patches" in found.sentence
    np.testing.assert_allclose(found.scores, [scores[b.tokens].mean() for b in taken.blocks])


def test_later_stages_are_judged_by_what_they_saw(session, zoo, taken) -> None:
    method = get_method("pyramiddrop", num_layers=session.num_layers, keep_ratio=0.2)
    trace = session.compare(zoo, method, PLAIN).pruned.trace
    last = judge(taken, trace, stage=len(trace.stages) - 1)
    alive = [np.isin(block.tokens, trace.stages[-1].alive).any() for block in taken.blocks]
    assert np.isfinite(last.scores).tolist() == alive
    assert last.layer == trace.stages[-1].layer
    assert last.dropped == judge(taken, trace).dropped
    with pytest.raises(InputError, match="3 stages, none of number 4"):
        judge(taken, trace, stage=3)
    with pytest.raises(InputError, match="from 1"):
        judge(taken, trace, k=0)
    with pytest.raises(InputError, match="3 visual tokens"):
        judge(taken, one_stage([1, 2, 3], [1]))


def test_what_restores_the_answer_is_verified_by_a_real_run(session) -> None:
    prepared = session.prepare(Image.open("assets/examples/farm.png"), "Which vehicle is there?")
    method = Random(keep_tokens=7)
    done = session.compare(prepared, method, PLAIN)
    assert not done.fidelity.exact_match, "the test needs a lost answer"
    *_, given = what_giving_back_does(session, prepared, method, done.pruned.trace, block=2)
    states = list(restore(session, prepared, method, given))
    last = states[-1]
    assert last.finished
    assert last.minimal
    assert last.runs == len(states) - 1
    assert set(last.tokens) <= set(range(256)) - set(done.pruned.trace.kept.tolist())
    again = session.compare(prepared, last.method, PLAIN)
    assert again.fidelity.exact_match
    assert set(again.pruned.trace.kept) == {*done.pruned.trace.kept, *last.tokens}
    for left_out in last.blocks:
        rest = [n for n in last.blocks if n != left_out]
        tokens = [t for n in rest for t in given.blocks[n].tokens.tolist()]
        fewer = session.compare(prepared, Pinned(method, keep=tokens, extra=len(tokens)), PLAIN)
        assert not fewer.fidelity.exact_match
    json.dumps(last.to_dict(), allow_nan=False)


def test_the_search_is_bounded_and_says_that_it_found_nothing(session, zoo) -> None:
    method = Uniform(keep_tokens=7)
    done = session.compare(zoo, method, PLAIN)
    assert not done.fidelity.exact_match, "the test needs a lost answer"
    *_, given = what_giving_back_does(session, zoo, method, done.pruned.trace, block=8)
    harmful = replace(given, values=-np.abs(given.values))
    *_, last = restore(session, zoo, method, harmful)
    assert (last.tokens, last.method, last.runs, last.minimal) == (None, None, 1, False)
    hopeful = replace(given, values=np.abs(given.values) + 1.0)
    *_, last = restore(session, zoo, method, hopeful, max_runs=2)
    assert last.runs == 2
    assert last.finished
    with pytest.raises(InputError, match="not of taking"):
        next(restore(session, zoo, method, replace(given, kind="taken")))
    with pytest.raises(InputError, match="from 1"):
        next(restore(session, zoo, method, given, max_runs=0))


def test_nothing_need_be_given_back_where_the_answer_is_there(session, zoo) -> None:
    method = Uniform(keep_tokens=250)
    done = session.compare(zoo, method, PLAIN)
    *_, given = what_giving_back_does(session, zoo, method, done.pruned.trace, block=8)
    *_, last = restore(session, zoo, method, given)
    assert (last.tokens, last.blocks, last.runs, last.minimal) == ((), (), 1, True)
