"""Budgets of several methods; the search for equal compute is tested with the methods."""

from __future__ import annotations

import pytest

from pruneviz import at_compute, list_methods
from pruneviz.engine.budgets import Budget, fit
from pruneviz.errors import InputError
from pruneviz.methods import OutOfReachError


def test_compute_budgets_are_passed_on() -> None:
    for name in list_methods():
        wanted = at_compute(name, 0.6, num_visual=256, num_layers=10)
        assert fit(name, Budget(0.6, "compute"), 256, 10) == wanted
    with pytest.raises(OutOfReachError, match="first 2 of 10 layers"):
        fit("fastv", Budget(0.1, "compute"), 256, 10)


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
