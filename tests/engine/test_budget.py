"""Budgets: what a method must keep to meet one, found without a model."""

from __future__ import annotations

import pytest

from pruneviz import get_method, list_methods, spending
from pruneviz.engine.budget import Budget, OutOfReachError, fit
from pruneviz.errors import InputError
from pruneviz.methods import Method, stage_counts

SHAPES = [(256, 10), (576, 32), (36, 6), (49, 4)]


def planned_average(method: Method, num_visual: int, num_layers: int) -> float:
    return spending(method, num_visual, num_layers).layer_average


@pytest.mark.parametrize(("num_visual", "layers"), SHAPES)
@pytest.mark.parametrize("name", list_methods())
def test_equal_compute_is_the_nearest_that_whole_tokens_allow(name, num_visual, layers) -> None:
    averages = [
        planned_average(get_method(name, num_layers=layers, keep_ratio=ratio), num_visual, layers)
        for ratio in [min(1.0, k / (4 * num_visual) + 1e-9) for k in range(4, 4 * num_visual + 1)]
    ]
    for share in (0.3, 0.5, 0.81, 1.0):
        target = share * num_visual
        if min(averages) > target + 0.5:
            with pytest.raises(OutOfReachError, match="at least"):
                fit(name, Budget(share, "compute"), num_visual, layers)
            continue
        method = fit(name, Budget(share, "compute"), num_visual, layers)
        off = abs(planned_average(method, num_visual, layers) - target)
        # SparseVLM's rounded stages do not grow evenly, so the search may stop beside the best.
        if name != "sparsevlm":
            assert off == pytest.approx(min(abs(a - target) for a in averages), abs=1e-9)
        assert off <= 0.5


@pytest.mark.parametrize("name", list_methods())
def test_all_of_the_compute_prunes_nothing(name) -> None:
    method = fit(name, Budget(1.0, "compute"), 576, 32)
    assert set(stage_counts(method, 576)) == {576}


def test_the_least_budget_named_in_the_message_can_be_met() -> None:
    with pytest.raises(OutOfReachError, match="first 2 of 10 layers") as caught:
        fit("fastv", Budget(0.1, "compute"), 256, 10)
    percent = int(str(caught.value).split("at least ")[1].split(" %")[0])
    method = fit("fastv", Budget(percent / 100, "compute"), 256, 10)
    assert planned_average(method, 256, 10) == pytest.approx(0.01 * percent * 256, abs=0.5)


def test_known_averages() -> None:
    # FastV runs two of ten layers on all 256: (2 * 256 + 8 k) / 10 = 128 at k = 96.
    method = fit("fastv", Budget(0.5, "compute"), 256, 10)
    assert stage_counts(method, 256) == (96,)
    assert stage_counts(fit("fopru", Budget(0.5, "compute"), 256, 10), 256) == (128,)
    published = get_method("transprune", num_layers=32, keep_ratio=0.125)
    by_hand = (7 * 576 + 2 * 504 + 3 * 360 + 20 * 72) / 32
    assert planned_average(published, 576, 32) == by_hand


def test_final_budgets_are_passed_on() -> None:
    for name in list_methods():
        assert fit(name, Budget(0.25), 256, 10).keep_ratio == 0.25
    with pytest.raises(OutOfReachError, match="leaves none"):
        fit("random", Budget(0.001), 256, 10)


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan"), float("inf"), "half", None, True])
def test_impossible_shares(share) -> None:
    with pytest.raises(InputError, match="above 0 and up to 1"):
        Budget(share)


def test_unknown_kind() -> None:
    with pytest.raises(InputError, match="final, compute"):
        Budget(0.5, "flops")
