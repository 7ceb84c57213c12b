"""Greedy subset selection: residual energy (ResPrune), max-min diversity, conditional DPP."""

from __future__ import annotations

import math

import torch

from pruneviz.ops.kernels import cholesky_picks, farthest_picks

NORMALISATIONS = ("minmax", "shift", "relu")
EXHAUSTED = 1e-13
"""Share of the largest weighted energy below which nothing but rounding is left."""


def _check(features: torch.Tensor, k: int) -> None:
    if features.ndim < 2:
        raise ValueError(f"features must be [..., tokens, hidden], got {tuple(features.shape)}.")
    n = features.shape[-2]
    if not 0 <= k <= n:
        raise ValueError(f"k must lie between 0 and {n}, got {k}.")


def _double(x: torch.Tensor) -> torch.Tensor:
    # Squared norms shrink below float32's resolution while picks are still distinct, so the
    # selection runs in float64 (on the CPU where the accelerator has none).
    return x.detach().cpu().double() if x.device.type == "mps" else x.detach().double()


def pick_profile(
    features: torch.Tensor,
    weight: torch.Tensor,
    k: int,
    seed: int | torch.Tensor | None = None,
    use_kernel: bool | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weighted residual-energy selection with the energies that decided it.

    Parameters
    ----------
    features : torch.Tensor
        ``[..., n, hidden]``, any floating dtype. What stands before `n` is a batch, all rows of
        which are picked from together.
    weight : torch.Tensor
        ``[..., n]``, non-negative: the factor on each token's residual energy.
    k : int
        Number of picks, ``0 <= k <= n``.
    seed : int or torch.Tensor, optional
        The first pick: a number, or int64 with one for all rows or one for each. Default: the
        largest weighted energy.
    use_kernel : bool, optional
        See :func:`pruneviz.ops.kernels.cholesky_picks`.

    Returns
    -------
    order : torch.Tensor
        Int64 ``[..., k]``, tokens in the order picked.
    gain : torch.Tensor
        Float64 ``[..., k]``, weighted residual energy of each pick when it was picked
        (non-increasing until the features' rank is exhausted, 0 after).
    residual : torch.Tensor
        Float64 ``[..., n]``, squared distance of every token from the span of the picks.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `k` is no number from 0 to n.

    Notes
    -----
    Column-pivoted QR of the rows scaled by ``sqrt(weight)``, run as a pivoted Cholesky
    factorisation: one product gives the Gram matrix, after which a pick costs ``O(n k)`` and
    never leaves the device. Once no weighted energy above rounding is left (rank exhausted), the
    remaining picks follow ``weight * ||v||^2``.
    """
    _check(features, k)
    lead, n = features.shape[:-2], features.shape[-2]
    if weight.shape != (*lead, n):
        raise ValueError(
            f"weight must be {[*lead, n]}, one value a token of features [..., tokens, hidden], "
            f"got {tuple(weight.shape)}."
        )
    device, batch = features.device, math.prod(lead)
    if n == 0:
        empty = features.new_empty(*lead, 0, dtype=torch.float64)
        return empty.long(), empty, empty.clone()
    g = _double(weight).reshape(batch, n)
    first = None
    if seed is not None:
        # Filled in there: a number that is copied to a device would be waited for.
        if not isinstance(seed, torch.Tensor):
            seed = torch.full((1,), seed, device=g.device)
        first = seed.to(g.device, torch.long).reshape(-1).expand(batch)
    # A token without weight is never picked before the rank is exhausted, but what is left of it
    # is asked for too.
    open_ = g > 0
    scale = torch.where(open_, g, 1.0).sqrt()
    rows = _double(features).reshape(batch, n, features.shape[-1]) * scale[:, :, None]
    order, gain, left, start = cholesky_picks(rows, open_, k, first, EXHAUSTED, use_kernel)
    gain, left, start = gain.double(), left.double(), start.double()
    order, gain = _beyond_rank(order, gain, start * open_)
    residual = (left / scale.square()).clamp_min(0.0).scatter(1, order, 0.0)
    return (
        order.reshape(*lead, k).to(device),
        gain.reshape(*lead, k).to(device),
        residual.reshape(*lead, n).to(device),
    )


def _beyond_rank(
    order: torch.Tensor, gain: torch.Tensor, energy: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put the tokens of most energy where nothing was left to pick, the earlier among equals.

    Nothing left is told by the number of tokens in place of one; once there is nothing, there is
    nothing for all later picks.
    """
    k, n = order.shape[1], energy.shape[1]
    none = order == n
    # A place more than there are tokens takes what is no token.
    rest = torch.nn.functional.pad(energy, (0, 1)).scatter(1, order, -1.0)[:, :n]
    later = torch.sort(rest, dim=-1, descending=True, stable=True).indices
    turn = torch.arange(k, device=order.device) - (~none).sum(-1, keepdim=True)
    filled = torch.where(none, later.gather(1, turn.clamp_min(0)), order)
    return filled, gain.masked_fill(none, 0.0)


def pick_scores(
    features: torch.Tensor,
    weight: torch.Tensor,
    order: torch.Tensor,
    gain: torch.Tensor,
    residual: torch.Tensor,
) -> torch.Tensor:
    """A score per token by which the picks are the best: float32 ``[..., n]``.

    A pick has its gain, another token what it could still gain. Where the features' rank is
    exhausted all have next to nothing left, and their order is that of the picks there, by
    ``weight * ||v||^2``; the scores then say no more than that order. A seed has at least the
    largest gain.

    Parameters
    ----------
    features, weight
        As given to :func:`pick_profile`.
    order, gain, residual
        What it returned.
    """
    rows, g = _double(features), _double(weight)
    fallback = g * rows.square().sum(-1)
    largest = fallback.amax(-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    floor = largest * EXHAUSTED
    rest = floor * fallback / largest
    where = rows.device
    could, order, gain = g * _double(residual).to(where), order.to(where), _double(gain).to(where)
    total = torch.where(could > floor, could, rest)
    picked = torch.where(gain > floor, gain, rest.gather(-1, order))
    if order.shape[-1]:
        picked[..., 0] = picked.amax(-1)
    return total.scatter(-1, order, picked).float().to(features.device)


def residual_greedy(features: torch.Tensor, weight: torch.Tensor, k: int) -> torch.Tensor:
    """ResPrune's pick order: the largest weighted residual energy, again and again.

    Parameters
    ----------
    features : torch.Tensor
        Visual tokens in the LLM's input space, ``[..., n, hidden]``, any floating dtype.
    weight : torch.Tensor
        Text relevance raised to alpha, ``[..., n]``, non-negative; ones for pure geometry.
    k : int
        Number of picks.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., k]``, in the order picked; nested in `k`. Ties go to the earlier token.

    Notes
    -----
    ResPrune (arXiv 2603.21105): residual energy ``||v - P_S v||^2`` outside the span of the
    chosen tokens, times ``r ** alpha``. Equal to SciPy's ``qr(..., pivoting=True)`` on the
    transposed rows scaled by ``sqrt(weight)``.
    """
    return pick_profile(features, weight, k)[0]


def dpp_profile(
    features: torch.Tensor, relevance: torch.Tensor, k: int, use_kernel: bool | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Greedy MAP of a DPP conditioned on relevance, with what decided it.

    Parameters
    ----------
    features, relevance, k
        See :func:`conditional_dpp`.
    use_kernel : bool, optional
        See :func:`pruneviz.ops.kernels.cholesky_picks`.

    Returns
    -------
    order, gain, residual : torch.Tensor
        As of :func:`pick_profile` on unit rows with ``weight = relevance ** 2``.
    """
    _check(features, k)
    unit = torch.nn.functional.normalize(_double(features), dim=-1)
    order, gain, residual = pick_profile(unit, _double(relevance).square(), k, None, use_kernel)
    device = features.device
    return order.to(device), gain.to(device), residual.to(device)


def conditional_dpp(features: torch.Tensor, relevance: torch.Tensor, k: int) -> torch.Tensor:
    """CDPruner's pick order: greedy MAP of a DPP conditioned on relevance.

    Parameters
    ----------
    features : torch.Tensor
        ``[..., n, hidden]``; compared by cosine.
    relevance : torch.Tensor
        ``[..., n]``, non-negative (the published code min-max scales it to [0, 1] first).
    k : int
        Number of picks.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., k]``, in the order picked.

    Notes
    -----
    CDPruner (NeurIPS 2025): kernel ``rel_i * cos_ij * rel_j``. The same selection as
    :func:`residual_greedy` on unit rows with ``weight = relevance ** 2``.
    """
    return dpp_profile(features, relevance, k)[0]


def diversity_profile(
    features: torch.Tensor, k: int, use_kernel: bool | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Farthest-first selection with the distances that decided it.

    Parameters
    ----------
    features : torch.Tensor
        ``[..., n, hidden]``; distance is ``1 - cos``. What stands before `n` is a batch.
    k : int
        Number of picks.
    use_kernel : bool, optional
        See :func:`pruneviz.ops.kernels.farthest_picks`.

    Returns
    -------
    order : torch.Tensor
        Int64 ``[..., k]``, tokens in the order picked; see :func:`max_min_diversity`.
    distance : torch.Tensor
        Float32 ``[..., k]``: of each pick to the nearest earlier one, 2 for the first.
    rest : torch.Tensor
        Float32 ``[..., n]``: of every token to its nearest pick.
    """
    _check(features, k)
    lead, n = features.shape[:-2], features.shape[-2]
    unit = torch.nn.functional.normalize(features.detach().float(), dim=-1)
    if n == 0:
        empty = unit.new_empty(*lead, 0)
        return empty.long(), empty, empty.clone()
    apart = (1.0 - unit @ unit.mT).reshape(math.prod(lead), n, n)
    order, distance, rest = farthest_picks(apart, k, use_kernel)
    return order.reshape(*lead, k), distance.reshape(*lead, k), rest.reshape(*lead, n)


def max_min_diversity(features: torch.Tensor, k: int) -> torch.Tensor:
    """DivPrune's pick order: always the token farthest from those already chosen.

    Parameters
    ----------
    features : torch.Tensor
        ``[..., n, hidden]``; distance is ``1 - cos``.
    k : int
        Number of picks.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., k]``, in the order picked.

    Notes
    -----
    DivPrune (CVPR 2025). The first pick is the token whose nearest other token is farthest.
    """
    return diversity_profile(features, k)[0]


def text_relevance(
    features: torch.Tensor,
    text: torch.Tensor,
    normalisation: str = "minmax",
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Relevance of every visual token: its largest cosine with any text token.

    Parameters
    ----------
    features : torch.Tensor
        Visual tokens in the LLM's input space, ``[..., n, hidden]``.
    text : torch.Tensor
        Embedding rows of the question's content words, ``[..., t, hidden]``; may be empty.
    normalisation : {"minmax", "shift", "relu"}
        How cosines become non-negative: scaled to [0, 1] over the image and clamped at 1e-6
        (default), ``(1 + cos) / 2``, or ``max(cos, 1e-6)``. The paper does not say.
    mask : torch.Tensor, optional
        Bool ``[..., t]``: False at what only fills up the text of a row of a batch.

    Returns
    -------
    torch.Tensor
        Float32 ``[..., n]``; ones where there is no text or (minmax) all cosines are equal.

    Notes
    -----
    ResPrune's maximum over text tokens (its Eq. 13).
    """
    if normalisation not in NORMALISATIONS:
        raise ValueError(
            f"normalisation must be one of {', '.join(NORMALISATIONS)}, not {normalisation!r}."
        )
    if text.shape[-2] == 0:
        return torch.ones(features.shape[:-1], device=features.device)
    unit = torch.nn.functional.normalize(features.detach().float(), dim=-1)
    words = torch.nn.functional.normalize(text.detach().float(), dim=-1)
    cosine = unit @ words.mT
    if mask is not None:
        cosine = cosine.masked_fill(~mask[..., None, :], -torch.inf)
    found = _non_negative(cosine.amax(-1), normalisation)
    if mask is None:
        return found
    return torch.where(mask.any(-1, keepdim=True), found, torch.ones_like(found))


def _non_negative(cosine: torch.Tensor, normalisation: str) -> torch.Tensor:
    if normalisation == "shift":
        return ((1.0 + cosine) / 2.0).clamp_min(1e-6)
    if normalisation == "relu":
        return cosine.clamp_min(1e-6)
    low, high = cosine.amin(-1, keepdim=True), cosine.amax(-1, keepdim=True)
    scaled = ((cosine - low) / (high - low).clamp_min(1e-12)).clamp_min(1e-6)
    return torch.where(high - low > 1e-12, scaled, torch.ones_like(scaled))
