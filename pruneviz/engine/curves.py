"""What a sweep hands to whoever asked: points, curves, and the events on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Literal

import numpy as np

from pruneviz.engine.breakpoint import BreakPoint
from pruneviz.engine.results import Answer


@dataclass(frozen=True)
class Point:
    """One method at one budget.

    Attributes
    ----------
    method : str
        Registry name.
    keep_ratio : float
        As asked for; for a step of the search, kept over the full count.
    kept : int
        Visual tokens left after the last stage.
    layer_average : float
        Visual tokens averaged over the decoder layers.
    flops_share, total_flops_share : float
        The papers' FLOPs over the baseline's, and the true ones: encoder, text, choosing included.
    exact_match : bool
        Whether the answer is the baseline's, token for token.
    first_token_kl, largest_kl, answer_logprob : float
        See :class:`pruneviz.metrics.Fidelity`.
    text : str
        The answer.
    searched : bool
        Whether it was run in search of the break point instead of being asked for.
    parting_kl : float or None
        See :class:`pruneviz.metrics.Fidelity`; None where the answers do not part.
    """

    method: str
    keep_ratio: float
    kept: int
    layer_average: float
    flops_share: float
    total_flops_share: float
    exact_match: bool
    first_token_kl: float
    largest_kl: float
    answer_logprob: float
    text: str
    searched: bool = False
    parting_kl: float | None = None


@dataclass(frozen=True)
class Curve:
    """All points of one method.

    Attributes
    ----------
    name, title : str
        Registry name and the name people read.
    points : tuple of Point
        By falling kept count.
    break_point : BreakPoint or None
        None until the search is over.
    skipped : tuple of float
        Keep ratios that leave this image no visual token.
    """

    name: str
    title: str
    points: tuple[Point, ...] = ()
    break_point: BreakPoint | None = None
    skipped: tuple[float, ...] = ()

    def with_point(self, point: Point) -> Curve:
        """The curve with one more point."""
        points = sorted((*self.points, point), key=lambda p: (-p.kept, -p.keep_ratio))
        return replace(self, points=tuple(points), break_point=None)

    @property
    def at_break(self) -> Point | None:
        """The run at the break point; None where that stands for the baseline itself.

        Of several runs with this count, the one that computes most: all of them hold.
        """
        kept = self.break_point.kept if self.break_point else None
        found = [point for point in self.points if point.kept == kept]
        return max(found, key=lambda point: point.layer_average, default=None)

    @property
    def matches(self) -> dict[int, bool]:
        """Kept count to whether the answer was the baseline's.

        Two ratios may leave equal counts at the end and differ before: both must hold then.
        """
        found: dict[int, bool] = {}
        for point in self.points:
            found[point.kept] = point.exact_match and found.get(point.kept, True)
        return found


@dataclass(frozen=True)
class Band:
    """What chance alone gives at one budget: random subsets, drawn anew and anew.

    Attributes
    ----------
    keep_ratio : float
        As asked for.
    kept : int
        Visual tokens left, in every layer: the subset is drawn before the first.
    draws, same : int
        How many subsets were drawn, and after how many the answer was the baseline's.
    answer_logprob, first_token_kl, largest_kl : tuple of float
        Lowest, median and highest of the draws.
    """

    keep_ratio: float
    kept: int
    draws: int
    same: int
    answer_logprob: tuple[float, float, float]
    first_token_kl: tuple[float, float, float]
    largest_kl: tuple[float, float, float]

    @classmethod
    def of(cls, points: Sequence[Point], draws: int) -> Band:
        """From the points at one budget, all of one count."""
        first = points[0]
        alike = draws if len(points) == 1 else 1  # all patches: every draw is the same
        return cls(
            first.keep_ratio,
            first.kept,
            draws,
            alike * sum(point.exact_match for point in points),
            _spread([point.answer_logprob for point in points]),
            _spread([point.first_token_kl for point in points]),
            _spread([point.largest_kl for point in points]),
        )


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), float(median(values)), max(values)


Verdict = Literal["above", "within", "below"]


@dataclass(frozen=True)
class Sweep:
    """Curves of several methods on one question.

    Attributes
    ----------
    question : str
        As asked.
    num_visual : int
        Visual tokens of the image.
    baseline : Answer or None
        None before the first run.
    baseline_logprob : float
        Mean log-probability of the baseline's answer under the baseline itself.
    curves : tuple of Curve
        In the order asked for.
    chance : tuple of Band
        By falling kept count; empty where no random subsets were drawn.
    """

    question: str
    num_visual: int
    baseline: Answer | None
    baseline_logprob: float
    curves: tuple[Curve, ...]
    chance: tuple[Band, ...] = ()

    def against_chance(self, point: Point) -> Verdict | None:
        """Whether a point does better than random subsets of equal compute.

        Returns
        -------
        {"above", "within", "below"} or None
            The log-probability of the baseline's answer against the highest and the lowest of
            the draws. Between two budgets that were drawn it is read on the line between them,
            over the logarithm of the layer average. None beyond them, and at all patches.

        Notes
        -----
        One draw more lies above ten others once in eleven times by chance alone.
        """
        bands = sorted(self.chance, key=lambda band: band.kept)
        compute = point.layer_average
        known = bands and bands[0].kept <= compute <= bands[-1].kept
        if not known or compute >= self.num_visual:
            return None
        at = [math.log(band.kept) for band in bands]
        low, high = (
            float(np.interp(math.log(compute), at, [band.answer_logprob[end] for band in bands]))
            for end in (0, 2)
        )
        if point.answer_logprob > high:
            return "above"
        return "below" if point.answer_logprob < low else "within"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "question": self.question,
            "num_visual": self.num_visual,
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            "baseline_logprob": self.baseline_logprob,
            "methods": [asdict(curve) | self._told(curve) for curve in self.curves],
            "chance": [asdict(band) for band in self.chance],
        }

    def _told(self, curve: Curve) -> dict[str, Any]:
        verdicts = [self.against_chance(point) for point in curve.points]
        return {"against_chance": verdicts} if self.chance else {}


@dataclass(frozen=True)
class SweepEvent:
    """One step of a running sweep.

    Attributes
    ----------
    kind : {"status", "point", "done"}
        A run goes on; a point or a break point was added; the end.
    text : str
        What is being done.
    done, total : int
        Runs finished, and planned so far; searches are added as they begin.
    result : Sweep or None
        All that is known so far; with "point" and "done".
    """

    kind: Literal["status", "point", "done"]
    text: str = ""
    done: int = 0
    total: int = 0
    result: Sweep | None = None
