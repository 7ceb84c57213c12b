"""One budget for several methods: an equal number of patches at the end, or equal compute."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pruneviz.errors import InputError
from pruneviz.methods import get_method, spending, stage_counts
from pruneviz.methods.base import Method

Kind = Literal["final", "compute"]
KINDS: tuple[str, ...] = get_args(Kind)
NEAR = 0.5
"""Most visual tokens that a layer average may lie from the budget: half of one token's step."""

Build = Callable[[float], Method]


@dataclass(frozen=True)
class Budget:
    """What every method may spend.

    Attributes
    ----------
    share : float
        In (0, 1].
    kind : {"final", "compute"}
        What is shared out: the visual tokens left after the last stage (the final keep ratio),
        or the visual tokens averaged over all decoder layers, to which the computed work is
        roughly proportional. Both as a share of the full count.

    Raises
    ------
    InputError
        On an unknown kind or a share outside (0, 1].
    """

    share: float
    kind: Kind = "final"

    def __post_init__(self) -> None:
        """Check both."""
        if self.kind not in KINDS:
            raise InputError(
                f"The kind of budget must be one of {', '.join(KINDS)}, not {self.kind!r}."
            )
        number = isinstance(self.share, int | float) and not isinstance(self.share, bool)
        if not number or not math.isfinite(self.share) or not 0.0 < self.share <= 1.0:
            raise InputError(f"The budget must be above 0 and up to 1, not {self.share!r}.")


class OutOfReachError(InputError):
    """A method cannot meet a budget; the message says why and which it can."""


def fit(name: str, budget: Budget, num_visual: int, num_layers: int, **settings: Any) -> Method:
    """Build a method that meets a budget, without running the model.

    Parameters
    ----------
    name : str
        Registry name.
    budget : Budget
        For ``"compute"`` the final keep ratio is found by bisection: the layer average never
        falls when the keep ratio rises.
    num_visual, num_layers : int
        Visual tokens of the image, decoder layers of the model.
    **settings
        Further fields of the method.

    Returns
    -------
    Method
        With a ``keep_ratio``. Under ``"compute"`` its layer average is the nearest that whole
        tokens allow, at most half a token off.

    Raises
    ------
    OutOfReachError
        Where no keep ratio of the method meets the budget.
    ValueError
        On an unknown method or setting.
    """

    def build(ratio: float) -> Method:
        return get_method(name, num_layers=num_layers, keep_ratio=ratio, **settings)

    if budget.kind == "compute":
        return _at_average(build, budget.share, num_visual, num_layers)
    method = build(budget.share)
    try:
        stage_counts(method, num_visual)
    except ValueError as error:
        raise OutOfReachError(str(error)) from error
    return method


def _at_average(build: Build, share: float, num_visual: int, num_layers: int) -> Method:
    target = share * num_visual

    def average(ratio: float) -> float:
        return spending(build(ratio), num_visual, num_layers).layer_average

    low, high = _least_ratio(build, num_visual), 1.0
    least = average(low)
    if least > target + NEAR:
        raise OutOfReachError(_out_of_reach(build(low), least, share, num_visual, num_layers))
    # Counts change at multiples of 1 / num_visual, in earlier stages in between: this is finer.
    for _ in range(num_visual.bit_length() + 6):
        middle = (low + high) / 2
        low, high = (middle, high) if average(middle) <= target else (low, middle)
    nearest = min((low, high), key=lambda ratio: abs(average(ratio) - target))
    return build(_shortest(build, nearest, num_visual))


def _least_ratio(build: Build, num_visual: int) -> float:
    """Smallest ratio that leaves one token; a hair more, as the division may round down."""
    ratio = min(1.0, 1.0 / num_visual + 1e-12)
    stage_counts(build(ratio), num_visual)
    return ratio


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


def _out_of_reach(
    method: Method, least: float, share: float, num_visual: int, num_layers: int
) -> str:
    first = method.plan(num_layers)[0].layer
    lowest = 100 * least / num_visual
    why = (
        f"all patches pass through its first {first} of {num_layers} layers"
        if first
        else "one patch must stay"
    )
    return (
        f"{method.title} cannot come down to a layer average of {100 * share:.3g} %: {why}, so "
        f"{lowest:.3g} % is its least. Choose a budget of at least {math.ceil(lowest)} %, or "
        "compare by final keep ratio."
    )
