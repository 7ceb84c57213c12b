"""Places of tokens, found without asking the device how many there are."""

from __future__ import annotations

import torch


def others(taken: torch.Tensor, total: int) -> torch.Tensor:
    """The places that are not among these.

    Parameters
    ----------
    taken : torch.Tensor
        Int64 ``[k]``, different places below `total`.
    total : int
        Number of places.

    Returns
    -------
    torch.Tensor
        Int64 ``[total - k]``, ascending. The count follows from the shapes: nothing waits for the
        device, as it would with a mask.
    """
    free = torch.ones(total, dtype=torch.uint8, device=taken.device).index_fill_(0, taken, 0)
    return torch.sort(free, descending=True, stable=True).indices[: total - len(taken)]


def homes(anchors: torch.Tensor, total: int) -> torch.Tensor:
    """Anchors, with the first places left free where there is none.

    Parameters
    ----------
    anchors : torch.Tensor
        Int64 ``[k]``: different places below `total`, or negative; ``k <= total``.
    total : int
        Number of places.

    Returns
    -------
    torch.Tensor
        Int64 ``[k]``: all different.
    """
    without = anchors < 0
    # One place more than there are takes what has none.
    spots = torch.where(without, total, anchors)
    taken = torch.zeros(total + 1, dtype=torch.uint8, device=anchors.device)
    free = torch.sort(taken.index_fill_(0, spots, 1)[:total], stable=True).indices
    turn = (without.cumsum(0) - 1).clamp_min(0)
    return torch.where(without, free[turn], anchors)


def places_in(order: torch.Tensor, total: int) -> torch.Tensor:
    """Where each place stands in an order: int64 ``[total]``, -1 for those not in it.

    Parameters
    ----------
    order : torch.Tensor
        Int64 ``[k]``: different places below `total`, or negative for none.
    total : int
        Number of places.
    """
    spots = torch.where(order < 0, total, order)
    rank = torch.arange(len(order), device=order.device)
    return rank.new_full((total + 1,), -1).index_copy_(0, spots, rank)[:total]
