"""A run that starts from the unpruned run's first layers is bit for bit the whole one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from pruneviz import FastV, PyramidDrop, Random, TransPrune, observe, prune
from pruneviz.methods import Method
from pruneviz.models import find_adapter
from pruneviz.pruning import host_of
from pruneviz.pruning.prefix import Prefix, Reach
from pruneviz.pruning.sharing import Sharing
from tests.helpers import BACKENDS, LAYERS, MODELS, NUM_PATCHES, prompt, tiny
from tests.matrix import matrix
from tests.pruning.settings import METHODS, RATIOS, SIZED, runs_on, sized
from tests.removal import generate

POSITIONS = ("renumber", "keep")
IN_LLM = [name for name, method in METHODS.items() if method.stages()[0].layer > 0]
SIGNALS = ("ttv", "iga", "residual")


def reach_of(model: Any, method: Method) -> Reach:
    resolved = method.on(host_of(model, find_adapter(model)))
    return Reach.of(resolved, LAYERS, NUM_PATCHES)


def decoder_of(model: Any) -> Any:
    return find_adapter(model).decoder(model)


@contextmanager
def counting_attention(model: Any) -> Any:
    """The indices of the layers that really compute attention over the prompt."""
    ran: list[int] = []
    handles = []
    for index, layer in enumerate(decoder_of(model).layers):

        def on_projection(_: Any, args: Any, index: int = index) -> None:
            if args[0].shape[1] > 1:
                ran.append(index)

        handles.append(layer.self_attn.o_proj.register_forward_pre_hook(on_projection))
    try:
        yield ran
    finally:
        for handle in handles:
            handle.remove()


def observed(model: Any, case: Any, reach: Reach) -> Prefix:
    """What an unpruned run leaves."""
    sharing = Sharing(decoder_of(model), reach, Prefix())
    with sharing.attached(), observe(model, record=(), **case.prune_kwargs):
        generate(model, case)
    return sharing.prefix


def run(model: Any, case: Any, method: Method, sharing: Sharing, **settings: Any) -> Any:
    with (
        sharing.attached(),
        counting_attention(model) as ran,
        prune(model, method, count_flops=True, **settings, **case.prune_kwargs) as found,
    ):
        made = generate(model, case)
    return made, found, ran


def same(ours: Any, wanted: Any) -> None:
    """Answers, logits, caches, choices and counts of two runs."""
    (made, found, _), (whole, plain, _) = ours, wanted
    assert torch.equal(made.sequences, whole.sequences)
    assert torch.equal(torch.stack(made.logits), torch.stack(whole.logits))
    for mine, other in zip(made.past_key_values.layers, whole.past_key_values.layers, strict=True):
        assert torch.equal(mine.keys, other.keys)
        assert torch.equal(mine.values, other.values)
    assert found.trace.kv_lengths == plain.trace.kv_lengths
    assert found.scoring_flops == plain.scoring_flops
    for stage, other in zip(found.trace.stages, plain.trace.stages, strict=True):
        assert np.array_equal(stage.kept, other.kept)
        assert np.array_equal(stage.scores, other.scores)
        for name, part in stage.components.items():
            assert np.array_equal(part, other.components[name])


@matrix(
    lambda kind, name, *_: runs_on(kind, METHODS[name]),
    kind=MODELS,
    name=IN_LLM,
    backend=BACKENDS,
    positions=POSITIONS,
)
def test_from_the_baseline_on(kind: str, name: str, backend: str, positions: str) -> None:
    model, case, method = tiny(kind, backend), prompt(kind), METHODS[name]
    reach = reach_of(model, method)
    known = observed(model, case, reach)
    first = method.stages()[0].layer
    assert reach.start == first == known.covers(reach)
    nothing = Sharing(decoder_of(model), Reach(), Prefix())
    wanted = run(model, case, method, nothing, positions=positions)
    assert wanted[2] == list(range(LAYERS))
    sharing = Sharing(decoder_of(model), reach, known)
    ours = run(model, case, method, sharing, positions=positions)
    same(ours, wanted)
    assert ours[2] == list(range(first, LAYERS))
    assert sharing.prefix.cache[0][0] is known.cache[0][0], "the cache was copied"
    # The known tensors must be as good for the next run.
    again = run(model, case, method, Sharing(decoder_of(model), reach, known), positions=positions)
    same(again, wanted)


@matrix(lambda kind, name, *_: runs_on(kind, METHODS[name]), kind=MODELS, name=IN_LLM)
def test_signals_after_the_shared_layers_are_the_same(kind: str, name: str) -> None:
    model, case, method = tiny(kind), prompt(kind), METHODS[name]
    reach = reach_of(model, method)
    nothing = Sharing(decoder_of(model), Reach(), Prefix())
    wanted = run(model, case, method, nothing, record=SIGNALS)
    known = observed(model, case, reach)
    ours = run(model, case, method, Sharing(decoder_of(model), reach, known), record=SIGNALS)
    same(ours, wanted)
    for signal in SIGNALS:
        mine, other = (found[1].trace.signals[signal][reach.start :] for found in (ours, wanted))
        assert np.array_equal(mine, other, equal_nan=True)


@matrix(
    lambda kind, name: runs_on(kind, METHODS[name]) and not METHODS[name].merges,
    kind=MODELS,
    name=[name for name in METHODS if name in SIZED or name in ("random", "divprune", "fopru")],
)
def test_where_all_is_kept_every_layer_is_shared(kind: str, name: str) -> None:
    model, case = tiny(kind), prompt(kind)
    method = sized(name, keep_ratio=1.0)
    reach = reach_of(model, method)
    assert reach.start == LAYERS
    nothing = Sharing(decoder_of(model), Reach(), Prefix())
    wanted = run(model, case, method, nothing)
    known = observed(model, case, reach)
    ours = run(model, case, method, Sharing(decoder_of(model), reach, known))
    same(ours, wanted)
    assert ours[2] == []


def test_a_pruned_run_leaves_what_the_next_one_needs() -> None:
    """Another ratio of the same method starts where the first one began to drop."""
    model, case = tiny("llama_gqa"), prompt("llama_gqa")
    many, few = (PyramidDrop(prune_layers=(3, 5), keep_ratios=r) for r in ((0.9, 0.5), (0.3, 0.1)))
    first = Sharing(decoder_of(model), reach_of(model, many), Prefix())
    assert run(model, case, many, first)[2] == list(range(LAYERS))
    second = Sharing(decoder_of(model), reach_of(model, few), first.prefix)
    ours = run(model, case, few, second)
    assert ours[2] == [3, 4, 5]
    same(ours, run(model, case, few, Sharing(decoder_of(model), Reach(), Prefix())))


def test_the_nearest_known_layer_serves_where_the_one_wanted_is_not_known() -> None:
    model, case = tiny("llama"), prompt("llama")
    early, late = FastV(prune_layer=2, keep_ratio=0.5), FastV(prune_layer=4, keep_ratio=0.5)
    known = observed(model, case, reach_of(model, early))
    sharing = Sharing(decoder_of(model), reach_of(model, late), known)
    ours = run(model, case, late, sharing)
    assert ours[2] == [2, 3, 4, 5]
    same(ours, run(model, case, late, Sharing(decoder_of(model), Reach(), Prefix())))
    assert sharing.prefix.covers(reach_of(model, late)) == 4
    assert sharing.prefix.covers(reach_of(model, early)) == 2


def test_a_stage_that_drops_sooner_than_it_said_ends_the_sharing() -> None:
    """A method's counts are what it foresees; what happens is what counts."""
    model, case = tiny("llama"), prompt("llama")
    method = Random(keep_tokens=7)
    known = observed(model, case, Reach(LAYERS, frozenset({LAYERS - 1})))
    lying = Sharing(decoder_of(model), Reach(LAYERS, frozenset({LAYERS - 1})), known)
    ours = run(model, case, method, lying)
    assert ours[2] == list(range(LAYERS))
    same(ours, run(model, case, method, Sharing(decoder_of(model), Reach(), Prefix())))
    assert lying.prefix.outputs.keys() == known.outputs.keys()


def test_an_error_leaves_the_layers_as_they_were() -> None:
    model, case = tiny("llama"), prompt("llama")
    reach = reach_of(model, TransPrune(prune_layers=(2, 3, 5), keep_ratios=RATIOS))
    known = observed(model, case, reach)

    def fails(*_: Any) -> None:
        raise RuntimeError("in between")

    handle = decoder_of(model).layers[3].register_forward_pre_hook(fails)
    try:
        sharing = Sharing(decoder_of(model), reach, known)
        with sharing.attached(), pytest.raises(RuntimeError, match="in between"):
            model(**case.inputs)
    finally:
        handle.remove()
    assert not any("forward" in vars(module) for module in model.modules())
    before = model(**case.inputs).logits
    with Sharing(decoder_of(model), reach, known).attached():
        assert torch.equal(model(**case.inputs).logits, before)


@pytest.mark.parametrize(
    ("method", "reach"),
    [
        (Random(keep_ratio=0.5), Reach()),
        (Random(keep_ratio=1.0), Reach(6, frozenset({5}))),
        (FastV(prune_layer=2, keep_ratio=0.5), Reach(2, frozenset({1}), frozenset({1}))),
        (
            TransPrune(prune_layers=(2, 4), keep_ratios=(0.5, 0.2), accumulate_layers=(1, 2, 3, 4)),
            Reach(2, frozenset({1}), frozenset({0, 1})),
        ),
        (
            PyramidDrop(prune_layers=(1, 3), keep_ratios=(1.0, 0.5)),
            Reach(3, frozenset({0, 2})),
        ),
    ],
)
def test_reach(method: Method, reach: Reach) -> None:
    assert Reach.of(method, LAYERS, NUM_PATCHES) == reach


def test_what_is_read_in_a_layer_must_be_known_too() -> None:
    """One method asks the attention of the layer before its stage, another only its output."""
    model, case = tiny("llama"), prompt("llama")
    output = PyramidDrop(prune_layers=(2, 4), keep_ratios=(0.5, 0.2))
    attention = FastV(prune_layer=2, keep_ratio=0.5)
    known = observed(model, case, reach_of(model, output))
    assert known.covers(reach_of(model, output)) == 2
    assert known.covers(reach_of(model, attention)) == 0
    ours = run(
        model, case, attention, Sharing(decoder_of(model), reach_of(model, attention), known)
    )
    same(ours, run(model, case, attention, Sharing(decoder_of(model), Reach(), Prefix())))
