"""Greedy selections: residual energy, conditional DPP, max-min diversity, relevance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch

from pruneviz.ops import (
    conditional_dpp,
    coverage_profile,
    density_peaks,
    diversity_profile,
    dpp_profile,
    max_min_diversity,
    pick_profile,
    pick_scores,
    residual_greedy,
    text_relevance,
)

SHAPES = [(30, 8), (12, 40), (64, 64), (100, 33)]


def tokens(n: int, d: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return features, 0.05 + torch.rand(n, generator=generator, dtype=torch.float64)


def pivots(features: torch.Tensor, weight: torch.Tensor, k: int) -> list[int]:
    columns = (weight.sqrt()[:, None] * features).T.numpy()
    return scipy.linalg.qr(columns, pivoting=True, mode="r")[1][:k].tolist()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_pick_order_equals_pivoted_qr(n: int, d: int, seed: int) -> None:
    features, weight = tokens(n, d, seed)
    k = min(n, d)
    assert residual_greedy(features, torch.ones(n), k).tolist() == pivots(
        features, torch.ones(n, dtype=torch.float64), k
    )
    assert residual_greedy(features, weight, k).tolist() == pivots(features, weight, k)


def test_nearly_parallel_float32_tokens_still_equal_pivoted_qr() -> None:
    """Residuals far below float32's resolution of the squared norms."""
    features, weight = tokens(40, 24)
    features = (features * 1e-4 + 1.0).float()
    wanted = pivots(features.double(), weight, 20)
    assert residual_greedy(features, weight, 20).tolist() == wanted


def test_nested_in_the_number_of_picks() -> None:
    features, weight = tokens(40, 12)
    every = residual_greedy(features, weight, 40).tolist()
    assert sorted(every) == list(range(40))
    for k in range(41):
        assert residual_greedy(features, weight, k).tolist() == every[:k]


def test_permutation_rotation_and_scale() -> None:
    features, weight = tokens(40, 12)
    wanted = residual_greedy(features, weight, 12)
    order = torch.randperm(40)
    shuffled = residual_greedy(features[order], weight[order], 12)
    assert order[shuffled].tolist() == wanted.tolist()
    rotation = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64)).Q
    assert residual_greedy(features @ rotation, weight, 12).tolist() == wanted.tolist()
    assert residual_greedy(173.0 * features, weight, 12).tolist() == wanted.tolist()
    assert residual_greedy(features, 0.01 * weight, 12).tolist() == wanted.tolist()


def test_first_pick_is_the_largest_norm() -> None:
    features, _ = tokens(40, 12)
    first = residual_greedy(features, torch.ones(40), 1).item()
    assert first == int(features.norm(dim=-1).argmax())


def test_duplicates_are_not_both_picked() -> None:
    features, weight = tokens(20, 30)
    features[11] = features[4] * 1.5
    picks = residual_greedy(features, weight, 19).tolist()
    assert len({4, 11} & set(picks)) == 1


def test_rank_exhaustion_falls_back_to_energy() -> None:
    """Three directions only: after three picks, the largest weighted norms in order."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.randn(3, 20, generator=generator, dtype=torch.float64)
    features = torch.randn(15, 3, generator=generator, dtype=torch.float64) @ basis
    weight = torch.rand(15, generator=generator, dtype=torch.float64) + 0.1
    order, gain, residual = pick_profile(features, weight, 15)
    assert sorted(order.tolist()) == list(range(15))
    assert (gain[:3] > 0).all()
    assert (gain[3:] == 0).all()
    rest = order[3:]
    energy = (weight * features.square().sum(-1))[rest]
    assert (energy.diff() <= 0).all()
    assert float(residual.max()) < 1e-9 * float(features.square().sum(-1).max())


def test_energies() -> None:
    features, weight = tokens(40, 16)
    order, gain, residual = pick_profile(features, weight, 10)
    assert (gain.diff() <= 1e-12).all()
    chosen = features[order]
    projected = features @ torch.linalg.pinv(chosen) @ chosen
    exact = (features - projected).square().sum(-1)
    assert torch.allclose(residual, exact, atol=1e-9)
    assert (residual[order] == 0).all()
    best = np.square(scipy.linalg.svdvals(features.numpy())[10:]).sum()
    assert float(residual.sum()) >= best


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_any_floating_dtype(dtype: torch.dtype) -> None:
    features, weight = tokens(30, 20)
    low = features.to(dtype)
    picks = residual_greedy(low, weight.to(dtype), 20)
    assert picks.dtype == torch.int64
    assert picks.tolist() == pivots(low.double(), weight.to(dtype).double(), 20)


def test_degenerate_inputs() -> None:
    assert sorted(residual_greedy(torch.zeros(5, 3), torch.ones(5), 5).tolist()) == list(range(5))
    assert sorted(residual_greedy(torch.randn(5, 3), torch.zeros(5), 5).tolist()) == list(range(5))
    assert residual_greedy(torch.randn(0, 3), torch.ones(0), 0).tolist() == []
    assert residual_greedy(torch.randn(4, 3), torch.ones(4), 0).tolist() == []
    same = residual_greedy(torch.ones(4, 3), torch.ones(4), 4)
    assert same.tolist() == [0, 1, 2, 3]
    for k in (-1, 6):
        with pytest.raises(ValueError, match="between 0 and 5"):
            residual_greedy(torch.randn(5, 3), torch.ones(5), k)
    with pytest.raises(ValueError, match="weight"):
        residual_greedy(torch.randn(5, 3), torch.ones(4), 2)
    with pytest.raises(ValueError, match="tokens, hidden"):
        residual_greedy(torch.randn(1, 5, 3), torch.ones(5), 2)
    with pytest.raises(ValueError, match="tokens, hidden"):
        residual_greedy(torch.randn(5), torch.ones(5), 2)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_conditional_dpp_is_greedy_map(n: int, d: int) -> None:
    """Against the determinant itself."""
    features, relevance = tokens(n, d, 3)
    unit = torch.nn.functional.normalize(features, dim=-1)
    kernel = relevance[:, None] * (unit @ unit.T) * relevance[None]
    picks: list[int] = []
    for _ in range(min(6, n)):
        gains = [
            -np.inf
            if j in picks
            else np.linalg.det(kernel[np.ix_([*picks, j], [*picks, j])].numpy())
            for j in range(n)
        ]
        picks.append(int(np.argmax(gains)))
    assert conditional_dpp(features, relevance, len(picks)).tolist() == picks


@pytest.mark.parametrize("seed", range(3))
def test_max_min_diversity_against_a_plain_loop(seed: int) -> None:
    features, _ = tokens(25, 6, seed)
    features = features.float()
    unit = torch.nn.functional.normalize(features, dim=-1)
    distance = (1 - unit @ unit.T).numpy()
    away = distance.copy()
    np.fill_diagonal(away, np.inf)
    picks = [int(away.min(0).argmax())]
    while len(picks) < 25:
        nearest = distance[:, picks].min(1)
        nearest[picks] = -np.inf
        picks.append(int(nearest.argmax()))
    assert max_min_diversity(features, 25).tolist() == picks
    assert max_min_diversity(features, 7).tolist() == picks[:7]
    assert max_min_diversity(features[:1], 1).tolist() == [0]
    assert max_min_diversity(features, 0).tolist() == []


@pytest.mark.parametrize("normalisation", ["minmax", "shift", "relu"])
def test_text_relevance(normalisation: str) -> None:
    generator = torch.Generator().manual_seed(0)
    features, text = (torch.randn(n, 8, generator=generator) for n in (20, 4))
    cosine = torch.nn.functional.cosine_similarity(features[:, None], text[None], dim=-1)
    best = cosine.amax(1)
    got = text_relevance(features, text, normalisation)
    assert got.dtype == torch.float32
    assert (got > 0).all()
    positive = best > 0
    assert got[positive].argsort().tolist() == best[positive].argsort().tolist()
    if normalisation == "minmax":
        wanted = ((best - best.min()) / (best.max() - best.min())).clamp_min(1e-6)
        assert torch.allclose(got, wanted, atol=1e-6)
    scaled = text_relevance(3 * features, 0.2 * text, normalisation)
    assert torch.allclose(scaled, got, atol=1e-5)


def test_text_relevance_without_text_or_contrast() -> None:
    features = torch.randn(6, 4)
    assert text_relevance(features, torch.empty(0, 4)).tolist() == [1.0] * 6
    alike = text_relevance(torch.ones(6, 4), torch.randn(2, 4))
    assert alike.tolist() == [1.0] * 6
    with pytest.raises(ValueError, match="minmax, shift, relu"):
        text_relevance(features, torch.randn(2, 4), "softmax")


@pytest.mark.parametrize("rank", [2, 5, 30])
@pytest.mark.parametrize("keep", [1, 4, 5, 6, 12, 29])
def test_kept_tokens_have_the_largest_scores_beyond_the_rank_too(rank: int, keep: int) -> None:
    generator = torch.Generator().manual_seed(rank)
    features = torch.randn(30, rank, generator=generator)
    features = features @ torch.randn(rank, 40, generator=generator)
    weight = torch.rand(30, generator=generator) + 0.1
    order, gain, residual = pick_profile(features, weight, keep)
    total = pick_scores(features, weight, order, gain, residual)
    others = torch.ones(30, dtype=torch.bool).index_fill(0, order, False)
    assert total[order].min() > total[others].max()
    if keep > rank:
        # Nothing is left to gain: the others in the order in which they would be picked.
        later = pick_profile(features, weight, 30)[0][keep:]
        ranked = total.masked_fill(~others, -1).sort(descending=True, stable=True).indices
        assert ranked[: 30 - keep].tolist() == later.tolist()


def test_a_seed_comes_first_and_is_the_best_scored() -> None:
    features = torch.randn(12, 40, generator=torch.Generator().manual_seed(3))
    weight = torch.ones(12)
    order, gain, residual = pick_profile(features, weight, 4, seed=7)
    assert order[0] == 7
    assert len(set(order.tolist())) == 4
    total = pick_scores(features, weight, order, gain, residual)
    assert total.argmax() in (7, order[gain.argmax()])
    assert total[7] == total.max()
    rest = features - features[7] * (features @ features[7] / features[7].square().sum())[:, None]
    assert order[1] == rest.square().sum(-1).index_fill(0, torch.tensor([7]), 0).argmax()


@pytest.mark.parametrize("offset", [0.0, 100.0, 30_000.0])
def test_clusters_do_not_see_an_offset_that_all_tokens_share(offset: float) -> None:
    generator = torch.Generator().manual_seed(0)
    middles = 40 * torch.randn(9, 64, generator=generator)
    states = middles.repeat_interleave(10, 0) + torch.randn(90, 64, generator=generator)
    direction = torch.nn.functional.normalize(torch.ones(64), dim=0)
    centres, into = density_peaks(states + offset * direction, 9)
    assert sorted((centres // 10).tolist()) == list(range(9))
    assert all(len(set(into[10 * i : 10 * i + 10].tolist())) == 1 for i in range(9))


def rows_alone(profile: Callable[..., Any], *batched: torch.Tensor) -> None:
    """A batch, in two leading dimensions too, is its rows one by one."""
    together = profile(*batched)
    nested = profile(*(x.unflatten(0, (2, 2)) for x in batched))
    for number, rows in enumerate(zip(*batched, strict=True)):
        for got, deep, wanted in zip(together, nested, profile(*rows), strict=True):
            for found in (got[number], deep[number // 2, number % 2]):
                assert found.dtype == wanted.dtype
                assert torch.allclose(found, wanted, atol=1e-6)
                assert wanted.is_floating_point() or torch.equal(found, wanted)


@pytest.mark.parametrize("k", [0, 1, 9, 26])
def test_a_batch_is_its_rows_one_by_one(k: int) -> None:
    generator = torch.Generator().manual_seed(k)
    features = torch.randn(4, 26, 12, generator=generator)
    features[1] = features[1, :, :3] @ torch.randn(3, 12, generator=generator)
    weight = torch.rand(4, 26, generator=generator)
    weight[2, 5:] = 0
    seed = torch.tensor([3, 25, 7, 0])

    def picked(rows: torch.Tensor, factor: torch.Tensor, first: torch.Tensor | None = None) -> Any:
        found = pick_profile(rows, factor, k, first)
        return (*found, pick_scores(rows, factor, *found))

    rows_alone(picked, features, weight)
    if k:
        rows_alone(picked, features, weight, seed)
        same = pick_profile(features, weight, k, seed=7)
        each = pick_profile(features, weight, k, torch.full((4,), 7))
        assert all(torch.equal(a, b) for a, b in zip(same, each, strict=True))
    rows_alone(lambda rows, factor: dpp_profile(rows, factor, k), features, weight)
    rows_alone(lambda rows: diversity_profile(rows, k), features)

    def covered(matrix: torch.Tensor, factor: torch.Tensor | None = None) -> Any:
        found = coverage_profile(matrix, k, factor)
        return found.order, found.gain, found.left, found.best, found.scores()

    matrix = torch.randn(4, 31, 26, generator=generator)
    rows_alone(covered, matrix)
    rows_alone(covered, matrix, weight)


@pytest.mark.parametrize("normalisation", ["minmax", "shift", "relu"])
def test_text_that_fills_up_a_row_does_not_count(normalisation: str) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 20, 8, generator=generator)
    text = torch.randn(3, 5, 8, generator=generator)
    mask = torch.tensor([[True] * 5, [False, True, True, False, False], [False] * 5])
    got = text_relevance(features, text, normalisation, mask)
    for row in range(3):
        wanted = text_relevance(features[row], text[row, mask[row]], normalisation)
        assert torch.allclose(got[row], wanted, atol=1e-6)
    assert got[2].tolist() == [1.0] * 20


def test_a_seed_without_weight_still_spans() -> None:
    """Its own gain is nothing, and what it explains is taken off all the same."""
    features, weight = tokens(10, 6)
    weight[4] = 0
    order, gain, residual = pick_profile(features, weight, 3, seed=4)
    assert order[0] == 4
    assert gain[0] == 0
    chosen = features[order]
    projected = features @ torch.linalg.pinv(chosen) @ chosen
    assert torch.allclose(residual, (features - projected).square().sum(-1), atol=1e-9)
    nothing = pick_profile(features, 0 * weight, 3, seed=4)
    assert nothing[0].tolist() == [4, 0, 1]
    assert torch.allclose(nothing[2].index_fill(0, nothing[0], 0), nothing[2]), (
        "picks have nothing left"
    )
    assert torch.allclose(nothing[2][5:], features.square().sum(-1)[5:])
