"""Random weights at the geometry of real models: nothing is downloaded, times are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from pruneviz.engine.bench.subject import Subject, check_attention
from pruneviz.errors import InputError, ModelLoadError
from pruneviz.models.core.placing import DTYPES, pick_device
from pruneviz.models.core.weights import free_memory
from pruneviz.models.registry import find_adapter

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
    marks : tuple of int
        Tokens right before and right after the image.
    """

    title: str
    kind: str
    config: Mapping[str, Any]
    pixels: Callable[[], dict[str, torch.Tensor]]
    visual: int
    length: int
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
    return Geometry(title, "qwen2_5_vl", config, _patches(1008, 14), 1296, 1362, (151652, 151653))


def _llava(title: str, text: dict[str, Any]) -> Geometry:
    config = {"vision_config": CLIP, "text_config": text, "image_seq_length": 576, **LLAVA}
    return Geometry(title, "llava", config, _square(336), 576, 655)


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
        (151652, 151653),
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
    ),
}
"""By the name that the command line takes."""
BEFORE = 35
"""Text tokens before the image: about LLaVA's system prompt; fewer where the text is shorter."""
LOW, HIGH = 8, 80
"""Text tokens are drawn from here: no model's special tokens."""


def from_geometry(
    name: str,
    device: str = "auto",
    dtype: str = "auto",
    layers: int | None = None,
    attention: str = "sdpa",
    newlines: str = "visual",
    positions: str | None = None,
    batch: int = 1,
) -> Subject:
    """A model of random weights, and a prompt of random pixels and words.

    Parameters
    ----------
    name : str
        One of `GEOMETRIES`.
    device : str
        As for :func:`pruneviz.load_model`.
    dtype : {"auto", "float32", "float16", "bfloat16"}
        ``"auto"``: float32 on the CPU, else bfloat16.
    layers : int, optional
        Build only that many decoder layers; methods scale their schedules to them.
    attention : {"sdpa", "eager", "flash_attention_2"}
        How the whole model attends.
    newlines, positions
        As :func:`pruneviz.prune` takes them.
    batch : int
        Rows that are to be run at least: memory for them is asked for.

    Returns
    -------
    Subject

    Raises
    ------
    InputError
        If the name is unknown, or `layers`, `dtype` or `attention` cannot be had.
    ModelLoadError
        If it does not fit into the device's free memory.
    """
    if name not in GEOMETRIES:
        raise InputError(f"Unknown geometry {name!r}. Geometries: {', '.join(GEOMETRIES)}.")
    geometry, where = GEOMETRIES[name], pick_device(device)
    kind = _dtype(dtype, where)
    check_attention(attention, where, kind)
    config, whole = _config(geometry, layers)
    text = config.text_config
    with torch.device("meta"):
        weights = sum(p.numel() for p in _model(config, kind).parameters()) * kind.itemsize
    _check_memory(name, where, weights + batch * _row_bytes(text, geometry.length, kind, attention))
    with where:
        model = _model(config, kind).eval()
    model.set_attn_implementation(attention)
    # No answer ends by itself.
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    title = f"{geometry.title}, random weights"
    if text.num_hidden_layers < whole:
        title += f", only {text.num_hidden_layers} of its {whole} decoder layers"
    inputs = _inputs(geometry, config, where, kind)
    return Subject(title, model, find_adapter(model), inputs, newlines, positions)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name not in DTYPES:
        raise InputError(f"dtype must be one of {', '.join(DTYPES)}, not {name!r}.")
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _config(geometry: Geometry, layers: int | None) -> tuple[Any, int]:
    """The configuration, and how many decoder layers the real model has."""
    # Its class is known by the model type alone.
    from transformers import CONFIG_MAPPING

    config = CONFIG_MAPPING[geometry.kind](**geometry.config)
    whole = int(config.text_config.num_hidden_layers)
    if layers is None:
        return config, whole
    if not 1 <= layers <= whole:
        raise InputError(f"layers must be 1 to {whole} on {geometry.title}, not {layers}.")
    config.text_config.num_hidden_layers = layers
    if getattr(config.text_config, "layer_types", None):
        config.text_config.layer_types = config.text_config.layer_types[:layers]
    return config, whole


def _model(config: Any, dtype: torch.dtype) -> Any:
    return AutoModelForImageTextToText.from_config(config, dtype=dtype)


def _row_bytes(text: Any, length: int, dtype: torch.dtype, attention: str) -> int:
    """What one row of a prefill takes beside the weights, roughly: cache and widest layer."""
    heads = text.num_attention_heads
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // heads
    cache = 2 * text.num_hidden_layers * text.num_key_value_heads * head_dim
    layer = 8 * text.hidden_size + 3 * text.intermediate_size
    pairs = 2 * heads * length if attention == "eager" else 0
    return int(length * (cache + layer + pairs) * dtype.itemsize)


def _check_memory(name: str, device: torch.device, need: int) -> None:
    free = free_memory(device)
    if free is not None and need > free:
        raise ModelLoadError(
            f"{name!r} takes {need / 2**30:.1f} GiB, and {device} has {free / 2**30:.1f} GiB free. "
            "Build fewer decoder layers with --layers, or take a smaller --dtype or geometry."
        )


def _inputs(
    geometry: Geometry, config: Any, device: torch.device, dtype: torch.dtype
) -> dict[str, Any]:
    """A prompt of random words around one image of random pixels."""
    words = geometry.length - geometry.visual - len(geometry.marks)
    before = min(BEFORE, words // 2)
    generator = torch.Generator().manual_seed(0)
    text = torch.randint(LOW, HIGH, (words,), generator=generator)
    image = torch.full((geometry.visual,), config.image_token_id)
    left, right = (torch.tensor(geometry.marks[i : i + 1]).long() for i in (0, 1))
    ids = torch.cat([text[:before], left, image, right, text[before:]])[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if geometry.marks:
        inputs["mm_token_type_ids"] = (ids == config.image_token_id).int()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inputs |= geometry.pixels()
    return {
        key: value.to(device, dtype if value.is_floating_point() else None)
        for key, value in inputs.items()
    }
