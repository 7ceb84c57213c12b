"""Selection and statistics at a device's speed: Triton kernels on NVIDIA cards, else plain torch.

The kernels are chosen by the tensors' device wherever triton is installed, as it is with torch's
CUDA builds. :func:`plain_only` and the argument `use_kernel` choose by hand. A kernel that a card
or a machine cannot build is replaced by the plain version, with one warning.
"""

from __future__ import annotations

import torch

from pruneviz.ops.kernels import plain
from pruneviz.ops.kernels.switch import attempt, plain_only, wanted

__all__ = ["cholesky_picks", "farthest_picks", "kernel_dtype", "plain_only", "transition_stats"]

_FAST_FLOAT64 = {(8, 0), (9, 0), (10, 0)}
"""Compute capabilities of cards that have float64 at a fair share of float32's speed."""


def kernel_dtype(device: torch.device | str) -> torch.dtype:
    """In which dtype the kernel of :func:`cholesky_picks` computes on a device.

    Float64, but float32 on cards where float64 runs at 1/32 or less of its speed.
    """
    if torch.device(device).type != "cuda":
        return torch.float64
    fast = torch.cuda.get_device_capability(device) in _FAST_FLOAT64
    return torch.float64 if fast else torch.float32


@torch.no_grad()
def cholesky_picks(
    rows: torch.Tensor,
    open_: torch.Tensor,
    k: int,
    seed: torch.Tensor | None = None,
    share: float = 1e-13,
    use_kernel: bool | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pivots of a pivoted Cholesky factorisation of the rows' Gram matrices.

    Parameters
    ----------
    rows : torch.Tensor
        Float64 ``[batch, n, d]``; n at least 1.
    open_ : torch.Tensor
        Bool ``[batch, n]``: rows that may be picked; of the others only what is left is told.
    k : int
        Number of picks.
    seed : torch.Tensor, optional
        Int64 ``[batch]``: first picks, whether they may be picked or not.
    share : float
        Share of the largest energy at or below which nothing is left to pick.
    use_kernel : bool, optional
        Default: on NVIDIA cards.

    Returns
    -------
    order : torch.Tensor
        Int64 ``[batch, k]``: picks in order, `n` where nothing was left to pick.
    gain : torch.Tensor
        ``[batch, k]``: energy of each pick when it was picked; of no meaning where there is none.
    left : torch.Tensor
        ``[batch, n]``: energy of each row outside the span of the picks, below 0 by rounding;
        of no meaning at picks.
    start : torch.Tensor
        ``[batch, n]``: squared norms.

    Notes
    -----
    The kernel computes in :func:`kernel_dtype`. In float32 picks are those of float64 while
    energies stand out from its rounding: a row with less than four millionths of its own squared
    norm left counts as explained. Beyond the features' rank, or among rows closer together than
    that, they may differ.
    """

    def by_torch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        return plain.cholesky_picks(rows, open_, k, seed, share)

    def by_kernel() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        from pruneviz.ops.kernels import cholesky

        narrow = rows.to(kernel_dtype(rows.device))
        return cholesky.picks(narrow, open_, k, seed, share) or by_torch()

    if not wanted(rows, use_kernel):
        return by_torch()
    return attempt("residual energies", by_kernel, by_torch, use_kernel)


@torch.no_grad()
def farthest_picks(
    apart: torch.Tensor, k: int, use_kernel: bool | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Farthest-first picks, first the one whose nearest other is farthest.

    Parameters
    ----------
    apart : torch.Tensor
        Float32 ``[batch, n, n]``: symmetric distances, at most 2; n at least 1.
    k : int
        Number of picks.
    use_kernel : bool, optional
        Default: on NVIDIA cards.

    Returns
    -------
    order, distance, rest : torch.Tensor
        ``[batch, k]`` int64, ``[batch, k]`` and ``[batch, n]``: as of
        :func:`pruneviz.ops.diversity_profile`.
    """
    away = apart.clone()
    # With a single token there is no other: its infinite distance still makes it the pick.
    away.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    nearest = away.amin(1)

    def by_torch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return plain.farthest_picks(apart, nearest, k)

    def by_kernel() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        from pruneviz.ops.kernels import farthest

        return farthest.picks(apart, nearest, k) or by_torch()

    if not wanted(apart, use_kernel):
        return by_torch()
    return attempt("distances", by_kernel, by_torch, use_kernel)


@torch.no_grad()
def transition_stats(
    before: torch.Tensor,
    after: torch.Tensor,
    stream: torch.Tensor | None = None,
    use_kernel: bool | None = None,
) -> tuple[torch.Tensor, ...]:
    """Norms of a module's input and output, and their dot product, of every token.

    Parameters
    ----------
    before, after : torch.Tensor
        ``[..., n, d]``, any floating dtype.
    stream : torch.Tensor, optional
        ``[..., n, d]``: the residual stream, whose norm is told too.
    use_kernel : bool, optional
        Default: on NVIDIA cards, where it is one launch and reads everything once.

    Returns
    -------
    tuple of torch.Tensor
        Each float32 ``[..., n]``: norm before, norm after, dot product and, with `stream`, its
        norm; summed up in float32.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if before.shape != after.shape or (stream is not None and stream.shape != before.shape):
        given = [tuple(x.shape) for x in (before, after, stream) if x is not None]
        raise ValueError(f"before, after and stream must have one shape, got {given}.")

    def by_torch() -> tuple[torch.Tensor, ...]:
        return plain.transition_stats(before, after, stream)

    def by_kernel() -> tuple[torch.Tensor, ...]:
        from pruneviz.ops.kernels import stats

        return stats.stats(before, after, stream).unbind(0)

    if not wanted(before, use_kernel):
        return by_torch()
    return attempt("transition statistics", by_kernel, by_torch, use_kernel)
