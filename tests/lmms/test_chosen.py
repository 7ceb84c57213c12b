"""Methods and budgets from ``--model_args``."""

from __future__ import annotations

import pytest

from pruneviz.engine import Budget
from pruneviz.errors import InputError
from pruneviz.evaluation.plan import Arm
from pruneviz.lmms.chosen import choose, whole
from pruneviz.lmms.results import arguments_of
from pruneviz.methods import stage_counts


def test_a_share_is_the_budget_of_every_other_command() -> None:
    for name, kind in (("keep_ratio", "final"), ("equal_compute", "compute")):
        chosen, arm = choose("fastv", **{name: 0.25}), Arm("fastv", Budget(0.25, kind))
        assert chosen.build(576, 32) == arm.build(576, 32)
        assert {**chosen.described(), "keep_tokens": None} == {
            **arm.described(), "keep_tokens": None
        }  # fmt: skip


def test_tokens_are_counted() -> None:
    method = choose("fopru", keep_tokens=192).build(576, 32)
    assert list(stage_counts(method, 576))[-1] == 192


def test_without_a_budget_it_is_the_methods_own() -> None:
    chosen = choose("fastv")
    assert chosen.pruned
    assert chosen.described()["budget"] is None
    assert stage_counts(chosen.build(576, 32), 576)


def test_settings_and_lists_reach_the_method() -> None:
    given = arguments_of("method=transprune,keep_ratio=0.125,prune_layers=[2,5,9],accumulate=false")
    assert given == {
        "method": "transprune", "keep_ratio": 0.125, "prune_layers": "[2,5,9]", "accumulate": False,
    }  # fmt: skip
    built = choose(**given).build(576, 32)
    assert built.prune_layers == (2, 5, 9)
    assert built.accumulate is False


def test_whole_numbers_come_as_fractions() -> None:
    """lmms-eval reads -1 as -1.0."""
    chosen = choose("random", keep_tokens=64.0, seed=-1.0)
    assert isinstance(chosen.keep_tokens, int)
    assert chosen.build(576, 32).seed == -1


def test_lengths_and_batches_are_numbers_from_1_on() -> None:
    assert [whole(given, "n") for given in (1, "8", 16.0)] == [1, 8, 16]
    assert whole("auto", "n", auto=32) == 32
    for wrong in (0, -3.0, 1.5, "x", "", "auto", True, None):
        with pytest.raises(InputError, match="n must be a whole number"):
            whole(wrong, "n")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"method": "fastvv"}, "Unknown method"),
        ({"method": "fopru", "keep_ratio": 0.5, "keep_tokens": 3}, "one budget"),
        ({"method": "fopru", "keep_ratio": 2}, "above 0"),
        ({"method": "fopru", "keep_ratio": "half"}, "above 0"),
        ({"method": "fopru", "keep_tokens": 0}, "keep_tokens"),
        ({"method": "fopru", "colour": "red"}, "colour"),
        ({"method": "fopru", "num_layers": 3}, "num_layers"),
        ({"method": "transprune", "prune_layers": "[1,"}, "no list"),
        ({"keep_ratio": 0.5}, "needs a method"),
        ({"colour": "red"}, "needs a method"),
    ],
)
def test_what_fits_nothing_is_refused(settings, told) -> None:
    with pytest.raises(InputError, match=told):
        choose(**settings)
