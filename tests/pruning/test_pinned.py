"""Pins: honoured at every stage, within the method's budget, and nothing else is different."""

from __future__ import annotations

import pytest
import torch

from pruneviz import Chain, FastV, Pinned, Random, TransPrune, best_dropped, give_back, prune
from tests.helpers import (
    LAYERS,
    MODELS,
    NUM_PATCHES,
    alive_columns,
    close,
    left_padded,
    masked_run,
    prompt,
    tiny,
)
from tests.matrix import matrix
from tests.pruning.settings import METHODS, PICKING, fits

KEEP, DROP = (0, 7, 35), (3, 12, 20)


def traced(kind, method, **settings):
    model, case = tiny(kind), prompt(kind)
    with prune(model, method, **settings, **case.prune_kwargs) as run:
        logits = model(**case.inputs).logits[0]
    return logits, run.trace


def honoured(kind, method) -> None:
    """Within the method's budget, and nothing else is different."""
    _, plain = traced(kind, method)
    _, trace = traced(kind, Pinned(method, KEEP, DROP))
    assert [len(s.kept) for s in trace.stages] == [len(s.kept) for s in plain.stages]
    for stage in trace.stages:
        assert set(KEEP) <= set(stage.kept.tolist())
        assert not set(DROP) & set(stage.kept.tolist())
    assert set(DROP) <= set(trace.stages[0].dropped.tolist())
    first, unpinned = trace.stages[0], plain.stages[0]
    assert first.scores.tolist() == unpinned.scores.tolist(), "the method's own scores"
    assert first.method == unpinned.method
    forced = set(KEEP) - set(unpinned.kept.tolist())
    assert not forced or f"{len(forced)} kept by hand" in " ".join(first.notes)
    assert trace.parameters["keep"] == list(KEEP)


def removed(kind, method) -> None:
    """Removing what is pinned equals masking it."""
    model, case = tiny(kind), prompt(kind)
    logits, trace = traced(kind, Pinned(method, KEEP, DROP), positions="keep")
    alive = alive_columns(case.visual[0], trace, LAYERS)
    wanted = masked_run(model, case.embeds, alive, False, case.positions, case.added)
    assert close(logits, wanted[alive[-1]])


def unchanged(kind, method) -> None:
    """Without pins nothing is different."""
    logits, plain = traced(kind, method)
    ours, trace = traced(kind, Pinned(method))
    assert torch.equal(ours, logits)
    assert [s.kept.tolist() for s in trace.stages] == [s.kept.tolist() for s in plain.stages]
    assert all(a.notes == b.notes for a, b in zip(trace.stages, plain.stages, strict=True))


@matrix(fits, kind=MODELS, name=PICKING, check=(honoured, removed, unchanged))
def test_pins(kind, name, check) -> None:
    check(kind, METHODS[name])


def test_keeping_everything_without_drops_is_the_baseline() -> None:
    model, case = tiny("llama"), prompt("llama")
    method = Pinned(TransPrune.at(1.0, LAYERS), KEEP)
    assert torch.equal(traced("llama", method)[0], model(**case.inputs).logits[0])


def test_the_rest_is_filled_by_score() -> None:
    method = FastV(prune_layer=2, keep_tokens=10)
    _, plain = traced("llama", method)
    order = plain.keep_order.tolist()
    worst, best = order[-1], order[0]
    _, trace = traced("llama", Pinned(method, keep=[worst], drop=[best]))
    assert sorted(trace.kept.tolist()) == sorted([worst, *order[1:10]])
    _, one = traced("llama", Pinned(method, drop=[best]))
    assert sorted(one.kept.tolist()) == sorted(order[1:11])


def test_more_pins_than_the_budget_raise_it_and_many_drops_lower_it() -> None:
    method = Random(keep_tokens=4)
    _, trace = traced("llama", Pinned(method, keep=range(9)))
    assert trace.kept.tolist() == list(range(9))
    assert "9 in all instead of 4" in trace.stages[0].notes[0]
    _, few = traced("llama", Pinned(method, drop=range(34)))
    assert few.kept.tolist() == [34, 35]
    assert "2 in all instead of 4" in few.stages[0].notes[0]


@pytest.mark.parametrize("name", ["transprune", "fastv", "chain", "resprune", "uniform"])
def test_giving_back(name) -> None:
    method = METHODS[name]
    _, plain = traced("llama", method)
    back = best_dropped(plain, 3)
    assert len(set(back)) == 3
    assert not set(back) & set(plain.kept.tolist())
    last = plain.stages[-1]
    fell = {token: last.scores[list(last.alive).index(token)] for token in last.dropped.tolist()}
    assert fell[back[0]] == max(fell.values())
    more = give_back(method, plain, 3)
    _, trace = traced("llama", more)
    assert set(back) <= set(trace.kept.tolist())
    assert len(trace.kept) == len(plain.kept) + 3
    again = give_back(more, trace, 2)
    assert (again.extra, len(again.keep)) == (5, 5)
    assert len(traced("llama", again)[1].kept) == len(plain.kept) + 5


def test_what_was_dropped_by_hand_is_not_given_back() -> None:
    method = Pinned(FastV(prune_layer=2, keep_tokens=10), drop=range(20))
    _, trace = traced("llama", method)
    assert set(best_dropped(trace, 100)) == set(range(20, 36)) - set(trace.kept.tolist())
    with pytest.raises(ValueError, match="whole number"):
        best_dropped(trace, -1)


def test_every_row_of_a_batch_is_pinned() -> None:
    model = tiny("llama")
    single = [prompt("llama", seed=1), prompt("llama", seed=2, after=4)]
    batch = left_padded(single)
    method = Pinned(TransPrune.at(0.25, LAYERS), KEEP, DROP)
    with prune(model, method, visual_mask=batch.visual) as run:
        model(**batch.inputs)
    together = run.traces
    for case, trace in zip(single, together, strict=True):
        with prune(model, method, visual_mask=case.visual) as run:
            model(**case.inputs)
        assert run.trace.kept.tolist() == trace.kept.tolist()
        assert set(KEEP) <= set(trace.kept.tolist())


@pytest.mark.parametrize(
    ("pins", "message"),
    [
        ({"keep": [NUM_PATCHES]}, "36 do not exist"),
        ({"drop": [99]}, "99 do not exist"),
        ({"drop": range(NUM_PATCHES)}, "leave at least one"),
    ],
)
def test_pins_beyond_the_image(pins, message) -> None:
    with pytest.raises(ValueError, match=message):
        traced("llama", Pinned(FastV(), **pins))


def test_a_pinned_chain_counts_from_the_chain() -> None:
    chain = Chain([Random(keep_tokens=12), FastV(prune_layer=2, keep_ratio=0.5)])
    _, trace = traced("llama", Pinned(chain, KEEP, DROP))
    assert [len(s.kept) for s in trace.stages] == [12, 6]
    assert [s.method for s in trace.stages] == ["random", "fastv"]
