"""Making few tokens out of many: who goes where, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import normalize

from pruneviz.ops.places import added_at, places_in, taken_at
from pruneviz.ops.scores import products


def assign_to_targets(metric: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Send every token to the target that it is most like.

    Parameters
    ----------
    metric : torch.Tensor
        ``[..., n, c]``, any floating dtype; cosine similarity is taken of its rows.
    targets : torch.Tensor
        Int64 ``[k]``: places of the targets.

    Returns
    -------
    torch.Tensor
        Int64 ``[..., n]``, values in 0..k-1; a target goes to itself.
    """
    unit = normalize(metric.float(), dim=-1)
    into = products(unit, unit.index_select(-2, targets)).argmax(-1)
    own = torch.arange(len(targets), device=targets.device)
    return into.index_copy(-1, targets, own.expand(*into.shape[:-1], -1))


def group_means(features: torch.Tensor, into: torch.Tensor, count: int) -> torch.Tensor:
    """Mean of the tokens of each group.

    Parameters
    ----------
    features : torch.Tensor
        ``[..., n, c]``.
    into : torch.Tensor
        Int64 ``[..., n]``: group of each token, negative for none.
    count : int
        Number of groups.

    Returns
    -------
    torch.Tensor
        Float32 ``[..., count, c]``; zero where a group is empty.
    """
    # One group more takes those that are in none.
    group = torch.where(into < 0, count, into)
    every = (*features.shape[:-2], count + 1, features.shape[-1])
    total = features.new_zeros(every, dtype=torch.float32)
    added_at(total, group, features.float())
    sizes = group_sizes(group, count + 1)
    return (total / sizes.clamp_min(1)[..., None])[..., :count, :]


def group_sizes(into: torch.Tensor, count: int) -> torch.Tensor:
    """How many tokens are in each group: float32 ``[..., count]``.

    Parameters
    ----------
    into : torch.Tensor
        Int64 ``[..., n]``: group of each token, from 0 to below `count`.
    count : int
        Number of groups.
    """
    ones = torch.ones(into.shape, device=into.device)
    return ones.new_zeros(*into.shape[:-1], count).scatter_add_(-1, into, ones)


def contextual_tokens(
    metric: torch.Tensor, features: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """VisionZip's contextual tokens: evenly spread targets, each with the mean of its followers.

    Parameters
    ----------
    metric : torch.Tensor
        ``[..., n, c]``: keys of the tokens that are not dominant, heads averaged.
    features : torch.Tensor
        ``[..., n, d]``: their states.
    count : int
        How many tokens come out, ``1 <= count <= n``.

    Returns
    -------
    merged : torch.Tensor
        Float32 ``[..., count, d]``: a target's state plus the mean of those that went to it.
    targets : torch.Tensor
        Int64 ``[count]``, ascending.
    into : torch.Tensor
        Int64 ``[..., n]``: which of the merged tokens each token went into.

    Notes
    -----
    VisionZip (arXiv 2412.04467), section 3.3, as its published code computes it.
    """
    tokens = metric.shape[-2]
    targets = torch.arange(0, tokens, max(1, tokens // count), device=metric.device)[:count]
    into = assign_to_targets(metric, targets)
    followers = into.index_fill(-1, targets, -1)
    own = features.index_select(-2, targets).float()
    merged = own + group_means(features, followers, count)
    return merged, targets, into


def bipartite_merge(
    features: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Merge the most alike tokens until `count` are left, as ToMe does.

    In each round every second token looks for its most similar partner among the others, and
    the most similar pairs merge into means weighted by how many tokens are already in them.

    Parameters
    ----------
    features : torch.Tensor
        ``[..., n, d]``, any floating dtype.
    count : int
        How many tokens come out, ``1 <= count <= n``.

    Returns
    -------
    merged : torch.Tensor
        Float32 ``[..., count, d]``.
    anchors : torch.Tensor
        Int64 ``[..., count]``, ascending: the token that each merged one grew around.
    into : torch.Tensor
        Int64 ``[..., n]``: which of the merged tokens each token went into.

    Notes
    -----
    ToMe (arXiv 2210.09461), section 3: bipartite soft matching with size-weighted averages.
    """
    states = features.float()
    sizes = torch.ones(states.shape[:-1], device=states.device)
    anchors = torch.arange(states.shape[-2], device=states.device).expand(sizes.shape)
    into = anchors.clone()
    while (total := states.shape[-2]) > count:
        unit = normalize(states, dim=-1)
        similar, partner = products(unit[..., ::2, :], unit[..., 1::2, :]).max(-1)
        merging = min(total - count, similar.shape[-1], total // 2)
        order = torch.sort(similar, dim=-1, descending=True, stable=True).indices
        order, staying = order[..., :merging], order[..., merging:]
        source, target = 2 * order, 2 * partner.gather(-1, order) + 1
        weighted = states * sizes[..., None]
        added_at(weighted, target, taken_at(weighted, source))
        sizes = sizes.scatter_add(-1, target, sizes.gather(-1, source))
        place = torch.arange(total, device=states.device).expand(sizes.shape)
        # How many stay is known, and so are all that were only asked: no mask is needed.
        stays = torch.cat([place[..., 1::2], 2 * staying], -1).sort(-1).values
        rank = places_in(stays, total)
        into = rank.gather(-1, place.scatter(-1, source, target).gather(-1, into))
        states = taken_at(weighted / sizes[..., None], stays)
        sizes, anchors = sizes.gather(-1, stays), anchors.gather(-1, stays)
    return states, anchors, into


def density_peaks(features: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cluster tokens around points that are dense and far from denser ones.

    Parameters
    ----------
    features : torch.Tensor
        ``[n, d]``, any floating dtype.
    count : int
        Number of clusters, ``1 <= count <= n``; also how many neighbours make the density.

    Returns
    -------
    centres : torch.Tensor
        Int64 ``[count]``, the best centre first.
    into : torch.Tensor
        Int64 ``[n]``: cluster of each token.

    Notes
    -----
    SparseVLM (arXiv 2410.04417), section 3.4. Its code adds noise to the densities so that
    equal ones differ; here the earlier token counts as the denser one, which is deterministic.
    """
    states = features.float()
    # Centred and term by term: by a matrix product, an offset that all tokens share would drown
    # what they differ in.
    states = states - states.mean(0)
    direct = "donot_use_mm_for_euclid_dist"
    distance = torch.cdist(states, states, compute_mode=direct) / states.shape[-1] ** 0.5
    nearest = distance.topk(count, largest=False).values
    density = (-nearest.square().mean(-1)).exp()
    order = torch.sort(density, descending=True, stable=True).indices
    rank = torch.empty_like(order).index_copy(
        0, order, torch.arange(len(order), device=order.device)
    )
    denser = rank[None, :] < rank[:, None]
    apart = torch.where(denser, distance, distance.max()).amin(-1)
    score = density * apart
    centres = torch.sort(score, descending=True, stable=True).indices[:count]
    into = distance[:, centres].argmin(-1)
    return centres, into.index_copy(0, centres, torch.arange(count, device=centres.device))


def even_places(total: int, count: int, device: torch.device | str | None = None) -> torch.Tensor:
    """Evenly spread places: ``floor((k + 0.5) * total / count)``, int64 ``[count]``."""
    return (2 * torch.arange(count, device=device) + 1) * total // (2 * max(count, 1))


def spread_cells(rows: int, columns: int, count: int) -> torch.Tensor:
    """Divide a grid into `count` cells of nearly equal size and shape.

    Parameters
    ----------
    rows, columns : int
        Size of the grid.
    count : int
        Number of cells, ``1 <= count <= rows * columns``.

    Returns
    -------
    torch.Tensor
        Int64 ``[rows * columns]``: cell of each token, in raster order. Bands of rows, each cut
        into as many cells as the others or one more; a g x g grid for g * g cells of a square.
    """
    bands = max(1, min(rows, count, round((count * rows / columns) ** 0.5)))
    bands = max(bands, -(-count // columns))
    cells = torch.empty(rows, columns, dtype=torch.long)
    for band in range(bands):
        top, bottom = band * rows // bands, (band + 1) * rows // bands
        first, last = band * count // bands, (band + 1) * count // bands
        across = torch.arange(columns) * (last - first) // columns
        cells[top:bottom] = first + across
    return cells.flatten()


def split_budget(count: int, sizes: Sequence[int], least: int = 1) -> list[int]:
    """Divide a number in proportion to `sizes`, none above its size or below `least`.

    `count` lies from ``least * len(sizes)`` to ``sum(sizes)``.
    """
    shares: list[int] = []
    done = 0
    for number, size in enumerate(sizes, start=1):
        done += size
        used = sum(shares)
        # Its share of what there is so far, with some left for each one to come.
        until = round(count * done / sum(sizes))
        share = max(least, min(until, count - least * (len(sizes) - number)) - used)
        shares.append(min(share, size))
    return shares


def grid_cells(blocks: Sequence[tuple[int, int]], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Divide several grids, one after another, into cells of nearly equal size.

    Parameters
    ----------
    blocks : sequence of (int, int)
        Rows and columns of each grid.
    count : int
        Number of cells in all. Fewer than there are grids: the grids count as one row.

    Returns
    -------
    cells : torch.Tensor
        Int64 ``[n]``: cell of each token, on the CPU.
    middles : torch.Tensor
        Int64 ``[count]``: the token nearest to the middle of each cell, on the CPU.
    """
    cells, middles = _grid_cells(tuple(tuple(block) for block in blocks), count)
    return cells.clone(), middles.clone()


@lru_cache(maxsize=64)
def _grid_cells(
    blocks: tuple[tuple[int, ...], ...], count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same from numbers alone, hence once for every layout."""
    sizes = [rows * columns for rows, columns in blocks]
    if count < len(blocks):
        return _grid_cells(((1, sum(sizes)),), count)
    cells, middles, first, used = [], [], 0, 0
    for (rows, columns), size, share in zip(blocks, sizes, split_budget(count, sizes), strict=True):
        own = spread_cells(rows, columns, share)
        cells.append(used + own)
        middles.append(first + _middles(own, columns, share))
        used, first = used + share, first + size
    return torch.cat(cells), torch.cat(middles)


def _middles(cells: torch.Tensor, columns: int, count: int) -> torch.Tensor:
    # In NumPy: it follows from numbers alone, and is no arithmetic of choosing that is counted.
    own = cells.numpy()
    places = np.arange(len(own))
    spot = np.stack([places // columns, places % columns], axis=1).astype(np.float32)
    total = np.zeros((count, 2), dtype=np.float32)
    np.add.at(total, own, spot)
    means = total / np.bincount(own, minlength=count).astype(np.float32)[:, None]
    away = np.square(spot - means[own]).sum(-1)
    # By cell and, within, by distance; of equals the earlier. A cell's first is its middle.
    order = np.lexsort((places, away, own))
    return torch.from_numpy(order[np.searchsorted(own[order], np.arange(count))])
