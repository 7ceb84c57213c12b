"""Making few tokens out of many, and dividing grids and budgets, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruneviz.ops import (
    bipartite_merge,
    contextual_tokens,
    density_peaks,
    even_places,
    grid_cells,
    group_means,
    split_budget,
)


def vectors(count: int, seed: int = 0, width: int = 7) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


@pytest.mark.parametrize("count", [1, 5, 12, 19, 20, 36, 37])
def test_tome_pair_by_pair(count: int) -> None:
    """Groups as lists of members: means over all of them, merged round by round."""
    states = vectors(37)
    groups = [[token] for token in range(37)]
    while len(groups) > count:
        means = [states[group].mean(0) for group in groups]
        pairs = []
        for first in range(0, len(groups), 2):
            like = [cosine(means[first], mean) for mean in means[1::2]]
            pairs.append((max(like), first, 2 * int(np.argmax(like)) + 1))
        going = sorted(pairs, key=lambda pair: -pair[0])[
            : min(len(groups) - count, len(groups) // 2)
        ]
        for _, source, target in going:
            groups[target] = groups[target] + groups[source]
        gone = {source for _, source, _ in going}
        groups = [group for place, group in enumerate(groups) if place not in gone]
    merged, anchors, into = bipartite_merge(states, count)
    assert len(groups) == len(merged) == count
    for place, group in enumerate(groups):
        torch.testing.assert_close(merged[place], states[group].mean(0))
        assert sorted(group) == (into == place).nonzero().squeeze(-1).tolist()
        assert int(anchors[place]) == group[0]


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_density_peaks_from_the_definition(count: int) -> None:
    states = vectors(23, seed=1)
    away = np.array([[float((a - b).norm()) / 7**0.5 for b in states] for a in states])
    density = np.array([np.exp(-np.mean(np.sort(row)[:count] ** 2)) for row in away])
    order = sorted(range(23), key=lambda i: -density[i])
    apart = [
        min((away[i, j] for j in order[: order.index(i)]), default=away.max()) for i in range(23)
    ]
    wanted = sorted(range(23), key=lambda i: -density[i] * apart[i])[:count]
    centres, into = density_peaks(states, count)
    assert centres.tolist() == wanted
    for token in range(23):
        nearest = wanted.index(token) if token in wanted else int(np.argmin(away[token, wanted]))
        assert int(into[token]) == nearest


def test_contextual_tokens_take_up_the_mean_of_their_followers() -> None:
    metric, features = vectors(22, seed=2), vectors(22, seed=3)
    merged, targets, into = contextual_tokens(metric, features, 5)
    assert targets.tolist() == [0, 4, 8, 12, 16], "every fourth, as 22 // 5 says"
    for token in range(22):
        like = [cosine(metric[token], metric[target]) for target in targets]
        assert int(into[token]) == int(np.argmax(like))
    for place, target in enumerate(targets.tolist()):
        followers = [t for t in range(22) if int(into[t]) == place and t != target]
        extra = features[followers].mean(0) if followers else torch.zeros(7)
        torch.testing.assert_close(merged[place], features[target] + extra)


def test_means_of_groups() -> None:
    features = torch.arange(12.0).view(6, 2)
    means = group_means(features, torch.tensor([0, 2, 0, -1, 2, -1]), 4)
    assert means.tolist() == [[2, 3], [0, 0], [5, 6], [0, 0]]


@pytest.mark.parametrize("total", [1, 6, 36, 577])
def test_even_places_are_the_middles_of_equal_stretches(total: int) -> None:
    for count in {1, 2, 5, total // 2, total} - {0}:
        if count > total:
            continue
        places = even_places(total, count).tolist()
        assert places == [int((k + 0.5) * total / count) for k in range(count)]
        assert len(set(places)) == count
        assert (
            places[0] == total - 1 - places[-1] or (total / count) % 1 or (total // count) % 2 == 0
        )


@pytest.mark.parametrize("sizes", [(36,), (16, 20), (9, 9, 9, 9), (1, 30, 5)])
def test_a_budget_is_split_in_proportion(sizes: tuple[int, ...]) -> None:
    for count in range(len(sizes), sum(sizes) + 1):
        shares = split_budget(count, sizes)
        assert sum(shares) == count
        for share, size in zip(shares, sizes, strict=True):
            assert 1 <= share <= size
            assert abs(share - count * size / sum(sizes)) <= len(sizes)
    assert split_budget(sum(sizes), sizes) == list(sizes)
    assert sum(split_budget(0, sizes, least=0)) == 0


@pytest.mark.parametrize("side", [2, 3, 6])
def test_a_square_is_cut_into_squares(side: int) -> None:
    cells, middles = grid_cells([(6, 6)], side * side)
    step = 6 // side
    for token in range(36):
        row, column = divmod(token, 6)
        assert int(cells[token]) == row // step * side + column // step
    # The upper left one of those nearest to the middle.
    half = (step - 1) // 2
    wanted = [(r * step + half) * 6 + c * step + half for r in range(side) for c in range(side)]
    assert middles.tolist() == wanted


@pytest.mark.parametrize("blocks", [[(6, 6)], [(4, 4), (4, 5)], [(3, 3)] * 4, [(2, 9)]])
def test_cells_are_of_nearly_equal_size_and_hold_their_middles(
    blocks: list[tuple[int, int]],
) -> None:
    total = sum(rows * columns for rows, columns in blocks)
    for count in range(1, total + 1):
        cells, middles = grid_cells(blocks, count)
        assert len(cells) == total
        assert cells[middles].tolist() == list(range(count))
        assert sorted(set(cells.tolist())) == list(range(count))
    first = blocks[0][0] * blocks[0][1]
    cells, middles = grid_cells(blocks, len(blocks))
    for number, (rows, columns) in enumerate(blocks):
        assert (cells[:first] == number).all()
        spot = int(middles[number]) - sum(r * c for r, c in blocks[:number])
        row, column = divmod(spot, columns)
        assert abs(row - (rows - 1) / 2) <= 0.5
        assert abs(column - (columns - 1) / 2) <= 0.5
        cells = cells[first:]
        first = blocks[number + 1][0] * blocks[number + 1][1] if number + 1 < len(blocks) else 0
