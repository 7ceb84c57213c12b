"""Oracles that are independent of the library, and the tiny models that the tests run on."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import torch
from torch import nn

from tests.tiny import (
    MODELS,
    TEXT_MODELS,
    TILED_MODELS,
    VISION_MODELS,
    Prompt,
    fresh,
    prompt,
    tiny,
)
from tests.tiny.base import (
    IMAGE,
    LAYERS,
    NUM_PATCHES,
    VOCABULARY,
    clip_config,
    randomise,
    text_config,
)
from tests.tiny.idefics import IDEFICS_MODELS
from tests.tiny.llava import LLAVA_MODELS
from tests.tiny.llava_onevision import onevision_config
from tests.tiny.qwen_vl import DEEPSTACK, QWEN_MODELS, QWEN_PATCH, deepstack_of

BACKENDS = ("sdpa", "eager")

__all__ = [
    "BACKENDS",
    "DEEPSTACK",
    "IDEFICS_MODELS",
    "IMAGE",
    "LAYERS",
    "LLAVA_MODELS",
    "MODELS",
    "NUM_PATCHES",
    "QWEN_MODELS",
    "QWEN_PATCH",
    "TEXT_MODELS",
    "TILED_MODELS",
    "VISION_MODELS",
    "VOCABULARY",
    "Prompt",
    "alive_columns",
    "clip_config",
    "close",
    "continued",
    "deepstack_of",
    "fresh",
    "hook_count",
    "left_padded",
    "masked_run",
    "new_tokens",
    "onevision_config",
    "own_hooks",
    "prompt",
    "randomise",
    "stack_of",
    "text_config",
    "tiny",
    "with_generated",
]


def left_padded(prompts: list[Prompt]) -> Prompt:
    """Several prompts of batch 1 as one left-padded batch with an attention mask."""
    width = max(p.visual.shape[1] for p in prompts)
    pads = [width - p.visual.shape[1] for p in prompts]

    def pad(rows: list[torch.Tensor], value: float) -> torch.Tensor:
        return torch.cat(
            [
                torch.cat([row.new_full((1, n, *row.shape[2:]), value), row], dim=1)
                for row, n in zip(rows, pads, strict=True)
            ]
        )

    visual = pad([p.visual for p in prompts], False)
    embeds = pad([p.embeds for p in prompts], 0.0)
    mask = pad([torch.ones_like(p.visual).long() for p in prompts], 0)
    inputs = {"attention_mask": mask}
    for name in dict.fromkeys(name for p in prompts for name in p.inputs):
        having = [p for p in prompts if name in p.inputs]
        parts = [p.inputs[name] for p in having]
        if name != "attention_mask":
            # What has a place for each token is padded; the rest is of the images.
            per_token = parts[0].shape[:2] == having[0].visual.shape
            inputs[name] = pad(parts, 0) if per_token else torch.cat(_with_blank_crops(parts))
    return Prompt(inputs, visual, embeds)


def _with_blank_crops(parts: list[torch.Tensor]) -> list[torch.Tensor]:
    """Where rows have several crops each, as many in every row, blank ones filling up."""
    if parts[0].ndim < 4 or len({part.shape[1:] for part in parts}) == 1:
        return parts
    most = max(part.shape[1] for part in parts)
    return [
        torch.cat([part, part.new_zeros(1, most - part.shape[1], *part.shape[2:])], dim=1)
        for part in parts
    ]


def stack_of(model: Any) -> Any:
    """The decoder stack of any of the tiny models."""
    inner = getattr(model.model, "text_model", model.model)
    return getattr(inner, "language_model", inner)


def hook_count(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def own_hooks(model: nn.Module) -> list[Any]:
    """Hooks that this library registered (transformers leaves some of its own)."""
    hooks = [
        hook
        for module in model.modules()
        for hook in [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    ]
    return [hook for hook in hooks if str(hook.__module__).startswith("pruneviz")]


def alive_columns(visual: torch.Tensor, trace: Any, num_layers: int) -> list[torch.Tensor]:
    """For each decoder layer, bool ``[sequence]``: the prompt columns that it may still see."""
    places = visual.nonzero().squeeze(-1)
    out = []
    for layer in range(num_layers):
        alive = torch.ones_like(visual)
        for stage in trace.stages:
            if stage.layer <= layer:
                alive[places] = False
                alive[places[torch.from_numpy(stage.kept)]] = True
        out.append(alive)
    return out


def masked_run(
    model: Any,
    embeds: torch.Tensor,
    alive: list[torch.Tensor],
    renumber: bool | list[bool],
    given: torch.Tensor | None = None,
    added: tuple[torch.Tensor, ...] = (),
) -> torch.Tensor:
    """Logits of a full-length run in which every layer's mask hides what was dropped before it.

    Nothing is removed and nothing cached: `embeds` ``[1, n, d]`` may hold generated tokens after
    the prompt, for which `alive` (one bool row per layer, prompt columns) is taken as True.
    `renumber` may differ by layer. `given` are the prompt's positions, counted if None; `added`
    what the first layers' outputs get on top, for all of the prompt.
    """
    stack = stack_of(model)
    length = embeds.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    hidden = embeds
    fresh_ids = [renumber] * len(alive) if isinstance(renumber, bool) else renumber
    for layer, seen, anew, more in zip_longest(stack.layers, alive, fresh_ids, added):
        visible = torch.cat([seen, seen.new_ones(length - len(seen))])
        allowed = causal & visible[None, :]
        allowed |= torch.eye(length, dtype=torch.bool)  # a dropped row needs some key
        mask = torch.zeros(length, length, dtype=embeds.dtype)
        mask = mask.masked_fill(~allowed, torch.finfo(embeds.dtype).min)[None, None]
        positions = continued(given, length)
        if anew and not bool(visible.all()):
            positions = (visible.long().cumsum(0) - 1).clamp_min(0).expand_as(positions)
        rotary = stack.rotary_emb(hidden, position_ids=positions)
        hidden = layer(hidden, attention_mask=mask, position_embeddings=rotary)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        if more is not None:
            hidden = torch.cat([hidden[:, : len(seen)] + more, hidden[:, len(seen) :]], dim=1)
    return model.lm_head(stack.norm(hidden))[0]


def continued(positions: torch.Tensor | None, length: int) -> torch.Tensor:
    """A prompt's positions ``[..., 1, n]`` and those of the tokens after it."""
    if positions is None:
        return torch.arange(length)[None]
    more = torch.arange(1, length - positions.shape[-1] + 1)
    return torch.cat([positions, positions[..., -1:] + more], dim=-1)


def with_generated(model: Any, embeds: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """A prompt's embeddings ``[1, n, d]`` followed by those of generated ids ``[t]``."""
    return torch.cat([embeds, model.get_input_embeddings()(ids)[None]], dim=1)


def new_tokens(run: dict[str, torch.Tensor], sequences: torch.Tensor) -> torch.Tensor:
    """The generated part of `sequences` (prompt ids are only there where ids were given)."""
    given = run["input_ids"].shape[1] if "input_ids" in run else 0
    return sequences[:, given:]


def close(a: torch.Tensor, b: torch.Tensor, atol: float = 1e-4) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, atol=atol, rtol=1e-4)
