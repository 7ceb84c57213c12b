"""What methods spend, and building them for equal compute; no model runs."""

from __future__ import annotations

from typing import Any

import pytest

from pruneviz import Chain, Pinned, Spending, at_compute, get_method, list_methods, spending
from pruneviz.methods import OutOfReachError, Stage, stage_counts

SHAPES = [(256, 10), (576, 32), (36, 6), (49, 4), (7, 28)]
SHARES = [k / 40 for k in range(1, 41)]


def layer_average(name: str, ratio: float, num_visual: int, num_layers: int) -> float:
    method = get_method(name, num_layers=num_layers, keep_ratio=ratio)
    return spending(method, num_visual, num_layers).layer_average


@pytest.mark.parametrize(("num_visual", "layers"), SHAPES)
@pytest.mark.parametrize("name", list_methods())
def test_the_nearest_that_whole_tokens_allow(name: str, num_visual: int, layers: int) -> None:
    fine = [min(1.0, k / (4 * num_visual) + 1e-9) for k in range(4, 4 * num_visual + 1)]
    averages = [layer_average(name, ratio, num_visual, layers) for ratio in fine]
    for share in (0.3, 0.5, 0.81, 1.0):
        target = share * num_visual
        if min(averages) > target + 0.5:
            with pytest.raises(OutOfReachError, match="at least"):
                at_compute(name, share, num_visual=num_visual, num_layers=layers)
            continue
        method = at_compute(name, share, num_visual=num_visual, num_layers=layers)
        off = abs(spending(method, num_visual, layers).layer_average - target)
        # SparseVLM's rounded stages do not grow evenly, so the search may stop beside the best.
        if name != "sparsevlm":
            assert off <= min(abs(a - target) for a in averages) + 1e-9
        assert off <= 0.5 + 1e-9


@pytest.mark.parametrize(("num_visual", "layers"), SHAPES)
@pytest.mark.parametrize("name", list_methods())
def test_a_larger_budget_never_keeps_less(name: str, num_visual: int, layers: int) -> None:
    seen: list[tuple[int, float, float]] = []
    for share in SHARES:
        try:
            method = at_compute(name, share, num_visual=num_visual, num_layers=layers)
        except OutOfReachError:
            assert not seen, "a budget is refused though a smaller one was met"
            continue
        spent = spending(method, num_visual, layers)
        assert abs(spent.layer_average - share * num_visual) <= 0.5 + 1e-9
        seen.append((spent.final_tokens, spent.layer_average, method.budget_ratio))
    for figures in zip(*seen, strict=True):
        assert list(figures) == sorted(figures)


@pytest.mark.parametrize(("num_visual", "layers"), [*SHAPES, (1, 4), (2880, 32)])
@pytest.mark.parametrize("name", list_methods())
def test_all_of_the_compute_prunes_nothing(name: str, num_visual: int, layers: int) -> None:
    method = at_compute(name, 1.0, num_visual=num_visual, num_layers=layers)
    assert method.keep_ratio == 1.0
    assert spending(method, num_visual, layers).tokens_per_layer == (num_visual,) * layers


@pytest.mark.parametrize("name", ["transprune", "fastv", "pyramiddrop", "sparsevlm"])
@pytest.mark.parametrize(("num_visual", "layers"), [(256, 10), (576, 32)])
def test_the_least_budget_named_in_the_message_can_be_met(
    name: str, num_visual: int, layers: int
) -> None:
    sizes = {"num_visual": num_visual, "num_layers": layers}
    with pytest.raises(OutOfReachError, match=f"first .* of {layers} layers") as caught:
        at_compute(name, 0.01, **sizes)  # type: ignore[arg-type]
    percent = int(str(caught.value).split("at least ")[1].split(" %")[0])
    method = at_compute(name, percent / 100, **sizes)  # type: ignore[arg-type]
    off = spending(method, num_visual, layers).layer_average - percent / 100 * num_visual
    assert abs(off) <= 0.5


def test_before_the_llm_one_token_is_the_least() -> None:
    with pytest.raises(OutOfReachError, match="one patch must stay"):
        at_compute("random", 0.01, num_visual=36, num_layers=6)


def test_known_averages() -> None:
    # FastV runs two of ten layers on all 256: (2 * 256 + 8 k) / 10 = 128 at k = 96.
    method = at_compute("fastv", 0.5, num_visual=256, num_layers=10)
    assert stage_counts(method, 256) == (96,)
    assert method.keep_ratio == pytest.approx(96 / 256, abs=0.005)
    before = at_compute("fopru", 0.5, num_visual=256, num_layers=10)
    assert stage_counts(before, 256) == (128,)
    published = at_compute("transprune", 236.25 / 576, num_visual=576, num_layers=32)
    assert stage_counts(published, 576) == (504, 360, 72)


def test_settings_are_passed_on() -> None:
    method = at_compute("fastv", 0.5, num_visual=256, num_layers=10, prune_layer=1)
    assert [stage.layer for stage in method.stages()] == [1]
    method = at_compute("transprune", 0.6, num_visual=256, num_layers=10, prune_layers=[2, 4])
    assert spending(method, 256, 10).compute_share == pytest.approx(0.6, abs=0.5 / 256)


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan"), float("inf"), "half", None, True])
def test_impossible_shares(share: Any) -> None:
    with pytest.raises(ValueError, match="layer average must be"):
        at_compute("random", share, num_visual=256, num_layers=10)


@pytest.mark.parametrize(
    "other", [{"keep_ratio": 0.5}, {"keep_tokens": 8}, {"keep_ratios": (0.5, 0.4, 0.3)}]
)
def test_a_second_budget_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(other))} are two budgets"):
        at_compute("transprune", 0.5, num_visual=256, num_layers=10, **other)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_visual": 0}, "num_visual must be"),
        ({"num_visual": 2.5}, "num_visual must be"),
        ({"num_layers": 0}, "num_layers must be"),
        ({"num_layers": None}, "num_layers must be"),
        ({"name": "nothing"}, "Unknown method"),
        ({"beta": 1}, "no parameter 'beta'"),
    ],
)
def test_wrong_arguments(wrong: dict[str, Any], message: str) -> None:
    values: dict[str, Any] = {"name": "random", "share": 0.5, "num_visual": 256, "num_layers": 10}
    with pytest.raises(ValueError, match=message):
        at_compute(**{**values, **wrong})


def test_the_three_figures() -> None:
    spent = spending(get_method("transprune"), 576, 32)
    assert spent == Spending(576, (576,) * 7 + (504,) * 2 + (360,) * 3 + (72,) * 20)
    assert (spent.final_tokens, spent.final_keep_ratio) == (72, 0.125)
    assert (spent.layer_average, spent.compute_share) == (236.25, 236.25 / 576)


@pytest.mark.parametrize("name", list_methods())
def test_every_method_takes_every_budget(name: str) -> None:
    """A count, a ratio and equal compute: the one asked for is the one reported."""
    by_count = spending(get_method(name, num_layers=32, keep_tokens=100), 576, 32)
    assert by_count.final_tokens == 100
    by_ratio = spending(get_method(name, num_layers=32, keep_ratio=0.25), 576, 32)
    assert by_ratio.final_keep_ratio == 0.25
    shared = spending(at_compute(name, 0.5, num_visual=576, num_layers=32), 576, 32)
    assert shared.compute_share == pytest.approx(0.5, abs=0.5 / 576)


def test_chains_and_pins_are_told_too() -> None:
    chain = Chain([get_method("random", keep_tokens=192), get_method("fastv")])
    assert spending(chain, 576, 32).tokens_per_layer == (192,) * 2 + (96,) * 30
    pinned = Pinned(get_method("random", keep_tokens=8), keep=range(10))
    assert spending(pinned, 36, 6).tokens_per_layer == (10,) * 6
    assert pinned.count(Stage(0), 36) == 10


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="10 decoder layers"):
        spending(get_method("transprune"), 576, 10)
    with pytest.raises(ValueError, match="Cannot keep 100"):
        spending(get_method("random", keep_tokens=100), 36, 6)
    for sizes in ((0, 6), (36, 0), (True, 6), (36, 6.0)):
        with pytest.raises(ValueError, match="whole number of at least 1"):
            spending(get_method("random"), *sizes)  # type: ignore[arg-type]
