"""Plans and rows made up, so that what must come out is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pruneviz.engine import Budget
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.log import Row
from pruneviz.evaluation.pictures import Picture
from pruneviz.evaluation.plan import Arm, How, Plan
from pruneviz.evaluation.scoring import Truth

HOW = How("model@1", "float32", "visual", "", 48, "1")


@dataclass(frozen=True)
class NoPicture(Picture):
    label: str

    def read(self):
        raise NotImplementedError

    def digest(self):
        return self.label


def cases(
    count: int, kinds: Sequence[str] = ("",), rule: str = "exact", each: int = 1
) -> list[Case]:
    """`each` of them about one picture."""
    truth = Truth(("yes",)) if rule != "agreement" else Truth()
    return [
        Case(str(n), NoPicture(str(n // each)), "Is it?", truth, kinds[n % len(kinds)], rule)
        for n in range(count)
    ]


def plan_of(
    right: Mapping[tuple[str, float, int | None], Sequence[bool]],
    kinds: Sequence[str] = ("",),
    kind: str = "final",
    rule: str = "exact",
    each: int = 1,
) -> tuple[Plan, dict[str, Row]]:
    """A plan and its rows: which questions each (method, share, seed) answers right."""
    arms = [
        Arm() if name == "none" else Arm(name, Budget(share, kind), seed)
        for name, share, seed in right
    ]
    count = len(next(iter(right.values())))
    plan = Plan(cases(count, kinds, rule, each), arms, HOW)
    rows = {}
    for number in range(count):
        ids = plan.ids(number)
        for key, arm, (what, marks) in zip(ids, arms, right.items(), strict=True):
            rows[key] = row(key, arm, bool(marks[number]), what[1])
    return plan, rows


def row(key: str, arm: Arm, right: bool, share: float) -> Row:
    return {
        "id": key,
        **arm.described(),
        "question": "Is it?",
        "image": "x",
        "answer": "yes" if right else f"no, says {arm.method}",
        "visual": 100,
        "tokens": round(100 * share),
        "layer_average": 100 * share,
        "flops": round(1000 * share + 100),
        "paper_tflops": share,
        "kv_bytes": round(1000 * share),
        "error": "",
    }


def marks(count: int, wrong: Sequence[int] | int) -> np.ndarray:
    """All right but for those numbers, or for the first so many."""
    found = np.ones(count, dtype=bool)
    found[list(range(wrong)) if isinstance(wrong, int) else list(wrong)] = False
    return found
