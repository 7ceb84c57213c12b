"""Which models are taken, and which are refused with the list of supported ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
)

from pruneviz import FastV, PyramidDrop, Random, TransPrune, prune
from pruneviz.errors import UnsupportedModelError
from pruneviz.models import Decoder
from tests.helpers import own_hooks, prompt, randomise, tiny


@pytest.mark.parametrize("layers", [2, 4, 12])
def test_too_shallow(layers: int) -> None:
    model = tiny("llama", layers=layers)
    with pytest.raises(ValueError, match=r"TransPrune\.at") as error, prune(model, TransPrune()):
        pass
    assert f"{layers} decoder layers" in str(error.value)
    assert not own_hooks(model)
    scaled = TransPrune.at(0.25, num_layers=layers)
    case = prompt("llama")
    with prune(model, scaled, case.visual) as run:
        model(**case.inputs)
    assert len(run.trace.kept) == 9


def test_too_few_visual_tokens_for_the_ratio() -> None:
    model, case = tiny("llama"), prompt("llama")
    visual = case.visual.clone()
    visual[:, 6:] = False
    with (
        pytest.raises(ValueError, match="leaves none"),
        prune(model, PyramidDrop(prune_layers=(1, 3, 4)), visual),
    ):
        model(**case.inputs)
    with (
        pytest.raises(ValueError, match="Cannot keep 8"),
        prune(model, Random(keep_tokens=8), visual),
    ):
        model(**case.inputs)
    assert not own_hooks(model)


SIZES = {"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 16, "vocab_size": 20}


@pytest.mark.parametrize(
    "build",
    [
        lambda: GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=20)),
        lambda: BertModel(BertConfig(num_attention_heads=2, **SIZES)),
        lambda: nn.Linear(2, 2),
        lambda: "llava-hf/llava-1.5-7b-hf",
        lambda: None,
        lambda: MistralForCausalLM(MistralConfig(num_attention_heads=2, sliding_window=8, **SIZES)),
        lambda: Gemma2ForCausalLM(Gemma2Config(num_attention_heads=2, head_dim=8, **SIZES)),
    ],
    ids=["gpt2", "bert", "linear", "name", "none", "sliding", "gemma2"],
)
def test_unsupported_models(build: Callable[[], Any]) -> None:
    model = build()
    with pytest.raises(UnsupportedModelError) as error, prune(model, Random(keep_tokens=4)):
        pass
    assert "LlavaForConditionalGeneration" in str(error.value)
    assert "LlamaForCausalLM" in str(error.value)


@pytest.mark.parametrize("family", ["Helium", "Glm", "StableLm", "SmolLM3"])
def test_other_rotations_of_queries_and_keys_are_unsupported(family: str) -> None:
    """Interleaved, partial or left out in some layers: attention rows would be wrong."""
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    sizes = SIZES | {"num_hidden_layers": 4, "head_dim": 8}
    config = getattr(transformers, f"{family}Config")(**heads, **special, **sizes)
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    with pytest.raises(UnsupportedModelError, match="another way than Llama"):
        Decoder.of(model.model, family)
    with pytest.raises(UnsupportedModelError, match="not supported"), prune(model, FastV()):
        pass


@pytest.mark.parametrize("family", ["Mistral", "Qwen3", "Granite", "Gemma"])
def test_models_built_like_llama_give_right_attention_rows(family: str) -> None:
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "sliding_window": None}
    sizes = SIZES | {"num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = getattr(transformers, f"{family}Config")(**special, **sizes)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval().requires_grad_(False)
    randomise(model, seed=0)
    model.set_attn_implementation("eager")
    embeds = torch.randn(1, 30, 16)
    visual = torch.zeros(1, 30, dtype=torch.bool)
    visual[:, 3:23] = True
    maps = model(inputs_embeds=embeds, output_attentions=True).attentions
    method = PyramidDrop(prune_layers=(1, 2), keep_ratios=(0.5, 0.2))
    with prune(model, method, visual_mask=visual) as run:
        model(inputs_embeds=embeds)
    wanted = maps[1][0].mean(0)[-1, 3:23]
    assert torch.allclose(torch.tensor(run.trace.stages[0].scores), wanted, rtol=1e-3)
    assert len(run.trace.kept) == 4
