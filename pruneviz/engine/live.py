"""The answer at a dozen budgets, so that it can change with the slider."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pruneviz.engine.breakpoint import break_point
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Comparison, Settings
from pruneviz.engine.session import Session
from pruneviz.methods import stage_counts
from pruneviz.methods.base import Method

LIVE_RATIOS = (0.75, 0.5, 0.35, 0.25, 0.175, 0.125, 0.09, 0.0625, 0.04, 0.02, 0.01)
"""Keep ratios at which answers are worked out ahead, beside the one that leaves a single patch."""

Ladder = list[tuple[float, Method]]


@dataclass(frozen=True, eq=False)
class LiveAnswer:
    """The answer at one budget.

    Attributes
    ----------
    ratio : float
        Keep ratio it was asked at.
    kept : int
        Visual tokens left after the last stage.
    same : bool
        Whether the answer is the baseline's, token for token.
    text : str
        The answer.
    comparison : Comparison
        The whole run: mask, cost, fidelity.
    """

    ratio: float
    kept: int
    same: bool
    text: str
    comparison: Comparison

    @classmethod
    def of(cls, ratio: float, done: Comparison) -> LiveAnswer:
        """Of a finished run."""
        same = done.pruned.token_ids == done.baseline.token_ids
        return cls(ratio, len(done.pruned.trace.kept), same, done.pruned.text, done)

    def to_dict(self) -> dict[str, Any]:
        """Ratio, count and answer as plain values."""
        return {"ratio": self.ratio, "kept": self.kept, "same": self.same, "text": self.text}


@dataclass(frozen=True)
class Ticks:
    """Where on the slider the answer stays, and where it breaks: of the ratios that were tried.

    Attributes
    ----------
    same_from : float
        The smallest ratio from which on it and all larger ones give the baseline's answer; 1,
        which is the baseline, where no other does.
    breaks_at : float or None
        The largest ratio that gives another answer; None where none does.
    same_below : tuple of float
        Smaller ratios than that which give the baseline's answer all the same, falling.
    """

    same_from: float
    breaks_at: float | None
    same_below: tuple[float, ...] = ()


def ladder(
    build: Callable[[float], Method], num_visual: int, ratios: Sequence[float] = LIVE_RATIOS
) -> Ladder:
    """The budgets to try with the methods that meet them, falling, down to one visual token.

    Parameters
    ----------
    build : callable
        Makes the method, with whatever else is set, for a keep ratio.
    num_visual : int
        Visual tokens of the image.
    ratios : sequence of float
        Keep ratios. One that leaves no token is left out, as is one that keeps as many at every
        stage as a larger one does.

    Returns
    -------
    list of (float, Method)
    """
    found: Ladder = []
    seen: set[tuple[int, ...]] = set()
    # A little more than one token's share, which rounding could leave below one.
    single = (1 + 1e-9) / num_visual
    for ratio in sorted({*ratios, min(1.0, single)}, reverse=True):
        try:
            method = build(ratio)
            counts = tuple(stage_counts(method, num_visual))
        except ValueError:
            continue
        if counts not in seen:
            seen.add(counts)
            found.append((ratio, method))
    return found


def live_answers(
    session: Session,
    prepared: Prepared,
    rungs: Sequence[tuple[float, Method]],
    around: float,
    settings: Settings | None = None,
) -> Generator[LiveAnswer]:
    """Work out the answer at every budget, nearest the current one first.

    The baseline's answer is checked in one forward; only what differs from it is generated.
    Closing the generator stops; the model is free for others between budgets.

    Parameters
    ----------
    session : Session
        Whose model answers.
    prepared : Prepared
        From :meth:`Session.prepare`.
    rungs : sequence of (float, Method)
        From :func:`ladder`.
    around : float
        The keep ratio that is shown now.
    settings : Settings, optional
        Default: no signals.
    """
    how = settings or Settings(signals=False)
    ahead = [method for _, method in rungs]
    for ratio, method in nearest_first(rungs, around):
        running = session.ask(prepared, method, how, streamed=False, ahead=ahead)
        with closing(running) as events:
            for event in events:
                if event.comparison is not None:
                    yield LiveAnswer.of(ratio, event.comparison)


def nearest_first(rungs: Iterable[tuple[float, Method]], around: float) -> Ladder:
    """By how many times larger or smaller a ratio is than the current one."""
    return sorted(rungs, key=lambda rung: abs(math.log(rung[0] / around)))


def ticks(answers: Iterable[LiveAnswer], num_visual: int) -> Ticks:
    """Where the answer stays and where it breaks, as far as budgets were tried.

    Two budgets may leave equal counts at the end and differ before: both must hold then.
    """
    matches: dict[int, bool] = {}
    ratios: dict[int, float] = {num_visual: 1.0}
    for answer in sorted(answers, key=lambda one: one.ratio):
        matches[answer.kept] = answer.same and matches.get(answer.kept, True)
        ratios.setdefault(answer.kept, answer.ratio)
    found = break_point(matches, num_visual)
    below = tuple(ratios[kept] for kept in reversed(found.holds_below))
    return Ticks(ratios[found.kept], ratios.get(found.fails_at), below)
