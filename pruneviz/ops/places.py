"""Places of tokens, found without asking the device how many there are."""

from __future__ import annotations

import torch


def others(taken: torch.Tensor, total: int) -> torch.Tensor:
    """The places that are not among these.

    Parameters
    ----------
    taken : torch.Tensor
        Int64 ``[..., k]``, different places below `total`.
    total : int
        Number of places.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., total - k]``, ascending. The count follows from the shapes: nothing waits for
        the device, as it would with a mask.
    """
    every = (*taken.shape[:-1], total)
    free = torch.ones(every, dtype=torch.uint8, device=taken.device).scatter_(-1, taken, 0)
    left = total - taken.shape[-1]
    return torch.sort(free, dim=-1, descending=True, stable=True).indices[..., :left]


def homes(anchors: torch.Tensor, total: int) -> torch.Tensor:
    """Anchors, with the first places left free where there is none.

    Parameters
    ----------
    anchors : torch.Tensor
        Int64 ``[..., k]``: different places below `total`, or negative; ``k <= total``.
    total : int
        Number of places.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., k]``: all different.
    """
    without = anchors < 0
    # One place more than there are takes what has none.
    spots = torch.where(without, total, anchors)
    every = (*anchors.shape[:-1], total + 1)
    taken = torch.zeros(every, dtype=torch.uint8, device=anchors.device).scatter_(-1, spots, 1)
    free = torch.sort(taken[..., :total], dim=-1, stable=True).indices
    turn = (without.cumsum(-1) - 1).clamp_min(0)
    return torch.where(without, free.gather(-1, turn), anchors)


def places_in(order: torch.Tensor, total: int) -> torch.Tensor:
    """Where each place stands in an order: int64 ``[..., total]``, -1 for those not in it.

    Parameters
    ----------
    order : torch.Tensor
        Int64 ``[..., k]``: different places below `total`, or negative for none.
    total : int
        Number of places.
    """
    spots = torch.where(order < 0, total, order)
    rank = torch.arange(order.shape[-1], device=order.device)
    found = rank.new_full((*order.shape[:-1], total + 1), -1)
    return found.scatter_(-1, spots, rank.expand_as(spots))[..., :total]


def taken_at(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """The vectors at some places.

    Parameters
    ----------
    values : torch.Tensor
        ``[..., n, d]``, any dtype.
    places : torch.Tensor
        Int64 ``[..., k]``, below `n`.

    Returns
    -------
    torch.Tensor
        ``[..., k, d]``.
    """
    if places.ndim == 1:
        return values[places]
    return values.gather(-2, places[..., None].expand(*places.shape, values.shape[-1]))


def added_at(total: torch.Tensor, places: torch.Tensor, values: torch.Tensor) -> None:
    """Add vectors to those at some places.

    Parameters
    ----------
    total : torch.Tensor
        ``[..., n, d]``; changed.
    places : torch.Tensor
        Int64 ``[..., k]``, below `n`, which may repeat; or ``[k]``, for all that stands in front.
    values : torch.Tensor
        ``[..., k, d]``, of the same dtype.
    """
    if places.ndim == 1:
        total.index_add_(-2, places, values)
    else:
        total.scatter_add_(-2, places[..., None].expand(values.shape), values)
