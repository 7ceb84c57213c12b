"""Reading a decoder while it runs: token transitions, residual norms, attention rows."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.methods.base import TransitionSpec
from pruneviz.ops import attention_rows, text_raters, transition_terms
from pruneviz.pruning.state import Sample


def transition(
    spec: TransitionSpec,
    before: torch.Tensor,
    after: torch.Tensor,
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """One module's TTV by a method's reading, each sample on its own.

    `before`, `after` ``[batch, n, hidden]``; `mask` bool ``[batch, n]``: the tokens of the
    softmax, None = all. Returns float32 ``[batch, n]``.
    """
    magnitude, change = transition_terms(before, after, spec.direction)
    if spec.part == "magnitude":
        return magnitude
    weight = change.exp()
    if mask is not None:
        weight = weight * mask
    share = weight / weight.sum(-1, keepdim=True)
    return share if spec.part == "direction" else magnitude * share


def project_rows(
    attention: Any,
    normed: torch.Tensor,
    rows: torch.Tensor,
    rotary: tuple[torch.Tensor, torch.Tensor],
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
    key = attention.k_proj(normed).unflatten(-1, (-1, size))
    if hasattr(attention, "q_norm"):
        query, key = attention.q_norm(query), attention.k_norm(key)
    cos, sin = rotary
    scaling = float(getattr(attention, "scaling", size**-0.5))
    return attention_rows(
        query.transpose(0, 1), key.transpose(0, 1), rows, cos, sin, scaling, key_mask
    )


@torch.no_grad()
def raters(sample: Sample, embeds: torch.Tensor) -> torch.Tensor:
    """Columns of a sample's text raters, from its input embeddings ``[n, hidden]``."""
    after = sample.after_image
    if not len(after) or not len(sample.columns):
        return after
    return after[text_raters(embeds[sample.columns], embeds[after])]


def relative_norm(output: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
    """``||output|| / ||stream||`` per token, float32; 0 where the stream is zero."""
    size = stream.float().norm(dim=-1)
    ratio = output.float().norm(dim=-1) / size.clamp_min(torch.finfo(torch.float32).tiny)
    return torch.where(size > 0, ratio, torch.zeros_like(ratio))
