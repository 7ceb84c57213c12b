"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from pruneviz.models.qwen_vl import Qwen3VLAdapter, QwenVLAdapter
from tests.tiny.base import IMAGE, LAYERS, VISION_START, VOCABULARY, Draft, Kind, Prompt

QWEN_PATCH = {"qwen25_vl": 14, "qwen2_vl": 14, "qwen3_vl": 16}
DEEPSTACK = 3  # decoder layers of qwen3_vl that get visual features


def _build(kind: str, _: int) -> Any:
    """Images of 12 x 12 patches, so 6 x 6 visual tokens, in windows of 2 x 2 for Qwen2.5-VL.

    Qwen3-VL: positions are interpolated from 8 x 8, three decoder layers get features.
    """
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": 1,
        "eos_token_id": None,
        "pad_token_id": 0,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e4,
            "mrope_section": [2, 1, 1],
        },
    }
    vision: dict[str, Any] = {"depth": 4, "num_heads": 2, "spatial_merge_size": 2}
    vision["patch_size"] = QWEN_PATCH[kind]
    ids = {
        "image_token_id": IMAGE,
        "video_token_id": 6,
        "vision_start_token_id": VISION_START,
        "vision_end_token_id": 4,
        "tie_word_embeddings": False,
    }
    if kind == "qwen2_vl":
        vision |= {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
        return Qwen2VLForConditionalGeneration(
            Qwen2VLConfig(text_config=text, vision_config=vision, **ids)
        )
    vision |= {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 32}
    if kind == "qwen3_vl":
        text["head_dim"] = 8
        vision |= {"num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1, 2]}
        return Qwen3VLForConditionalGeneration(
            Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
        )
    vision |= {
        "window_size": 56,
        "fullatt_block_indexes": [1, 2],
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=text, vision_config=vision, **ids)
    )


def _prompt(draft: Draft) -> Prompt:
    if not draft.images:
        prompt = draft.filled(mm_token_type_ids=draft.visual.int())
        prompt.positions = torch.arange(draft.ids.shape[1])[None]
        return prompt
    start = int(draft.visual[0].nonzero()[0])
    if start:
        # Older releases count a prompt's images by it.
        draft.ids[:, start - 1] = VISION_START
    # All images together: one group of image tokens must not hold two of them.
    grid = torch.tensor([[1, 12, 12 * draft.images]])
    side = draft.model.config.vision_config.patch_size
    pixels = draft.noise(144 * draft.images, 3 * 2 * side**2)
    encoded = draft.model.model.get_image_features(pixels, grid, return_dict=True)
    prompt = draft.filled(
        encoded.pooler_output,
        mm_token_type_ids=draft.visual.int(),
        pixel_values=pixels,
        image_grid_thw=grid,
    )
    prompt.added = deepstack_of(encoded, draft.visual, prompt.embeds)
    prompt.positions, _ = draft.model.model.get_rope_index(
        input_ids=prompt.inputs["input_ids"],
        mm_token_type_ids=draft.visual.int(),
        image_grid_thw=grid,
    )
    return prompt


def deepstack_of(
    encoded: Any, visual: torch.Tensor, embeds: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Features of the earlier encoder layers at the visual places, zero elsewhere."""
    return tuple(
        torch.zeros_like(embeds).masked_scatter(visual[..., None], torch.cat(list(rows)))
        for rows in getattr(encoded, "deepstack_features", None) or ()
    )


KINDS = {
    "qwen25_vl": Kind(QwenVLAdapter, partial(_build, "qwen25_vl"), _prompt, encoder_layer=3),
    "qwen2_vl": Kind(QwenVLAdapter, partial(_build, "qwen2_vl"), _prompt),
    "qwen3_vl": Kind(Qwen3VLAdapter, partial(_build, "qwen3_vl"), _prompt),
}
QWEN_MODELS = tuple(KINDS)
