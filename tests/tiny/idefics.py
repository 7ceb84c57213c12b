"""SmolVLM and Idefics3: four crops, words between their tokens."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from pruneviz.models.idefics import IdeficsAdapter
from tests.tiny.base import ENCODER, IMAGE, Draft, Kind, Prompt, text_config


def _prompt(draft: Draft) -> Prompt:
    """Four crops an image, and two words of text before the tokens of every crop but the first."""
    places = draft.visual[0].nonzero().squeeze(-1)[9::9].tolist()
    for place in reversed(places):
        ids, visual, words = draft.ids, draft.visual, draft.words(2)
        draft.ids = torch.cat([ids[:, :place], words, ids[:, place:]], dim=1)
        gap = torch.zeros_like(words, dtype=torch.bool)
        draft.visual = torch.cat([visual[:, :place], gap, visual[:, place:]], dim=1)
    if not draft.images:
        return draft.filled()
    side = draft.model.config.vision_config.image_size
    pixels = draft.noise(1, 4 * draft.images, 3, side, side)
    mask = torch.ones_like(pixels[:, :, 0]).long()
    rows = draft.encoded(pixel_values=pixels)
    return draft.filled(rows, pixel_values=pixels, pixel_attention_mask=mask)


def _build(smol: bool, _: int) -> Any:
    """Crops of 6 x 6 patches, so 3 x 3 visual tokens; SmolVLM's are 6 pixels larger than those."""
    settings = {
        "text_config": text_config("llama_gqa" if smol else "llama"),
        "vision_config": ENCODER | ({"image_size": 90} if smol else {}),
        "scale_factor": 2,
        "image_token_id": IMAGE,
        "tie_word_embeddings": False,
    }
    if smol:
        return SmolVLMForConditionalGeneration(SmolVLMConfig(**settings))
    return Idefics3ForConditionalGeneration(Idefics3Config(**settings))


KINDS = {
    "smolvlm": Kind(IdeficsAdapter, partial(_build, True), _prompt, crops=4),
    "idefics3": Kind(IdeficsAdapter, partial(_build, False), _prompt, crops=4),
}
IDEFICS_MODELS = tuple(KINDS)
