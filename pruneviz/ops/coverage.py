"""Greedy coverage of a matrix's rows: the columns that together hold the largest values."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Coverage:
    """What a greedy coverage chose and why.

    Attributes
    ----------
    order : torch.Tensor
        Int64 ``[..., k]``: tokens in the order picked.
    gain : torch.Tensor
        Float64 ``[..., k]``: each pick's gain, weighted, when it was picked.
    left : torch.Tensor
        Float64 ``[..., tokens]``: what every token could still gain in the end, weighted.
    best : torch.Tensor
        Float64 ``[..., rows]``: the largest value of every row among the picks.
    """

    order: torch.Tensor
    gain: torch.Tensor
    left: torch.Tensor
    best: torch.Tensor

    def scores(self) -> torch.Tensor:
        """A score per token, float32: a pick's gain when picked, another's in the end."""
        return self.left.scatter(-1, self.order, self.gain).float()


def coverage_profile(matrix: torch.Tensor, k: int, weight: torch.Tensor | None = None) -> Coverage:
    """Greedy coverage with the gains that decided it.

    Parameters
    ----------
    matrix, k, weight
        See :func:`coverage_greedy`.

    Raises
    ------
    ValueError
        If the matrix has fewer than two dimensions, `weight` not one value a token, or `k` is no
        number from 0 to the number of tokens.
    """
    if matrix.ndim < 2:
        raise ValueError(f"matrix must be [..., rows, tokens], got {tuple(matrix.shape)}.")
    lead, tokens = matrix.shape[:-2], matrix.shape[-1]
    if not 0 <= k <= tokens:
        raise ValueError(f"k must lie between 0 and {tokens}, got {k}.")
    if weight is not None and weight.shape != (*lead, tokens):
        raise ValueError(f"weight must be {[*lead, tokens]}, got {tuple(weight.shape)}.")
    # Late gains lie close together: in float32 the order of summing would choose among them.
    wide = torch.float32 if matrix.device.type == "mps" else torch.float64
    values = matrix.detach().to(wide)
    factor = None if weight is None else weight.detach().to(wide)
    return _covered(values, k, factor)


@torch.no_grad()
def _covered(values: torch.Tensor, k: int, factor: torch.Tensor | None) -> Coverage:
    """Nine operators a pick, on room that is made once."""
    lead, (rows, tokens) = values.shape[:-2], values.shape[-2:]
    best, open_ = values.new_zeros(*lead, rows, 1), values.new_zeros(*lead, tokens)
    order = torch.empty(k, *lead, dtype=torch.long, device=values.device)
    gain = values.new_zeros(k, *lead)
    beyond, column = torch.empty_like(values), torch.empty_like(best)
    now, total = torch.empty_like(open_), torch.empty_like(open_)

    def gains() -> torch.Tensor:
        torch.sub(values, best, out=beyond).clamp_min_(0)
        torch.sum(beyond, -2, out=now)
        return now if factor is None else now.mul_(factor)

    # Views of all steps at once, as long as the rows where a column is taken.
    places = order[..., None, None].expand(*order.shape, rows, 1).unbind(0)
    steps = zip(order.unbind(0), gain.unbind(0), order[..., None].unbind(0), places, strict=True)
    for pick, gained, taken, place in steps:
        # Not masked by filling: the running sum of minus infinities keeps picks out for good.
        torch.add(gains(), open_, out=total)
        torch.max(total, -1, out=(gained, pick))
        torch.gather(values, -1, place, out=column)
        torch.maximum(best, column, out=best)
        open_.scatter_(-1, taken, -torch.inf)
    return Coverage(order.movedim(0, -1), gain.movedim(0, -1), gains(), best.squeeze(-1))


def coverage_greedy(
    matrix: torch.Tensor, k: int, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Pick the columns that cover a matrix's rows best, one after another.

    A row is covered by the largest of its values among the picks, from 0 on; a column's gain is
    what it would add to that, summed over all rows.

    Parameters
    ----------
    matrix : torch.Tensor
        ``[..., rows, tokens]``, any floating dtype; values below 0 never count. What stands before
        the rows is a batch.
    k : int
        Number of picks.
    weight : torch.Tensor, optional
        ``[..., tokens]``, non-negative: a factor on each token's gain.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., k]``, in the order picked; nested in `k`. Ties go to the earlier token.

    Notes
    -----
    Facility location by greedy steps. SCOPE (arXiv 2510.24214) covers the tokens' similarities,
    weighted by attention; MMTok (arXiv 2508.18264) those to the question's words and to each
    other.
    """
    return coverage_profile(matrix, k, weight).order
