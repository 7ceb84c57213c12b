"""Choosing never waits for the device, and no method walks through the tokens one by one.

Counted in operators: what needs a value on the host, or a size that only the device knows, makes
the host wait until everything before it has run.
"""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pruneviz import get_method
from pruneviz.methods import Encoded, Merge, Method, Stage
from pruneviz.methods.base import Text
from pruneviz.methods.sparsevlm import _recycled
from pruneviz.methods.vispruner import thin_out
from pruneviz.ops import (
    bipartite_merge,
    conditional_dpp,
    coverage_profile,
    density_peaks,
    diversity_profile,
    grid_cells,
    group_means,
    pick_profile,
    pick_scores,
    spread_cells,
    text_relevance,
)

WAITING = {
    "_local_scalar_dense",
    "_unique2",
    "bincount",
    "equal",
    "is_nonzero",
    "item",
    "masked_select",
    "nonzero",
    "unique_dim",
}
FREE = {
    "alias", "as_strided", "detach", "diagonal", "expand", "permute", "reshape", "select", "slice",
    "split", "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unsqueeze", "view",
    "_unsafe_view",
}  # fmt: skip
"""Views: they run nothing on the device."""


class Counted(TorchDispatchMode):
    """Operators by name, and how many of them make the host wait."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.names[name] += 1
        masks = name in {"index", "index_put", "index_put_", "_index_put_impl_"} and any(
            place is not None and place.dtype in {torch.bool, torch.uint8} for place in args[1]
        )
        if name in WAITING or masks:
            self.waits.append(name)
        return func(*args, **(kwargs or {}))

    @property
    def run(self) -> int:
        """Operators that run something."""
        return sum(number for name, number in self.names.items() if name not in FREE)


@pytest.fixture(autouse=True)
def lists_count(monkeypatch) -> None:
    """On the CPU a list is read out without an operator; elsewhere it is waited for."""
    read = torch.Tensor.tolist
    # One more reading of one value, so that the list is seen.
    monkeypatch.setattr(torch.Tensor, "tolist", lambda x: (x.sum().item(), read(x))[1])


def asked(n: int, images: int = 1) -> Any:
    """What a method asks, answered by random tensors on a grid."""
    generator = torch.Generator().manual_seed(n)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    sizes = (n // images,) * images
    given = draw(n), draw(n, 6) - 0.5, draw(n, 8) - 0.5, draw(images, 8)
    final = draw(n), draw(n, 6) - 0.5
    seen = Encoded(*given, lambda: final, lambda x: x, (), sizes)
    states, text, objects, deep = draw(n, 8) - 0.5, draw(3, 8) - 0.5, draw(n), draw(n)
    keys = {"visual": draw(n, 2, 4), "after_image": draw(7, 2, 4)}
    normed = {"visual": states, "after_image": draw(7, 8)}
    places = {"visual": torch.arange(n), "after_image": torch.arange(n, n + 7)}
    return SimpleNamespace(
        encoded=lambda: seen,
        visual_features=lambda: states,
        text_features=lambda: Text(text, ("given",)),
        attention_received=lambda: (deep, objects),
        images=lambda: sizes,
        blocks=lambda: tuple((size // 8, 8) for size in sizes),
        own_keys=keys.__getitem__,
        normed_states=normed.__getitem__,
        prompt_places=places.__getitem__,
        real_text=lambda: None,
        alive=torch.arange(n),
        num_visual=n,
        device=torch.device("cpu"),
    )


def scoring(method: Method, n: int, keep: int, images: int = 1) -> Counted:
    context = asked(n, images)
    # What follows from the layout alone is made at the first time only.
    method.score(context, Stage(0), keep)
    with Counted() as counted:
        method.score(context, Stage(0), keep)
    return counted


SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("vispruner", {}),
    ("prumerge", {}),
    ("prumerge+", {}),
    ("tome", {}),
    ("visionzip", {}),
    ("dart", {"pivots": "norm"}),
    ("mmtok", {}),
    ("holov", {}),
    ("holov", {"order": "raster"}),
    ("holov", {"overflow": "zeros", "features": "none"}),
    ("scope", {}),
    ("hiprune", {}),
    ("hiprune", {"wrap": True}),
    ("resprune", {}),
    ("resprune", {"seed": "norm"}),
    ("cdpruner", {}),
    ("divprune", {}),
    ("grid", {}),
]


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_no_method_waits_for_the_device(name: str, settings: dict[str, Any], images: int) -> None:
    method = get_method(name, keep_tokens=20, **settings)
    assert scoring(method, 96, 20, images).waits == []


@pytest.mark.parametrize(
    ("method", "waits", "why"),
    [
        (get_method("dart", keep_tokens=20), 1, "a Python set's order follows from its values"),
        (type(get_method("prumerge"))(), 1, "how many go on is what the attention decides"),
        (type(get_method("prumerge+"))(), 1, "likewise"),
        (
            get_method("hiprune", keep_tokens=20, anchors="subtracted"),
            1,
            "how many are chosen twice is what the attention decides",
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_depends_on_values_waits_once(method: Method, waits: int, why: str) -> None:
    assert len(scoring(method, 96, 20).waits) == waits, why


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("prumerge", {}),
        ("prumerge+", {}),
        ("visionzip", {}),
        ("dart", {}),
        ("holov", {"stretches": 4}),
        ("holov", {"stretches": 8, "overflow": "zeros"}),
        ("hiprune", {}),
        ("scope", {}),
        ("mmtok", {}),
        ("resprune", {}),
        ("cdpruner", {}),
        ("divprune", {}),
    ],
)
def test_more_tokens_are_no_more_operators(name: str, settings: dict[str, Any]) -> None:
    method = get_method(name, keep_tokens=20, **settings)
    few, many = scoring(method, 48, 20), scoring(method, 480, 20)
    assert few.run == many.run


def test_stretches_are_scored_together() -> None:
    few, many = (
        scoring(get_method("holov", keep_tokens=20, stretches=number), 480, 20).run
        for number in (4, 48)
    )
    assert few == many


def random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


PICKING = {
    "pick_profile": (lambda n, k: pick_profile(random(n, 6), random(n), k), 6),
    "a batch": (lambda n, k: pick_profile(random(3, n, 6), random(3, n), k), 6),
    "a seed": (lambda n, k: pick_profile(random(n, 6), random(n), k, seed=2), 6),
    "conditional_dpp": (lambda n, k: conditional_dpp(random(n, 6), random(n), k), 6),
    "diversity_profile": (lambda n, k: diversity_profile(random(n, 6), k), 3),
    "a batch of diversity": (lambda n, k: diversity_profile(random(3, n, 6), k), 3),
    "coverage_profile": (lambda n, k: coverage_profile(random(9, n), k), 8),
    "with weights": (lambda n, k: coverage_profile(random(9, n), k, random(n)), 9),
}


@pytest.mark.parametrize("name", PICKING)
def test_a_pick_is_a_handful_of_operators(name: str) -> None:
    profile, most = PICKING[name]
    counts = {}
    for k in (1, 33, 97):
        with Counted() as counted:
            profile(200, k)
        assert counted.waits == []
        counts[k] = counted
    assert counts[97].run - counts[33].run <= 64 * most
    assert counts[33].run - counts[1].run <= 32 * most
    # Views are made for all picks at once, but for one in many.
    views = [sum(counted.names.values()) - counted.run for counted in counts.values()]
    assert views[2] - views[1] <= 2 * 5


def test_pieces_do_not_wait() -> None:
    states = random(96, 8)
    order, gain, residual = pick_profile(states, random(96), 9)
    grid_cells.__globals__["_grid_cells"].cache_clear()
    with Counted() as counted:
        density_peaks(states, 9)
        bipartite_merge(states, 9)
        thin_out(states, torch.arange(3, 90), 11)
        group_means(states, torch.arange(96) % 7 - 1, 6)
        grid_cells([(8, 8), (4, 8)], 9)
        spread_cells(9, 7, 5)
        pick_scores(states, random(96), order, gain, residual)
        text_relevance(states, random(3, 8), mask=torch.tensor([True, False, True]))
    assert counted.waits == []


def test_new_tokens_find_their_places_without_waiting() -> None:
    states = random(96, 8)
    anchors, into = torch.tensor([-1, 3, -1, 7, 0]), torch.arange(96) % 6 - 1
    with Counted() as counted:
        Merge(states[:5], anchors, into).in_place()
        Merge.joined([Merge(states[:5], anchors, into)] * 2).slots()
        _recycled(states, random(96), 30).in_place().slots()
    assert counted.waits == []
    assert Merge(states[:5], anchors, into).slots().tolist() == [0, 1, 2, 3, 7]


def test_a_layout_is_divided_once() -> None:
    first = grid_cells([(6, 8), (3, 3)], 7)
    for part in first:
        part.zero_()
    with Counted() as counted:
        again = grid_cells([(6, 8), (3, 3)], 7)
    assert counted.names == {"clone": 2}
    assert int(again[0].max()) == 6, "what a caller writes does not come back"
