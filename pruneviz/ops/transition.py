"""Token transition variation (TTV): how a module changes each token's representation."""

from __future__ import annotations

import torch

DIRECTIONS = ("one_minus_cos", "one_minus_abs_cos")
PARTS = ("full", "direction", "magnitude")


def transition_terms(
    before: torch.Tensor, after: torch.Tensor, direction: str = "one_minus_cos"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Magnitude and direction change of every token through one module.

    Parameters
    ----------
    before, after : torch.Tensor
        Input and output of the module, ``[..., sequence, hidden]``, any floating dtype,
        the residual stream excluded.
    direction : {"one_minus_cos", "one_minus_abs_cos"}
        ``1 - cos`` is what the published code computes, ``1 - |cos|`` what the paper
        writes (TransPrune, Eq. 1 and 2).

    Returns
    -------
    magnitude, change : torch.Tensor
        ``||after|| / ||before||`` and the direction term, float32, ``[..., sequence]``.
        Both are 0 for a token whose input or output is the zero vector.

    Raises
    ------
    ValueError
        If the shapes differ or `direction` is unknown.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, not {direction!r}.")
    if before.shape != after.shape:
        raise ValueError(
            f"before and after must have one shape, got {tuple(before.shape)} "
            f"and {tuple(after.shape)}."
        )
    before, after = before.float(), after.float()
    norm_before, norm_after = before.norm(dim=-1), after.norm(dim=-1)
    tiny = torch.finfo(torch.float32).tiny
    magnitude = norm_after / norm_before.clamp_min(tiny)
    cosine = (before * after).sum(-1) / (norm_before * norm_after).clamp_min(tiny)
    if direction == "one_minus_abs_cos":
        cosine = cosine.abs()
    moved = (norm_before > 0) & (norm_after > 0)
    zero = torch.zeros_like(magnitude)
    return torch.where(moved, magnitude, zero), torch.where(moved, 1.0 - cosine, zero)


def token_transition(
    before: torch.Tensor,
    after: torch.Tensor,
    direction: str = "one_minus_cos",
    *,
    mask: torch.Tensor | None = None,
    per_sample: bool = False,
    part: str = "full",
) -> torch.Tensor:
    """TTV of one module: magnitude ratio times the softmax of the direction change.

    Parameters
    ----------
    before, after : torch.Tensor
        Input and output of the module, ``[batch, sequence, hidden]``, any floating dtype,
        the residual stream excluded.
    direction : {"one_minus_cos", "one_minus_abs_cos"}
        See :func:`transition_terms`.
    mask : torch.Tensor, optional
        Bool ``[batch, sequence]``: the tokens the softmax runs over. Default: all.
    per_sample : bool
        The published code sums its softmax denominator over the whole tensor, the batch
        axis included (it only ever ran with batch 1). True normalises each row on its own,
        so that a batch equals its single runs.
    part : {"full", "direction", "magnitude"}
        The paper's ablations: the softmax alone, or the magnitude ratio alone.

    Returns
    -------
    torch.Tensor
        Float32 ``[batch, sequence]``; 0 outside `mask`, but for the magnitude alone, which
        knows no softmax.

    Raises
    ------
    ValueError
        If the shapes differ or `direction` or `part` is unknown.

    Notes
    -----
    TransPrune (arXiv 2507.20630), Eq. 2, in the reading of its published code: the softmax
    runs over every position of the sequence, text included; the paper's symbol suggests
    image tokens only, which is `mask` = the visual tokens.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, not {part!r}.")
    magnitude, change = transition_terms(before, after, direction)
    if part == "magnitude":
        return magnitude
    weight = change.exp()
    if mask is not None:
        weight = weight * mask
    total = weight.sum(-1, keepdim=True) if per_sample else weight.sum()
    # A row in which the mask has no token sums to 0.
    total = total.clamp_min(torch.finfo(torch.float32).tiny)
    if part == "full" and not per_sample:
        # In the published order of steps, to the last bit.
        return magnitude * weight / total
    share = weight / total
    return share if part == "direction" else magnitude * share
