"""Rows by content: the same again are the same, anything else is another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pruneviz.engine import Budget
from pruneviz.errors import InputError
from pruneviz.evaluation.plan import SEEDS, Arm, Plan, arms_of
from tests.evaluation.made import HOW, NoPicture, cases

HALF = Budget(0.5)


def ids(**changes) -> list[str]:
    values = {"cases": cases(1), "arms": [Arm("fopru", HALF)], "how": HOW} | changes
    return Plan(**values).ids(0)


def test_arms() -> None:
    arms = arms_of(["fopru", "fopru", "random"], [Budget(0.1), HALF])
    assert arms[0] == Arm()
    assert [arm.method for arm in arms[1:3]] == ["fopru", "fopru"]
    assert [arm.budget.share for arm in arms[1:3]] == [0.5, 0.1]
    randoms = [arm for arm in arms if arm.method == "random"]
    assert [arm.seed for arm in randoms] == [*range(SEEDS)] * 2
    assert [arm.method for arm in arms[-2:]] == ["downsample"] * 2
    assert len(set(arms)) == len(arms) == 1 + 2 + 20 + 2
    assert len(arms_of(["fopru"], [HALF], controls=False)) == 2


def test_arms_build_methods() -> None:
    drawn = Arm("random", HALF, seed=3).build(100, 8)
    assert (drawn.seed, drawn.keep_ratio) == (3, 0.5)
    (_, arm) = arms_of(["transprune"], [HALF], {"alpha": 0.3}, controls=False)
    assert arm.build(100, 8).alpha == 0.3
    even = Arm("fastv", Budget(0.6, "compute")).build(100, 10)
    assert even.keep_ratio == pytest.approx(0.5)
    with pytest.raises(ValueError, match="no method"):
        Arm().build(100, 8)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"methods": []}, "at least one method"),
        ({"methods": ["nothing"]}, "Unknown method 'nothing'"),
        ({"budgets": []}, "at least one budget"),
        ({"budgets": [HALF, HALF]}, "none of them twice"),
        ({"methods": ["fopru", "fastv"], "settings": {"strategy": "row"}}, "single method"),
        ({"methods": ["random"], "settings": {"seed": 1}}, "seeds of the random control"),
        ({"seeds": 0}, "from 1 to 100"),
    ],
)
def test_wrong_arms(given, told) -> None:
    with pytest.raises(InputError, match=told):
        arms_of(**({"methods": ["fopru"], "budgets": [HALF]} | given))


def test_the_same_is_the_same_row() -> None:
    (case,) = cases(1)
    same = replace(case, name="other", kind="other", picture=NoPicture(case.picture.label))
    assert ids() == ids() == ids(cases=[same])


@pytest.mark.parametrize(
    "changes",
    [
        {"cases": [replace(cases(1)[0], question="Was it?")]},
        {"cases": [replace(cases(1)[0], picture=NoPicture("other"))]},
        {"arms": [Arm("fastv", HALF)]},
        {"arms": [Arm("fopru", Budget(0.25))]},
        {"arms": [Arm("fopru", Budget(0.5, "compute"))]},
        {"arms": [Arm("fopru", HALF, 0)]},
        {"arms": [Arm("fopru", HALF, None, (("strategy", "row"),))]},
        {"arms": [Arm("fopru", HALF, None, (("prune_layers", (1, 2)),))]},
        *({"how": replace(HOW, **{name: value})} for name, value in (
            ("model", "model@2"), ("dtype", "float16"), ("newlines", "text"),
            ("positions", "keep"), ("max_new_tokens", 9), ("version", "2"),
        )),
    ],
)  # fmt: skip
def test_anything_else_is_another(changes) -> None:
    assert ids(**changes) != ids()


def test_repeated_questions_are_rows_of_their_own() -> None:
    twice = cases(1) * 2
    plan = Plan(twice, [Arm()], HOW)
    assert plan.ids(0) != plan.ids(1)
    assert plan.ids(0) == Plan(cases(1), [Arm()], HOW).ids(0)


def test_tasks_are_what_is_missing() -> None:
    plan = Plan(cases(3), [Arm(), Arm("fopru", HALF)], HOW)
    done = {*plan.ids(0), plan.ids(1)[0]}
    first, second = plan.tasks(done)
    assert (first.case.name, [arm.method for arm in first.arms]) == ("1", ["fopru"])
    assert first.ids == (plan.ids(1)[1],)
    assert len(second.arms) == 2
    assert len(plan) == 6
