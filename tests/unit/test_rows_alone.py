"""Rows of a batch get what each gets alone, in every piece that methods are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pruneviz.methods import Encoded, Merge
from pruneviz.methods.vispruner import thin_out
from pruneviz.ops import (
    added_at,
    bipartite_merge,
    contextual_tokens,
    group_means,
    group_sizes,
    homes,
    others,
    places_in,
    products,
    taken_at,
)
from pruneviz.ops.stretches import best_of_stretches, handed_on, shared_out, stretch_scores

ROWS, N = 3, 24
SIZES = [7, 7, 5, 5]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) - 0.5


def permuted(count: int, total: int = N) -> torch.Tensor:
    """Other places of each row, int64 ``[ROWS, count]``."""
    return torch.stack([draw(total, seed=row).argsort()[:count] for row in range(ROWS)])


def groups(count: int, least: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(least, count, (ROWS, N), generator=generator)


def added(total: torch.Tensor, places: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    total = total.clone()
    added_at(total, places, values)
    return total


def anchors() -> torch.Tensor:
    found = permuted(6)
    found[0, 2] = found[2, 0] = found[2, 5] = -1
    return found


def given() -> torch.Tensor:
    """More than some stretches hold."""
    return torch.tensor([[9, 2, 1, 0], [0, 0, 0, 12], [3, 3, 3, 3]])


ORDER = torch.tensor([[2, 0, 1, 3], [3, 1, 0, 2], [0, 1, 2, 3]])
FEATURES = draw(ROWS, N, 5)
PIECES: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    "others": (lambda taken: others(taken, N), (permuted(7),)),
    "homes": (lambda found: homes(found, N), (anchors(),)),
    "places_in": (lambda found: places_in(found, N), (anchors(),)),
    "taken_at": (taken_at, (FEATURES, permuted(7))),
    "added_at": (added, (FEATURES, groups(N)[:, :9], draw(ROWS, 9, 5, seed=2))),
    "products": (products, (FEATURES, draw(ROWS, 6, 5, seed=3))),
    "group_means": (lambda x, into: group_means(x, into, 6), (FEATURES, groups(6, -1))),
    "group_sizes": (lambda into: group_sizes(into, 6), (groups(6),)),
    "contextual_tokens": (
        lambda metric, x: contextual_tokens(metric, x, 4)[::2],
        (draw(ROWS, N, 3, seed=4), FEATURES),
    ),
    "bipartite_merge": (lambda x: bipartite_merge(x, 5), (FEATURES,)),
    "thin_out": (lambda x, places: thin_out(x, places, 6), (FEATURES, permuted(20))),
    "thin_out to none": (lambda x, places: thin_out(x, places, 0), (FEATURES, permuted(3))),
    "stretch_scores": (
        stretch_scores,
        (draw(ROWS, 4, 6, seed=5).abs(), draw(ROWS, 4, 6, 5, seed=6)),
    ),
    "shared_out": (lambda scores: shared_out(scores, 11), (draw(ROWS, 4, seed=7).abs(),)),
    "handed_on": (lambda few, order: handed_on(few, order, SIZES), (given(), ORDER)),
    "best_of_stretches": (
        lambda looked, few: best_of_stretches(looked, few, SIZES, 12),
        (draw(ROWS, N, seed=8), given()),
    ),
}


@pytest.mark.parametrize("name", PIECES)
def test_a_batch_equals_its_rows_alone(name: str) -> None:
    piece, inputs = PIECES[name]
    together = piece(*inputs)
    for row in range(ROWS):
        alone = piece(*(values[row] for values in inputs))
        pairs = zip(together, alone, strict=True) if isinstance(alone, tuple) else None
        for ours, wanted in pairs or [(together, alone)]:
            torch.testing.assert_close(ours[row], wanted)


def test_groups_that_all_rows_share() -> None:
    into = groups(6, -1)[0]
    together = group_means(FEATURES, into, 6)
    for row in range(ROWS):
        torch.testing.assert_close(together[row], group_means(FEATURES[row], into, 6))


def merge() -> Merge:
    return Merge(draw(ROWS, 6, 5), anchors(), groups(6, -1))


def same(ours: Merge, wanted: Merge) -> None:
    for name in ("states", "anchors", "into"):
        assert torch.equal(getattr(ours, name), getattr(wanted, name))
    assert torch.equal(ours.homes(), wanted.homes())


def test_merged_tokens_of_several_rows() -> None:
    one, other = merge(), Merge(draw(ROWS, 3, 5, seed=9), permuted(3), groups(3, -1))
    for row in range(ROWS):
        same(one.in_place().of(row), one.of(row).in_place())
        same(Merge.joined([one, other]).of(row), Merge.joined([one.of(row), other.of(row)]))
        same(Merge.joined([one]).of(row), one.of(row))
        assert torch.equal(one.slots()[row], one.of(row).slots())


def test_each_image_of_several_rows() -> None:
    final = draw(ROWS, N), draw(ROWS, N, 3)
    seen = Encoded(
        draw(ROWS, N), draw(ROWS, N, 3), FEATURES, draw(ROWS, 2, 5), lambda: final, torch.clone, (),
        (10, 14),
    )  # fmt: skip
    (first, few), (second, more) = seen.shares(12)
    assert (few, more) == (5, 7)
    assert torch.equal(second.features, FEATURES[:, 10:])
    assert torch.equal(second.leading, seen.leading[:, 1:])
    assert torch.equal(first.attention, seen.attention[:, :10])
    assert torch.equal(second.keys, seen.keys[:, 10:])
    for values, whole in zip(second.final(), final, strict=True):
        assert torch.equal(values, whole[:, 10:])
