"""Attention rows and means, and FoPru's rule."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz.ops import (
    fopru_significance,
    larger_variance,
    self_attention_means,
    top_indices,
)
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.rows import Words
from pruneviz.pruning.signals import Reader, keys_of, queries_of
from tests.helpers import TEXT_MODELS, prompt, stack_of, tiny


def layer_inputs(model: Any, **inputs: Any) -> tuple[list[torch.Tensor], Any]:
    """Every attention module's input, and the eager attentions."""
    seen: list[torch.Tensor] = []
    handles = [
        layer.self_attn.register_forward_pre_hook(
            lambda _, args, kwargs: seen.append(kwargs["hidden_states"]), with_kwargs=True
        )
        for layer in stack_of(model).layers
    ]
    attentions = model(**inputs, output_attentions=True).attentions
    for handle in handles:
        handle.remove()
    return seen, attentions


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("kind", TEXT_MODELS)
def test_rows_equal_the_eager_layers(kind: str, padding: int) -> None:
    """Heads grouped or not, biases or not, padding or not."""
    model, case = tiny(kind, "eager"), prompt(kind)
    length = case.visual.shape[1]
    mask = torch.ones(1, length, dtype=torch.long)
    mask[:, :padding] = 0
    inputs, attentions = layer_inputs(model, **case.inputs, attention_mask=mask)
    stack = stack_of(model)
    cos, sin = stack.rotary_emb(case.embeds, position_ids=torch.arange(length)[None])
    rotary = cos[:, None], sin[:, None]
    rows = torch.tensor([padding, 17, 40, length - 1])
    columns = torch.arange(length)[None]
    frame = Frame(columns, mask.bool(), True, True, lambda: columns, whole=True)
    chosen, tail = Words(rows[None], None, False), Words(rows[None], None, True)
    for layer, normed, wanted in zip(stack.layers, inputs, attentions, strict=True):
        attention, mean = layer.self_attn, wanted[0].mean(0)
        query, keys = queries_of(attention, normed), keys_of(attention, normed, rotary)
        got = Reader(frame, chosen, None).mean(attention, query[:, :, rows], keys, rotary)[0]
        assert got.dtype == torch.float32
        assert torch.allclose(got, mean[rows].mean(0), atol=1e-5)
        assert torch.allclose(got.sum(), torch.ones(()), atol=1e-5)
        last = Reader(frame, tail, None).mean(attention, query[:, :, -4:], keys, rotary)[0]
        assert torch.allclose(last, mean[-4:].mean(0), atol=1e-5)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("max_elements", [1, 500, 1 << 24])
def test_means_in_blocks_equal_the_full_map(first: int, max_elements: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(2, 3, 13, 4, generator=generator) for _ in range(2))
    full = (query @ key.transpose(-1, -2) * 0.5).softmax(-1).mean(1)[:, first:, first:]
    received, emitted = self_attention_means(query, key, 0.5, first, max_elements)
    assert torch.allclose(received, full.mean(1), atol=1e-6)
    assert torch.allclose(emitted, full.mean(2), atol=1e-6)


def test_fopru_toy_takes_the_rows() -> None:
    heads = torch.tensor(
        [
            [[-2.0, 5, 5], [-7, 3, 8], [-7, -7, -8]],
            [[6.0, 9, 8], [3, 10, 7], [2, 9, -9]],
        ]
    )
    significance = fopru_significance(heads)
    assert significance.tolist() == pytest.approx([5.16667, 4.0, -3.33333], abs=1e-4)
    assert top_indices(significance, 2).tolist() == [0, 1]
    columns = fopru_significance(heads.transpose(1, 2))
    assert columns.tolist() == significance.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_softmax_rows_without_cls_take_the_columns(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    attention = torch.randn(4, 50, 50, generator=generator).softmax(-1)
    assert torch.equal(fopru_significance(attention), attention.mean(0).mean(0))
    query, key = (torch.randn(1, 4, 50, 8, generator=generator) for _ in range(2))
    received, emitted = self_attention_means(query, key, 0.3)
    assert torch.equal(larger_variance(received, emitted), received)
    assert float(received.sum()) == pytest.approx(1.0, abs=1e-5)


def test_larger_variance_per_row_and_ties() -> None:
    a, b = torch.tensor([[1.0, 5.0], [1.0, 1.0]]), torch.tensor([[2.0, 3.0], [0.0, 9.0]])
    assert larger_variance(a, b).tolist() == [[1.0, 5.0], [0.0, 9.0]]
    assert larger_variance(a, a + 1).tolist() == (a + 1).tolist()


def test_top_indices_ties_and_order() -> None:
    scores = torch.tensor([1.0, 3.0, 3.0, 0.0, 3.0, 2.0])
    assert top_indices(scores, 2).tolist() == [1, 2]
    assert top_indices(scores, 4).tolist() == [1, 2, 4, 5]
    assert top_indices(scores, 0).tolist() == []
    assert top_indices(scores, 6).tolist() == list(range(6))
    many = torch.zeros(5000)
    assert top_indices(many, 10).tolist() == list(range(10))
