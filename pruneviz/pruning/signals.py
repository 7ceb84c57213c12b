"""Reading a decoder while it runs: attention rows, text raters, residual norms."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.ops import attention_rows, rotated, text_raters
from pruneviz.pruning.frames import Frame

Rotary = tuple[torch.Tensor, torch.Tensor]


def project_rows(
    attention: Any,
    normed: torch.Tensor,
    rows: torch.Tensor,
    rotary: Rotary,
    key_mask: torch.Tensor | None,
) -> torch.Tensor:
    """Attention probabilities of some rows of one sample in a decoder layer.

    Parameters
    ----------
    attention
        The layer's attention module (``q_proj``, ``k_proj``; query and key norms if it has
        them; grouped heads are repeated).
    normed : torch.Tensor
        Its input, ``[n, hidden]``.
    rows : torch.Tensor
        Int64 ``[t]``: query places.
    rotary : tuple of torch.Tensor
        Cosines and sines, ``[n, head_dim]``.
    key_mask : torch.Tensor or None
        Bool ``[n]``.

    Returns
    -------
    torch.Tensor
        Float32 ``[t, n]``, averaged over heads.
    """
    size = attention.head_dim
    query = attention.q_proj(normed[rows]).unflatten(-1, (-1, size))
    if hasattr(attention, "q_norm"):
        query = attention.q_norm(query)
    key = _keys(attention, normed)
    cos, sin = rotary
    scaling = float(getattr(attention, "scaling", size**-0.5))
    return attention_rows(
        query.transpose(0, 1), key.transpose(0, 1), rows, cos, sin, scaling, key_mask
    )


def _keys(attention: Any, normed: torch.Tensor) -> torch.Tensor:
    """Keys before RoPE, ``[n, kv_heads, head_dim]``."""
    key = attention.k_proj(normed).unflatten(-1, (-1, attention.head_dim))
    return attention.k_norm(key) if hasattr(attention, "k_norm") else key


def rotated_keys(
    attention: Any, normed: torch.Tensor, rotary: Rotary, row: int, places: torch.Tensor
) -> torch.Tensor:
    """Keys after RoPE of some tokens of one row in a decoder layer.

    Parameters
    ----------
    attention
        The layer's attention module.
    normed : torch.Tensor
        What enters it of that row, ``[n, hidden]``.
    rotary : tuple of torch.Tensor
        Cosines and sines of the layer, ``[batch or 1, n, head_dim]``.
    row : int
        Row of the batch.
    places : torch.Tensor
        Int64 ``[m]``.

    Returns
    -------
    torch.Tensor
        ``[m, kv_heads, head_dim]``.
    """
    cos, sin = (table[places] for table in _of_row(rotary, row))
    keys = _keys(attention, normed[places]).transpose(0, 1)
    return rotated(keys, cos, sin).transpose(0, 1)


def mean_attention(
    attention: Any,
    normed: torch.Tensor,
    rotary: Rotary,
    frame: Frame,
    row: int,
    queries: torch.Tensor,
) -> torch.Tensor:
    """Attention that each token of one row gets from some others, averaged over them.

    Parameters
    ----------
    attention
        The layer's attention module.
    normed : torch.Tensor
        What enters it of that row, ``[n, hidden]``.
    rotary : tuple of torch.Tensor
        Cosines and sines of the layer, ``[batch or 1, n, head_dim]``.
    frame : Frame
        What the layer sees.
    row : int
        Row of the batch.
    queries : torch.Tensor
        Int64: columns of the prompt.

    Returns
    -------
    torch.Tensor
        Float32 ``[n]``.
    """
    own, places = _of_row(rotary, row), frame.places(row, queries)
    return project_rows(attention, normed, places, own, frame.row_valid(row)).mean(0)


def _of_row(rotary: Rotary, row: int) -> Rotary:
    """One row's tables ``[n, head_dim]``; rows may share them."""
    cos, sin = (table[row if table.shape[0] > 1 else 0] for table in rotary)
    return cos, sin


@torch.no_grad()
def raters(columns: torch.Tensor, after: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
    """Those of the text columns `after` that match the picture.

    `columns` are those of the visual tokens, `embeds` ``[length, hidden]`` the row's input
    embeddings.
    """
    if not len(after) or not len(columns):
        return after
    return after[text_raters(embeds[columns], embeds[after])]


def relative_norm(output: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
    """``||output|| / ||stream||`` per token, float32; 0 where the stream is zero."""
    size = stream.float().norm(dim=-1)
    ratio = output.float().norm(dim=-1) / size.clamp_min(torch.finfo(torch.float32).tiny)
    return torch.where(size > 0, ratio, torch.zeros_like(ratio))
