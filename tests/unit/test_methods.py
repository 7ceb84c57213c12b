"""Settings of the methods: defaults, schedules, counts, errors."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pruneviz import (
    Chain,
    FastV,
    FoPru,
    PyramidDrop,
    Random,
    ResPrune,
    SparseVLM,
    TransPrune,
    Uniform,
    get_method,
    list_methods,
)
from pruneviz.methods import Method, ScheduledMethod, Stage
from pruneviz.methods.registry import METHODS

NAMES = list_methods()
SCHEDULED = [name for name in NAMES if issubclass(METHODS[name], ScheduledMethod)]
CONTRACT = ["transprune", "resprune", "fopru", "fastv", "pyramiddrop", "divprune", "cdpruner"]
CONTRACT += ["sparsevlm", "visionzip", "prumerge", "prumerge+", "vispruner", "tome"]
CONTRACT += ["random", "uniform", "grid", "downsample"]
ROUNDED = {"fastv", "divprune", "sparsevlm"}
"""Those of them whose published code rounds to the nearest number, all others down."""


def test_published_defaults() -> None:
    method = TransPrune()
    assert method.prune_layers == (7, 9, 12)
    assert method.keep_ratios == (0.875, 0.625, 0.125)
    assert method.accumulate_layers == (7, 8, 9, 10, 11, 12)
    assert (method.alpha, method.signal) == (0.5, "both")
    assert (method.direction, method.softmax_scope) == ("one_minus_cos", "sequence")
    assert (method.part, method.normalise, method.queries) == ("full", "l1", "after_image")
    assert method.positions == "renumber"
    assert (FastV().prune_layer, FastV().budget_ratio, FastV().positions) == (2, 0.5, "keep")
    drop = PyramidDrop()
    assert drop.prune_layers == (8, 16, 24)
    assert drop.keep_ratios == (0.5, 0.25, 0.125)
    assert drop.positions == "renumber"
    assert FoPru().strategy == "rank"
    assert ResPrune().count(Stage(0), 576) == 128


def test_at_the_published_point_is_exactly_the_published_schedule() -> None:
    assert TransPrune.at(0.125, 32) == TransPrune(num_layers=32, keep_ratio=0.125)
    method = TransPrune.at(0.125, num_layers=32)
    assert method.prune_layers == (7, 9, 12)
    assert method.keep_ratios == (0.875, 0.625, 0.125)
    assert method.accumulate_layers == (7, 8, 9, 10, 11, 12)
    assert TransPrune.at(0.125, 28).prune_layers == (7, 9, 12)


@pytest.mark.parametrize("ratio", [0.01, 0.0625, 0.3, 0.5, 0.9, 1.0])
def test_at_scales_by_the_published_weights(ratio: float) -> None:
    wanted = [1 - (1 - ratio) * w for w in (1 / 7, 3 / 7, 1)]
    assert TransPrune.at(ratio, 32).keep_ratios == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULED)
@pytest.mark.parametrize("ratio", [0.05, 0.125, 0.4, 1.0])
def test_at_fits_every_depth(name: str, ratio: float) -> None:
    cls: Any = METHODS[name]
    for depth in range(2, 49):
        method = cls.at(ratio, num_layers=depth)
        layers = [stage.layer for stage in method.plan(depth)]
        assert layers == sorted(set(layers))
        assert 1 <= layers[0] <= layers[-1] < depth
        assert len(layers) == min(len(cls.published_layers), depth - 1)
        counts = [method.count(stage, 576) for stage in method.stages()]
        assert counts == sorted(counts, reverse=True)
        assert counts[-1] == method.card.count(576 * ratio)
        if ratio == 1.0:
            assert set(counts) == {576}


@pytest.mark.parametrize(
    ("name", "depth", "layers"),
    [
        ("transprune", 40, (9, 11, 15)),
        ("transprune", 24, (5, 7, 9)),
        ("pyramiddrop", 40, (10, 20, 30)),
        ("pyramiddrop", 28, (7, 14, 21)),
        ("sparsevlm", 40, (4, 9, 20)),
        *[(name, 64, tuple(2 * n for n in METHODS[name].published_layers)) for name in SCHEDULED],
    ],
)
def test_layers_lie_in_proportion_to_the_depth(name: str, depth: int, layers: Any) -> None:
    method = get_method(name, num_layers=depth)
    assert tuple(stage.layer for stage in method.stages()) == layers


@pytest.mark.parametrize("depth", [0, 1, -3, 2.5, "32", None])
def test_at_needs_two_layers(depth: Any) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        TransPrune.at(0.5, num_layers=depth)


def test_counts_are_floors_of_the_original() -> None:
    method = TransPrune()
    for number, wanted in ((576, (504, 360, 72)), (2880, (2520, 1800, 360)), (729, (637, 455, 91))):
        assert tuple(method.count(stage, number) for stage in method.stages()) == wanted
    low = TransPrune(keep_ratios=(0.625, 0.1875, 0.0625))
    assert [low.count(stage, 576) for stage in low.stages()] == [360, 108, 36]
    drop = PyramidDrop()
    assert [drop.count(stage, 577) for stage in drop.stages()] == [288, 144, 72]


def test_who_rounds_is_published() -> None:
    found = {name for name in CONTRACT if METHODS[name].card.rounding == "nearest"}
    assert found == ROUNDED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ratio", [0.2, 0.29, 0.35, 0.5, 0.999, 1.0])
def test_keep_ratio_gives_the_floor_where_code_does_not_round(name: str, ratio: float) -> None:
    method = get_method(name, keep_ratio=ratio, num_layers=32)
    rule = {"down": int, "nearest": round}[method.card.rounding]
    assert method.budget_ratio == pytest.approx(ratio)
    for number in (7, 64, 100, 576, 577):
        assert method.count(method.stages()[-1], number) == rule(number * ratio)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keep", [1, 5, 36])
def test_keep_tokens_is_exact(name: str, keep: int) -> None:
    method = get_method(name, keep_tokens=keep, num_layers=12)
    stages = method.stages()
    counts = [method.count(stage, 36) for stage in stages]
    assert counts[-1] == keep
    assert counts == sorted(counts, reverse=True)
    assert counts[0] <= 36
    with pytest.raises(ValueError, match="Cannot keep 37"):
        get_method(name, keep_tokens=37, num_layers=12).count(stages[-1], 36)


BUDGETS = [
    ({"keep_ratio": 0}, "above 0"),
    ({"keep_ratio": 0.0}, "above 0"),
    ({"keep_ratio": -1}, "above 0"),
    ({"keep_ratio": 2}, "up to 1"),
    ({"keep_ratio": 1.0001}, "up to 1"),
    ({"keep_ratio": math.nan}, "above 0"),
    ({"keep_ratio": math.inf}, "above 0"),
    ({"keep_ratio": True}, "must be a number"),
    ({"keep_ratio": "0.5"}, "must be a number"),
    ({"keep_ratio": [0.5]}, "must be a number"),
    ({"keep_tokens": 0}, "at least 1"),
    ({"keep_tokens": -1}, "at least 1"),
    ({"keep_tokens": 1.5}, "whole number"),
    ({"keep_tokens": True}, "whole number"),
    ({"keep_tokens": "8"}, "whole number"),
    ({"keep_ratio": 0.5, "keep_tokens": 8}, "not both"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_layers", [None, 32])
def test_wrong_budgets(name: str, num_layers: int | None) -> None:
    for settings, message in BUDGETS:
        with pytest.raises(ValueError, match=message):
            get_method(name, num_layers=num_layers, **settings)


@pytest.mark.parametrize("name", SCHEDULED)
@pytest.mark.parametrize("num_layers", [None, 32])
def test_a_schedule_left_out_does_not_hide_two_budgets(name: str, num_layers: int | None) -> None:
    settings = {"keep_ratios": None, "keep_ratio": 0.5, "keep_tokens": 8}
    with pytest.raises(ValueError, match="not both"):
        get_method(name, num_layers=num_layers, **settings)


SETTINGS: list[tuple[str, dict[str, Any], str]] = [
    ("transprune", {"prune_layers": (9, 7, 12)}, "must increase"),
    ("transprune", {"prune_layers": (7, 7, 12)}, "must increase"),
    ("transprune", {"prune_layers": (0, 7, 12)}, "from 1"),
    ("transprune", {"prune_layers": (1.5,)}, "whole numbers"),
    ("transprune", {"prune_layers": ()}, "whole numbers"),
    ("transprune", {"prune_layers": 7}, "prune_layers"),
    ("transprune", {"prune_layers": "7"}, "must be a list, not"),
    ("transprune", {"keep_ratios": (0.5, 0.6, 0.1)}, "must not increase"),
    ("transprune", {"keep_ratios": (0.5, 0.1)}, "one value per pruning layer"),
    ("transprune", {"keep_ratios": (0.5, 0.1, 0)}, "above 0"),
    ("transprune", {"keep_ratios": (0.5, 0.1, math.nan)}, "above 0"),
    ("transprune", {"keep_ratios": 0.5}, "keep_ratios"),
    ("transprune", {"keep_ratios": (0.5, 0.4, 0.3), "keep_ratio": 0.2}, "contradict"),
    ("transprune", {"prune_layers": (1, 2, 3, 4)}, "keep_ratios, one per"),
    ("transprune", {"accumulate_layers": (8, 9)}, "No accumulation layer"),
    ("transprune", {"accumulate_layers": ()}, "accumulate_layers must be whole numbers"),
    ("transprune", {"accumulate_layers": 7}, "accumulate_layers must be a list, not 7"),
    ("transprune", {"alpha": -0.1}, "alpha"),
    ("transprune", {"alpha": 1.1}, "alpha"),
    ("transprune", {"alpha": math.nan}, "alpha"),
    ("transprune", {"alpha": "0.5"}, "alpha"),
    ("transprune", {"signal": "all"}, "both, ttv, iga"),
    ("transprune", {"direction": "cos"}, "one_minus_cos"),
    ("transprune", {"softmax_scope": "all"}, "sequence, image"),
    ("transprune", {"part": "half"}, "full, direction, magnitude"),
    ("transprune", {"normalise": "max"}, "l1, none"),
    ("transprune", {"queries": "all"}, "after_image, last, question"),
    ("transprune", {"num_layers": 0}, "at least 2 of them, not 0"),
    ("resprune", {"alpha": -1}, "alpha"),
    ("resprune", {"alpha": math.inf}, "alpha"),
    ("resprune", {"alpha": math.nan}, "alpha"),
    ("resprune", {"alpha": "1"}, "alpha"),
    ("resprune", {"normalisation": "softmax"}, "minmax, shift, relu"),
    ("resprune", {"num_layers": 0}, "num_layers"),
    ("resprune", {"num_layers": 2.0}, "num_layers"),
    ("fopru", {"strategy": "column"}, "rank, row"),
    ("fastv", {"prune_layer": 0}, "prune_layer"),
    ("fastv", {"prune_layer": 1.5}, "prune_layer"),
    ("fastv", {"prune_layer": 6, "num_layers": 6}, "before the last"),
    ("fastv", {"num_layers": 1}, "1 decoder"),
    ("pyramiddrop", {"prune_layers": (8, 16, 24), "num_layers": 24}, "before the last"),
    ("random", {"seed": "x"}, "seed"),
    ("random", {"seed": 1.5}, "seed"),
]


@pytest.mark.parametrize(("name", "settings", "message"), SETTINGS)
def test_wrong_settings(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_method(name, **settings)


def test_registry() -> None:
    assert list_methods()[:3] == ["transprune", "resprune", "fopru"]
    assert set(CONTRACT) <= set(list_methods())
    for name in list_methods():
        method = get_method(name, num_layers=8)
        assert isinstance(method, Method)
        assert method.name == name
        assert method.title
        assert method.summary
        assert method.plan(8)


@pytest.mark.parametrize("name", ["TransPrune", "", "prune", None])
def test_unknown_name_lists_the_methods(name: Any) -> None:
    with pytest.raises(ValueError, match="Unknown method") as error:
        get_method(name)
    assert all(known in str(error.value) for known in list_methods())


def test_unknown_parameter_lists_the_parameters() -> None:
    with pytest.raises(ValueError, match="has no parameter 'ratio'") as error:
        get_method("fastv", ratio=0.5)
    for known in ("prune_layer", "keep_ratio", "keep_tokens", "num_layers"):
        assert known in str(error.value)


def test_contract_examples() -> None:
    assert get_method("transprune", keep_ratio=0.2, num_layers=32) == TransPrune.at(0.2, 32)
    fastv = get_method("fastv", prune_layer=2, keep_tokens=32, num_layers=6)
    assert fastv == FastV(prune_layer=2, keep_tokens=32, num_layers=6)
    drop = get_method(
        "pyramiddrop", prune_layers=(8, 16, 24), keep_ratios=(0.5, 0.25, 0.125), num_layers=32
    )
    assert drop == PyramidDrop(num_layers=32)
    listed = get_method("pyramiddrop", prune_layers=[8, 16, 24], keep_ratios=[0.5, 0.25, 0.125])
    assert listed == PyramidDrop()


def test_methods_are_frozen_and_hashable() -> None:
    for name in NAMES:
        method = get_method(name, keep_ratio=0.5, num_layers=32)
        assert hash(method) == hash(get_method(name, keep_ratio=0.5, num_layers=32))
        with pytest.raises(AttributeError):
            method.keep_ratio = 0.1  # type: ignore[misc]


def test_accumulation_variants() -> None:
    single = TransPrune(accumulate=False)
    assert single._read_at(9, single.accumulate_layers or ()) == (9,)
    assert TransPrune()._read_at(9, TransPrune().accumulate_layers or ()) == (7, 8, 9)
    assert TransPrune(signal="iga").needs.transitions is None
    assert TransPrune(alpha=0.0).needs.transitions is None
    early = TransPrune(accumulate_layers=(1, 2, 3, 20))
    spec = early.needs.transitions
    assert spec is not None
    assert spec.layers == (1, 2, 3)


def test_chain_counts_and_errors() -> None:
    chain = Chain([Random(keep_tokens=192), TransPrune(keep_ratios=(0.5, 0.25, 0.125))])
    assert [chain.count(stage, 576) for stage in chain.stages()] == [192, 96, 48, 24]
    assert [stage.layer for stage in chain.stages()] == [0, 7, 9, 12]
    assert chain.parameters()["methods"][0] == {"name": "random", "seed": 0, "keep_tokens": 192}
    with pytest.raises(ValueError, match="Order them by layer"):
        Chain([FastV(), Random()])
    with pytest.raises(ValueError, match="Order them by layer"):
        Chain([Random(), Uniform()])
    with pytest.raises(ValueError, match="at least one"):
        Chain([])
    with pytest.raises(ValueError, match="reads TTV"):
        Chain([TransPrune(prune_layers=(1,)), TransPrune(prune_layers=(5,))])
    with pytest.raises(ValueError, match="12 decoder layers"):
        chain.plan(12)
    assert chain.plan(13)


def test_equal_members_of_a_chain_are_told_apart() -> None:
    """Two FastV at different layers, the second counted from what the first left."""
    chain = Chain([FastV(prune_layer=1), FastV(prune_layer=3)])
    assert [chain.count(stage, 100) for stage in chain.stages()] == [50, 25]


@pytest.mark.parametrize(
    "published", [(66, 30, 17), (238, 48, 26), (303, 110, 36), (300, 200, 110)]
)
def test_sparsevlm_keeps_the_published_counts(published: tuple[int, ...]) -> None:
    """By ratio and by count, and between them something between."""
    for settings in ({"keep_ratio": published[-1] / 576}, {"keep_tokens": published[-1]}):
        method = get_method("sparsevlm", num_layers=32, **settings)
        assert [stage.layer for stage in method.stages()] == [3, 7, 16]
        assert tuple(method.count(stage, 576) for stage in method.stages()) == published
    assert [SparseVLM().count(stage, 576) for stage in SparseVLM().stages()] == [300, 200, 110]
    between = SparseVLM.at(73 / 576, num_layers=32)
    assert [between.count(stage, 576) for stage in between.stages()] == [302, 155, 73]
