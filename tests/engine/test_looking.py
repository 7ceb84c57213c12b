"""Where an answer's tokens look, against eager attention that tells all it computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pruneviz import get_method
from pruneviz.engine import Session, Settings, looking, where_it_looks
from tests.helpers import alive_columns, continued, stack_of, with_generated

PICTURE, QUESTION = "assets/examples/farm.png", "Which vehicle is there?"


@contextmanager
def eager(model: Any) -> Iterator[None]:
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def eager_rows(session: Session, prepared: Any, answer: Any) -> np.ndarray:
    """``[layers, tokens, visual]`` of one forward over the prompt's embeddings and the answer."""
    model, columns = session.loaded.model, prepared.visual_mask[0].nonzero()[:, 0]
    ids = torch.tensor(answer.token_ids)
    embeds = with_generated(model, prepared.inputs["inputs_embeds"], ids)
    with eager(model), torch.no_grad():
        seen = model(inputs_embeds=embeds, output_attentions=True).attentions
    return torch.stack([a[0, :, -len(ids) :, :].mean(0)[:, columns] for a in seen]).numpy()


def hidden_rows(session: Session, prepared: Any, answer: Any, trace: Any) -> np.ndarray:
    """The same where every layer's mask hides what was dropped before it; nothing is removed."""
    model = session.loaded.model
    stack, visual = stack_of(model), prepared.visual_mask[0]
    ids = torch.tensor(answer.token_ids)
    hidden = with_generated(model, prepared.inputs["inputs_embeds"], ids)
    length = hidden.shape[1]
    tables = stack.rotary_emb(hidden, position_ids=continued(None, length))
    found = []
    with eager(model), torch.no_grad():
        columns = alive_columns(visual, trace, session.num_layers)
        for layer, alive in zip(stack.layers, columns, strict=True):
            seen = torch.cat([alive, alive.new_ones(len(ids))])
            allowed = torch.ones(length, length, dtype=torch.bool).tril() & seen
            allowed |= torch.eye(length, dtype=torch.bool)
            mask = torch.zeros(length, length).masked_fill(~allowed, torch.finfo().min)
            told: list[torch.Tensor] = []
            hook = layer.self_attn.register_forward_hook(
                lambda _m, _a, out, told=told: told.append(out[1])
            )
            hidden = layer(hidden, attention_mask=mask[None, None], position_embeddings=tables)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            hook.remove()
            rows = told[0][0, :, -len(ids) :].mean(0)[:, : len(alive)]
            found.append(rows.masked_fill(~alive, torch.nan)[:, visual])
    return torch.stack(found).numpy()


def test_unpruned_it_is_eager_attention(session) -> None:
    prepared = session.prepare(Image.open(PICTURE), QUESTION)
    answer = session.baseline(prepared, Settings(signals=False))
    found = where_it_looks(session, prepared, None, answer)
    wanted = eager_rows(session, prepared, answer)
    assert found.layers.shape == (16, len(answer.token_ids), 256)
    np.testing.assert_allclose(found.layers, wanted, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(found.mean, wanted.mean(0), rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(found.shares, wanted.sum(-1), rtol=2e-4, atol=1e-6)
    assert stack_of(session.loaded.model).config._attn_implementation != "eager"


@pytest.mark.parametrize("name", ["transprune", "fopru"])
def test_pruned_it_is_eager_attention_that_sees_nothing_else(session, name) -> None:
    own = Session(session.loaded, positions="keep")
    prepared = own.prepare(Image.open(PICTURE), QUESTION)
    method = get_method(name, num_layers=16, keep_ratio=0.125)
    answer = own.compare(prepared, method, Settings(signals=False)).pruned
    found = where_it_looks(own, prepared, method, answer)
    wanted = hidden_rows(own, prepared, answer, answer.trace)
    np.testing.assert_array_equal(np.isnan(found.layers), np.isnan(wanted))
    np.testing.assert_allclose(found.layers, wanted, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(found.shares, np.nansum(wanted, -1), rtol=2e-4, atol=1e-6)
    dropped = np.setdiff1d(np.arange(256), answer.trace.kept)
    assert np.isnan(found.mean[:, dropped]).all(), "absent, and not zero"
    assert np.isfinite(found.mean[:, answer.trace.kept]).all()


def test_merged_patches_are_absent_and_what_stands_for_them_looks_on(session) -> None:
    prepared = session.prepare(Image.open(PICTURE), QUESTION)
    method = get_method("tome", num_layers=16, keep_ratio=0.25)
    answer = session.compare(prepared, method, Settings(signals=False)).pruned
    found = where_it_looks(session, prepared, method, answer)
    held = np.flatnonzero(np.isfinite(found.mean[0]))
    np.testing.assert_array_equal(held, answer.trace.kept)
    shares = found.shares.mean(0)
    np.testing.assert_allclose(np.nansum(found.mean, -1), shares, rtol=1e-4)


def test_few_values_are_held_where_there_would_be_many(session, monkeypatch) -> None:
    prepared = session.prepare(Image.open(PICTURE), QUESTION)
    answer = session.baseline(prepared, Settings(signals=False))
    whole = where_it_looks(session, prepared, None, answer)
    monkeypatch.setattr(looking, "LAYERWISE", 1000)
    monkeypatch.setattr("pruneviz.pruning.answering.ELEMENTS", 1)
    small = where_it_looks(session, prepared, None, answer)
    assert small.layers is None
    np.testing.assert_allclose(small.mean, whole.layers.mean(0), rtol=1e-4, atol=1e-7)
