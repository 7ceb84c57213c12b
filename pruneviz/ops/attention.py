"""Attention probabilities of a few rows, without running a whole layer in eager mode."""

from __future__ import annotations

import torch


def _rotate_half(x: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Queries or keys ``[..., n, head_dim]`` turned by the tables ``[n, head_dim]`` of RoPE."""
    return x * cos + _rotate_half(x) * sin


def attention_rows(
    query: torch.Tensor,
    key: torch.Tensor,
    rows: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    scaling: float,
    key_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Causal attention probabilities of chosen query rows, averaged over heads.

    Parameters
    ----------
    query : torch.Tensor
        Projected queries of the chosen rows before RoPE, ``[heads, rows, head_dim]``.
    key : torch.Tensor
        Projected keys of the whole sequence before RoPE, ``[kv_heads, n, head_dim]``;
        `kv_heads` divides `heads` (grouped-query attention).
    rows : torch.Tensor
        Int64 ``[rows]``: place of each query row in the sequence.
    cos, sin : torch.Tensor
        Rotary tables of the sequence, ``[n, head_dim]``.
    scaling : float
        Factor on the logits, usually ``head_dim ** -0.5``.
    key_mask : torch.Tensor, optional
        Bool ``[n]``, False at padding.

    Returns
    -------
    torch.Tensor
        Float32 ``[rows, n]``; each row sums to 1 over the keys it may see.
    """
    heads, length = query.shape[0], key.shape[1]
    query = rotated(query, cos[rows], sin[rows])
    key = rotated(key, cos, sin)
    groups = heads // key.shape[0]
    grouped = query.unflatten(0, (key.shape[0], groups))
    logits = torch.einsum("ghrd,gnd->ghrn", grouped, key).flatten(0, 1).float() * scaling
    visible = torch.arange(length, device=rows.device) <= rows[:, None]
    if key_mask is not None:
        visible = visible & key_mask
    logits = logits.masked_fill(~visible, torch.finfo(torch.float32).min)
    return logits.softmax(-1).mean(0)


def self_attention_means(
    query: torch.Tensor,
    key: torch.Tensor,
    scaling: float,
    first: int = 0,
    max_elements: int = 1 << 24,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Column and row means of an encoder's attention map, a block of rows at a time.

    The softmax runs over all keys; the means are taken over the tokens from `first` on
    (``first=1`` leaves a leading CLS token out of the map).

    Parameters
    ----------
    query, key : torch.Tensor
        ``[batch, heads, n, head_dim]``.
    scaling : float
        Factor on the logits.
    first : int
        Index of the first token that belongs to the map.
    max_elements : int
        Largest number of attention probabilities held at once; bounds the memory.

    Returns
    -------
    received, emitted : torch.Tensor
        Float32 ``[batch, n - first]``: mean over queries and over keys, heads averaged.
    """
    batch, heads, length, _ = query.shape
    count = length - first
    block = max(1, max_elements // (batch * heads * length))
    received = torch.zeros(batch, count, device=query.device)
    emitted = []
    for start in range(first, length, block):
        rows = query[:, :, start : start + block]
        logits = (rows @ key.transpose(-1, -2)).float() * scaling
        patches = logits.softmax(-1)[..., first:].mean(1)
        received += patches.sum(1)
        emitted.append(patches.mean(-1))
    return received / count, torch.cat(emitted, dim=1)
