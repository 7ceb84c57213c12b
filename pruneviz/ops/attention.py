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
    scaling: float,
    blocked: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attention probabilities of chosen query rows, for every head.

    Parameters
    ----------
    query : torch.Tensor
        Queries of the chosen rows after RoPE, ``[batch, heads, rows, head_dim]``.
    key : torch.Tensor
        Keys of the whole sequence after RoPE, ``[batch, kv_heads, n, head_dim]``; `kv_heads`
        divides `heads` (grouped-query attention).
    scaling : float
        Factor on the logits, usually ``head_dim ** -0.5``.
    blocked : torch.Tensor, optional
        Bool ``[batch or 1, 1, rows, n]``, True where a row may not look.

    Returns
    -------
    torch.Tensor
        Float32 ``[batch, heads, rows, n]``; each row sums to 1 over the keys it may see.
    """
    batch, heads, rows, size = query.shape
    grouped = query.reshape(batch * key.shape[1], -1, size)
    logits = grouped.bmm(key.flatten(0, 1).transpose(1, 2)).float() * scaling
    logits = logits.view(batch, heads, rows, -1)
    if blocked is not None:
        logits = logits.masked_fill(blocked, torch.finfo(torch.float32).min)
    return logits.softmax(-1)


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
