"""Random weights at the geometry of real models: nothing is downloaded, times are the same."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from pruneviz.cost import ModelShape
from pruneviz.engine.bench.geometries import GEOMETRIES, Geometry
from pruneviz.engine.bench.subject import Subject, check_attention
from pruneviz.engine.bench.timing import is_out_of_memory
from pruneviz.errors import InputError, ModelLoadError
from pruneviz.models.core.placing import DTYPES, pick_device
from pruneviz.models.core.weights import free_memory
from pruneviz.models.registry import LOADABLE, find_adapter

BEFORE = 35
"""Text tokens before the image: about LLaVA's system prompt; fewer where the text is shorter."""
LOW, HIGH = 8, 80
"""Text tokens are drawn from here: no model's special tokens."""

SMALLER = (
    "Build fewer decoder layers with --layers, or take a smaller --batch, --dtype or geometry."
)


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
        If it does not fit into the device's memory, or there is no such device.
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
    model = _built(name, config, kind, where)
    model.set_attn_implementation(attention)
    # No answer ends by itself.
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    title = f"{geometry.title}, random weights"
    if text.num_hidden_layers < whole:
        title += f", only {text.num_hidden_layers} of its {whole} decoder layers"
    inputs = _inputs(geometry, config, where, kind)
    return Subject(title, model, find_adapter(model), inputs, newlines, positions)


def shape_of(name: str, value_bytes: int = 2) -> ModelShape:
    """Sizes that decide what the whole model of a name costs; nothing is built.

    Parameters
    ----------
    name : str
        One of `GEOMETRIES`.
    value_bytes : int
        Bytes per element of the KV cache.
    """
    geometry = GEOMETRIES[name]
    config, _ = _config(geometry, None)
    adapter = LOADABLE[geometry.kind]()
    return adapter.shape(config, value_bytes, geometry.encoded, geometry.crops)


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


def _built(name: str, config: Any, dtype: torch.dtype, device: torch.device) -> Any:
    """The model on its device, told in words where that fails."""
    try:
        with device:
            return _model(config, dtype).eval()
    except (AssertionError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise ModelLoadError(f"{name!r} does not fit into {device}. {SMALLER}") from error
        raise ModelLoadError(f"Device {device} cannot be used: {error}") from error


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
            f"{SMALLER}"
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
