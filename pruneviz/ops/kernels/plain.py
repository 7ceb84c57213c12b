"""The picks in plain torch: few operators each, on any device."""

from __future__ import annotations

import torch

_CHUNK = 32
"""Picks for which one view of the factor serves; what is not picked yet is zero in it."""


def cholesky_picks(
    rows: torch.Tensor, open_: torch.Tensor, k: int, seed: torch.Tensor | None, share: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pivots of the rows' Gram matrices; see :func:`pruneviz.ops.kernels.cholesky_picks`.

    Notes
    -----
    Six operators a pick. What would take more is written into the matrix beforehand. A last
    column of zeros whose energy is the floor is picked where nothing above the floor is left, and
    changes nothing. The diagonal is raised by the largest energy: this does not enter the
    energies, but takes a token's own below zero when it is picked, so that it stays out.
    """
    batch, n = open_.shape
    work = rows.new_zeros(batch, n + 1 + k, n + 1)
    square, factor = work[:, :n, :n], work[:, n + 1 :]
    torch.bmm(rows, rows.mT, out=square)
    start = square.diagonal(dim1=1, dim2=2).clone()
    energy = rows.new_empty(batch, n + 1)
    torch.mul(start, open_, out=energy[:, :n])
    largest = energy[:, :n].amax(-1)
    floor = (largest * share).clamp_min_(torch.finfo(rows.dtype).tiny)
    # Tokens at the floor itself count as exhausted, and among equals the earlier is picked.
    energy[:, n] = floor.nextafter(floor.new_full((), torch.inf))
    square.diagonal(dim1=1, dim2=2).add_(largest[:, None])
    order = torch.empty(k, batch, dtype=torch.long, device=rows.device)
    gain = rows.new_empty(k, batch)
    column = rows.new_empty(batch, n + 1 + k, 1)
    new, root = column[:, : n + 1], rows.new_empty(batch, 1)
    flat = new.squeeze(-1)
    # Views of all steps at once: one operator each where a slice a step would be k.
    places = order[:, :, None, None].expand(-1, -1, n + 1 + k, 1).unbind(0)
    steps = zip(order.unbind(0), gain.unbind(0), gain[:, :, None].unbind(0), places, strict=True)
    made = factor.unbind(1)
    for step, (pick, best, pivot, place) in enumerate(steps):
        if step % _CHUNK == 0:
            until = min(k, step + _CHUNK)
            before, theirs = factor[:, :until].mT, column[:, n + 1 : n + 1 + until]
        torch.max(energy, -1, out=(best, pick))
        if step == 0 and seed is not None:
            pivot = _seeded(seed, start, energy, best, pick)
        torch.gather(work, 2, place, out=column)
        torch.baddbmm(new, before, theirs, alpha=-1, out=new)
        torch.rsqrt(pivot, out=root)
        torch.mul(flat, root, out=made[step])
        energy.addcmul_(made[step], made[step], value=-1)
    left = start - factor[:, :, :n].square().sum(1)
    return order.T, gain.T, left, start


def _seeded(
    seed: torch.Tensor,
    start: torch.Tensor,
    energy: torch.Tensor,
    best: torch.Tensor,
    pick: torch.Tensor,
) -> torch.Tensor:
    """Put the given first pick in the place of the best; its pivot ``[batch, 1]``."""
    n, place = start.shape[1], seed[:, None]
    exhausted = pick == n
    pick.copy_(seed)
    best.copy_(energy.gather(1, place).squeeze(1))
    # Its span counts even where its weight is 0, but not where nothing at all is to be gained.
    pivot = start.gather(1, place).clamp_min(torch.finfo(start.dtype).tiny)
    return pivot.masked_fill_(exhausted[:, None], torch.inf)


def farthest_picks(
    apart: torch.Tensor, nearest: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Farthest-first picks; see :func:`pruneviz.ops.kernels.farthest_picks`.

    Notes
    -----
    Three operators a pick: a diagonal of minus infinity keeps a pick out from then on.
    """
    batch, n = nearest.shape
    order = torch.empty(k, batch, dtype=torch.long, device=apart.device)
    distance = apart.new_empty(k, batch)
    rest = apart.new_full((batch, n), 2.0)
    if k == 0:
        return order.T, distance.T, rest
    own = apart.diagonal(dim1=1, dim2=2)
    before = own.clone()
    own.fill_(-torch.inf)
    open_, row = rest.clone(), apart.new_empty(batch, 1, n)
    flat = row.squeeze(1)
    places = order[:, :, None, None].expand(-1, -1, 1, n).unbind(0)
    steps = zip(order.unbind(0), distance.unbind(0), places, strict=True)
    from_ = nearest
    for pick, away, place in steps:
        torch.max(from_, -1, out=(away, pick))
        torch.gather(apart, 1, place, out=row)
        torch.minimum(open_, flat, out=open_)
        from_ = open_
    distance[0] = 2.0
    own.copy_(before)
    chosen = apart.gather(1, order.T[:, :, None].expand(-1, -1, n))
    return order.T, distance.T, torch.minimum(rest, chosen.amin(1))


def transition_stats(
    before: torch.Tensor, after: torch.Tensor, stream: torch.Tensor | None
) -> tuple[torch.Tensor, ...]:
    """Norms and dot products; see :func:`pruneviz.ops.kernels.transition_stats`."""
    norms = [
        # Half precision is widened on the way, float64 has to be narrowed before.
        torch.linalg.vector_norm(
            x.float() if x.dtype == torch.float64 else x, dim=-1, dtype=torch.float32
        )
        for x in ((before, after) if stream is None else (before, after, stream))
    ]
    # One factor in float32 is enough for the product to be so, and spares a copy of the other.
    dot = (before.float() * after).sum(-1, dtype=torch.float32)
    return (*norms[:2], dot, *norms[2:])
