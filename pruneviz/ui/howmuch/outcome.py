"""What a run says so far: statistics, recommendations, and how its rows are found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pruneviz.engine import Budget
from pruneviz.evaluation import Entry, Group, Plan, Recommendation, Results, collect, recommend
from pruneviz.evaluation.log import Row
from pruneviz.evaluation.recommending import doubts
from pruneviz.evaluation.statistics import entries
from pruneviz.evaluation.writing import problems_of, summary
from pruneviz.ui.howmuch.wanted import Asked


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of the rows of one plan that are there.

    Attributes
    ----------
    asked : Asked
        What was wanted.
    plan : Plan
        The same as rows.
    ids : list of list of str
        Of the rows of each question, in the order of the plan's arms.
    rows : dict of str to Row
        Those that count: of the questions that every method has answered, so that all methods
        stand on the same ones; all that there are, as long as there is no such question.
    results : Results
        The same as arrays.
    entries : list of Entry
        Every method at every budget.
    recommended : list of Recommendation
        Cheapest first.
    problems : list of str
        What must be known with it.
    """

    asked: Asked
    plan: Plan
    ids: Sequence[Sequence[str]]
    rows: Mapping[str, Row]
    results: Results
    entries: Sequence[Entry]
    recommended: Sequence[Recommendation]
    problems: Sequence[str]

    @classmethod
    def of(
        cls,
        asked: Asked,
        plan: Plan,
        ids: Sequence[Sequence[str]],
        rows: Mapping[str, Row],
        running: bool = False,
    ) -> Outcome:
        """Of the rows that are there; that some are missing is no problem of a run that goes on."""
        whole = [one for one in ids if all(key in rows for key in one)]
        counted = {key: rows[key] for one in whole or ids for key in one if key in rows}
        results = collect(plan, counted)
        recommended = recommend(results, asked.tolerance)
        ended = [] if running else problems_of(plan, rows, results)
        problems = [*ended, *doubts(results, recommended)]
        return cls(asked, plan, ids, counted, results, entries(results), recommended, problems)

    @property
    def questions(self) -> int:
        """How many count, of those that were asked at all."""
        return sum(one[0] in self.rows for one in self.ids)

    @property
    def complete(self) -> bool:
        """Whether the questions that count have every method's answer."""
        return len(self.rows) == self.questions * len(self.plan.arms)

    def group(self, method: str, share: float) -> Group | None:
        """A method at a budget; None where it was not asked."""
        kind = self.asked.arms[-1].budget
        wanted = Budget(share, kind.kind) if kind else None
        return self.results.find(method, wanted)

    def summary(self, command: str) -> dict[str, Any]:
        """All that as plain values, as ``summary.json`` has it."""
        said = self.entries, self.recommended, self.problems
        return summary(self.plan, *said, self.asked.title, command)
