"""Reading a decoder while it runs: attention of some of its tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pruneviz.ops import attention_rows, rotated
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.rows import Words, put

Rotary = tuple[torch.Tensor, torch.Tensor]


def queries_of(attention: Any, normed: torch.Tensor) -> torch.Tensor:
    """Queries before RoPE of what enters an attention module, ``[batch, heads, n, head_dim]``."""
    query = _heads(attention, attention.q_proj, normed)
    return (attention.q_norm(query) if hasattr(attention, "q_norm") else query).transpose(1, 2)


def keys_of(attention: Any, normed: torch.Tensor, rotary: Rotary) -> torch.Tensor:
    """Keys after RoPE, ``[batch, kv_heads, n, head_dim]``.

    `rotary` are tables ``[batch or 1, 1, n, head_dim]``.
    """
    key = _heads(attention, attention.k_proj, normed)
    key = attention.k_norm(key) if hasattr(attention, "k_norm") else key
    return rotated(key.transpose(1, 2), *rotary)


def _heads(attention: Any, projection: Any, normed: torch.Tensor) -> torch.Tensor:
    """A projection of ``[batch, n, hidden]``, head by head: ``[batch, n, heads, head_dim]``."""
    batch, length = normed.shape[:2]
    return projection(normed.flatten(0, 1)).view(batch, length, -1, attention.head_dim)


def taken(states: torch.Tensor, places: torch.Tensor | None, count: int) -> torch.Tensor:
    """The states at `places` ``[batch, count]`` of ``[batch, n, width]``; None = the last."""
    if places is None:
        return states[:, -count:]
    return states.gather(1, places[..., None].expand(*places.shape, states.shape[-1]))


def taken_in_heads(values: torch.Tensor, places: torch.Tensor | None, count: int) -> torch.Tensor:
    """The same of values ``[batch or 1, heads or 1, n, width]``."""
    if places is None:
        return values[..., -count:, :]
    wide = values.expand(len(places), -1, -1, -1)
    index = places[:, None, :, None].expand(-1, wide.shape[1], -1, wide.shape[-1])
    return wide.gather(2, index)


class Reader:
    """Which tokens look, and what they may see: one for all layers with the same frame.

    Parameters
    ----------
    frame : Frame
        What the layer sees.
    words : Words
        Those that look.
    index : torch.Tensor or None
        Int64: rows of the batch; None = all of them in order.
    """

    def __init__(self, frame: Frame, words: Words, index: torch.Tensor | None) -> None:
        self._words, self._count = words, words.count
        tail = words.tail and frame.aligned
        self.places = None if tail else frame.places(words.columns, index)
        self._blocked = _blocked(frame, self.places, self._count, index)

    def queries(
        self, attention: Any, normed: torch.Tensor, kept: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Queries before RoPE of those that look, ``[batch, heads, t, head_dim]``.

        Of all queries of the layer, `kept` ``[batch, heads, n, head_dim]``, where they are at
        hand, else of what enters its attention, `normed` ``[batch, n, hidden]``.
        """
        if kept is None:
            return queries_of(attention, taken(normed, self.places, self._count))
        return taken_in_heads(kept, self.places, self._count)

    def mean(
        self, attention: Any, query: torch.Tensor, keys: torch.Tensor, rotary: Rotary
    ) -> torch.Tensor:
        """Attention that each token gets from them, averaged over heads and over them.

        Parameters
        ----------
        attention
            The layer's attention module.
        query : torch.Tensor
            Queries of those that look before RoPE, ``[batch, heads, t, head_dim]``.
        keys : torch.Tensor
            All keys after RoPE, ``[batch, kv_heads, n, head_dim]``.
        rotary : tuple of torch.Tensor
            Cosines and sines of the layer, ``[batch or 1, 1, n, head_dim]``.

        Returns
        -------
        torch.Tensor
            Float32 ``[batch, n]``; NaN in a row in which none looks.
        """
        cos, sin = (taken_in_heads(table, self.places, self._count) for table in rotary)
        scaling = float(getattr(attention, "scaling", attention.head_dim**-0.5))
        seen = attention_rows(rotated(query, cos, sin), keys, scaling, self._blocked)
        weights = self._words.weights
        if weights is None:
            return seen.mean((1, 2))
        return (seen.mean(1) * weights[..., None]).sum(1)


def _blocked(
    frame: Frame, places: torch.Tensor | None, count: int, index: torch.Tensor | None
) -> torch.Tensor | None:
    """Bool ``[batch or 1, 1, count, n]``: what may not be seen; None where nothing is hidden."""
    length, device = frame.length, frame.columns.device
    if places is None:
        later = None
        if count > 1:
            ahead = np.triu(np.ones((1, 1, count, length), dtype=bool), length - count + 1)
            later = put(ahead, device)
    else:
        later = torch.arange(length, device=device) > places[:, None, :, None]
    if frame.valid is None:
        return later
    valid = frame.valid if index is None else frame.valid.index_select(0, index)
    padding = ~valid.view(-1, 1, 1, length)
    return padding if later is None else later | padding
