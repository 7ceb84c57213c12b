"""The methods that the pruning tests run through, sized for six decoder layers.

Every registered method is among them by its own name, with its published shape scaled to the depth
or a schedule from `SIZED`; `VARIANTS` holds further settings of some, and `CHAINS` several methods
in a row. What a method can be tested for follows from what it asks for and whether it merges, so a
new file in the package is tested without a line here.
"""

from __future__ import annotations

from typing import Any

from pruneviz import Chain, get_method, list_methods
from pruneviz.methods import Method
from pruneviz.models import Adapter
from tests.helpers import LAYERS as DEPTH
from tests.tiny import KINDS

LAYERS = (2, 3, 5)
RATIOS = (0.8, 0.5, 0.2)
STEPS = {"prune_layers": (1, 3, 4)}

SIZED: dict[str, dict[str, Any]] = {
    "transprune": {"prune_layers": LAYERS, "keep_ratios": RATIOS},
    "pyramiddrop": {**STEPS, "keep_ratios": (0.5, 0.25, 0.125)},
    "sparsevlm": {**STEPS, "keep_ratios": (0.6, 0.4, 0.2)},
    "fastv": {"keep_ratio": 0.4},
    "cdpruner": {"keep_tokens": 10},
    "uniform": {"keep_tokens": 11},
    "vispruner": {"keep_tokens": 13},
    "grid": {"keep_tokens": 9},
    "tome": {"keep_tokens": 9},
    "visionzip": {"keep_tokens": 12},
    "prumerge+": {"keep_tokens": 14},
    "downsample": {"keep_tokens": 9},
}
"""Settings in place of a keep ratio of 0.3: stages with layers between them, other budgets."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "transprune_paper": (
        "transprune",
        {
            "prune_layers": LAYERS,
            "keep_ratios": RATIOS,
            "accumulate_layers": (1, 2, 3, 4, 5),
            "direction": "one_minus_abs_cos",
            "softmax_scope": "image",
            "alpha": 0.3,
        },
    ),
    "transprune_ttv": (
        "transprune",
        {"prune_layers": (1, 4), "keep_ratios": (0.7, 0.3), "signal": "ttv"},
    ),
    "transprune_iga": (
        "transprune",
        {"prune_layers": (1, 4), "keep_ratios": (0.7, 0.3), "signal": "iga"},
    ),
    "sparsevlm_recycle": ("sparsevlm", {**SIZED["sparsevlm"], "recycle": True}),
    "fopru_row": ("fopru", {"keep_ratio": 0.5, "strategy": "row"}),
    "fopru_each": ("fopru", {"keep_ratio": 0.3, "crops": "each"}),
    "fopru_cls": ("fopru", {"keep_tokens": 12, "include_cls": True}),
    "visionzip_few": ("visionzip", {"keep_tokens": 2}),
    "prumerge_free": ("prumerge", {}),
}

LATER = {"prune_layers": (2, 4)}
CHAINS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "chain": [
        ("resprune", {"keep_tokens": 24}),
        ("transprune", {**LATER, "keep_ratios": (0.7, 0.4)}),
    ],
    "chain_mixed": [
        ("fastv", {"prune_layer": 1, "keep_ratio": 0.8}),
        ("pyramiddrop", {"prune_layers": (3, 5), "keep_ratios": (0.5, 0.25)}),
    ],
    "chain_zip": [
        ("visionzip", {"keep_tokens": 20}),
        ("transprune", {**LATER, "keep_ratios": (0.6, 0.3)}),
    ],
}


def sized(name: str, **settings: Any) -> Method:
    """A registered method on the tests' models: `settings`, its own from `SIZED`, or 0.3."""
    given = settings or SIZED.get(name, {"keep_ratio": 0.3})
    return get_method(name, num_layers=DEPTH, **given)


def methods() -> dict[str, Method]:
    """Everything that the tests run through, by name: what is registered, variants, chains."""
    found = {name: sized(name) for name in list_methods()}
    found |= {name: get_method(base, **settings) for name, (base, settings) in VARIANTS.items()}
    for name, parts in CHAINS.items():
        found[name] = Chain([get_method(member, **settings) for member, settings in parts])
    return found


def runs_on(kind: str, method: Method) -> bool:
    """Whether a tiny model has what the method asks for."""
    family, needs = KINDS[kind].family, method.needs
    watched = family.watch_vision is not Adapter.watch_vision
    return watched or not (needs.encoder or (needs.grid and family.sees))


METHODS = methods()
PICKING = [name for name, method in METHODS.items() if not method.merges]
"""Those that only choose, so that masks can do the same."""
MERGING = [name for name, method in METHODS.items() if method.merges]
"""Those that make tokens anew, which no mask can imitate."""


def fits(kind: str, name: str, *_: Any) -> bool:
    """Whether a tiny model can run one of `METHODS`: which cases `tests.matrix` is to make."""
    return runs_on(kind, METHODS[name])
