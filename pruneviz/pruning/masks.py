"""Attention masks for a shortened sequence, in the form each attention backend takes."""

from __future__ import annotations

from typing import Any

import torch
from transformers.masking_utils import create_causal_mask

from pruneviz.pruning.frames import Frame


def prefill_mask(config: Any, hidden: torch.Tensor, frame: Frame) -> Any:
    """Causal mask of the frame's sequence in the form in which transformers would build it.

    `hidden` is ``[batch, n, width]``; None where the backend needs no mask.
    """
    backend = str(config._attn_implementation)
    if frame.valid is None and backend == "sdpa":
        return None
    if frame.valid is None or backend not in ("sdpa", "eager"):
        return create_causal_mask(
            config=config,
            inputs_embeds=hidden,
            attention_mask=None if frame.valid is None else frame.valid.long(),
            past_key_values=None,
            position_ids=None,
        )
    # The same without looking at the device whether anything is masked.
    length = frame.length
    earlier = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()
    return for_backend(backend, earlier & frame.valid.view(-1, 1, 1, length), hidden.dtype)


def for_backend(backend: str, seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A mask ``[batch, 1, queries, keys]``, True where a query may look."""
    if backend != "eager":
        return seen
    blocked = torch.zeros_like(seen, dtype=dtype)
    return blocked.masked_fill(~seen, torch.finfo(dtype).min)


def open_mask(config: Any, embeds: torch.Tensor) -> torch.Tensor | None:
    """Mask of one new token, `embeds` ``[batch, 1, width]``, that may look at all there is.

    It goes for any number of keys: eager attention, which always adds one, gets zeros
    ``[batch, 1, 1, 1]``; the other backends need none.
    """
    if str(config._attn_implementation) != "eager":
        return None
    return embeds.new_zeros(embeds.shape[0], 1, 1, 1)


def valid_keys(frame: Frame, later: torch.Tensor) -> torch.Tensor:
    """A mask ``[batch, n]`` of a frame and of the tokens since the prefill, of the latter's dtype.

    `later` is that of the latter, ``[batch, new]``.
    """
    return torch.cat([frame.marks(later.dtype), later], dim=1)


def decode_mask(config: Any, keys: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Mask of one new token over keys of which ``[batch, n]`` tells which are valid."""
    backend = str(config._attn_implementation)
    if "flash" in backend:
        return keys.long()
    return for_backend(backend, keys.bool().view(len(keys), 1, 1, -1), dtype)
