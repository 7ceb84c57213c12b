"""The break point: how few visual tokens a method can keep without changing the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class BreakPoint:
    """Smallest kept count from which on the answer is the baseline's.

    Attributes
    ----------
    kept : int
        The break point: the answer equals the baseline's at this final count and at every
        larger one that was run. The full count stands for the baseline itself, so this always
        exists.
    fails_at : int
        The largest count that was run and gave another answer; 0 where none did.
    holds_below : tuple of int
        Smaller counts that were run and gave the baseline's answer all the same: where there
        are any, fidelity is not monotone on this question.

    Notes
    -----
    Only counts that were run are known. The search halves the gap between `fails_at` and
    `kept` until it is one token, which assumes that inside the gap the answer changes once;
    where it changes more often, the search finds one of the changes. The number is thus a
    property of the searched counts, not a proof about all of them.
    """

    kept: int
    fails_at: int
    holds_below: tuple[int, ...] = ()

    @property
    def resolved(self) -> bool:
        """Whether the gap is down to one token."""
        return self.kept - self.fails_at == 1


def break_point(matches: Mapping[int, bool], num_visual: int) -> BreakPoint:
    """Read the break point from the counts that were run.

    Parameters
    ----------
    matches : mapping of int to bool
        Final kept count to whether the answer was the baseline's.
    num_visual : int
        The full count, at which the answer is the baseline's.
    """
    known = {**matches, num_visual: True}
    fails_at = max((count for count, same in known.items() if not same), default=0)
    kept = min(count for count in known if count > fails_at)
    below = tuple(sorted(count for count, same in known.items() if same and count < fails_at))
    return BreakPoint(kept, fails_at, below)


def next_count(found: BreakPoint) -> int | None:
    """The count to run next in the search, in the middle of the gap; None where it is over."""
    return None if found.resolved else (found.kept + found.fails_at) // 2
