"""Hooks on one layer of a vision tower, and which layer that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from pruneviz.errors import UnsupportedModelError
from pruneviz.models.core.vision import PROJECTIONS, EncoderRecord, VisionRecord


class Handles:
    """Several hook handles that are removed together."""

    def __init__(self, *handles: Any) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Remove them all."""
        for handle in self._handles:
            handle.remove()


def index_of(encoder_layer: int | None, default: int, count: int) -> int:
    """The index from 0 of an encoder layer counted from 1 or, if negative, from the end.

    `default`, where none is named, is an index from 0 or, if negative, from the end.

    Raises
    ------
    ValueError
        If there is no layer `encoder_layer`.
    UnsupportedModelError
        If there is no layer `default`.
    """
    if encoder_layer is None:
        index = default if default >= 0 else count + default
        if not 0 <= index < count:
            raise UnsupportedModelError(
                f"The vision encoder has {count} layers, but the one to read is number {default} "
                "(from 0; negative from the end). Ask for another by encoder_layer."
            )
        return index
    index = encoder_layer - 1 if encoder_layer > 0 else count + encoder_layer
    if not encoder_layer or not 0 <= index < count:
        raise ValueError(
            f"The vision encoder has {count} layers: the one to read must be from 1 to {count}, or "
            f"from -{count} to -1 to count from the end, not {encoder_layer}."
        )
    return index


def tower_index(tower: nn.Module, encoder_layer: int | None, default: int) -> int:
    """The index from 0 of a layer of a tower; see :func:`index_of`."""
    return index_of(encoder_layer, default, len(tower_layers(tower)))


def layer_attention(tower: nn.Module, index: int = -2) -> nn.Module:
    """Attention module of the layer of this index in a tower (negative from the end).

    Raises
    ------
    UnsupportedModelError
        If the tower rotates its queries and keys, or does not compute them with separate
        projections.
    """
    described = type(tower).__name__
    stack = tower_layers(tower)
    if any("rotary" in name or "rope" in name for name, _ in tower.named_modules()):
        raise UnsupportedModelError(
            f"{described} uses rotary positions; reading its attention is not supported."
        )
    for module in stack[index].modules():
        if any(hasattr(module, q) and hasattr(module, k) for q, k in PROJECTIONS):
            return module
    raise UnsupportedModelError(
        f"{described}: attention without separate query and key projections is not supported."
    )


def tower_layers(tower: nn.Module) -> nn.ModuleList:
    """The tower's stack of layers."""
    for name, module in tower.named_modules():
        if isinstance(module, nn.ModuleList) and name.rsplit(".", 1)[-1] in ("layers", "layer"):
            return module
    raise UnsupportedModelError(
        f"{type(tower).__name__}: no stack of encoder layers found to read attention from."
    )


def last_layer(tower: nn.Module) -> nn.Module | None:
    """The tower's last layer, if it is built like CLIP's; else None."""
    stacks = [
        module
        for name, module in tower.named_modules()
        if isinstance(module, nn.ModuleList) and name.rsplit(".", 1)[-1] == "layers"
    ]
    found = stacks[0][-1] if stacks else None
    fits = all(hasattr(found, name) for name in ("self_attn", "layer_norm1"))
    return found if fits and hasattr(getattr(found, "self_attn", None), "q_proj") else None


def watch(
    attention: nn.Module,
    grid: Callable[[], tuple[int, int]],
    leading: Callable[[], int],
    keep: Callable[[EncoderRecord], None],
    last: nn.Module | None = None,
    encoder_index: int | None = None,
) -> Handles:
    """Register hooks that hand a :class:`VisionRecord` to `keep`; returns their handle.

    `last` is the layer after that of `attention`, where the LLM gets what enters it;
    `encoder_index` is that of the layer of `attention`.
    """
    records: list[VisionRecord] = []

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        seen = VisionRecord(module, hidden.detach(), grid(), leading(), last, None, encoder_index)
        records[:] = [seen]
        keep(seen)

    def complete(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        if records:
            records[0].output = hidden.detach()

    first = attention.register_forward_pre_hook(hook, with_kwargs=True)
    if last is None:
        return Handles(first)
    return Handles(first, last.register_forward_pre_hook(complete, with_kwargs=True))


def watch_tower(
    tower: Any,
    encoder_index: int,
    leading: Callable[[], int],
    keep: Callable[[EncoderRecord], None],
    last: nn.Module | None = None,
) -> Handles:
    """Watch a layer's attention in a tower whose images may have any size; returns the handles.

    `encoder_index` is as :func:`tower_index` gives it.
    """
    attention = layer_attention(tower, encoder_index)
    grid: list[int] = []

    def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        pixels = kwargs["pixel_values"] if "pixel_values" in kwargs else args[0]
        patches = pair(tower.config.patch_size)
        grid[:] = [n // side for n, side in zip(pixels.shape[-2:], patches, strict=True)]

    return Handles(
        tower.register_forward_pre_hook(note, with_kwargs=True),
        watch(attention, lambda: (grid[0], grid[1]), leading, keep, last, encoder_index),
    )


def pair(size: Any) -> tuple[int, int]:
    """Height and width where a configuration may give one number for both."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
