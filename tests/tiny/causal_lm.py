"""Language models alone, whose visual tokens are noise among the embeddings."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaForCausalLM, Qwen2ForCausalLM

from pruneviz.models.causal_lm import CausalLMAdapter
from tests.tiny.base import Draft, Kind, Prompt, text_config


def _prompt(draft: Draft) -> Prompt:
    embeds = draft.model.get_input_embeddings()(draft.ids)
    noise = 0.3 * draft.noise(*embeds.shape)
    embeds = torch.where(draft.visual[..., None], noise, embeds)
    return Prompt({"inputs_embeds": embeds}, draft.visual, embeds)


def _kind(name: str) -> Kind:
    def build(layers: int) -> Any:
        model = Qwen2ForCausalLM if name == "qwen2" else LlamaForCausalLM
        return model(text_config(name, layers))

    return Kind(CausalLMAdapter, build, _prompt)


KINDS = {name: _kind(name) for name in ("llama", "llama_gqa", "qwen2")}
