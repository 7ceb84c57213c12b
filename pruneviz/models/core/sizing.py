"""What a model's configuration asks for, told before anything is made of it.

Transformers makes every layer that a configuration names, whether there are weights for it or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from pruneviz.errors import ModelLoadError
from pruneviz.models.core.weights import local_folder, weight_bytes

LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "depth")
WIDTHS = ("embed_dim", "hidden_size")
"""The first that is there: where both are, the second one is that of what comes after."""
MOST_LAYERS = 1_000
"""No supported model has a tenth of it."""
FAR_MORE = 2
"""Times what the files hold. Where less is missing, loading names every weight."""
LARGEST = 16_000_000
"""Bytes of a configuration; the largest known has some ten thousand."""


def check_configuration(name: str) -> None:
    """Refuse a configuration that is no supported model's, or not that of the weights beside it.

    What cannot be read is let pass: loading says why.

    Raises
    ------
    ModelLoadError
    """
    config = _configuration(name)
    if config is None:
        return
    deepest = max((_first(part, LAYERS) for part in _parts(config)), default=0)
    if deepest > MOST_LAYERS:
        raise ModelLoadError(
            f"The configuration of {name!r} asks for {deepest} layers, more than any model that is "
            f"supported (at most {MOST_LAYERS}). Its config.json is damaged: get a new copy."
        )
    _compare(name, _parameters(config), "quantization_config" in config)


def check_stack(name: str, config: Any) -> None:
    """The same of the language model that transformers would make.

    Where the file leaves something out, it takes a default: of a model of 7 billion parameters.

    Raises
    ------
    ModelLoadError
    """
    text = config.get_text_config()
    quantised = getattr(config, "quantization_config", None) is not None
    _compare(name, _of_part(text.to_dict()), quantised)


def _compare(name: str, parameters: int, quantised: bool) -> None:
    stored = None if quantised else weight_bytes(name, torch.float32)
    needed = 4 * parameters
    if stored is not None and needed > FAR_MORE * stored:
        raise ModelLoadError(
            f"The configuration of {name!r} is of a larger model than the weights beside it: it "
            f"asks for at least {needed // 4} parameters, and the files hold {stored // 4}. Get "
            "config.json and weights from one place."
        )


def configured_bytes(name: str, dtype: Any = "auto") -> int | None:
    """Least memory that the model takes which a configuration describes.

    Parameters
    ----------
    name : str
        As for :func:`pruneviz.load_model`.
    dtype : torch.dtype or "auto"
        In which it is loaded; ``"auto"`` is the stored one.

    Returns
    -------
    int or None
        Bytes of the embeddings and of the attention and MLP weights of all layers; None where
        there is no configuration to be read on this machine.
    """
    config = _configuration(name)
    if config is None:
        return None
    size = dtype.itemsize if isinstance(dtype, torch.dtype) else 2
    return size * _parameters(config)


def _configuration(name: str) -> dict[str, Any] | None:
    folder = local_folder(name)
    path = Path() if folder is None else folder / "config.json"
    try:
        if folder is None or path.stat().st_size > LARGEST:
            return None
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None


def _parts(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The configuration and those inside it."""
    yield config
    for value in config.values():
        if isinstance(value, dict):
            yield from _parts(value)


def _parameters(config: dict[str, Any]) -> int:
    return sum(_of_part(part) for part in _parts(config))


def _of_part(part: dict[str, Any]) -> int:
    """Parameters of one stack of layers, at the least; 0 of what is none."""
    width, layers = _first(part, WIDTHS), _first(part, LAYERS)
    heads = _first(part, ("num_attention_heads", "num_heads")) or 1
    per_head = _first(part, ("head_dim",)) or width // heads
    keys = _first(part, ("num_key_value_heads",)) or heads
    attention = 2 * width * per_head * (heads + keys)
    mlp = 2 * width * _first(part, ("intermediate_size",))
    patch = _first(part, ("patch_size",))
    cells = (_first(part, ("image_size",)) // patch) ** 2 if patch else 0
    return layers * (attention + mlp) + width * (_first(part, ("vocab_size",)) + cells)


def _first(part: dict[str, Any], names: tuple[str, ...]) -> int:
    """The first of these numbers that is there; 0 where none is."""
    values = (part.get(name) for name in names)
    return next((v for v in values if isinstance(v, int) and not isinstance(v, bool) and v > 0), 0)
