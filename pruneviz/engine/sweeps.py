"""Fidelity and cost of several methods over a range of keep ratios."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

from pruneviz.engine.breakpoint import break_point, next_count
from pruneviz.engine.compare import chosen_methods
from pruneviz.engine.curves import Band, Curve, Point, Sweep, SweepEvent
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer, Comparison, Settings
from pruneviz.engine.session import Session
from pruneviz.errors import InputError
from pruneviz.methods import get_method, stage_counts
from pruneviz.methods.base import Method, check_ratio
from pruneviz.methods.registry import METHODS

RATIOS = (1.0, 0.75, 0.5, 0.35, 0.25, 0.175, 0.125, 0.09, 0.0625, 0.04, 0.02)
MAX_RATIOS = 24
MAX_RUNS = 600
"""Bound on one sweep, the searches for break points and the draws included."""
DRAWS = 10
"""Random subsets drawn at each keep ratio, where Random is asked for: what chance alone gives."""
CHANCE = "random"


def check_ratios(ratios: Sequence[float]) -> list[float]:
    """Keep ratios without repetitions, falling.

    Raises
    ------
    ValueError
        If there is none, too many, or one outside (0, 1].
    """
    if isinstance(ratios, str) or not isinstance(ratios, Sequence) or not ratios:
        raise InputError("Give at least one keep ratio.")
    found = sorted({check_ratio(ratio, "every keep ratio") for ratio in ratios}, reverse=True)
    if len(found) > MAX_RATIOS:
        raise InputError(f"Give at most {MAX_RATIOS} keep ratios, not {len(found)}.")
    return found


def sweep(
    session: Session,
    prepared: Prepared,
    names: Sequence[str],
    ratios: Sequence[float] = RATIOS,
    settings: Settings | None = None,
    draws: int = DRAWS,
) -> Generator[SweepEvent]:
    """Run methods over keep ratios, then search each one's break point; streamed.

    The image is encoded once, the baseline runs once, and the model is taken for one run at a
    time. A ratio that leaves a method no token is skipped and named in `Curve.skipped`. The
    last event is ``"done"``. Closing the generator stops the run.

    Parameters
    ----------
    session : Session
        Whose model answers.
    prepared : Prepared
        From :meth:`Session.prepare`.
    names : sequence of str
        Registry names; each runs with its published settings.
    ratios : sequence of float
        Final keep ratios in (0, 1], at most ``MAX_RATIOS``.
    settings : Settings, optional
        Default: no signals. Answers are compared up to ``max_new_tokens``.
    draws : int
        With Random among the methods: how many subsets are drawn at each ratio below 1, by seeds
        from 0 on, each a run of its own. The curve is that of seed 0; all of them are `chance`.

    Raises
    ------
    InputError, ValueError
        On an empty or unknown choice, a bad ratio, or more runs than ``MAX_RUNS``.

    Notes
    -----
    The break point is defined in :class:`~pruneviz.engine.breakpoint.BreakPoint`. Its search
    keeps exact numbers of tokens (``keep_tokens``) between the largest count that fails and the
    next that holds, at most ``log2`` of the gap in runs, down to one token.
    """
    chosen, points = chosen_methods(names), check_ratios(ratios)
    total = prepared.grid.num_tokens
    most = len(chosen) * (len(points) + total.bit_length())
    if CHANCE in chosen:
        most += (draws - 1) * len(points)
    if most > MAX_RUNS:
        raise InputError(
            f"That could take {most} runs, more than {MAX_RUNS}. Choose fewer methods or ratios."
        )
    running = _Running(session, prepared, settings or Settings(signals=False))
    running.start(chosen, points)
    for name in chosen:
        yield from running.grid(name)
    if CHANCE in chosen:
        yield from running.draw(draws)
    for name in chosen:
        yield from running.search(name)
    yield running.event("done")


@dataclass
class _Running:
    """A sweep on its way."""

    session: Session
    prepared: Prepared
    settings: Settings
    curves: dict[str, Curve] = field(default_factory=dict)
    planned: dict[str, list[tuple[float, Method]]] = field(default_factory=dict)
    baseline: Answer | None = None
    baseline_logprob: float = math.nan
    done: int = 0
    total: int = 0
    chance: tuple[Band, ...] = ()

    def start(self, names: Sequence[str], ratios: Sequence[float]) -> None:
        """Build every method of the grid; skip the ratios that leave nothing."""
        for name in names:
            fitting, skipped = [], []
            for ratio in ratios:
                method = get_method(name, num_layers=self.session.num_layers, keep_ratio=ratio)
                try:
                    stage_counts(method, self.prepared.grid.num_tokens)
                except ValueError:
                    skipped.append(ratio)
                else:
                    fitting.append((ratio, method))
            self.planned[name] = fitting
            self.curves[name] = Curve(name, METHODS[name].title, skipped=tuple(skipped))
            self.total += len(fitting)

    def event(self, kind: Literal["status", "point", "done"], text: str = "") -> SweepEvent:
        """An event with the state so far."""
        result = None
        if kind != "status":
            result = Sweep(
                self.prepared.question,
                self.prepared.grid.num_tokens,
                self.baseline,
                self.baseline_logprob,
                tuple(self.curves.values()),
                self.chance,
            )
        return SweepEvent(kind, text, self.done, self.total, result)

    def grid(self, name: str) -> Iterator[SweepEvent]:
        """Run the ratios asked for."""
        for ratio, method in self.planned[name]:
            yield from self._run(method, ratio, f"{method.title} at {100 * ratio:.3g} %")

    def draw(self, draws: int) -> Iterator[SweepEvent]:
        """Run more random subsets at every ratio of the grid; of all patches there is but one."""
        first = [point for point in self.curves[CHANCE].points if not point.searched]
        full = self.prepared.grid.num_tokens
        self.total += (draws - 1) * sum(point.kept < full for point in first)
        for point in first:
            found = [point]
            for seed in range(1, draws) if point.kept < full else ():
                method = get_method(
                    CHANCE,
                    num_layers=self.session.num_layers,
                    keep_ratio=point.keep_ratio,
                    seed=seed,
                )
                text = f"Random at {100 * point.keep_ratio:.3g} %, draw {seed + 1} of {draws}"
                for done in self._ask(method, text):
                    if isinstance(done, SweepEvent):
                        yield done
                    else:
                        found.append(self._point(done, point.keep_ratio, False))
            self.chance = (*self.chance, Band.of(found, draws))
            yield self.event("point")

    def search(self, name: str) -> Iterator[SweepEvent]:
        """Halve the gap around the break point until it is one token."""
        full = self.prepared.grid.num_tokens
        # Bounded, should a method ever keep another number than it was told.
        for _ in range(full.bit_length()):
            count = next_count(break_point(self.curves[name].matches, full))
            if count is None:
                break
            self.total += 1
            method = get_method(name, num_layers=self.session.num_layers, keep_tokens=count)
            text = f"{method.title}, looking for its break point: {count} of {full} patches"
            yield from self._run(method, count / full, text, searched=True)
        curve = self.curves[name]
        self.curves[name] = replace(curve, break_point=break_point(curve.matches, full))
        yield self.event("point")

    def _run(
        self, method: Method, ratio: float, text: str, searched: bool = False
    ) -> Iterator[SweepEvent]:
        for done in self._ask(method, text):
            if isinstance(done, SweepEvent):
                yield done
            else:
                name = done.pruned.trace.method
                point = self._point(done, ratio, searched)
                self.curves[name] = self.curves[name].with_point(point)
        yield self.event("point", text)

    def _ask(self, method: Method, text: str) -> Iterator[SweepEvent | Comparison]:
        """One run: events on the way, each a chance to stop, then the comparison."""
        yield self.event("status", text)
        ahead = [method for _, method in chain(*self.planned.values())]
        running = self.session.ask(
            self.prepared, method, self.settings, streamed=False, ahead=ahead
        )
        with closing(running) as events:
            for event in events:
                yield event.comparison or self.event("status", text)

    def _point(self, done: Comparison, ratio: float, searched: bool) -> Point:
        found, cost = done.fidelity, done.pruned.cost
        if found is None:
            raise RuntimeError("The run was stopped before it could be compared.")
        self.done += 1
        self.baseline, self.baseline_logprob = done.baseline, found.baseline_logprob
        whole = done.baseline.cost.paper_tflops
        return Point(
            method=done.pruned.trace.method,
            keep_ratio=ratio,
            kept=done.pruned.trace.left,
            layer_average=cost.layer_average,
            flops_share=cost.paper_tflops / whole if whole else 1.0,
            total_flops_share=cost.total_flops / done.baseline.cost.total_flops,
            exact_match=found.exact_match,
            first_token_kl=found.first_token_kl,
            largest_kl=found.largest_kl,
            answer_logprob=found.answer_logprob,
            text=done.pruned.text,
            searched=searched,
            parting_kl=found.parting_kl,
        )
