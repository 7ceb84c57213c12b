"""Places and shares found without asking for a number, against plain loops."""

from __future__ import annotations

import pytest
import torch

from pruneviz.ops import homes, others, places_in
from pruneviz.ops.stretches import best_of_stretches, by_length, handed_on, shared_out


@pytest.mark.parametrize("taken", [[], [0], [4, 1], [3, 0, 2, 4, 1]])
def test_others_are_those_that_are_not_taken(taken: list[int]) -> None:
    got = others(torch.tensor(taken, dtype=torch.long), 5)
    assert got.tolist() == [place for place in range(5) if place not in taken]
    many = torch.randperm(400, generator=torch.Generator().manual_seed(0))[:150]
    rest = set(range(400)) - set(many.tolist())
    assert others(many, 400).tolist() == sorted(rest)


@pytest.mark.parametrize("anchors", [[], [2, 0], [-1, 3, -1], [-1, -1], [4, -1, 0, 1, -1]])
def test_who_has_no_place_gets_the_first_one_free(anchors: list[int]) -> None:
    free = iter(place for place in range(6) if place not in anchors)
    wanted = [place if place >= 0 else next(free) for place in anchors]
    assert homes(torch.tensor(anchors, dtype=torch.long), 6).tolist() == wanted


@pytest.mark.parametrize("order", [[], [2, 0], [-1, 3, -1], [4, 3, 2, 1, 0]])
def test_places_in_an_order(order: list[int]) -> None:
    wanted = [order.index(place) if place in order else -1 for place in range(5)]
    assert places_in(torch.tensor(order, dtype=torch.long), 5).tolist() == wanted


def plainly_shared(weights: list[float], sizes: list[int], keep: int) -> list[int]:
    given = [int(weight * keep) for weight in weights]
    order = sorted(range(len(sizes)), key=lambda place: -weights[place])
    for place in order[: keep - sum(given)]:
        given[place] += 1
    held = [min(number, size) for number, size in zip(given, sizes, strict=True)]
    surplus = sum(given) - sum(held)
    while surplus:
        for place in [place for place in order if held[place] < sizes[place]][:surplus]:
            held[place] += 1
            surplus -= 1
    return held


@pytest.mark.parametrize("seed", range(6))
def test_a_surplus_goes_round_by_weight(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    sizes = [5] * 3 + [4] * 4
    for keep in range(1, 31):
        scores = torch.rand(7, generator=generator, dtype=torch.float64) ** 6
        given, order = shared_out(scores, keep)
        assert int(given.sum()) <= keep
        weights = (scores / (scores.sum() + 1e-6)).tolist()
        assert handed_on(given, order, sizes).tolist() == plainly_shared(weights, sizes, keep)


def test_the_best_of_each_stretch_in_turn() -> None:
    attention = torch.tensor([0.1, 0.3, 0.2, 0.9, 0.8, 0.7, 0.5, 0.6])
    sizes = [3, 3, 2]
    assert [part.tolist() for part in by_length(torch.arange(8), sizes)] == [
        [[0, 1, 2], [3, 4, 5]],
        [[6, 7]],
    ]
    # A stretch that is kept whole stays in its own order, whatever more it is given.
    places = best_of_stretches(attention, torch.tensor([2, 1, 3]), sizes, 6)
    assert places.tolist() == [1, 2, 3, 6, 7, -1]
