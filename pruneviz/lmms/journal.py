"""Answers that survive a kill: what was asked, and where its answers are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.log import ROWS, Log, read_rows
from pruneviz.evaluation.plan import How, Plan, Task
from pruneviz.evaluation.runner import units
from pruneviz.lmms.asked import Asked
from pruneviz.lmms.chosen import Chosen


class Sheet:
    """What is to be asked for some requests: each question about each picture once.

    Benchmarks repeat themselves: POPE's three parts share a third of their questions.

    Parameters
    ----------
    asked : sequence of Asked
        The requests.
    chosen : Chosen
        The method.
    how : callable
        What else decides about an answer of so many tokens at most.

    Attributes
    ----------
    plans : list of Plan
        One for each longest answer that is asked for.
    keys : list of str
        The row of each request.
    name : str
        Of method, budget and model, for a folder.
    """

    def __init__(self, asked: Sequence[Asked], chosen: Chosen, how: Callable[[int], How]) -> None:
        own = [(one.case.picture.digest(), one.case.question, one.max_new_tokens) for one in asked]
        cases: dict[int, dict[tuple[str, str, int], Case]] = {}
        for one, key in zip(asked, own, strict=True):
            cases.setdefault(one.max_new_tokens, {}).setdefault(key, one.case)
        self.plans = [Plan(list(each.values()), [chosen], how(n)) for n, each in cases.items()]
        rows = {
            key: plan.ids(number)[0]
            for each, plan in zip(cases.values(), self.plans, strict=True)
            for number, key in enumerate(each)
        }
        self.keys = [rows[key] for key in own]
        self.name = _name(chosen, how(0))


def left(plan: Plan, log: Log) -> Iterator[list[Task]]:
    """What has no answer yet, some questions at a time; those that failed are asked again."""
    return units(plan, log, retry=True)


@contextmanager
def journal(folder: Path, name: str, rank: int) -> Iterator[Log]:
    """The log of this process for one method, with what other processes logged before.

    Raises
    ------
    InputError
        If another run writes there.
    """
    own = folder / name / f"rank-{rank}"
    with Log.opened(own) as log:
        for path in sorted(own.parent.glob(f"rank-*/{ROWS}")):
            if path.parent != own:
                log.rows = read_rows(path) | log.rows
        yield log


def _name(chosen: Chosen, how: How) -> str:
    """Legible, and another for whatever gives other rows."""
    described = chosen.described()
    spent = chosen.keep_tokens or (chosen.budget.share if chosen.budget else None)
    digest = hashlib.sha256(json.dumps([described, asdict(how)], default=list).encode())
    words = [chosen.method, *([f"{spent:g}"] if spent else []), digest.hexdigest()[:8]]
    return "-".join(words)
