"""A budget shared out over stretches of tokens, without asking the device for any number."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pruneviz.ops.scores import products

_VARIETY = 0.09
_SCALE = 1000.0
_SMALL = 1e-6


def by_length(values: torch.Tensor, sizes: Sequence[int], dim: int = -1) -> list[torch.Tensor]:
    """Stretches of equal length together.

    Parameters
    ----------
    values : torch.Tensor
        ``[..., n]``, or with `n` elsewhere.
    sizes : sequence of int
        Tokens of each stretch, falling, `n` in all.
    dim : int
        Where `n` is.

    Returns
    -------
    list of torch.Tensor
        ``[..., stretches, length]`` of each length, as views.
    """
    lengths = list(dict.fromkeys(sizes))
    parts = values.split([length * sizes.count(length) for length in lengths], dim)
    return [part.unflatten(dim, (-1, size)) for part, size in zip(parts, lengths, strict=True)]


def _on(device: torch.device, sizes: Sequence[int]) -> torch.Tensor:
    """Sizes made where they are needed; a list that is copied there would be waited for."""
    lengths = dict.fromkeys(sizes)
    return torch.cat([torch.full((sizes.count(n),), n, device=device) for n in lengths])


def stretch_scores(attention: torch.Tensor, states: torch.Tensor | None) -> torch.Tensor:
    """Scores of stretches: their attention, and a little for how their tokens vary.

    Parameters
    ----------
    attention : torch.Tensor
        Float32 ``[..., stretches, length]``.
    states : torch.Tensor or None
        Float32 ``[..., stretches, length, d]``. None: attention alone.

    Returns
    -------
    torch.Tensor
        Float32 ``[..., stretches]``.

    Notes
    -----
    HoloV (arXiv 2510.02912), as its published code computes it.
    """
    if attention.shape[-1] == 1:
        return attention[..., 0]
    large = _SCALE * attention
    if states is None:
        return large.mean(-1)
    unit = states / (states.norm(dim=-1, keepdim=True) + _SMALL)
    # One batch of all stretches of all rows.
    alike = products(*[unit.flatten(0, -3)] * 2)
    alike.diagonal(dim1=1, dim2=2).fill_(0)
    alike = alike.view(*unit.shape[:-1], -1)
    others = attention.shape[-1] - 1
    mean = alike.sum(-1, keepdim=True) / others
    variety = (alike - mean).square().sum(-1) / others
    scale = large.abs().mean(-1) / (variety.abs().mean(-1) + _SMALL)
    return (large + _VARIETY * variety * scale[..., None]).mean(-1)


def shared_out(scores: torch.Tensor, keep: int) -> tuple[torch.Tensor, torch.Tensor]:
    """How many of `keep` tokens each stretch is given; what rounding leaves, to the heaviest.

    Parameters
    ----------
    scores : torch.Tensor
        ``[..., stretches]``, non-negative.
    keep : int
        Tokens to give.

    Returns
    -------
    given : torch.Tensor
        Int64 ``[..., stretches]``.
    order : torch.Tensor
        Int64 ``[..., stretches]``: the heaviest first, the earlier of equals.
    """
    weights = scores / (scores.sum(-1, keepdim=True) + _SMALL)
    given = (weights * keep).floor().long()
    order = torch.sort(weights, dim=-1, descending=True, stable=True).indices
    turn = torch.arange(order.shape[-1], device=order.device)
    more = turn < keep - given.sum(-1, keepdim=True)
    return given.scatter_add(-1, order, more.long()), order


def handed_on(given: torch.Tensor, order: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """The same where none is given more than it holds: the surplus goes round.

    Every round gives one token to each stretch that has room, the heaviest first, until there
    are none to give.

    Parameters
    ----------
    given, order : torch.Tensor
        What :func:`shared_out` returned.
    sizes : sequence of int
        Tokens of each stretch, as many as are given at least.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., stretches]``.
    """
    holds = _on(given.device, sizes)
    held = torch.minimum(given, holds)
    room = holds - held
    surplus = (given - held).sum(-1, keepdim=True)
    # After r full rounds each has r more, or as many as it has room for: all r at once.
    rounds = torch.arange(max(sizes) + 1, device=given.device)
    used = torch.minimum(rounds[:, None], room[..., None, :]).sum(-1)
    full = (used <= surplus).sum(-1, keepdim=True) - 1
    filled = torch.minimum(full, room)
    left = surplus - filled.sum(-1, keepdim=True)
    # The round that is not full.
    open_ = (room > full).gather(-1, order)
    more = open_ & (open_.cumsum(-1) <= left)
    return (held + filled).scatter_add(-1, order, more.long())


def best_of_stretches(
    attention: torch.Tensor, given: torch.Tensor, sizes: Sequence[int], keep: int
) -> torch.Tensor:
    """The best of each stretch, stretch by stretch; one kept whole stays in its own order.

    Parameters
    ----------
    attention : torch.Tensor
        ``[..., n]``.
    given : torch.Tensor
        Int64 ``[..., stretches]``: how many of each, at most; `keep` in all, at most.
    sizes : sequence of int
        Tokens of each stretch, falling, `n` in all.
    keep : int
        How many places come out, ``keep <= n``.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., keep]``; -1, in the end, where there are fewer.
    """
    device, total = attention.device, attention.shape[-1]
    places = torch.arange(total, device=device).expand(attention.shape)
    counts = given.repeat_interleave(_on(device, sizes), dim=-1, output_size=total)
    every, chosen = [], []
    parts = (by_length(values, sizes) for values in (attention, places, counts))
    for own, spots, few in zip(*parts, strict=True):
        best = torch.sort(own, dim=-1, descending=True, stable=True).indices
        whole = few >= own.shape[-1]
        every.append(torch.where(whole, spots, spots.gather(-1, best)).flatten(-2))
        chosen.append((torch.arange(own.shape[-1], device=device) < few).flatten(-2))
    there = torch.cat(chosen, -1)
    turn = torch.sort(there.to(torch.uint8), dim=-1, descending=True, stable=True).indices
    turn = turn[..., :keep]
    return torch.where(there.gather(-1, turn), torch.cat(every, -1).gather(-1, turn), -1)
