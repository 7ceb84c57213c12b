"""Greedy subset selection: residual energy (ResPrune), max-min diversity, conditional DPP."""

from __future__ import annotations

import torch

NORMALISATIONS = ("minmax", "shift", "relu")
EXHAUSTED = 1e-13
"""Share of the largest weighted energy below which nothing but rounding is left."""


def _check(features: torch.Tensor, k: int) -> None:
    if features.ndim != 2:
        raise ValueError(f"features must be [tokens, hidden], got {tuple(features.shape)}.")
    if not 0 <= k <= features.shape[0]:
        raise ValueError(f"k must lie between 0 and {features.shape[0]}, got {k}.")


def _double(x: torch.Tensor) -> torch.Tensor:
    # Squared norms shrink below float32's resolution while picks are still distinct, so the
    # selection runs in float64 (on the CPU where the accelerator has none).
    return x.detach().cpu().double() if x.device.type == "mps" else x.detach().double()


def pick_profile(
    features: torch.Tensor, weight: torch.Tensor, k: int, seed: int | torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weighted residual-energy selection with the energies that decided it.

    Parameters
    ----------
    features : torch.Tensor
        ``[n, hidden]``, any floating dtype.
    weight : torch.Tensor
        ``[n]``, non-negative: the factor on each token's residual energy.
    k : int
        Number of picks, ``0 <= k <= n``.
    seed : int or torch.Tensor, optional
        The first pick, int64 ``[1]`` where it is a tensor. Default: the largest weighted energy.

    Returns
    -------
    order : torch.Tensor
        Int64 ``[k]``, tokens in the order picked.
    gain : torch.Tensor
        Float64 ``[k]``, weighted residual energy of each pick when it was picked
        (non-increasing until the features' rank is exhausted, 0 after).
    residual : torch.Tensor
        Float64 ``[n]``, squared distance of every token from the span of the picks.

    Notes
    -----
    Column-pivoted QR of the rows scaled by ``sqrt(weight)``, run as a pivoted Cholesky
    factorisation: one blocked product gives the Gram matrix, after which a pick costs
    ``O(n k)`` and never leaves the device. Once no weighted energy above rounding is left
    (rank exhausted), the remaining picks follow ``weight * ||v||^2``.
    """
    _check(features, k)
    rows, g = _double(features), _double(weight)
    n = rows.shape[0]
    if g.shape != (n,):
        raise ValueError(f"weight must be [{n}], got {tuple(g.shape)}.")
    gram = rows @ rows.T
    energy = gram.diagonal().clone()
    fallback = g * energy
    floor = (fallback.max() if n else fallback.sum()) * EXHAUSTED
    factor = rows.new_zeros(n, k)
    order = torch.empty(k, dtype=torch.long, device=rows.device)
    gain = rows.new_zeros(k)
    taken = torch.zeros(n, dtype=torch.bool, device=rows.device)
    for step in range(k):
        weighted = g * energy
        open_energy = weighted.masked_fill(taken, -1.0)
        left = open_energy.amax() > floor
        score = torch.where(left, open_energy, fallback.masked_fill(taken, -1.0))
        pick = score.argmax().reshape(1)
        if step == 0 and seed is not None:
            pick = torch.as_tensor(seed, device=rows.device).reshape(1)
        row = factor[:, :step].index_select(0, pick).squeeze(0)
        pivot = energy.gather(0, pick).clamp_min(torch.finfo(torch.float64).tiny)
        column = gram.index_select(1, pick).squeeze(1) - factor[:, :step] @ row
        column = torch.where(left, column / pivot.sqrt(), torch.zeros_like(column))
        factor[:, step] = column
        gain[step] = torch.where(left, weighted.gather(0, pick), gain.new_zeros(1)).squeeze(0)
        energy = (energy - column.square()).clamp_min(0.0)
        taken.index_fill_(0, pick, True)
        energy.index_fill_(0, pick, 0.0)
        order[step : step + 1] = pick
    return order.to(features.device), gain.to(features.device), energy.to(features.device)


def pick_scores(
    features: torch.Tensor,
    weight: torch.Tensor,
    order: torch.Tensor,
    gain: torch.Tensor,
    residual: torch.Tensor,
) -> torch.Tensor:
    """A score per token by which the picks are the best: float32 ``[n]``.

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
    largest = fallback.amax().clamp_min(torch.finfo(torch.float32).tiny)
    floor = largest * EXHAUSTED
    rest = floor * fallback / largest
    where = rows.device
    could, order, gain = g * _double(residual).to(where), order.to(where), _double(gain).to(where)
    total = torch.where(could > floor, could, rest)
    picked = torch.where(gain > floor, gain, rest[order])
    if len(picked):
        picked[0] = picked.amax()
    return total.index_copy(0, order, picked).float().to(features.device)


def residual_greedy(features: torch.Tensor, weight: torch.Tensor, k: int) -> torch.Tensor:
    """ResPrune's pick order: the largest weighted residual energy, again and again.

    Parameters
    ----------
    features : torch.Tensor
        Visual tokens in the LLM's input space, ``[n, hidden]``, any floating dtype.
    weight : torch.Tensor
        Text relevance raised to alpha, ``[n]``, non-negative; ones for pure geometry.
    k : int
        Number of picks.

    Returns
    -------
    torch.Tensor
        Int64 ``[k]``, in the order picked; nested in `k`. Ties go to the earlier token.

    Notes
    -----
    ResPrune (arXiv 2603.21105): residual energy ``||v - P_S v||^2`` outside the span of the
    chosen tokens, times ``r ** alpha``. Equal to SciPy's ``qr(..., pivoting=True)`` on the
    transposed rows scaled by ``sqrt(weight)``.
    """
    return pick_profile(features, weight, k)[0]


def dpp_profile(
    features: torch.Tensor, relevance: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Greedy MAP of a DPP conditioned on relevance, with what decided it.

    Parameters
    ----------
    features, relevance, k
        See :func:`conditional_dpp`.

    Returns
    -------
    order, gain, residual : torch.Tensor
        As of :func:`pick_profile` on unit rows with ``weight = relevance ** 2``.
    """
    _check(features, k)
    unit = torch.nn.functional.normalize(_double(features), dim=-1)
    order, gain, residual = pick_profile(unit, _double(relevance).square(), k)
    device = features.device
    return order.to(device), gain.to(device), residual.to(device)


def conditional_dpp(features: torch.Tensor, relevance: torch.Tensor, k: int) -> torch.Tensor:
    """CDPruner's pick order: greedy MAP of a DPP conditioned on relevance.

    Parameters
    ----------
    features : torch.Tensor
        ``[n, hidden]``; compared by cosine.
    relevance : torch.Tensor
        ``[n]``, non-negative (the published code min-max scales it to [0, 1] first).
    k : int
        Number of picks.

    Returns
    -------
    torch.Tensor
        Int64 ``[k]``, in the order picked.

    Notes
    -----
    CDPruner (NeurIPS 2025): kernel ``rel_i * cos_ij * rel_j``. The same selection as
    :func:`residual_greedy` on unit rows with ``weight = relevance ** 2``.
    """
    return dpp_profile(features, relevance, k)[0]


def diversity_profile(
    features: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Farthest-first selection with the distances that decided it.

    Parameters
    ----------
    features : torch.Tensor
        ``[n, hidden]``; distance is ``1 - cos``.
    k : int
        Number of picks.

    Returns
    -------
    order : torch.Tensor
        Int64 ``[k]``, tokens in the order picked; see :func:`max_min_diversity`.
    distance : torch.Tensor
        Float32 ``[k]``: of each pick to the nearest earlier one, 2 for the first.
    rest : torch.Tensor
        Float32 ``[n]``: of every token to its nearest pick.
    """
    _check(features, k)
    n = features.shape[0]
    unit = torch.nn.functional.normalize(features.detach().float(), dim=-1)
    apart = 1.0 - unit @ unit.T
    order = torch.empty(k, dtype=torch.long, device=features.device)
    distance = apart.new_full((k,), 2.0)
    rest = apart.new_full((n,), 2.0)
    if k == 0:
        return order, distance, rest
    # With a single token there is no other: its infinite distance still makes it the pick.
    pick = apart.clone().fill_diagonal_(torch.inf).amin(0).argmax().reshape(1)
    for step in range(k):
        order[step : step + 1] = pick
        distance[step : step + 1] = rest.index_select(0, pick)
        rest = torch.minimum(rest, apart.index_select(1, pick).squeeze(1))
        pick = rest.index_fill(0, order[: step + 1], -torch.inf).argmax().reshape(1)
    return order, distance, rest


def max_min_diversity(features: torch.Tensor, k: int) -> torch.Tensor:
    """DivPrune's pick order: always the token farthest from those already chosen.

    Parameters
    ----------
    features : torch.Tensor
        ``[n, hidden]``; distance is ``1 - cos``.
    k : int
        Number of picks.

    Returns
    -------
    torch.Tensor
        Int64 ``[k]``, in the order picked.

    Notes
    -----
    DivPrune (CVPR 2025). The first pick is the token whose nearest other token is farthest.
    """
    return diversity_profile(features, k)[0]


def text_relevance(
    features: torch.Tensor, text: torch.Tensor, normalisation: str = "minmax"
) -> torch.Tensor:
    """Relevance of every visual token: its largest cosine with any text token.

    Parameters
    ----------
    features : torch.Tensor
        Visual tokens in the LLM's input space, ``[n, hidden]``.
    text : torch.Tensor
        Embedding rows of the question's content words, ``[t, hidden]``; may be empty.
    normalisation : {"minmax", "shift", "relu"}
        How cosines become non-negative: scaled to [0, 1] over the image and clamped at 1e-6
        (default), ``(1 + cos) / 2``, or ``max(cos, 1e-6)``. The paper does not say.

    Returns
    -------
    torch.Tensor
        Float32 ``[n]``; ones where there is no text or (minmax) all cosines are equal.

    Notes
    -----
    ResPrune's maximum over text tokens (its Eq. 13).
    """
    if normalisation not in NORMALISATIONS:
        raise ValueError(
            f"normalisation must be one of {', '.join(NORMALISATIONS)}, not {normalisation!r}."
        )
    if text.shape[0] == 0:
        return torch.ones(features.shape[0], device=features.device)
    unit = torch.nn.functional.normalize(features.detach().float(), dim=-1)
    words = torch.nn.functional.normalize(text.detach().float(), dim=-1)
    cosine = (unit @ words.T).amax(-1)
    if normalisation == "shift":
        return ((1.0 + cosine) / 2.0).clamp_min(1e-6)
    if normalisation == "relu":
        return cosine.clamp_min(1e-6)
    low, high = cosine.amin(), cosine.amax()
    scaled = ((cosine - low) / (high - low).clamp_min(1e-12)).clamp_min(1e-6)
    return torch.where(high - low > 1e-12, scaled, torch.ones_like(scaled))
