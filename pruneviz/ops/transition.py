"""Token transition variation (TTV): how a module changes each token's representation."""

from __future__ import annotations

import torch

from pruneviz.ops.kernels import transition_stats

DIRECTIONS = ("one_minus_cos", "one_minus_abs_cos")
PARTS = ("full", "direction", "magnitude")


def _terms(
    before: torch.Tensor, after: torch.Tensor, product: torch.Tensor, direction: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Magnitude and direction change from norms and scalar product, each float32 of one shape."""
    tiny = torch.finfo(torch.float32).tiny
    both = before * after
    cosine = product / both.clamp_min(tiny)
    if direction == "one_minus_abs_cos":
        cosine = cosine.abs()
    moved = both > 0
    # Multiplied, not chosen: NaN must stay to be seen.
    return after / before.clamp_min(tiny) * moved, (1.0 - cosine) * moved


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
    _check(direction, "full")
    _check_shapes(before, after)
    norm_before, norm_after, product = transition_stats(before, after)
    return _terms(norm_before, norm_after, product, direction)


def transition_values(
    before: torch.Tensor,
    after: torch.Tensor,
    product: torch.Tensor,
    direction: str = "one_minus_cos",
    *,
    mask: torch.Tensor | None = None,
    part: str = "full",
) -> torch.Tensor:
    """TTV of any number of modules, each row on its own, from :func:`transition_stats`.

    Parameters
    ----------
    before, after, product : torch.Tensor
        Norms of the modules' inputs and outputs and their scalar products, float32
        ``[..., sequence]``.
    direction, part
        See :func:`token_transition`.
    mask : torch.Tensor, optional
        Bool, of a shape that broadcasts: the tokens the softmax runs over. Default: all.

    Returns
    -------
    torch.Tensor
        Float32 ``[..., sequence]``: :func:`token_transition` with ``per_sample=True``.

    Raises
    ------
    ValueError
        If `direction` or `part` is unknown.
    """
    _check(direction, part)
    magnitude, change = _terms(before, after, product, direction)
    if part == "magnitude":
        return magnitude
    weight = _weight(change, mask)
    share = weight / _floored(weight.sum(-1, keepdim=True))
    return share if part == "direction" else magnitude * share


def _weight(change: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return change.exp() if mask is None else change.exp() * mask


def _floored(total: torch.Tensor) -> torch.Tensor:
    # A row in which the mask has no token sums to 0.
    return total.clamp_min(torch.finfo(torch.float32).tiny)


def _check(direction: str, part: str) -> None:
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, not {direction!r}.")
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, not {part!r}.")


def _check_shapes(before: torch.Tensor, after: torch.Tensor) -> None:
    if before.shape != after.shape:
        raise ValueError(
            f"before and after must have one shape, got {tuple(before.shape)} "
            f"and {tuple(after.shape)}."
        )


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
    _check(direction, part)
    _check_shapes(before, after)
    norm_before, norm_after, product = transition_stats(before, after)
    if per_sample or part == "magnitude":
        return transition_values(norm_before, norm_after, product, direction, mask=mask, part=part)
    magnitude, change = _terms(norm_before, norm_after, product, direction)
    weight = _weight(change, mask)
    total = _floored(weight.sum())
    # The whole in the published order of steps, to the last bit.
    return weight / total if part == "direction" else magnitude * weight / total
