"""What a comparison of several methods hands to whoever asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pruneviz.engine.budgets import Budget
from pruneviz.engine.matters.effects import Effects
from pruneviz.engine.matters.judging import Judgement, judge
from pruneviz.engine.results import Answer, Comparison
from pruneviz.methods.base import Method


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
                "final_tokens": trace.left,
                "merged": trace.has_groups,
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
        Int64 ``[num_visual]``: how many of `overlap_names` keep each visual token.
    overlap_names : tuple of str
        Registry names of the methods that ran and chose, those that are alike beside each other:
        rows and columns of `overlaps`.
    overlaps : np.ndarray
        Float64 ``[chose, chose]``: intersection over union of the sets kept to the end.
    merged_names : tuple of str
        Registry names of the methods that ran and merged: tokens of theirs stand for groups, so
        that there is no choice of patches to compare.
    effects : Effects or None
        What matters to the baseline's answer, measured once for all methods; None where it was
        not.
    """

    question: str
    budget: Budget
    num_visual: int
    baseline: Answer | None
    outcomes: tuple[Outcome, ...]
    agreement: np.ndarray
    overlap_names: tuple[str, ...]
    overlaps: np.ndarray
    merged_names: tuple[str, ...] = ()
    effects: Effects | None = None

    def agreement_of(self, name: str) -> float | None:
        """Mean overlap of a method's patches with those of each other that chose.

        None where it merged, did not run, or is alone.
        """
        if name not in self.overlap_names or len(self.overlap_names) < 2:
            return None
        row = self.overlaps[self.overlap_names.index(name)]
        return float((row.sum() - 1.0) / (len(row) - 1))

    def judgement_of(self, name: str) -> Judgement | None:
        """A method's scores at its first stage held against what matters, as :func:`judge` does.

        None where that was not measured, or the method did not run or prunes nothing.
        """
        outcome = next(one for one in self.outcomes if one.name == name)
        done = outcome.comparison
        if self.effects is None or done is None or not done.pruned.trace.stages:
            return None
        return judge(self.effects, done.pruned.trace, title=outcome.title)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "question": self.question,
            "budget": self.budget.share,
            "budget_kind": self.budget.kind,
            "num_visual": self.num_visual,
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            "methods": [outcome.to_dict() | self._judged(outcome) for outcome in self.outcomes],
            "agreement": self.agreement.tolist(),
            "overlap_names": list(self.overlap_names),
            "overlaps": self.overlaps.tolist(),
            "merged_names": list(self.merged_names),
            "matters": None if self.effects is None else self.effects.to_dict(),
        }

    def _judged(self, outcome: Outcome) -> dict[str, Any]:
        found = self.judgement_of(outcome.name)
        return {} if found is None else {"judgement": found.to_dict()}


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
