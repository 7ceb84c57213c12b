"""Rows of a plan as arrays: what every statistic is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pruneviz.engine.budgets import Budget
from pruneviz.evaluation.log import Row
from pruneviz.evaluation.plan import UNPRUNED, Arm, Plan
from pruneviz.evaluation.scoring import is_right


@dataclass(frozen=True, eq=False)
class Group:
    """One method at one budget, of all its seeds; question by question.

    Attributes
    ----------
    arm : Arm
        The method, without a seed.
    right : np.ndarray
        Float64 ``[seeds, questions]``: 1 right, 0 wrong, NaN where there is no answer.
    agrees : np.ndarray
        Likewise: whether the answer is the unpruned one.
    tokens, layer_average, flops, paper_tflops, visual : np.ndarray
        Float64 ``[questions]``, means over seeds: what was left after the last stage, per decoder
        layer, true FLOPs and the papers', and visual tokens before pruning.
    errors : tuple of str
        What went wrong, once each.
    failed : int
        Rows with an error.
    """

    arm: Arm
    right: np.ndarray
    agrees: np.ndarray
    tokens: np.ndarray
    layer_average: np.ndarray
    flops: np.ndarray
    paper_tflops: np.ndarray
    visual: np.ndarray
    errors: tuple[str, ...]
    failed: int

    @property
    def method(self) -> str:
        """Registry name, or ``"none"``."""
        return self.arm.method

    @property
    def budget(self) -> Budget | None:
        """None of the unpruned run."""
        return self.arm.budget

    @property
    def score(self) -> np.ndarray:
        """Float64 ``[questions]``: mean over the seeds, NaN where one has no answer."""
        mean: np.ndarray = self.right.mean(axis=0)
        return mean


@dataclass(frozen=True, eq=False)
class Results:
    """All groups of a plan.

    Attributes
    ----------
    groups : tuple of Group
        The unpruned run first, then as planned.
    kinds : tuple of str
        Of each question.
    pictures : tuple of int
        Which picture each question is about, counted from 0.
    """

    groups: tuple[Group, ...]
    kinds: tuple[str, ...]
    pictures: tuple[int, ...]

    @property
    def unpruned(self) -> Group:
        """The run without pruning."""
        return self.groups[0]

    @property
    def pruned(self) -> tuple[Group, ...]:
        """All others."""
        return self.groups[1:]

    def find(self, method: str, budget: Budget | None) -> Group | None:
        """A method at a budget; None where it was not asked."""
        return next((g for g in self.groups if g.method == method and g.budget == budget), None)

    def changed(self, group: Group) -> tuple[list[int], list[int]]:
        """Questions, counted from 0, that only the unpruned run, and only the group, gets right.

        Of several seeds more than half must; the counts of a single one are McNemar's.
        """
        # NaN, where there is no answer, is neither above nor below.
        base, score = self.unpruned.score, group.score
        lost = np.flatnonzero((base > 0.5) & (score < 0.5))
        won = np.flatnonzero((base < 0.5) & (score > 0.5))
        return lost.tolist(), won.tolist()


def table(plan: Plan, rows: Mapping[str, Row]) -> list[Row]:
    """The plan's rows that are there, in its order, scored by what is known of the answers now.

    An accepted answer that was mended after a run needs no new run.
    """
    found = []
    for number, case in enumerate(plan.cases):
        ids = plan.ids(number)
        base = rows.get(ids[0])
        for key in ids:
            row = rows.get(key)
            if row is None:
                continue
            said, unpruned = row["answer"], base["answer"] if base else None
            right = None if said is None else is_right(case.rule, said, case.truth, unpruned)
            agrees = None if said is None or unpruned is None else said == unpruned
            known = {
                "item": case.name,
                "kind": case.kind,
                "expected": list(case.truth.answers),
                "rule": case.rule,
            }
            found.append({**row, **known, "correct": right, "agrees": agrees})
    return found


def collect(plan: Plan, rows: Mapping[str, Row]) -> Results:
    """Arrays of a plan's rows; what is not there yet is NaN."""
    by_id = {row["id"]: row for row in table(plan, rows)}
    order = [plan.ids(number) for number in range(len(plan.cases))]
    places: dict[Arm, list[int]] = {}
    for place, arm in enumerate(plan.arms):
        places.setdefault(Arm(arm.method, arm.budget, None, arm.settings), []).append(place)
    groups = [
        _group(arm, [[by_id.get(ids[place]) for ids in order] for place in several])
        for arm, several in places.items()
    ]
    groups.sort(key=lambda group: group.method != UNPRUNED)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(plan.picture_keys))}
    pictures = tuple(numbers[key] for key in plan.picture_keys)
    return Results(tuple(groups), tuple(case.kind for case in plan.cases), pictures)


def _group(arm: Arm, seeds: Sequence[Sequence[Row | None]]) -> Group:
    failed = [row["error"] for rows in seeds for row in rows if row and row["error"]]
    means = {
        name: _values(seeds, name).mean(axis=0)
        for name in ("tokens", "layer_average", "flops", "paper_tflops", "visual")
    }
    return Group(
        arm=arm,
        right=_values(seeds, "correct"),
        agrees=_values(seeds, "agrees"),
        errors=tuple(dict.fromkeys(failed)),
        failed=len(failed),
        **means,
    )


def _values(seeds: Sequence[Sequence[Row | None]], name: str) -> np.ndarray:
    """Float64 ``[seeds, questions]`` of a field, NaN where there is none."""
    return np.array(
        [
            [np.nan if row is None or row[name] is None else float(row[name]) for row in rows]
            for rows in seeds
        ]
    )
