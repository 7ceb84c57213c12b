"""What a sweep hands to whoever asked: points, curves, and the events on the way."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

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
    flops_share : float
        The papers' FLOPs over the baseline's.
    exact_match : bool
        Whether the answer is the baseline's, token for token.
    first_token_kl, answer_logprob : float
        See :class:`pruneviz.metrics.Fidelity`.
    text : str
        The answer.
    searched : bool
        Whether it was run in search of the break point instead of being asked for.
    """

    method: str
    keep_ratio: float
    kept: int
    layer_average: float
    flops_share: float
    exact_match: bool
    first_token_kl: float
    answer_logprob: float
    text: str
    searched: bool = False


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
    def matches(self) -> dict[int, bool]:
        """Kept count to whether the answer was the baseline's.

        Two ratios may leave equal counts at the end and differ before: both must hold then.
        """
        found: dict[int, bool] = {}
        for point in self.points:
            found[point.kept] = point.exact_match and found.get(point.kept, True)
        return found


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
    """

    question: str
    num_visual: int
    baseline: Answer | None
    baseline_logprob: float
    curves: tuple[Curve, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "question": self.question,
            "num_visual": self.num_visual,
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            "baseline_logprob": self.baseline_logprob,
            "methods": [asdict(curve) for curve in self.curves],
        }


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
