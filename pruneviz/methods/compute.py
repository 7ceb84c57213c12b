"""Any method on a compute budget: the same layer average, whatever its schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pruneviz.errors import InputError
from pruneviz.methods.base import Method, check_ratio, check_whole
from pruneviz.methods.registry import get_method
from pruneviz.methods.spending import spending, stage_counts

NEAR = 0.5
"""Most visual tokens that a layer average may lie from the budget: half of one token's step."""
HALVINGS = 40
"""Stage ratios are rounded to 12 digits: nothing changes between ratios closer than that."""
BUDGETS = ("keep_ratio", "keep_tokens", "keep_ratios")
"""Settings that are budgets themselves."""

Build = Callable[[float], Method]


class OutOfReachError(InputError):
    """A method cannot meet a budget; the message says why and which it can."""


def at_compute(
    name: str, share: float, *, num_visual: int, num_layers: int, **settings: Any
) -> Method:
    """Build a method whose layer average is a given share, without running a model.

    The layer average is the number of visual tokens averaged over all decoder layers, to which
    the decoder's work on them is roughly proportional. Methods built for the same share cost
    about the same, early or late as they prune.

    Parameters
    ----------
    name : str
        One of :func:`~pruneviz.methods.list_methods`.
    share : float
        Layer average as a share of `num_visual`, in (0, 1]; 1 prunes nothing.
    num_visual, num_layers : int
        Visual tokens of the prompt, decoder layers of the model.
    **settings
        Further fields of the method, other budgets excepted.

    Returns
    -------
    Method
        With a ``keep_ratio``. Its layer average lies within half a token of the budget, the
        nearest that whole tokens allow (SparseVLM's stages do not grow evenly: it may miss the
        very nearest). :func:`~pruneviz.methods.spending` tells it.

    Raises
    ------
    OutOfReachError
        Where no keep ratio of the method meets the budget; the message names the least share.
    ValueError
        On an unknown method or setting, a share outside (0, 1], or a second budget.
    """
    check_compute(share, settings)
    check_whole(num_visual, "num_visual", 1)

    def build(ratio: float) -> Method:
        return get_method(name, num_layers=num_layers, keep_ratio=ratio, **settings)

    def average(ratio: float) -> float:
        return spending(build(ratio), num_visual, num_layers).layer_average

    target = share * num_visual
    # The smallest ratio that leaves one token; a hair more, as the division may round down.
    low, high = min(1.0, 1.0 / num_visual + 1e-12), 1.0
    least = average(low)
    if least > target + NEAR:
        raise OutOfReachError(_out_of_reach(build(low), least / num_visual, share, num_layers))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if average(middle) <= target else (low, middle)
    nearest = min((high, low), key=lambda ratio: abs(average(ratio) - target))
    return build(_shortest(build, nearest, num_visual))


def check_compute(share: float, settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless `share` is one and no other budget is among the settings."""
    check_ratio(share, "The layer average")
    others = [name for name in BUDGETS if settings.get(name) is not None]
    if others:
        raise ValueError(
            f"A layer average and {others[0]} are two budgets; give one of them: the keep ratio "
            "that meets a layer average is found for you."
        )


def _shortest(build: Build, ratio: float, num_visual: int) -> float:
    """The ratio with the fewest digits that keeps the same tokens, for people to read."""
    wanted = stage_counts(build(ratio), num_visual)
    for digits in range(2, 12):
        short = round(ratio, digits)
        try:
            if stage_counts(build(short), num_visual) == wanted:
                return short
        except ValueError:
            continue  # rounded to 0, or to a ratio that leaves no token
    return ratio


def _out_of_reach(method: Method, least: float, share: float, num_layers: int) -> str:
    first = method.plan(num_layers)[0].layer
    why = (
        f"all patches pass through its first {first} of {num_layers} layers"
        if first
        else "one patch must stay"
    )
    return (
        f"{method.title} cannot come down to a layer average of {100 * share:.3g} %: {why}, so "
        f"{100 * least:.3g} % is its least. Choose a budget of at least "
        f"{math.ceil(100 * least)} % (up to 100 %), or one by final keep ratio."
    )
