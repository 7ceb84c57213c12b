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
        Int64 ``[k]``: tokens in the order picked.
    gain : torch.Tensor
        Float64 ``[k]``: each pick's gain, weighted, when it was picked.
    left : torch.Tensor
        Float64 ``[tokens]``: what every token could still gain in the end, weighted.
    best : torch.Tensor
        Float64 ``[rows]``: the largest value of every row among the picks.
    """

    order: torch.Tensor
    gain: torch.Tensor
    left: torch.Tensor
    best: torch.Tensor

    def scores(self) -> torch.Tensor:
        """A score per token, float32: a pick's gain when picked, another's in the end."""
        return self.left.index_copy(0, self.order, self.gain).float()


def coverage_profile(matrix: torch.Tensor, k: int, weight: torch.Tensor | None = None) -> Coverage:
    """Greedy coverage with the gains that decided it.

    Parameters
    ----------
    matrix, k, weight
        See :func:`coverage_greedy`.

    Raises
    ------
    ValueError
        If the matrix has not two dimensions, `weight` not one value a token, or `k` is no number
        from 0 to the number of tokens.
    """
    if matrix.ndim != 2:
        raise ValueError(f"matrix must be [rows, tokens], got {tuple(matrix.shape)}.")
    tokens = matrix.shape[1]
    if not 0 <= k <= tokens:
        raise ValueError(f"k must lie between 0 and {tokens}, got {k}.")
    if weight is not None and weight.shape != (tokens,):
        raise ValueError(f"weight must be [{tokens}], got {tuple(weight.shape)}.")
    # Late gains lie close together: in float32 the order of summing would choose among them.
    wide = torch.float32 if matrix.device.type == "mps" else torch.float64
    values = matrix.detach().to(wide)
    factor = None if weight is None else weight.detach().to(wide)
    best = values.new_zeros(values.shape[0])
    open_ = values.new_zeros(tokens)
    order = torch.empty(k, dtype=torch.long, device=values.device)
    gain = values.new_zeros(k)

    def gains() -> torch.Tensor:
        found = (values - best[:, None]).clamp_min_(0).sum(0)
        return found if factor is None else found * factor

    for step in range(k):
        now = gains()
        # Not masked by filling: the running sum of minus infinities keeps picks out for good.
        pick = (now + open_).argmax().reshape(1)
        order[step : step + 1] = pick
        gain[step : step + 1] = now.gather(0, pick)
        best = torch.maximum(best, values.index_select(1, pick).squeeze(1))
        open_.index_fill_(0, pick, -torch.inf)
    return Coverage(order, gain, gains(), best)


def coverage_greedy(
    matrix: torch.Tensor, k: int, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Pick the columns that cover a matrix's rows best, one after another.

    A row is covered by the largest of its values among the picks, from 0 on; a column's gain is
    what it would add to that, summed over all rows.

    Parameters
    ----------
    matrix : torch.Tensor
        ``[rows, tokens]``, any floating dtype; values below 0 never count.
    k : int
        Number of picks.
    weight : torch.Tensor, optional
        ``[tokens]``, non-negative: a factor on each token's gain.

    Returns
    -------
    torch.Tensor
        Int64 ``[k]``, in the order picked; nested in `k`. Ties go to the earlier token.

    Notes
    -----
    Facility location by greedy steps. SCOPE (arXiv 2510.24214) covers the tokens' similarities,
    weighted by attention; MMTok (arXiv 2508.18264) those to the question's words and to each
    other.
    """
    return coverage_profile(matrix, k, weight).order
