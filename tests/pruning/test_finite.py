"""NaN and infinity are errors that name their place."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pruneviz import FastV, Random, ResPrune, TransPrune, get_method, list_methods, prune
from pruneviz.engine.answers import finite
from pruneviz.errors import PruningError
from pruneviz.pruning.finite import Doubts
from tests.helpers import LAYERS, fresh, prompt, tiny


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("method", "place"),
    [
        (ResPrune(keep_ratio=0.5), "ResPrune before the LLM, row 0"),
        (Random(keep_tokens=30), "Random before the LLM, row 0"),
        (FastV(prune_layer=2), "FastV after layer 2, row 0"),
        (TransPrune(prune_layers=(3,), keep_ratios=(0.5,)), "TransPrune after layer 3, row 0"),
    ],
)
def test_bad_embeddings_are_named_by_the_scores_they_spoil(method, place, value) -> None:
    model, case = fresh("llama"), prompt("llama")
    embeds = case.inputs["inputs_embeds"].clone()
    embeds[0, 5, 3] = value
    wanted = pytest.raises(PruningError, match=f"NaN or infinity in (the [a-z ]* of|what) {place}")
    with wanted as error, prune(model, method, **case.prune_kwargs):
        model(inputs_embeds=embeds)
    assert "weights are finite" in str(error.value)


def test_a_bad_weight_is_named() -> None:
    model, case = fresh("llama"), prompt("llama")
    model.model.layers[0].mlp.up_proj.weight[0, 0] = math.nan
    wanted = pytest.raises(PruningError, match=r"weight 'model.layers.0.mlp.up_proj.weight'")
    with wanted, prune(model, FastV(prune_layer=2), **case.prune_kwargs):
        model(**case.inputs)


@pytest.mark.parametrize("name", list_methods())
@pytest.mark.parametrize(
    "weight",
    [
        "model.multi_modal_projector.linear_1.weight",
        "model.language_model.layers.0.self_attn.q_proj.weight",
        f"model.language_model.layers.{LAYERS - 1}.mlp.down_proj.weight",
        "lm_head.weight",
    ],
)
def test_no_method_answers_from_a_bad_weight(name: str, weight: str) -> None:
    model, case = fresh("llava_clip"), prompt("llava_clip")
    with torch.no_grad():
        model.get_parameter(weight)[0, 0] = math.nan
    wanted = pytest.raises(PruningError, match=f"NaN or infinity in .*{re.escape(weight)}")
    method = get_method(name, keep_tokens=9, num_layers=LAYERS)
    with wanted, prune(model, method, **case.prune_kwargs):
        model(**case.inputs)


def test_what_fails_over_sound_weights_says_why() -> None:
    model, case = tiny("llama"), prompt("llama")

    class Failing(Random):
        def score(self, context, stage, keep):
            raise ValueError("its own reason")

    with (
        pytest.raises(ValueError, match="its own reason"),
        prune(model, Failing(keep_tokens=3), **case.prune_kwargs),
    ):
        model(**case.inputs)


def test_doubts_are_looked_at_together() -> None:
    doubts = Doubts(torch.nn.Linear(1, 1))
    for bad in (math.nan, math.inf, -math.inf):
        doubts.note(["what is fine"], torch.ones(3), batched=False)
        doubts.note(["what is not"], torch.tensor([1.0, bad]), batched=False)
        doubts.note(["the first", "the second"], torch.tensor([[1.0, 2.0], [bad, 1.0]]))
        with pytest.raises(PruningError, match="NaN or infinity in what is not"):
            doubts.settle()
        doubts.note(["the first", "the second"], torch.tensor([[1.0, 2.0], [bad, 1.0]]))
        with pytest.raises(PruningError, match="in the second"):
            doubts.settle()
        doubts.settle()  # what was said is not said again


def test_what_was_noted_is_looked_at_when_the_block_ends() -> None:
    """And before its trace is told; an accelerator is waited for no earlier."""
    model, case = tiny("llama"), prompt("llama")
    late = ["what came late"], torch.tensor([math.nan])
    wanted = pytest.raises(PruningError, match="NaN or infinity in what came late")
    with wanted, prune(model, FastV(prune_layer=2), **case.prune_kwargs) as run:
        model(**case.inputs)
        run._runner.prefill.doubts.note(*late)
    with wanted, prune(model, FastV(prune_layer=2), **case.prune_kwargs) as run:
        model(**case.inputs)
        run._runner.prefill.doubts.note(*late)
        with pytest.raises(PruningError, match="what came late"):
            _ = run.trace
        run._runner.prefill.doubts.note(*late)
    with prune(model, FastV(prune_layer=2), **case.prune_kwargs):
        model(**case.inputs)


def test_the_row_of_a_batch_is_named() -> None:
    model, case = fresh("llama"), prompt("llama")
    embeds = case.inputs["inputs_embeds"].repeat(2, 1, 1)
    embeds[1, 5, 3] = math.nan
    visual = case.visual.expand(2, -1)
    wanted = pytest.raises(PruningError, match="ResPrune before the LLM, row 1 reads")
    with wanted, prune(model, ResPrune(keep_ratio=0.5), visual_mask=visual):
        model(inputs_embeds=embeds)


def test_the_answer_token_is_named() -> None:
    loaded: Any = SimpleNamespace(model=torch.nn.Linear(1, 1))
    logits = torch.ones(4, 5)
    assert finite(loaded, logits, "FastV").shape == (4, 5)
    logits[1, 3] = math.inf
    with pytest.raises(PruningError, match=r"logits of answer token 2 \(FastV\)"):
        finite(loaded, logits, "FastV")
