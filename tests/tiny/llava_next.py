"""LLaVA-NeXT: the whole image and two tiles."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration

from pruneviz.models.llava_next import LlavaNextAdapter
from tests.tiny.base import IMAGE, Draft, Kind, Prompt, clip_config, text_config


def packed_prompt(draft: Draft, crops: int, crop: int, side: int) -> Prompt:
    """Square images of `side` pixels, each in crops of `crop`."""
    if not draft.images:
        return draft.filled()
    pixels = {
        "pixel_values": draft.noise(draft.images, crops, 3, crop, crop),
        "image_sizes": torch.tensor([[side, side]] * draft.images),
    }
    return draft.filled(draft.encoded(**pixels), **pixels)


def _build(_: int) -> Any:
    """Crops of 4 x 4 patches. A square image is put into the middle of two tiles.

    That makes 16 tokens of the whole image, and 4 rows of 4 tokens and a newline: 36 again.
    """
    return LlavaNextForConditionalGeneration(
        LlavaNextConfig(
            vision_config=clip_config(),
            text_config=text_config("llama_gqa"),
            image_token_id=IMAGE,
            image_token_index=IMAGE,
            image_grid_pinpoints=[[56, 112], [112, 56], [112, 112]],
            vision_feature_layer=-2,
            vision_feature_select_strategy="default",
            tie_word_embeddings=False,
        )
    )


KINDS = {
    "llava_next": Kind(
        LlavaNextAdapter,
        _build,
        lambda draft: packed_prompt(draft, crops=3, crop=56, side=50),
        crops=3,
        encoder_layer=3,
    )
}
