"""Sizes of real models, and prompts of the length that they are measured with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

CLIP = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
}
VICUNA_7B = {
    "model_type": "llama",
    "vocab_size": 32064,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
}
VICUNA_13B = VICUNA_7B | {
    "hidden_size": 5120,
    "intermediate_size": 13824,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "num_key_value_heads": 40,
}
LLAVA = {
    "image_token_index": 32000,
    "vision_feature_layer": -2,
    "vision_feature_select_strategy": "default",
    "projector_hidden_act": "gelu",
    "tie_word_embeddings": False,
}
QWEN_TOKENS = {
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
}
QWEN_MARKS = (QWEN_TOKENS["vision_start_token_id"], QWEN_TOKENS["vision_end_token_id"])
QWEN25_TEXT = {
    "model_type": "qwen2_5_vl_text",
    "max_position_embeddings": 128000,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 1e6,
        "mrope_section": [16, 24, 24],
    },
}
QWEN25_VISION = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
}


@dataclass(frozen=True)
class Geometry:
    """Sizes of a model, and of the prompt that it is measured with.

    Attributes
    ----------
    title : str
        For people.
    kind : str
        Model type of transformers.
    config : mapping
        What its configuration is made of.
    pixels : callable
        Makes the image's inputs of random numbers.
    visual, length : int
        Visual tokens of the image (newlines between tiles included), and tokens of the prompt.
    encoded, crops : int
        Tokens that the vision encoder computes, and in how many crops.
    marks : tuple of int
        Tokens right before and right after the image.
    """

    title: str
    kind: str
    config: Mapping[str, Any]
    pixels: Callable[[], dict[str, torch.Tensor]]
    visual: int
    length: int
    encoded: int
    crops: int = 1
    marks: tuple[int, ...] = ()


def _square(side: int, crops: int = 0) -> Callable[[], dict[str, torch.Tensor]]:
    """A square picture, whole or in `crops` crops of `side` pixels."""
    shape = (1, crops, 3, side, side) if crops else (1, 3, side, side)
    return lambda: {"pixel_values": torch.randn(shape)}


def _tiles(side: int) -> Callable[[], dict[str, torch.Tensor]]:
    """A square picture of 2 x 2 tiles, and the whole of it."""
    image = torch.tensor([[2 * side, 2 * side]])
    return lambda: {**_square(side, 5)(), "image_sizes": image}


def _patches(side: int, patch: int) -> Callable[[], dict[str, torch.Tensor]]:
    """A square picture in patches, as Qwen's processors hand it over."""
    across = side // patch
    grid = torch.tensor([[1, across, across]])
    values = 3 * 2 * patch * patch
    return lambda: {"pixel_values": torch.randn(across**2, values), "image_grid_thw": grid}


def _qwen25(title: str, text: dict[str, Any]) -> Geometry:
    vision = QWEN25_VISION | {"out_hidden_size": text["hidden_size"]}
    config = {"text_config": QWEN25_TEXT | text, "vision_config": vision, **QWEN_TOKENS}
    config["tie_word_embeddings"] = text["tie_word_embeddings"]
    return Geometry(
        title, "qwen2_5_vl", config, _patches(1008, 14), 1296, 1362, 5184, marks=QWEN_MARKS
    )


def _llava(title: str, text: dict[str, Any]) -> Geometry:
    config = {"vision_config": CLIP, "text_config": text, "image_seq_length": 576, **LLAVA}
    return Geometry(title, "llava", config, _square(336), 576, 655, 577)


GEOMETRIES: dict[str, Geometry] = {
    "llava-1.5-7b": _llava("LLaVA-1.5-7B", VICUNA_7B),
    "llava-1.5-13b": _llava("LLaVA-1.5-13B", VICUNA_13B),
    "llava-next-7b": Geometry(
        "LLaVA-NeXT-7B (Vicuna)",
        "llava_next",
        {
            "vision_config": CLIP,
            "text_config": VICUNA_7B,
            "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
            **LLAVA,
        },
        _tiles(336),
        # 2880 patches and a newline after each of 48 rows of the tiles.
        2928,
        2960,
        5 * 577,
        5,
    ),
    "qwen2.5-vl-3b": _qwen25(
        "Qwen2.5-VL-3B",
        {
            "vocab_size": 151936,
            "hidden_size": 2048,
            "intermediate_size": 11008,
            "num_hidden_layers": 36,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        },
    ),
    "qwen2.5-vl-7b": _qwen25(
        "Qwen2.5-VL-7B",
        {
            "vocab_size": 152064,
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "tie_word_embeddings": False,
        },
    ),
    "qwen3-vl-4b": Geometry(
        "Qwen3-VL-4B",
        "qwen3_vl",
        {
            "text_config": {
                "model_type": "qwen3_vl_text",
                "vocab_size": 151936,
                "hidden_size": 2560,
                "intermediate_size": 9728,
                "num_hidden_layers": 36,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "max_position_embeddings": 262144,
                "rms_norm_eps": 1e-6,
                "tie_word_embeddings": True,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 5e6,
                    "mrope_section": [24, 20, 20],
                    "mrope_interleaved": True,
                },
            },
            "vision_config": {
                "depth": 24,
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_heads": 16,
                "patch_size": 16,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                "out_hidden_size": 2560,
                "num_position_embeddings": 2304,
                "deepstack_visual_indexes": [5, 11, 17],
            },
            "tie_word_embeddings": True,
            **QWEN_TOKENS,
        },
        _patches(1024, 16),
        1024,
        1090,
        4096,
        marks=QWEN_MARKS,
    ),
    "tiny": Geometry(
        "a tiny LLaVA-1.5",
        "llava",
        {
            "vision_config": CLIP
            | {
                "hidden_size": 24,
                "intermediate_size": 48,
                "num_hidden_layers": 3,
                "num_attention_heads": 3,
                "image_size": 112,
            },
            "text_config": VICUNA_7B
            | {
                "vocab_size": 96,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 6,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
            },
            "image_seq_length": 64,
            **LLAVA,
            "image_token_index": 90,
        },
        _square(112),
        64,
        80,
        65,
    ),
}
"""By the name that the command line takes."""
