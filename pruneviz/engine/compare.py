"""Several methods on one question under one budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pruneviz.engine.agreement import agreement, overlap_matrix
from pruneviz.engine.budget import Budget, OutOfReachError, fit
from pruneviz.engine.results import Answer, Comparison, Settings
from pruneviz.engine.session import Prepared, Session
from pruneviz.errors import InputError
from pruneviz.methods.base import Method
from pruneviz.methods.registry import METHODS


@dataclass(frozen=True)
class Outcome:
    """What became of one method.

    Attributes
    ----------
    name, title : str
        Registry name and the name people read.
    method : Method or None
        As it was run; None where it cannot meet the budget.
    comparison : Comparison or None
        None where it was not run, or not yet.
    problem : str
        Why it was not run; empty where nothing is wrong.
    """

    name: str
    title: str
    method: Method | None = None
    comparison: Comparison | None = None
    problem: str = ""

    @property
    def kept(self) -> np.ndarray | None:
        """Int64, the original indices of the visual tokens kept to the end."""
        return None if self.comparison is None else self.comparison.pruned.trace.kept

    def to_dict(self) -> dict[str, Any]:
        """Plain values: settings, both answers, what was kept, and the problem if any."""
        found: dict[str, Any] = {"method": self.name, "title": self.title, "problem": self.problem}
        if self.comparison is not None:
            trace = self.comparison.pruned.trace
            found |= self.comparison.to_dict()
            found |= {
                "kept": trace.kept.tolist(),
                "final_keep_ratio": trace.final_keep_ratio,
                "final_tokens": len(trace.kept),
                "layer_average": trace.layer_average,
            }
        return found


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Several methods on one question.

    Attributes
    ----------
    question : str
        As asked.
    budget : Budget
        Shared by all.
    num_visual : int
        Visual tokens of the image.
    baseline : Answer or None
        None where no method could be run.
    outcomes : tuple of Outcome
        In the order asked for.
    agreement : np.ndarray
        Int64 ``[num_visual]``: how many of the methods that ran keep each visual token.
    overlap_names : tuple of str
        Registry names of the methods that ran: rows and columns of `overlaps`.
    overlaps : np.ndarray
        Float64 ``[ran, ran]``: intersection over union of the sets kept to the end.
    """

    question: str
    budget: Budget
    num_visual: int
    baseline: Answer | None
    outcomes: tuple[Outcome, ...]
    agreement: np.ndarray
    overlap_names: tuple[str, ...]
    overlaps: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "question": self.question,
            "budget": self.budget.share,
            "budget_kind": self.budget.kind,
            "num_visual": self.num_visual,
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            "methods": [outcome.to_dict() for outcome in self.outcomes],
            "agreement": self.agreement.tolist(),
            "overlap_names": list(self.overlap_names),
            "overlaps": self.overlaps.tolist(),
        }


@dataclass(frozen=True, eq=False)
class CompareEvent:
    """One step of a running comparison.

    Attributes
    ----------
    kind : {"status", "result", "done"}
        A line on what is being done; one more method finished; the end.
    text : str
        The line.
    result : SideBySide or None
        All that is known so far; with "result" and "done".
    """

    kind: Literal["status", "result", "done"]
    text: str = ""
    result: SideBySide | None = None


def chosen_methods(names: Sequence[str]) -> list[str]:
    """The names without repetitions.

    Raises
    ------
    InputError
        If there is none, or one that is unknown.
    """
    if isinstance(names, str) or not names:
        raise InputError("Choose at least one method.")
    for name in names:
        if name not in METHODS:
            raise InputError(f"Unknown method {name!r}. Methods: {', '.join(METHODS)}.")
    return list(dict.fromkeys(names))


def candidates(
    names: Sequence[str], budget: Budget, num_visual: int, num_layers: int
) -> list[Outcome]:
    """Every method fitted to the budget, or the reason why it cannot be; runs nothing."""
    found = []
    for name in chosen_methods(names):
        title = METHODS[name].title
        try:
            found.append(Outcome(name, title, fit(name, budget, num_visual, num_layers)))
        except OutOfReachError as error:
            found.append(Outcome(name, title, problem=str(error)))
    return found


def compare_many(
    session: Session,
    prepared: Prepared,
    names: Sequence[str],
    budget: Budget,
    settings: Settings | None = None,
) -> Iterator[CompareEvent]:
    """Run several methods on one question, streamed.

    The image is encoded once (in `prepared`), the baseline runs once; the model is taken for
    one method at a time, so that other people's questions come in between. A method that
    cannot meet the budget gets an outcome with a `problem`; it never runs on another budget.
    The last event is ``"done"``. Closing the generator stops the run.

    Parameters
    ----------
    session : Session
        Whose model answers.
    prepared : Prepared
        From :meth:`Session.prepare`.
    names : sequence of str
        Registry names; each runs with its published settings.
    budget : Budget
        Shared by all.
    settings : Settings, optional
        Default: no signals, which cost a pass of their own and are not shown side by side.

    Raises
    ------
    InputError
        On an empty choice or an unknown name.
    """
    how = settings or Settings(signals=False)
    total = prepared.grid.num_tokens
    outcomes = candidates(names, budget, total, session.num_layers)
    yield CompareEvent("result", result=_gather(prepared, budget, outcomes))
    for index, outcome in enumerate(outcomes):
        if outcome.method is None:
            continue
        place = f"{index + 1} of {len(outcomes)}"
        with closing(session.ask(prepared, outcome.method, how)) as events:
            for event in events:
                if event.comparison is not None:
                    outcomes[index] = Outcome(
                        outcome.name, outcome.title, outcome.method, event.comparison
                    )
                else:
                    yield CompareEvent("status", f"Running {outcome.title} ({place}) …")
        yield CompareEvent("result", result=_gather(prepared, budget, outcomes))
    yield CompareEvent("done", result=_gather(prepared, budget, outcomes))


def _gather(prepared: Prepared, budget: Budget, outcomes: Sequence[Outcome]) -> SideBySide:
    ran = [(o.name, o.comparison) for o in outcomes if o.comparison is not None]
    kept = [comparison.pruned.trace.kept for _, comparison in ran]
    total = prepared.grid.num_tokens
    return SideBySide(
        question=prepared.question,
        budget=budget,
        num_visual=total,
        baseline=ran[0][1].baseline if ran else None,
        outcomes=tuple(outcomes),
        agreement=agreement(kept, total),
        overlap_names=tuple(name for name, _ in ran),
        overlaps=overlap_matrix(kept),
    )
