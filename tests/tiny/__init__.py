"""Tiny random models and their prompts, one file a family; the tables follow from the files."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import torch

from tests.tiny.base import LAYERS, NUM_PATCHES, VOCABULARY, Draft, Kind, Prompt, randomise

KINDS: dict[str, Kind] = {}
for _file in pkgutil.iter_modules(__path__):
    KINDS |= getattr(import_module(f"{__name__}.{_file.name}"), "KINDS", {})

MODELS = tuple(KINDS)
TEXT_MODELS = tuple(name for name, kind in KINDS.items() if not kind.family.sees)
VISION_MODELS = tuple(name for name, kind in KINDS.items() if kind.family.sees)
TILED_MODELS = tuple(name for name, kind in KINDS.items() if kind.crops > 1)


def fresh(kind: str, layers: int = LAYERS) -> Any:
    """A tiny model that nothing has run yet."""
    torch.manual_seed(0)
    model = KINDS[kind].build(layers)
    randomise(model, seed=len(kind) + layers)
    model.eval().requires_grad_(False)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


BUILT: dict[tuple[str, int], Any] = {}
"""Models by kind and depth, each built once."""


def _model(kind: str, layers: int) -> Any:
    if (kind, layers) not in BUILT:
        BUILT[kind, layers] = fresh(kind, layers)
    return BUILT[kind, layers]


def tiny(kind: str, backend: str = "sdpa", layers: int = LAYERS) -> Any:
    """A tiny model, built once; the attention backend is set anew each time."""
    model = _model(kind, layers)
    model.set_attn_implementation(backend)
    assert model.config._attn_implementation == backend
    return model


def prompt(kind: str, seed: int = 0, before: int = 3, after: int = 7, images: int = 1) -> Prompt:
    """A prompt of `before` text tokens, the image and `after` text tokens, batch 1."""
    generator = torch.Generator().manual_seed(100 + seed)
    count = NUM_PATCHES * images
    ids = torch.randint(8, VOCABULARY, (1, before + count + after), generator=generator)
    visual = torch.zeros_like(ids, dtype=torch.bool)
    visual[:, before : before + count] = True
    return KINDS[kind].prompt(Draft(_model(kind, LAYERS), ids, visual, images, generator))
