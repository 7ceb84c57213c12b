"""Attention masks for a shortened sequence, in the form each attention backend takes."""

from __future__ import annotations

from typing import Any

import torch
from transformers.masking_utils import create_causal_mask

from pruneviz.pruning.frames import Frame


def prefill_mask(config: Any, hidden: torch.Tensor, frame: Frame) -> Any:
    """Causal mask of the frame's sequence as transformers itself would build it.

    `hidden` is ``[batch, n, width]``; None where the backend needs no mask.
    """
    valid = None if frame.valid is None else frame.valid.long()
    return create_causal_mask(
        config=config,
        inputs_embeds=hidden,
        attention_mask=valid,
        past_key_values=None,
        position_ids=None,
    )


def decode_mask(
    config: Any, frame: Frame, new: int, later: torch.Tensor | None, dtype: torch.dtype
) -> torch.Tensor | None:
    """Mask of one new token over the frame and the `new` tokens since the prefill.

    `later` is the 2-D mask of those tokens, bool ``[batch, new]``, None = all valid. Returns
    None where every key is valid: no backend needs a mask for a single query then.
    """
    if frame.valid is None and (later is None or bool(later.all())):
        return None
    batch = frame.columns.shape[0]
    device = frame.columns.device
    past = frame.valid
    if past is None:
        past = torch.ones(batch, frame.length, dtype=torch.bool, device=device)
    if later is None:
        later = torch.ones(batch, new, dtype=torch.bool, device=device)
    keys = torch.cat([past, later], dim=1)
    backend = str(config._attn_implementation)
    if "flash" in backend:
        return keys.long()
    keys = keys[:, None, None, :]
    if backend == "eager":
        blocked = torch.zeros_like(keys, dtype=dtype)
        return blocked.masked_fill(~keys, torch.finfo(dtype).min)
    return keys
