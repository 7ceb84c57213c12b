"""Refusals: ways of running a model in which removing tokens would go wrong."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import torch
from transformers import GenerationMixin
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from pruneviz.errors import PruningError

_GENERATE = inspect.unwrap(GenerationMixin.generate).__code__


def generating() -> bool:
    """Whether `generate` is on the call stack of this thread."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _GENERATE:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def check_cache(cache: Any) -> None:
    """Raise PruningError unless every layer of the cache grows with what it is given."""
    if cache is None:
        return
    layers = list(getattr(cache, "layers", []))
    kinds = [*layers, *_lazy_kinds(cache)]
    grows = all(_is_dynamic(kind) for kind in kinds)
    if not grows or getattr(cache, "is_compileable", False):
        raise PruningError(
            f"{type(cache).__name__} reserves one length for all decoder layers, but after pruning "
            "every layer holds its own. Use the default DynamicCache: leave cache_implementation "
            "and past_key_values out."
        )


def _lazy_kinds(cache: Any) -> list[Any]:
    kind = getattr(cache, "layer_class_to_replicate", None)
    return [] if kind is None else [kind]


def _is_dynamic(layer: Any) -> bool:
    kind = layer if isinstance(layer, type) else type(layer)
    return issubclass(kind, DynamicLayer) and not issubclass(kind, DynamicSlidingWindowLayer)


def check_prefill(cache: Any, use_cache: Any, mask: Any, positions: Any) -> None:
    """Raise PruningError if this prefill cannot be pruned correctly."""
    if torch.compiler.is_compiling():
        raise PruningError("prune() does not work under torch.compile; run the model uncompiled.")
    check_cache(cache)
    if cache is None and use_cache is False and generating():
        raise PruningError(
            "generate(use_cache=False) runs the whole prompt again for every token, each time "
            "pruned differently. Leave use_cache at True."
        )
    if mask is not None and (not isinstance(mask, torch.Tensor) or mask.ndim != 2):
        raise PruningError("Pass a 2-D attention mask [batch, sequence]; others cannot be pruned.")
    if positions is not None and positions.ndim != 2:
        raise PruningError("Only 2-D position_ids [batch, sequence] can be pruned.")


def check_continuation(new: int, same_cache: bool) -> None:
    """Raise PruningError unless this is a decode step on the cache of the pruned prefill."""
    if not same_cache:
        raise PruningError(
            "The cache was not filled by the last prefill inside this prune(). Start from an empty "
            "cache inside the `with` block."
        )
    if new > 1:
        raise PruningError(
            f"{new} tokens at once on a pruned cache: a second turn, chunked prefill "
            "(prefill_chunk_size) and assisted decoding cannot continue it. Run the whole "
            "conversation as one prompt, in one piece, with a fresh cache."
        )
