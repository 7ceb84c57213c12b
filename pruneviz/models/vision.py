"""Attention means of one layer of a vision encoder, without eager attention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pruneviz.errors import UnsupportedModelError
from pruneviz.ops import larger_variance, self_attention_means

PROJECTIONS = (("q_proj", "k_proj"), ("query", "key"))


class EncoderRecord(ABC):
    """What a vision encoder's run left for FoPru."""

    @property
    @abstractmethod
    def counts(self) -> tuple[int, ...]:
        """Visual tokens that the LLM gets of each image."""

    @property
    @abstractmethod
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of visual tokens of each image."""

    @property
    @abstractmethod
    def encoder_tokens(self) -> int:
        """Tokens that the encoder computed for the first image."""

    @property
    def encoder_crops(self) -> int:
        """Into how many crops, encoded each on its own, the first image was cut."""
        return 1

    @abstractmethod
    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of some images' visual tokens, one after another, float32."""


class Handles:
    """Several hook handles that are removed together."""

    def __init__(self, *handles: Any) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Remove them all."""
        for handle in self._handles:
            handle.remove()


@dataclass
class VisionRecord(EncoderRecord):
    """Inputs of one layer's attention for the images encoded last.

    Attributes
    ----------
    attention : nn.Module
        The attention module.
    hidden : torch.Tensor
        Its input, ``[images, tokens, width]``.
    grid : tuple of int
        Rows and columns of patches.
    leading : int
        Tokens before the first patch that the LLM does not get (1 for a CLS token).
    """

    attention: nn.Module
    hidden: torch.Tensor
    grid: tuple[int, int]
    leading: int

    @property
    def counts(self) -> tuple[int, ...]:
        """Visual tokens that the LLM gets of each image."""
        images, tokens = self.hidden.shape[:2]
        return (tokens - self.leading,) * images

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of patches of each image."""
        return (self.grid,) * self.hidden.shape[0]

    @property
    def encoder_tokens(self) -> int:
        """Patches and CLS token of an image."""
        return self.hidden.shape[1]

    @torch.no_grad()
    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of every patch, float32."""
        query, key, scaling = project(self.attention, self.hidden[images])
        first = 0 if include_cls else self.leading
        received, emitted = self_attention_means(query, key, scaling, first)
        return larger_variance(received, emitted)[:, self.leading - first :].flatten()


def project(attention: Any, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Queries and keys ``[images, heads, tokens, head_dim]`` and the logits' scale."""
    names = next(pair for pair in PROJECTIONS if hasattr(attention, pair[0]))
    query, key = (getattr(attention, name)(hidden) for name in names)
    if hasattr(attention, "q_norm"):
        # InternVL's towers norm all heads together, before they are split.
        query, key = attention.q_norm(query), attention.k_norm(key)
    heads = next(
        int(getattr(attention, name))
        for name in ("num_heads", "num_attention_heads")
        if hasattr(attention, name)
    )
    head_dim = query.shape[-1] // heads
    scaling = float(getattr(attention, "scale", getattr(attention, "scaling", head_dim**-0.5)))
    shape = (*hidden.shape[:2], heads, head_dim)
    return query.view(shape).transpose(1, 2), key.view(shape).transpose(1, 2), scaling


def penultimate_attention(tower: nn.Module) -> nn.Module:
    """Attention module of the tower's last layer but one; errors as in `layer_attention`."""
    return layer_attention(tower, -2)


def layer_attention(tower: nn.Module, layer: int) -> nn.Module:
    """Attention module of one layer of a tower, counted from 0 or, if negative, from the end.

    Raises
    ------
    UnsupportedModelError
        If the tower has no such layer, rotates its queries and keys, or does not compute them
        with separate projections.
    """
    described = type(tower).__name__
    stacks = [
        module
        for name, module in tower.named_modules()
        if isinstance(module, nn.ModuleList) and name.rsplit(".", 1)[-1] in ("layers", "layer")
    ]
    if not stacks or not -len(stacks[0]) <= layer < len(stacks[0]):
        raise UnsupportedModelError(
            f"{described}: no stack of encoder layers found to read attention from."
        )
    if any("rotary" in name or "rope" in name for name, _ in tower.named_modules()):
        raise UnsupportedModelError(
            f"{described} uses rotary positions; reading its attention is not supported."
        )
    for module in stacks[0][layer].modules():
        if any(hasattr(module, q) and hasattr(module, k) for q, k in PROJECTIONS):
            return module
    raise UnsupportedModelError(
        f"{described}: attention without separate query and key projections is not supported."
    )


def watch(
    attention: nn.Module,
    grid: Callable[[], tuple[int, int]],
    leading: Callable[[], int],
    keep: Callable[[EncoderRecord], None],
) -> Any:
    """Register a hook that hands a :class:`VisionRecord` to `keep`; returns its handle."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        keep(VisionRecord(module, hidden.detach(), grid(), leading()))

    return attention.register_forward_pre_hook(hook, with_kwargs=True)


def watch_tower(
    tower: Any, layer: int, leading: Callable[[], int], keep: Callable[[EncoderRecord], None]
) -> Handles:
    """Watch one layer of a tower whose images may have any size; returns the handles."""
    grid: list[int] = []

    def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        pixels = kwargs["pixel_values"] if "pixel_values" in kwargs else args[0]
        patches = pair(tower.config.patch_size)
        grid[:] = [n // side for n, side in zip(pixels.shape[-2:], patches, strict=True)]

    return Handles(
        tower.register_forward_pre_hook(note, with_kwargs=True),
        watch(layer_attention(tower, layer), lambda: (grid[0], grid[1]), leading, keep),
    )


def pair(size: Any) -> tuple[int, int]:
    """Height and width where a configuration may give one number for both."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
