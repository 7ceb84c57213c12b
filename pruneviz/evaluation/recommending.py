"""The answer that people came for: how much can be pruned, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np

from pruneviz.engine.budgets import Budget
from pruneviz.errors import InputError
from pruneviz.evaluation.clustering import design_effect, effective, resampled
from pruneviz.evaluation.intervals import needed
from pruneviz.evaluation.results import Group, Results
from pruneviz.evaluation.statistics import Pair
from pruneviz.evaluation.wording import lost, percent, points, rounded
from pruneviz.methods.registry import METHODS

LEAST = 1e-6
"""No number of questions that anybody could ask tells a smaller loss from none."""
TOLERANCE = 0.01
"""Loss of accuracy that is allowed unless another is: one point."""
RESAMPLES = 2_000
FEW = 20
"""Of fewer questions nothing can be told of how many it takes."""


@dataclass(frozen=True)
class Recommendation:
    """The smallest budget of a method within the tolerance.

    Attributes
    ----------
    method, title : str
        Registry name and the name people read.
    budget : float
        1 where no budget asked for is within the tolerance: prune nothing.
    budget_kind : str
        See :class:`~pruneviz.engine.Budget`.
    largest : float
        The largest budget asked for.
    low, high : float
        Where 95 % of the resamples' recommended budgets lie.
    tolerance : float
        Loss that is allowed.
    loss, loss_low, loss_high : float
        Accuracy lost at this budget, at the largest where none is recommended, and its 95 %
        interval, in [-1, 1].
    tokens, flops_share : float
        Visual tokens left, and true FLOPs as a share of the unpruned run's.
    questions, pictures : int
        Asked of both, and about how many pictures.
    design_effect : float
        See ``evaluation.clustering.design_effect``; of the loss.
    needed : int or None
        About how many questions it would take to tell a loss as large as the tolerance from none,
        as many a picture; see :func:`~pruneviz.evaluation.intervals.needed`. None where fewer than
        :data:`FEW` were asked, or none was lost.
    """

    method: str
    title: str
    budget: float
    budget_kind: str
    largest: float
    low: float
    high: float
    tolerance: float
    loss: float
    loss_low: float
    loss_high: float
    tokens: float
    flops_share: float
    questions: int
    pictures: int
    design_effect: float
    needed: int | None

    @property
    def prunes(self) -> bool:
        """Whether any budget asked for is within the tolerance."""
        return self.budget < 1.0

    @property
    def sure(self) -> bool:
        """Whether the data leave no other: neither the interval of the loss nor the resamples.

        The whole interval must be on the side that the sentence says, and 95 % of the resamples
        must be content with this budget.
        """
        if self.prunes:
            return self.within and self.high <= self.budget
        return self.loss_low > self.tolerance

    @property
    def within(self) -> bool:
        """Whether the whole interval of the loss is within the tolerance."""
        return self.loss_high <= self.tolerance

    @property
    def sentence(self) -> str:
        """All that in words; what cannot be told is said to be so."""
        final = self.budget_kind == "final"
        what = "the visual tokens" if final else "the visual tokens per decoder layer"
        allowed = f"{points(self.tolerance)} allowed"
        between = (
            f"95 % interval of the loss {100 * self.loss_low:+.1f} to {100 * self.loss_high:+.1f}"
        )
        if self.prunes:
            told = (
                f"{self.title}: {percent(self.budget)} of {what} is enough ({self.tokens:.4g} "
                f"left; {percent(self.low)} to {percent(self.high)} in 95 % of resamples). "
                f"It {lost(self.loss)} ({between}), within the {allowed}, at "
                f"{percent(self.flops_share)} of the FLOPs."
            )
        else:
            told = (
                f"{self.title}: even {percent(self.largest)} of {what}, the largest budget asked "
                f"for, {lost(self.loss)} ({between}), more than the {allowed}."
            )
        return told if self.sure else f"{told} {self._doubt}"

    @property
    def _doubt(self) -> str:
        """Why it is not sure, and how many questions would tell."""
        count = f"{self.questions:,} question{'s'[: self.questions > 1]}"
        shared = self.pictures < self.questions
        about = f" about {self.pictures:,} picture{'s'[: self.pictures > 1]}" if shared else ""
        few = f"But {count}{about} {'are' if self.questions > 1 else 'is'} too few to be sure"
        if self.prunes and self.within:
            return f"{few}: in some of the resamples it takes {percent(self.high)}."
        if self.needed is None:
            return f"{few}, and too few to tell how many it takes."
        many = rounded(max(self.needed, self.questions + 1))
        return (
            f"{few}: to tell a loss of {points(self.tolerance)} from none needs about {many:,} "
            "questions."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the sentence among them."""
        return {**asdict(self), "sure": self.sure, "sentence": self.sentence}


def check_tolerance(tolerance: float) -> float:
    """A tolerance from `LEAST` to 1; raises InputError on another."""
    if not LEAST <= tolerance <= 1.0:
        raise InputError(
            f"The tolerance must be from {100 * LEAST:g} to 100 points, not {100 * tolerance:g}."
        )
    return tolerance


def recommend(
    results: Results, tolerance: float = TOLERANCE, resamples: int = RESAMPLES, seed: int = 0
) -> list[Recommendation]:
    """The smallest budget of each method that loses no more than is allowed.

    It is the last, going from the largest to the smallest, before the first that loses more: a
    small budget that does well by luck below one that does badly is not taken. Resampling the
    pictures with replacement, each with its questions (B. Efron and R. Tibshirani, "An introduction
    to the bootstrap", 1993; percentiles), tells which other budgets it might have been; all methods
    and the unpruned run are resampled together, so that they stay paired.

    Parameters
    ----------
    results : Results
        Of a run; questions without an answer from every method at every budget are left out.
    tolerance : float
        Loss of accuracy that is allowed, in (0, 1].
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    list of Recommendation
        One a method, those that spend least first; empty where nothing can be compared.
    """
    check_tolerance(tolerance)
    base = results.unpruned
    groups = [g for g in results.pruned if not np.isnan(g.score).all()]
    groups.sort(key=lambda group: -_share(group.budget))
    known = ~np.isnan(np.array([base.score, *(group.score for group in groups)])).any(axis=0)
    if not groups or not known.any():
        return []
    lost = np.array([base.score[known] - group.score[known] for group in groups])
    pictures = np.array(results.pictures)[known]
    drawn = resampled(lost, pictures, resamples, seed)
    found = []
    for name in dict.fromkeys(group.method for group in groups):
        own = [place for place, group in enumerate(groups) if group.method == name]
        of_method = [groups[place] for place in own]
        found.append(
            _recommended(of_method, base, known, lost[own], pictures, drawn[:, own], tolerance)
        )
    return sorted(found, key=lambda one: (one.flops_share, one.loss))


def doubts(results: Results, recommended: Sequence[Recommendation]) -> list[str]:
    """Why the recommendations may mean little, a sentence each.

    A control that loses no more than is allowed at the smallest budget asked for says that the
    questions hardly need the picture, or that the model cannot answer them anyway.
    """
    least = min((_share(group.budget) for group in results.pruned), default=1.0)
    told = [
        f"Even {one.title} at {percent(one.budget)}, the smallest budget asked for, loses no more "
        f"than allowed: on these questions (the unpruned model answers "
        f"{percent(float(np.nanmean(results.unpruned.score)))} right) it hardly matters what is "
        "kept."
        for one in recommended
        if METHODS[one.method].card.control and one.budget <= least
    ]
    return told[:1]


def last_within(losses: Sequence[float] | np.ndarray, tolerance: float) -> int:
    """How many losses, by falling budget, are within the tolerance before the first that is not."""
    # Differences of means of 0 and 1 may miss a tolerance of whole points by rounding.
    within = np.asarray(losses) <= tolerance + 1e-9
    return len(within) if within.all() else int(within.argmin())


def _recommended(
    groups: Sequence[Group],
    base: Group,
    known: np.ndarray,
    lost: np.ndarray,
    pictures: np.ndarray,
    drawn: np.ndarray,
    tolerance: float,
) -> Recommendation:
    """Of one method, its groups by falling budget; `lost` is ``[groups, questions]``."""
    losses = lost.mean(axis=1)
    shares = np.array([1.0, *(_share(group.budget) for group in groups)])
    taken = last_within(losses, tolerance)
    others = shares[[last_within(row, tolerance) for row in drawn]]
    low, high = (float(end) for end in np.percentile(others, (2.5, 97.5), method="nearest"))
    place = max(taken - 1, 0)
    group = groups[place]
    pair = Pair.of(group.right[:, known], base.right[:, known])
    if pair is None:
        raise ValueError("There is no question that both answered.")
    number, effect = len(np.unique(pictures)), design_effect(lost[place], pictures)
    loss_low, loss_high = pair.loss(effective(pair.questions, number, effect))
    known_spread = pair.lost > 0 and pair.questions >= FEW
    alone = needed(pair.lost, pair.won, pair.questions, within=tolerance)
    return Recommendation(
        method=group.method,
        title=group.arm.title,
        budget=float(shares[taken]),
        budget_kind=group.budget.kind if group.budget else "final",
        largest=float(shares[1]),
        low=low,
        high=high,
        tolerance=tolerance,
        loss=float(losses[place]),
        loss_low=loss_low,
        loss_high=loss_high,
        tokens=float(np.nanmean(group.tokens if taken else base.tokens)),
        flops_share=_flops(group, base) if taken else 1.0,
        questions=pair.questions,
        pictures=number,
        design_effect=effect,
        needed=ceil(alone * effect) if known_spread else None,
    )


def _share(budget: Budget | None) -> float:
    return 1.0 if budget is None else budget.share


def _flops(group: Group, base: Group) -> float:
    both = ~np.isnan(group.flops) & ~np.isnan(base.flops)
    return float(group.flops[both].sum() / base.flops[both].sum())
