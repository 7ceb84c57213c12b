"""What pruning adds to a forward, counted in operators: a card that waits for launches pays each.

Real depth and token counts, tiny widths: operators do not depend on the width, nor on the machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2Config,
)

from pruneviz import get_method, observe, prune
from pruneviz.methods import Method

LAYERS, VISUAL, IMAGE = 32, 576, 5
LIMITS = {
    "random": 1.05,
    "uniform": 1.05,
    "fopru": 1.05,
    "fastv": 1.05,
    "pyramiddrop": 1.10,
    "sparsevlm": 1.10,
    "transprune": 1.15,
}
SYNCHRONISATIONS = 3
RECORDING = 1.6
PICKS = ("resprune", "cdpruner", "divprune")
WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::_unique2"}


class Operators(TorchDispatchMode):
    """Counts operators by name while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.by_name[func._schema.name] += 1
        return func(*args, **(kwargs or {}))

    @property
    def total(self) -> int:
        return self.by_name.total()

    @property
    def waits(self) -> int:
        return sum(self.by_name[name] for name in WAITS)


@cache
def deep(kind: str) -> Any:
    """A model of that depth with LLaVA-1.5's picture."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 96,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": 4096,
    }
    text = (
        LlamaConfig(**sizes, num_key_value_heads=4)
        if kind == "llama"
        else Qwen2Config(**sizes, num_key_value_heads=2)
    )
    vision = CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=3,
        image_size=336,
        patch_size=14,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=IMAGE,
        image_token_index=IMAGE,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=VISUAL,
    )
    return LlavaForConditionalGeneration(config).eval()


def batch_of(rows: int, padded: bool) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(8, 96, (rows, 40 + VISUAL), generator=generator)
    ids[:, 20 : 20 + VISUAL] = IMAGE
    mask = torch.ones_like(ids)
    for row in range(rows):
        mask[row, : 2 * row * padded] = 0
    pixels = torch.randn(rows, 3, 336, 336, generator=generator)
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels}


def step_after(inputs: dict[str, torch.Tensor], new: int) -> dict[str, torch.Tensor]:
    """Inputs of the decode step with that many tokens since the prompt, itself included."""
    mask = inputs["attention_mask"]
    longer = torch.cat([mask, mask.new_ones(len(mask), new)], dim=1)
    positions = mask.sum(-1, keepdim=True) + new - 1
    ids = torch.full((len(mask), 1), 9)
    return {"input_ids": ids, "attention_mask": longer, "position_ids": positions}


def counted(
    kind: str, inputs: dict[str, torch.Tensor], method: Method | None, record: Sequence[str] = ()
) -> tuple[Operators, Operators]:
    """Operators of the prefill and of the second decode step."""
    model, block = deep(kind), nullcontext()
    if method is not None:
        block = prune(model, method)
    elif record:
        block = observe(model, record=record)
    prefill, step = Operators(), Operators()
    with torch.no_grad(), block:
        with prefill:
            out = model(**inputs, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        model(**step_after(inputs, 1), past_key_values=cache)
        with step:
            model(**step_after(inputs, 2), past_key_values=cache)
    return prefill, step


@cache
def unpruned(kind: str, rows: int, padded: bool) -> tuple[Operators, Operators]:
    return counted(kind, batch_of(rows, padded), None)


BATCHES = [(1, False), (4, False), (4, True)]


@pytest.mark.parametrize(("rows", "padded"), BATCHES)
@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("kind", ["llama", pytest.param("qwen2", marks=pytest.mark.slow)])
def test_a_pruned_prefill_dispatches_hardly_more(
    kind: str, name: str, rows: int, padded: bool
) -> None:
    inputs = batch_of(rows, padded)
    prefill, step = counted(kind, inputs, get_method(name, keep_ratio=0.125, num_layers=LAYERS))
    plain, plain_step = unpruned(kind, rows, padded)
    assert prefill.total <= LIMITS[name] * plain.total, prefill.by_name - plain.by_name
    assert prefill.waits - plain.waits <= SYNCHRONISATIONS
    # With padding each length of cache has a mask of its own, made once a step.
    assert step.total <= plain_step.total * (1.005 if padded else 1.0), (
        step.by_name - plain_step.by_name
    )
    assert step.waits <= plain_step.waits


@pytest.mark.parametrize("name", PICKS)
def test_rows_of_a_batch_are_picked_together(name: str) -> None:
    method = get_method(name, keep_ratio=0.125, num_layers=LAYERS)
    one, four = (
        counted("llama", batch_of(rows, False), method)[0].total
        - unpruned("llama", rows, False)[0].total
        for rows in (1, 4)
    )
    assert four <= one + 10


@pytest.mark.parametrize("name", PICKS)
def test_picking_waits_for_nothing(name: str) -> None:
    method = get_method(name, keep_ratio=0.125, num_layers=LAYERS)
    for rows in (1, 4):
        prefill, _ = counted("llama", batch_of(rows, False), method)
        assert prefill.waits <= unpruned("llama", rows, False)[0].waits + SYNCHRONISATIONS


@pytest.mark.parametrize(("rows", "padded"), BATCHES)
def test_recording_every_layer_stays_within_its_limit(rows: int, padded: bool) -> None:
    signals = ("ttv", "iga", "residual")
    prefill, step = counted("llama", batch_of(rows, padded), None, signals)
    plain, plain_step = unpruned("llama", rows, padded)
    assert prefill.total <= RECORDING * plain.total
    assert prefill.waits - plain.waits <= SYNCHRONISATIONS
    assert step.total == plain_step.total


@pytest.mark.parametrize("positions", ["renumber", "keep"])
def test_no_layer_has_a_hook_while_tokens_are_decoded(positions: str) -> None:
    model = deep("llama")
    method = get_method("transprune", keep_ratio=0.125, num_layers=LAYERS)
    parts = [part for layer in model.model.language_model.layers for part in layer.modules()]

    def hooks() -> int:
        kinds = ("_forward_pre_hooks", "_forward_hooks")
        return sum(len(getattr(part, kind)) for part in parts for kind in kinds)

    with torch.no_grad(), prune(model, method, positions=positions):
        inputs = batch_of(1, False)
        out = model(**inputs, use_cache=True, logits_to_keep=1)
        assert hooks() == 0, "nor between the prefill and the first step"
        seen: list[int] = []
        handle = parts[0].register_forward_pre_hook(lambda *_: seen.append(hooks()))
        model(**step_after(inputs, 1), past_key_values=out.past_key_values)
        handle.remove()
    assert seen == [1], "the test's own hook alone"
