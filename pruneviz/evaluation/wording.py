"""Numbers in words."""

from __future__ import annotations


def points(share: float) -> str:
    """A difference of accuracy in points."""
    value = f"{100 * share:.1f}".removesuffix(".0")
    value = "0" if value == "-0" else value
    return f"{value} point{'' if value == '1' else 's'}"


def lost(share: float) -> str:
    """What became of the accuracy."""
    return f"gains {points(-share)}" if share < -5e-4 else f"loses {points(abs(share))}"


def percent(share: float) -> str:
    """A share of all."""
    return f"{100 * share:.3g} %"


def rounded(count: int) -> int:
    """To two digits upwards: more would be false precision."""
    step = 10 ** max(0, len(str(count)) - 2)
    return -(-count // step) * step


def duration(seconds: float) -> str:
    """A time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
