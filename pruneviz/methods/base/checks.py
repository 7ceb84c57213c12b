"""Checks of a method's settings, with messages that say what may be given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

MOST_LAYERS = 10_000
"""Many times as deep as any model: what follows is as long as a model is deep."""
LARGEST = 2**31
"""Tensors, and what draws at random, take numbers up to this and beyond."""


def check_budget(keep_ratio: float | None, keep_tokens: int | None) -> None:
    """Raise ValueError unless at most one of the two is given and it makes sense."""
    if keep_ratio is not None and keep_tokens is not None:
        raise ValueError("Give keep_ratio or keep_tokens, not both.")
    if keep_ratio is not None:
        check_ratio(keep_ratio)
    if keep_tokens is not None:
        check_whole(keep_tokens, "keep_tokens", 1)


def check_whole(value: Any, what: str, low: int, high: int = LARGEST) -> None:
    """Raise ValueError unless `value` is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise ValueError(f"{what} must be a whole number of at least {low}, not {value!r}.")
    if int(value) > high:
        raise ValueError(f"{what} must be at most {high:,}, not {value:,}.")


def is_finite(value: Real | float) -> bool:
    """Whether a number is finite and no whole one that is too large to be calculated with."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def check_ratio(value: float, what: str = "keep_ratio") -> float:
    """Return `value` as float if it lies in (0, 1], else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, Real) or not is_finite(value):
        raise ValueError(f"{what} must be a number above 0 and up to 1, not {value!r}.")
    if not 0.0 < value <= 1.0:
        raise ValueError(
            f"{what} must be above 0 and up to 1, not {value!r}: it is the share of the visual "
            "tokens that is kept (1 keeps them all)."
        )
    return float(value)


def check_number(value: Any, what: str, high: float = math.inf) -> None:
    """Raise ValueError unless `value` is a finite number from 0 to `high`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not is_finite(value) or not 0.0 <= value <= high:
        upper = "of at least 0" if high == math.inf else f"from 0 to {high:g}"
        raise ValueError(f"{what} must be a number {upper}, not {value!r}.")


def check_flag(value: Any, what: str) -> None:
    """Raise ValueError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be True or False, not {value!r}.")


def as_tuple(value: Any, what: str) -> tuple[Any, ...]:
    """Return a sequence's values as a tuple; raises ValueError on a single value or a string."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(
            f"{what} must be a list, not {value!r}; on the command line: --set '{what}=[{value}]'."
        )
    return tuple(value)


def check_count(count: int, num_visual: int, ratio: float | None = None) -> int:
    """Return `count` if it lies in 1..num_visual, else raise ValueError."""
    if count < 1:
        shown = "" if ratio is None else f" {ratio:g} of"
        raise ValueError(
            f"Keeping{shown} {num_visual} visual tokens leaves none; the smallest keep ratio for "
            f"this image is {1 / num_visual:.4g}."
        )
    if count > num_visual:
        raise ValueError(f"Cannot keep {count} visual tokens: the image has {num_visual}.")
    return count


def check_choice(value: Any, what: str, allowed: Sequence[str]) -> None:
    """Raise ValueError unless `value` is one of some words."""
    if value not in allowed:
        raise ValueError(f"{what} must be one of {', '.join(allowed)}, not {value!r}.")
