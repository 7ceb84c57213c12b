"""What methods read and what traces record, against independent computations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from pruneviz import (
    Chain,
    FastV,
    FoPru,
    PyramidDrop,
    ResPrune,
    SparseVLM,
    TransPrune,
    observe,
    ops,
    prune,
)
from pruneviz.methods import Method, Scores, Stage, StageContext
from tests.helpers import (
    BACKENDS,
    LAYERS,
    LLAVA_MODELS,
    MODELS,
    NUM_PATCHES,
    hook_count,
    left_padded,
    prompt,
    stack_of,
    tiny,
)
from tests.pruning.settings import METHODS


def normalised(values: torch.Tensor) -> np.ndarray:
    return (values / values.sum()).numpy()


def module_pairs(model: Any, inputs: dict[str, torch.Tensor]) -> list[list[tuple[Any, Any]]]:
    """For every layer, input and output of attention and of the FFN in a baseline run."""
    pairs: list[list[tuple[Any, Any]]] = []
    handles = []
    for layer in stack_of(model).layers:
        mine: list[tuple[Any, Any]] = []
        pairs.append(mine)

        def attention(_: Any, args: Any, kwargs: Any, out: Any, mine: Any = mine) -> None:
            mine.append((kwargs["hidden_states"], out[0]))

        def mlp(_: Any, args: Any, out: Any, mine: Any = mine) -> None:
            mine.append((args[0], out))

        handles.append(layer.self_attn.register_forward_hook(attention, with_kwargs=True))
        handles.append(layer.mlp.register_forward_hook(mlp))
    model(**inputs)
    for handle in handles:
        handle.remove()
    return pairs


def ttv_of(pairs: list[tuple[Any, Any]], direction: str = "one_minus_cos") -> torch.Tensor:
    return sum(ops.token_transition(a, b, direction)[0] for a, b in pairs)  # type: ignore[return-value]


@pytest.mark.parametrize("kind", MODELS)
def test_first_stage_scores_of_transprune(kind: str) -> None:
    """TTV of layers 1 and 2 and the third layer's attention, all from the baseline."""
    model, case = tiny(kind, "eager"), prompt(kind)
    attentions = model(**case.inputs, output_attentions=True).attentions
    pairs = module_pairs(model, case.inputs)
    method = TransPrune(prune_layers=(2,), keep_ratios=(0.5,), accumulate_layers=(1, 2))
    with prune(model, method, **case.prune_kwargs) as run:
        model(**case.inputs)
    (stage,) = run.trace.stages
    # Text between the tokens of one image is neither image nor question.
    image = case.visual[0].nonzero().squeeze(-1)
    ttv = normalised((ttv_of(pairs[0]) + ttv_of(pairs[1]))[image])
    iga = normalised(attentions[2][0].mean(0)[int(image[-1]) + 1 :, image].mean(0))
    np.testing.assert_allclose(stage.components["ttv"], ttv, rtol=1e-4)
    np.testing.assert_allclose(stage.components["iga"], iga, rtol=1e-3)
    np.testing.assert_allclose(stage.scores, 0.5 * ttv + 0.5 * iga, rtol=1e-3)
    assert stage.kept.tolist() == sorted(np.argsort(-stage.scores, kind="stable")[:18].tolist())


@pytest.mark.parametrize("kind", ["llama_gqa", "qwen2"])
def test_attention_methods_read_the_right_layer_and_row(kind: str) -> None:
    model, case = tiny(kind, "eager"), prompt(kind)
    attentions = model(**case.inputs, output_attentions=True).attentions
    image = slice(3, 3 + NUM_PATCHES)
    for method, layer in (
        (FastV(prune_layer=2), 1),
        (PyramidDrop(prune_layers=(2,), keep_ratios=(0.5,)), 2),
    ):
        with prune(model, method, **case.prune_kwargs) as run:
            model(**case.inputs)
        wanted = attentions[layer][0].mean(0)[-1, image]
        np.testing.assert_allclose(run.trace.stages[0].scores, wanted.numpy(), rtol=1e-3)


@pytest.mark.parametrize("kind", ["llama_gqa", "llava_clip", "qwen25_vl"])
def test_sparsevlm_is_rated_by_the_text_that_matches_the_picture(kind: str) -> None:
    model, case = tiny(kind, "eager"), prompt(kind)
    attentions = model(**case.inputs, output_attentions=True).attentions
    image, text = slice(3, 3 + NUM_PATCHES), slice(3 + NUM_PATCHES, None)
    # Word by word, from the definition.
    match = [
        sum(
            float((case.embeds[0, i] @ case.embeds[0, text].T).softmax(-1)[t])
            for i in range(image.start, image.stop)
        )
        for t in range(case.embeds.shape[1] - image.stop)
    ]
    raters = [image.stop + t for t, value in enumerate(match) if value > sum(match) / len(match)]
    assert 0 < len(raters) < len(match)
    method = SparseVLM(prune_layers=(2, 4), keep_ratios=(0.5, 0.25))
    with prune(model, method, **case.prune_kwargs) as run:
        model(**case.inputs)
    wanted = attentions[1][0].mean(0)[raters][:, image].mean(0)
    np.testing.assert_allclose(run.trace.stages[0].scores, wanted.numpy(), rtol=1e-3)
    assert [len(stage.kept) for stage in run.trace.stages] == [18, 9]


@dataclass(frozen=True, kw_only=True)
class Ahead(FastV):
    """Asks the layer that has not run yet, then the one that has."""

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        ahead, own = context.attention("last"), context.attention("last", own_layer=True)
        return Scores(own, {"ahead": ahead, "own": own})


@pytest.mark.parametrize("kind", ["llama_gqa", "qwen3_vl"])
def test_a_layer_may_be_asked_before_it_runs(kind: str) -> None:
    """What it answers is not taken for what the layer before it asked with."""
    model, case = tiny(kind, "eager"), prompt(kind)
    attentions = model(**case.inputs, output_attentions=True).attentions
    method = Ahead(prune_layer=4, keep_ratio=0.5)
    with prune(model, method, record=("iga",), **case.prune_kwargs) as run:
        model(**case.inputs)
    components = run.trace.stages[0].components
    for name, layer in (("own", 3), ("ahead", 4)):
        wanted = attentions[layer][0].mean(0)[-1, case.visual[0]]
        np.testing.assert_allclose(components[name], wanted.numpy(), rtol=1e-3)


def test_alpha_and_signal_are_two_ways_to_say_one_thing() -> None:
    model, case = tiny("llama"), prompt("llama")

    def kept(**settings: Any) -> list[list[int]]:
        method = TransPrune(prune_layers=(2, 4), keep_ratios=(0.6, 0.3), **settings)
        with prune(model, method, visual_mask=case.visual) as run:
            model(**case.inputs)
        return [stage.kept.tolist() for stage in run.trace.stages]

    assert kept(alpha=1.0) == kept(signal="ttv") != kept()
    assert kept(alpha=0.0) == kept(signal="iga") != kept()
    drop = PyramidDrop(prune_layers=(2, 4), keep_ratios=(0.6, 0.3))
    with prune(model, drop, visual_mask=case.visual) as run:
        model(**case.inputs)
    same = [stage.kept.tolist() for stage in run.trace.stages]
    assert kept(alpha=0.0, queries="last") == same
    variants = [kept(**v) for v in ({}, {"direction": "one_minus_abs_cos"}, {"part": "magnitude"})]
    variants += [kept(part="direction"), kept(accumulate=False), kept(normalise="none")]
    assert len({str(v) for v in variants}) == len(variants)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_alpha_is_the_weight_of_ttv(alpha: float) -> None:
    model, case = tiny("llama"), prompt("llama")
    method = TransPrune(prune_layers=(2, 4), keep_ratios=(0.6, 0.3), alpha=alpha)
    with prune(model, method, visual_mask=case.visual) as run:
        model(**case.inputs)
    for stage in run.trace.stages:
        ttv, iga = stage.components["ttv"], stage.components["iga"]
        np.testing.assert_allclose(stage.scores, alpha * ttv + (1 - alpha) * iga, rtol=1e-5)


def test_later_stages_accumulate_the_survivors_earlier_values() -> None:
    """TTV of stage two = recorded rows of all layers so far, at the survivors."""
    model, case = tiny("llama_gqa"), prompt("llama_gqa")
    method = METHODS["transprune"]
    with prune(model, method, visual_mask=case.visual, record=("ttv", "iga")) as run:
        model(**case.inputs)
    rows = run.trace.signals["ttv"]
    for stage in run.trace.stages:
        total = rows[1 : stage.layer, stage.alive].sum(0)
        np.testing.assert_allclose(stage.components["ttv"], total / total.sum(), rtol=1e-4)


@pytest.mark.parametrize(
    ("method", "spans"),
    [
        (TransPrune(prune_layers=(2, 4), keep_ratios=(0.6, 0.3), accumulate=False), [{2}, {4}]),
        (
            Chain(
                [
                    FastV(prune_layer=2, keep_ratio=0.6),
                    TransPrune(
                        prune_layers=(4,), keep_ratios=(0.3,), accumulate_layers=(1, 2, 3, 4)
                    ),
                ]
            ),
            [set(), {1, 2, 3, 4}],
        ),
    ],
)
def test_only_the_layers_asked_for_are_summed(method: Method, spans: list[set[int]]) -> None:
    """Whatever was pruned meanwhile, and whatever an earlier stage summed."""
    model, case = tiny("llama_gqa"), prompt("llama_gqa")
    with prune(model, method, visual_mask=case.visual, record=("ttv",)) as run:
        model(**case.inputs)
    rows = run.trace.signals["ttv"]
    for stage, layers in zip(run.trace.stages, spans, strict=True):
        if layers:
            total = rows[[layer - 1 for layer in sorted(layers)]][:, stage.alive].sum(0)
            np.testing.assert_allclose(stage.components["ttv"], total / total.sum(), rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", MODELS)
def test_observing_changes_nothing(kind: str, backend: str) -> None:
    model, case = tiny(kind, backend), prompt(kind)
    settings = {"max_new_tokens": 4, "do_sample": False}
    logits, ids = model(**case.inputs).logits, model.generate(**case.inputs, **settings)
    before = hook_count(model)
    with observe(model, **case.prune_kwargs) as run:
        assert torch.equal(model(**case.inputs).logits, logits)
        assert torch.equal(model.generate(**case.inputs, **settings), ids)
    assert hook_count(model) == before
    trace = run.trace
    assert trace.method == "baseline"
    assert trace.stages == ()
    assert trace.tokens_per_layer == (NUM_PATCHES,) * LAYERS
    assert trace.kv_lengths == (case.visual.shape[1],) * LAYERS
    assert trace.num_text == int((~case.visual).sum())
    assert set(trace.signals) == {"ttv", "iga", "residual"}
    for values in trace.signals.values():
        assert values.dtype == np.float32
        assert values.shape == (LAYERS, NUM_PATCHES)
        assert np.isfinite(values).all()


def test_observed_values() -> None:
    model, case = tiny("qwen2", "eager"), prompt("qwen2")
    out = model(**case.inputs, output_attentions=True, output_hidden_states=True)
    pairs = module_pairs(model, case.inputs)
    with observe(model, visual_mask=case.visual) as run:
        model(**case.inputs)
    image = slice(3, 3 + NUM_PATCHES)
    signals = run.trace.signals
    for layer in range(LAYERS):
        np.testing.assert_allclose(signals["ttv"][layer], ttv_of(pairs[layer])[image], rtol=1e-4)
        iga = out.attentions[layer][0].mean(0)[3 + NUM_PATCHES :, image].mean(0)
        np.testing.assert_allclose(signals["iga"][layer], iga, rtol=1e-3)
        stream = out.hidden_states[layer][0]
        (_, attention), (_, mlp) = pairs[layer]
        middle = stream + attention[0]
        ratio = attention[0].norm(dim=-1) / stream.norm(dim=-1)
        ratio = ratio + mlp[0].norm(dim=-1) / middle.norm(dim=-1)
        np.testing.assert_allclose(signals["residual"][layer], ratio[image], rtol=1e-4)


@pytest.mark.parametrize("name", ["transprune", "chain", "fastv", "random"])
def test_recorded_rows_are_nan_where_a_token_was_gone(name: str) -> None:
    model, case = tiny("llama_gqa"), prompt("llama_gqa")
    record = ("ttv", "iga", "residual")
    with prune(model, METHODS[name], visual_mask=case.visual) as plain:
        logits = model(**case.inputs).logits
    with prune(model, METHODS[name], visual_mask=case.visual, record=record) as run:
        assert torch.equal(model(**case.inputs).logits, logits)
    assert run.trace.kept.tolist() == plain.trace.kept.tolist()
    for layer in range(LAYERS):
        alive = np.arange(NUM_PATCHES)
        for stage in run.trace.stages:
            alive = stage.kept if stage.layer <= layer else alive
        for values in run.trace.signals.values():
            assert np.flatnonzero(np.isfinite(values[layer])).tolist() == alive.tolist()


def test_recorded_rows_in_a_padded_batch() -> None:
    model = tiny("llama_gqa")
    cases = [prompt("llama_gqa", seed=1, after=5), prompt("llama_gqa", seed=2, after=9)]
    cases.append(prompt("llama_gqa", seed=3, images=0))
    both = left_padded(cases)
    positions = (both.inputs["attention_mask"].cumsum(-1) - 1).clamp_min(0)
    with observe(model, visual_mask=both.visual) as run:
        model(**both.inputs, position_ids=positions)
    for row, case in enumerate(cases):
        with observe(model, visual_mask=case.visual) as alone:
            model(**case.inputs)
        for name, values in alone.trace.signals.items():
            np.testing.assert_allclose(run.traces[row].signals[name], values, rtol=2e-3, atol=1e-6)


def test_no_text_after_the_image() -> None:
    """TTV decides alone and says so; attention alone cannot."""
    model, case = tiny("llama"), prompt("llama", after=0)
    visual = case.visual.clone()
    visual[:, -1] = False
    visual[:, 3] = False
    flipped = visual.flip(1)  # text first, then 34 visual tokens, then one text token
    method = TransPrune(prune_layers=(2,), keep_ratios=(1.0,))
    with prune(model, method, visual_mask=case.visual) as run:
        model(**case.inputs)
    (stage,) = run.trace.stages
    assert "iga" not in stage.components
    assert "TTV decided alone" in stage.notes[0]
    iga = TransPrune(prune_layers=(2,), keep_ratios=(0.5,), signal="iga")
    with pytest.raises(ValueError, match="No text follows"), prune(model, iga, case.visual):
        model(**case.inputs)
    with prune(model, iga, visual_mask=flipped) as run:
        model(**case.inputs)
    assert len(run.trace.kept) == 17


@pytest.mark.parametrize("include_cls", [False, True])
@pytest.mark.parametrize("kind", LLAVA_MODELS)
def test_fopru_reads_the_penultimate_layer(kind: str, include_cls: bool) -> None:
    """Against the eager tower's own attention map."""
    model, case = tiny(kind, "eager"), prompt(kind)
    tower = model.model.vision_tower
    maps = tower(case.inputs["pixel_values"], output_attentions=True).attentions[-2][0]
    leading = maps.shape[-1] - NUM_PATCHES
    first = 0 if include_cls else leading
    wanted = ops.fopru_significance(maps[:, first:, first:])[leading - first :]
    for backend in BACKENDS:
        model = tiny(kind, backend)
        with prune(model, FoPru(keep_tokens=9, include_cls=include_cls)) as run:
            model(**case.inputs)
        np.testing.assert_allclose(run.trace.stages[0].scores, wanted.numpy(), rtol=1e-4)
        assert run.trace.kept.tolist() == sorted(wanted.argsort(descending=True)[:9].tolist())


@pytest.mark.parametrize("kind", LLAVA_MODELS)
def test_fopru_rows(kind: str) -> None:
    model, case = tiny(kind), prompt(kind)
    with prune(model, FoPru(strategy="row", keep_ratio=0.4)) as run:
        model(**case.inputs)
    significance = run.trace.stages[0].components["significance"].reshape(6, 6)
    best = sorted(np.argsort(-significance.mean(1))[:2].tolist())
    assert run.trace.kept.tolist() == [6 * r + c for r in best for c in range(6)]
    message = "multiple of 6"
    with (
        pytest.raises(ValueError, match=message),
        prune(model, FoPru(strategy="row", keep_tokens=10)),
    ):
        model(**case.inputs)


def test_resprune_selects_from_the_llms_input_space() -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    rows, text = case.embeds[0, 3:39], case.embeds[0, 39:]
    for alpha in (0.0, 0.5, 2.0):
        with prune(model, ResPrune(keep_tokens=10, alpha=alpha)) as run:
            model(**case.inputs)
        weight = ops.text_relevance(rows, text) ** alpha
        picks = ops.residual_greedy(rows, weight, 10)
        assert run.trace.kept.tolist() == picks.sort().values.tolist()
        (stage,) = run.trace.stages
        kept = np.isin(stage.alive, stage.kept)
        assert stage.scores[kept].min() >= stage.scores[~kept].max()
        assert "all text after the image" in stage.notes[0]
