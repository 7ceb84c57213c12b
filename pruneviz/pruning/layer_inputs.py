"""What a decoder layer after a pruning stage is given in place of the stack's own arguments."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.models.core.decoder import Decoder
from pruneviz.pruning import masks
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.state import Prefill


def layer_inputs(
    decoder: Decoder, state: Prefill, frame: Frame, hidden: torch.Tensor, rotary: Any
) -> dict[str, Any]:
    """Mask and rotary tables for a layer that sees `frame`; made once per frame and step.

    `hidden` ``[batch, n, hidden]`` is what enters the layer, `rotary` the stack's own tables.
    """

    def memo(kind: str, make: Any) -> Any:
        key = (kind, id(frame))
        if key not in state.memo:
            state.memo[key] = make()
        return state.memo[key]

    mask = memo("mask", lambda: _mask(decoder, state, frame, hidden))
    if frame.renumbered or state.running:
        rotary = memo("rotary", lambda: _rotary(decoder, state, frame, hidden, rotary))
    # Layers read positions through the rotary tables alone; gapped ids would only make
    # FlashAttention take the sequence for several packed ones.
    return {"attention_mask": mask, "position_embeddings": rotary, "position_ids": None}


def _mask(decoder: Decoder, state: Prefill, frame: Frame, hidden: torch.Tensor) -> Any:
    if state.running:
        return masks.prefill_mask(decoder.config, hidden, frame)
    return masks.decode_mask(decoder.config, frame, state.new, state.later, hidden.dtype)


def _rotary(decoder: Decoder, state: Prefill, frame: Frame, hidden: torch.Tensor, base: Any) -> Any:
    if not state.running:
        return decoder.rotary(hidden, state.steps(frame))
    if frame.renumbered:
        return decoder.rotary(hidden, frame.positions)
    places = torch.searchsorted(state.base.columns.contiguous(), frame.columns)[..., None]
    return tuple(
        table.expand(*table.shape[:-3], len(places), -1, -1).gather(
            -2, places.expand(*table.shape[:-3], -1, -1, table.shape[-1])
        )
        for table in base
    )
