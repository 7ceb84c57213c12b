"""InternVL: four crops, all their tokens in one row."""

from __future__ import annotations

from typing import Any

from transformers import InternVLConfig, InternVLForConditionalGeneration

from pruneviz.models.internvl import InternVLAdapter
from tests.tiny.base import ENCODER, IMAGE, Draft, Kind, Prompt, text_config


def _prompt(draft: Draft) -> Prompt:
    if not draft.images:
        return draft.filled()
    pixels = draft.noise(4 * draft.images, 3, 84, 84)
    return draft.filled(draft.encoded(pixel_values=pixels), pixel_values=pixels)


def _build(_: int) -> Any:
    """Crops of 6 x 6 patches, so 3 x 3 visual tokens."""
    vision = ENCODER | {"attention_bias": True, "use_qk_norm": True, "norm_type": "rms_norm"}
    return InternVLForConditionalGeneration(
        InternVLConfig(
            text_config=text_config("qwen2"),
            vision_config=vision,
            image_token_id=IMAGE,
            image_seq_length=9,
            tie_word_embeddings=False,
        )
    )


KINDS = {"internvl": Kind(InternVLAdapter, _build, _prompt, crops=4)}
