"""What a method keeps at other budgets than the one that ran, for the page to look up.

Budgets become counts here alone: the page's scripts know no method and round nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from pruneviz.engine.budgets import Budget, Kind, fit
from pruneviz.methods import Method, OutOfReachError, Pinned, stage_counts
from pruneviz.methods.registry import METHODS
from pruneviz.render.payload import pack

PERCENTS = range(1, 101)
BEYOND = -1
"""In place of a count: the budget is out of reach."""
MOST = {"tokens": 100_000, "layers": 1_000}
"""Bounds on what a browser may ask about."""


def previews(
    method: Method,
    settings: Mapping[str, Any],
    num_visual: int,
    num_layers: int,
    kinds: Sequence[Kind] = ("final",),
) -> dict[str, Any]:
    """Pack what a method would keep at every whole percent.

    Parameters
    ----------
    method : Method
        As it ran, with its pins.
    settings : mapping
        What was set of it beside its budget.
    num_visual, num_layers : int
        Visual tokens of the image, decoder layers of the model.
    kinds : sequence of {"final", "compute"}
        Of which budgets.

    Returns
    -------
    dict
        ``counts``: by kind, patches left at the end at 1 to 100 %, `BEYOND` where out of reach.
        ``foreseen``: for each of these counts one bit a patch, in whole bytes, None where only a
        run can tell which are kept. ``nested``: whether fewer are the first of the run's
        ranking. ``single``: whether one stage decides. ``law``: what :func:`kept_at` takes.
    """
    own = Pinned.of(method).method
    single = len(own.stages()) == 1
    known = tuple(sorted(settings.items()))
    tables = {kind: _counts(own.name, known, num_visual, num_layers, kind) for kind in kinds}
    counts = sorted({count for table in tables.values() for count in table} - {BEYOND})
    masks = [_mask(own, num_visual, count) for count in counts]
    law = {"method": own.name, "settings": dict(settings)}
    return {
        "counts": {kind: list(table) for kind, table in tables.items()},
        "foreseen": None
        if any(m is None for m in masks)
        else {"counts": counts, "masks": _packed(masks)},
        "nested": method.nested and single,
        "single": single,
        "law": law | {"tokens": num_visual, "layers": num_layers},
    }


def kept_at(asked: Any) -> dict[str, Any]:
    """Patches kept at a budget between two whole percents; the browser's word is not trusted.

    Parameters
    ----------
    asked : dict
        A ``law`` of :func:`previews` with the ``kind`` and ``percent`` of a budget.

    Returns
    -------
    dict
        ``count`` as in a table, and ``mask``, None where only a run can tell.
    """
    try:
        tokens, layers = (_bounded(asked[name], most) for name, most in MOST.items())
        offered = {option.field for option in METHODS[asked["method"]].card.options}
        settings = {key: value for key, value in asked["settings"].items() if key in offered}
        budget = Budget(asked["percent"] / 100, asked["kind"])
        method = fit(asked["method"], budget, tokens, layers, **settings)
        count = stage_counts(method, tokens)[-1]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return {"count": BEYOND, "mask": None}
    mask = _mask(method, tokens, count)
    return {"count": count, "mask": None if mask is None else _packed([mask])}


@lru_cache(maxsize=64)
def _counts(
    name: str, settings: tuple[tuple[str, Any], ...], num_visual: int, num_layers: int, kind: Kind
) -> tuple[int, ...]:
    def count(percent: int) -> int:
        budget = Budget(percent / 100, kind)
        try:
            method = fit(name, budget, num_visual, num_layers, **dict(settings))
        except OutOfReachError:
            return BEYOND
        return stage_counts(method, num_visual)[-1]

    return tuple(count(percent) for percent in PERCENTS)


def _mask(method: Method, num_visual: int, count: int) -> np.ndarray | None:
    """Bool ``[num_visual]``, which tokens are kept."""
    places = method.foreseen(num_visual, count)
    if places is None:
        return None
    mask = np.zeros(num_visual, dtype=bool)
    mask[list(places)] = True
    return mask


def _packed(masks: Sequence[np.ndarray | None]) -> str:
    return pack(np.packbits(np.array(masks, dtype=bool), axis=-1), "u1")


def _bounded(value: Any, most: int) -> int:
    if not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(value)
    return value
