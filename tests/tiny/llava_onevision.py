"""LLaVA-OneVision: the whole image and four tiles, which are scaled down to one's tokens."""

from __future__ import annotations

from typing import Any

from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    SiglipVisionConfig,
)

from pruneviz.models.llava_onevision import LlavaOnevisionAdapter
from tests.tiny.base import ENCODER, IMAGE, Kind, text_config
from tests.tiny.llava_next import packed_prompt


def onevision_config(**settings: Any) -> LlavaOnevisionConfig:
    """Crops of 4 x 4 patches, which leave 4 pixels out. At most one crop's tokens of tiles.

    A square image of 100 pixels fills 2 x 2 tiles of 16 patches, which are scaled down to 4 x 4:
    with the whole image and newlines 36 tokens again.
    """
    vision = SiglipVisionConfig(**ENCODER | {"image_size": 60}, vision_use_head=False)
    given = {
        "vision_config": vision,
        "image_grid_pinpoints": [[60, 120], [120, 60], [120, 120], [180, 120]],
        "vision_aspect_ratio": "anyres_max_1",
    }
    return LlavaOnevisionConfig(
        text_config=text_config("qwen2"),
        image_token_index=IMAGE,
        video_token_index=6,
        **(given | settings),
    )


KINDS = {
    "llava_onevision": Kind(
        LlavaOnevisionAdapter,
        lambda _: LlavaOnevisionForConditionalGeneration(onevision_config()),
        lambda draft: packed_prompt(draft, crops=5, crop=60, side=100),
        crops=5,
    )
}
