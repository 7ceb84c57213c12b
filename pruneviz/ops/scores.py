"""Small pieces that several methods share: normalising, picking, FoPru's significance."""

from __future__ import annotations

import torch


def l1_normalise(values: torch.Tensor, eps: float = 1e-8) -> torch.Tensor:
    """Divide by the sum over the last axis, as TransPrune's published code does.

    Parameters
    ----------
    values : torch.Tensor
        Non-negative, ``[..., n]``, any floating dtype.
    eps : float
        Added to the sum.

    Returns
    -------
    torch.Tensor
        Float32 ``[..., n]``, each row summing to 1 (0 where all values are 0).
    """
    values = values.float()
    return values / (values.sum(-1, keepdim=True) + eps)


def top_indices(scores: torch.Tensor, k: int) -> torch.Tensor:
    """Indices of the `k` largest scores, ascending.

    Parameters
    ----------
    scores : torch.Tensor
        ``[..., n]``, any floating dtype.
    k : int
        How many, ``0 <= k <= n``.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., k]``. Ties go to the earlier index, on every device.
    """
    order = torch.sort(scores, dim=-1, descending=True, stable=True).indices
    return order[..., :k].sort(-1).values


def products(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Scalar products of all rows with all others.

    Parameters
    ----------
    rows, others : torch.Tensor
        ``[..., n, d]`` and ``[..., m, d]``, the same floating dtype.

    Returns
    -------
    torch.Tensor
        ``[..., n, m]``.
    """
    # `@` of batches would be five views more.
    return torch.bmm(rows, others.mT) if rows.ndim == 3 else rows @ others.mT


def larger_variance(received: torch.Tensor, emitted: torch.Tensor) -> torch.Tensor:
    """FoPru's rule: the mean with the larger (unbiased) variance decides; ties take `emitted`.

    Parameters
    ----------
    received, emitted : torch.Tensor
        Column and row means of an attention map, ``[..., n]``.

    Returns
    -------
    torch.Tensor
        ``[..., n]``.
    """
    wins = received.var(-1, keepdim=True) > emitted.var(-1, keepdim=True)
    return torch.where(wins, received, emitted)


def text_raters(
    visual: torch.Tensor, text: torch.Tensor, real: torch.Tensor | None = None
) -> torch.Tensor:
    """SparseVLM's choice of the text tokens that rate the patches.

    Parameters
    ----------
    visual : torch.Tensor
        Visual tokens in the LLM's input space, ``[..., n, hidden]``.
    text : torch.Tensor
        Text tokens there, ``[..., t, hidden]``.
    real : torch.Tensor, optional
        Bool ``[..., t]``, False at text that only fills a row up.

    Returns
    -------
    torch.Tensor
        Bool ``[..., t]``: those whose share of the softmax over the text, averaged over the
        visual tokens, is above the mean; all of them where none is.

    Notes
    -----
    SparseVLM (arXiv 2410.04417), as its published code computes it.
    """
    match = visual.float() @ text.float().transpose(-1, -2)
    if real is None:
        share = match.softmax(-1).mean(-2)
        chosen = share > share.mean(-1, keepdim=True)
        return chosen | ~chosen.any(-1, keepdim=True)
    share = match.masked_fill(~real[..., None, :], -torch.inf).softmax(-1).mean(-2)
    chosen = share > share.sum(-1, keepdim=True) / real.sum(-1, keepdim=True)
    return (chosen | ~chosen.any(-1, keepdim=True)) & real


def fopru_significance(attention: torch.Tensor) -> torch.Tensor:
    """Token significance from an encoder layer's attention map (FoPru, arXiv 2411.14164).

    Parameters
    ----------
    attention : torch.Tensor
        ``[heads, n, n]``, rows are queries, any floating dtype.

    Returns
    -------
    torch.Tensor
        Float32 ``[n]``: the mean over heads and queries (attention received) or over heads
        and keys (attention emitted), whichever varies more.

    Notes
    -----
    Softmax rows over exactly these `n` keys all have the mean 1/n: then the received
    attention always decides.
    """
    mean_map = attention.float().mean(0)
    return larger_variance(mean_map.mean(0), mean_map.mean(1))
