"""RoPE types that choose their frequencies by the length: pruning does not change which."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pruneviz import get_method, prune
from pruneviz.methods import Method
from tests.helpers import close
from tests.tiny.base import randomise

LENGTH, SHORT, LAYERS = 50, 32, 4
TYPES = {
    "dynamic": {"rope_type": "dynamic", "factor": 4.0},
    "longrope": {
        "rope_type": "longrope",
        "factor": 4.0,
        "short_factor": [1.0, 1.5, 2.0, 2.5],
        "long_factor": [3.0, 5.0, 7.0, 9.0],
        "original_max_position_embeddings": SHORT,
    },
    "linear": {"rope_type": "linear", "factor": 2.0},
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": SHORT,
    },
}


def built(kind: str, backend: str) -> Any:
    """A model whose prompt is longer than what it was made for."""
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=SHORT * (4 if kind == "longrope" else 1),
        rope_parameters={"rope_theta": 10_000.0, **TYPES[kind]},
    )
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    randomise(model, seed=0)
    model.set_attn_implementation(backend)
    return model


def hidden_run(model: Any, embeds: torch.Tensor, alive: list[torch.Tensor]) -> torch.Tensor:
    """Logits of the last token with the others hidden, counted from the last token back."""
    stack, hidden, length = model.model, embeds, embeds.shape[1]
    # The frequencies of the whole length, as the layers before the first cut have them.
    cos, sin = stack.rotary_emb(hidden, position_ids=torch.arange(length)[None])
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    for layer, seen in zip(stack.layers, alive, strict=True):
        allowed = causal & seen | torch.eye(length, dtype=torch.bool)
        mask = torch.zeros(1, 1, length, length)
        mask = mask.masked_fill(~allowed, torch.finfo(torch.float32).min)
        places = (length - seen.long().flip(0).cumsum(0).flip(0)).clamp(0, length - 1)
        rotary = cos[:, places], sin[:, places]
        hidden = layer(hidden, attention_mask=mask, position_embeddings=rotary)
    return model.lm_head(stack.norm(hidden))[0, -1]


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", ["transprune", "pyramiddrop", "divprune"])
def test_frequencies_are_those_of_the_whole_prompt(kind: str, name: str, backend: str) -> None:
    model, visual = built(kind, backend), torch.zeros(1, LENGTH, dtype=torch.bool)
    visual[:, 4:40] = True
    embeds = torch.randn(1, LENGTH, 32, generator=torch.Generator().manual_seed(3))
    method: Method = get_method(name, keep_ratio=0.25, num_layers=LAYERS)
    with prune(model, method, visual_mask=visual, positions="renumber") as run:
        out = model(inputs_embeds=embeds)
    alive = []
    for layer in range(LAYERS):
        seen = ~visual[0]
        left = [stage.kept for stage in run.trace.stages if stage.layer <= layer]
        kept = torch.from_numpy(left[-1]) if left else torch.arange(36)
        alive.append(seen.index_fill(0, 4 + kept, True))
    assert not alive[-1].all()
    assert close(out.logits[0, -1], hidden_run(model, embeds, alive))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("positions", ["renumber", "keep"])
def test_all_kept_decodes_as_the_model_does(kind: str, positions: str) -> None:
    """And a pruned prompt's later tokens get the positions that the model gives them."""
    model, visual = built(kind, "sdpa"), torch.zeros(1, LENGTH, dtype=torch.bool)
    visual[:, 4:40] = True
    ids = torch.randint(1, 40, (1, LENGTH), generator=torch.Generator().manual_seed(4))
    how = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    wanted = model.generate(ids, **how)
    seen: list[int] = []
    handle = model.model.rotary_emb.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(int(kwargs["position_ids"].max())), with_kwargs=True
    )
    for ratio in (1.0, 0.25):
        seen.clear()
        method = get_method("transprune", keep_ratio=ratio, num_layers=LAYERS)
        with prune(model, method, visual_mask=visual, positions=positions):
            out = model.generate(ids, **how)
        assert seen == list(range(LENGTH - 1, LENGTH + 5)), "one table a forward, the model's own"
        assert ratio < 1.0 or torch.equal(out, wanted)
    handle.remove()
