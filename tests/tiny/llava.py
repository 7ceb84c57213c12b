"""LLaVA-1.5 with a CLS token (CLIP) and without (SigLIP)."""

from __future__ import annotations

from typing import Any

from transformers import (
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
)

from pruneviz.models.llava import LlavaAdapter
from tests.tiny.base import ENCODER, IMAGE, NUM_PATCHES, Draft, Kind, Prompt, text_config


def _prompt(draft: Draft) -> Prompt:
    if not draft.images:
        return draft.filled()
    pixels = draft.noise(draft.images, 3, 84, 84)
    return draft.filled(draft.encoded(pixel_values=pixels), pixel_values=pixels)


def _build(clip: bool) -> Any:
    vision = CLIPVisionConfig(**ENCODER) if clip else SiglipVisionConfig(**ENCODER)
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=text_config("llama" if clip else "qwen2"),
            image_token_id=IMAGE,
            image_token_index=IMAGE,
            vision_feature_layer=-2,
            vision_feature_select_strategy="default" if clip else "full",
            image_seq_length=NUM_PATCHES,
            tie_word_embeddings=False,
        )
    )


KINDS = {
    "llava_clip": Kind(LlavaAdapter, lambda _: _build(clip=True), _prompt, encoder_layer=3),
    "llava_siglip": Kind(LlavaAdapter, lambda _: _build(clip=False), _prompt, encoder_layer=3),
}
LLAVA_MODELS = tuple(KINDS)
