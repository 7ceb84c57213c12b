"""Refusals: ways of running a model in which removing tokens would go wrong."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import torch
from transformers import GenerationMixin
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from pruneviz.errors import PruningError
from pruneviz.methods.base import Needs
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.vision import EncoderRecord

ASSISTED = ("prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp")
MOVED = ("penalty_alpha", "dola_layers", "num_beam_groups", "constraints", "force_words_ids")
"""Settings of the modes of `generate` that are code on the hub since transformers 5."""
ELSEWHERE = (
    "Contrastive search, DoLa, group and constrained beam search, and whatever a name given as "
    "custom_generate stands for, are code from elsewhere, which was never tried with pruning. "
    f"Leave {', '.join(MOVED)} and the name out; a function as custom_generate is right."
)
_GENERATE = inspect.unwrap(GenerationMixin.generate).__code__


def check_vision(
    adapter: Adapter, model: Any, needs: Needs, vision: Sequence[EncoderRecord]
) -> None:
    """Raise PruningError if records are given, but not of an encoder layer that is read."""
    recorded = [record.encoder_index for record in vision]
    if not needs.encoder or not recorded or None in recorded:
        return
    for encoder_layer in (needs.encoder_layer, *needs.further_layers):
        wanted = adapter.encoder_index(model, encoder_layer)
        if wanted not in recorded:
            given = ", ".join(str(index + 1) for index in recorded if index is not None)
            raise PruningError(
                f"The method reads layer {wanted + 1} of the vision encoder, but the record given "
                f"as vision is of layer {given}. Record the other one: "
                f"find_adapter(model).watch_vision(model, keep, {wanted + 1})."
            )


def check_generate() -> None:
    """Raise PruningError if `generate` runs on this thread in a way that cannot be pruned."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _GENERATE:  # that of one mode may run another
            _check_settings(frame)
        frame = frame.f_back


def _check_settings(frame: FrameType) -> None:
    """Look at what `generate` was called with."""
    settings = frame.f_locals.get("generation_config")
    if getattr(settings, "use_cache", None) is False:
        raise PruningError(
            "generate(use_cache=False) runs the whole prompt again for every token, each time "
            "pruned differently. Leave use_cache at True."
        )
    if getattr(settings, "prefill_chunk_size", None) is not None:
        raise PruningError(
            "A prompt fed in chunks cannot be pruned: no chunk shows the whole image and the "
            "question. Leave prefill_chunk_size out."
        )
    if getattr(settings, "guidance_scale", None) not in (None, 1):
        raise PruningError(
            "guidance_scale runs the model on a second prompt, without the image, between the "
            "steps of the first one, in whose place it would come. Leave it out."
        )
    if getattr(settings, "token_healing", None):
        raise PruningError(
            "token_healing writes the end of the prompt anew by a run of its own, which sees no "
            "image. Leave it out."
        )
    named = isinstance(frame.f_locals.get("custom_generate"), str)
    if named or any(getattr(settings, name, None) not in (None, 1) for name in MOVED):
        raise PruningError(ELSEWHERE)
    assistant = frame.f_locals.get("assistant_model") is not None
    if assistant or any(getattr(settings, name, None) for name in ASSISTED):
        raise PruningError(
            "Assisted decoding checks guessed tokens together with the prompt, where they would "
            "be taken for the question. Leave the assistant (assistant_model, "
            "prompt_lookup_num_tokens) out."
        )


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

    if getattr(cache, "offloading", False):
        raise PruningError(
            "A cache that is moved to the host layer by layer was never tried with pruning, which "
            "makes it small in another way. Leave cache_implementation='offloaded' out."
        )


def _lazy_kinds(cache: Any) -> list[Any]:
    kind = getattr(cache, "layer_class_to_replicate", None)
    return [] if kind is None else [kind]


def _is_dynamic(layer: Any) -> bool:
    kind = layer if isinstance(layer, type) else type(layer)
    return issubclass(kind, DynamicLayer) and not issubclass(kind, DynamicSlidingWindowLayer)


def check_prefill(cache: Any, mask: Any, positions: Any, multimodal: bool = False) -> None:
    """Raise PruningError if this prefill cannot be pruned correctly.

    `multimodal`: whether the model gives a token several positions.
    """
    check_cache(cache)
    check_generate()
    if mask is not None and (not isinstance(mask, torch.Tensor) or mask.ndim != 2):
        raise PruningError("Pass a 2-D attention mask [batch, sequence]; others cannot be pruned.")
    if multimodal and positions is not None:
        if positions.ndim != 2 and (positions.ndim != 3 or positions.shape[0] not in (3, 4)):
            raise PruningError(
                "position_ids must be [batch, sequence], [3, batch, sequence] (time, height, "
                "width) or [4, batch, sequence] (the text's before them)."
            )
        # Of four channels the first counts the text; masks are made of that one alone, or of
        # the only one.
        if positions.ndim == 3:
            positions = positions[0] if len(positions) == 4 else None
    elif positions is not None and positions.ndim != 2:
        raise PruningError("Only 2-D position_ids [batch, sequence] can be pruned.")
    alone = mask is None and cache is None and positions is not None
    if alone and bool((positions.diff(dim=-1) != 1).any()):
        raise PruningError(
            "position_ids with gaps and no attention mask mean several sequences packed into one "
            "row, which cannot be pruned. Pass an attention_mask, or one sequence a row."
        )


def check_continuation(new: int) -> None:
    """Raise PruningError unless a pruned cache is continued by one token."""
    if new > 1:
        raise PruningError(
            f"{new} tokens at once on a pruned cache: a second turn, chunked prefill "
            "(prefill_chunk_size) and assisted decoding cannot continue it. Run the whole "
            "conversation as one prompt, in one piece, with a fresh cache."
        )
