"""Several tokens at once on a pruned cache are what one after another are."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz import FastV, Random, prune
from pruneviz.errors import PruningError
from pruneviz.pruning.several import causal_mask
from tests.helpers import (
    BACKENDS,
    IMAGE,
    MODELS,
    close,
    left_padded,
    new_tokens,
    prompt,
    stack_of,
    tiny,
)
from tests.matrix import matrix
from tests.pruning.settings import METHODS, fits, sized
from tests.removal import NEW, generate


def fed(model: Any, case: Any, ids: torch.Tensor, cache: Any, past: int) -> torch.Tensor:
    """Logits ``[n, V]`` of tokens after the prompt and `past` more."""
    new = past + len(ids)
    given = {"attention_mask": torch.ones(1, case.visual.shape[1] + new, dtype=torch.long)}
    if case.positions is not None:
        last = case.positions[..., -1:]
        given["position_ids"] = last + torch.arange(past + 1, new + 1)
    return model(input_ids=ids[None], past_key_values=cache, **given).logits[0]


def lengths(cache: Any) -> list[int]:
    return [layer.get_seq_length() for layer in cache.layers]


@matrix(fits, kind=MODELS, name=METHODS, backend=BACKENDS, positions=("renumber", "keep"))
def test_several_are_one_after_another(kind: str, name: str, backend: str, positions: str) -> None:
    model, case = tiny(kind, backend), prompt(kind)
    with prune(model, METHODS[name], positions=positions, **case.prune_kwargs) as run:
        run.let_several_follow()
        out = generate(model, case)
        ids, cache = new_tokens(case.inputs, out.sequences)[0], out.past_key_values
        before = [length - NEW + 1 for length in lengths(cache)]
        assert before == list(run.trace.kv_lengths)
        stepwise = torch.stack(out.logits)[1:, 0]
        cache.crop(1 - NEW)
        assert close(fed(model, case, ids[:-1], cache, 0), stepwise)
        assert lengths(cache) == [length + NEW - 1 for length in before]
        # From the middle of what was fed at once, one by one and several again.
        cache.crop(-2)
        assert close(fed(model, case, ids[2:3], cache, 2), stepwise[2:3])
        cache.crop(-2)
        assert close(fed(model, case, ids[1:-1], cache, 1), stepwise[1:])


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_read_of_them_is_what_eager_attention_tells(kind: str) -> None:
    model, case, ids = tiny(kind, "eager"), prompt(kind), torch.tensor([9, 11, 14])
    with prune(model, FastV(prune_layer=2, keep_ratio=0.3), **case.prune_kwargs) as run:
        run.let_several_follow()
        cache = model(**case.inputs, use_cache=True).past_key_values
        with run.reading_attention() as read:
            told = told_by(model, case, ids, cache)
    visual, kept = case.visual[0].nonzero()[:, 0], torch.from_numpy(run.trace.kept)
    assert 0 < len(kept) < len(visual)
    for index, (own, whole) in enumerate(zip(read.layers, told, strict=True)):
        seen = whole[0].mean(0)
        if index < 2:
            assert close(own, seen[:, visual])
            continue
        # What stands before a kept patch and is still there moves it to its place.
        gone = torch.isin(torch.arange(len(visual)), kept, invert=True).cumsum(0)
        assert close(own[:, kept], seen[:, (visual - gone)[kept]])
        assert own.isnan().sum() == len(ids) * (len(visual) - len(kept))
        assert close(own.nansum(-1), read.shares[index])


def told_by(model: Any, case: Any, ids: torch.Tensor, cache: Any) -> list[torch.Tensor]:
    """Attention ``[1, heads, n, keys]`` of every layer while tokens are fed."""
    told: list[torch.Tensor] = []
    hooks = [
        layer.self_attn.register_forward_hook(lambda _m, _a, output: told.append(output[1]))
        for layer in stack_of(model).layers
    ]
    fed(model, case, ids, cache, 0)
    for hook in hooks:
        hook.remove()
    return told


@pytest.mark.parametrize("method", [FastV(prune_layer=2, keep_ratio=0.3), Random(keep_ratio=0.3)])
def test_no_token_sees_one_after_it(method: Any) -> None:
    model, case = tiny("llama"), prompt("llama")
    with prune(model, method, **case.prune_kwargs) as run:
        run.let_several_follow()
        caches = [model(**case.inputs, use_cache=True).past_key_values for _ in range(2)]
        # The block is that of the latest prefill.
        first = fed(model, case, torch.tensor([9, 11, 13]), caches[1], 0)
        caches[1].crop(-3)
        second = fed(model, case, torch.tensor([9, 11, 14]), caches[1], 0)
    assert torch.equal(first[:2], second[:2])
    assert not close(first[2], second[2])


def test_where_nothing_was_dropped_an_answer_may_name_the_image() -> None:
    """A second turn with an image is refused; an answer's word is no image."""
    model, case = tiny("llava_clip"), prompt("llava_clip")
    with prune(model, sized("random", keep_ratio=1.0), **case.prune_kwargs) as run:
        cache = model(**case.inputs, use_cache=True).past_key_values
        with pytest.raises(PruningError, match="already filled"):
            fed(model, case, torch.tensor([9, IMAGE]), cache, 0)
        run.let_several_follow()
        assert fed(model, case, torch.tensor([9, IMAGE]), cache, 0).isfinite().all()


def test_without_leave_they_are_refused() -> None:
    model, case = tiny("llama"), prompt("llama")
    with prune(model, FastV(prune_layer=2, keep_ratio=0.3), **case.prune_kwargs):
        cache = model(**case.inputs, use_cache=True).past_key_values
        with pytest.raises(PruningError, match="2 tokens at once"):
            fed(model, case, torch.tensor([9, 11]), cache, 0)


def test_with_padding_they_are_refused() -> None:
    model = tiny("llama")
    batch = left_padded([prompt("llama", seed=1, after=5), prompt("llama", seed=2, after=9)])
    method = FastV(prune_layer=2, keep_ratio=0.3)
    with prune(model, method, visual_mask=batch.visual) as run:
        run.let_several_follow()
        inputs = {"inputs_embeds": batch.embeds, "attention_mask": batch.inputs["attention_mask"]}
        cache = model(**inputs, use_cache=True).past_key_values
        mask = torch.cat([inputs["attention_mask"], torch.ones(2, 2, dtype=torch.long)], dim=1)
        with pytest.raises(PruningError, match="2 tokens at once"):
            model(
                input_ids=torch.tensor([[9, 11], [9, 11]]),
                attention_mask=mask,
                past_key_values=cache,
            )


def test_masks_of_the_backends() -> None:
    hidden = torch.zeros(1, 2, 4)
    seen = causal_mask("sdpa", hidden, 4)
    assert seen.tolist() == [[[[True, True, True, False], [True] * 4]]]
    added = causal_mask("eager", hidden, 4)
    assert torch.equal(added == 0, seen)
    assert (added[~seen] == torch.finfo(torch.float32).min).all()
    assert causal_mask("flash_attention_2", hidden, 4) is None
