"""Work a plan off into a log: what is there is not asked again."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.log import Log, Row
from pruneviz.evaluation.plan import Plan, Task
from pruneviz.evaluation.scoring import is_right

UNIT = 256
"""Questions handed out at once: enough that several have prompts of one shape."""
Ask = Callable[[Sequence[Task]], Iterable[list[Row]]]
"""Rows of tasks, some at a time; :meth:`pruneviz.evaluation.asking.Asker.ask` or what sends tasks
to other machines."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    done, total : int
        Rows that are there, and rows of the plan.
    new : int
        Rows made by this run.
    errors : int
        Rows with an error among those done.
    seconds_left : float or None
        At the pace of this run; None before its first rows.
    """

    done: int
    total: int
    new: int
    errors: int
    seconds_left: float | None

    @property
    def finished(self) -> bool:
        """Whether every row is there."""
        return self.done == self.total


def units(plan: Plan, log: Log, size: int = UNIT, retry: bool = False) -> Iterator[list[Task]]:
    """Tasks without a row in the log, some questions at a time, as they are to be handed out.

    With `retry`, rows with an error count as missing.
    """
    done = {key for key, row in log.rows.items() if not (retry and row.get("error"))}
    unit: list[Task] = []
    for task in plan.tasks(done):
        unit.append(task)
        if len(unit) == size:
            yield unit
            unit = []
    if unit:
        yield unit


def evaluate(
    plan: Plan, log: Log, ask: Ask, *, retry: bool = False, size: int = UNIT
) -> Generator[Progress]:
    """Ask what has no row yet; every row is in the log before it is told of.

    Parameters
    ----------
    plan : Plan
        What is to be asked.
    log : Log
        Open; this alone writes to it, wherever rows are made.
    ask : callable
        Makes rows of tasks. Where it ends early, so does this.
    retry : bool
        Whether rows with an error are asked again.
    size : int
        Questions handed to `ask` at once.

    Yields
    ------
    Progress
        First how much is there already, then after each batch. Closing the generator stops.
    """
    tally = Tally(plan, log, retry)
    yield tally.progress()
    for unit in units(plan, log, size, retry):
        asked = sum(len(task.arms) for task in unit)
        for rows in ask(unit):
            tally.add(rows)
            asked -= len(rows)
            yield tally.progress()
        if asked:
            return


class Tally:
    """Scores rows, writes them and counts: what whoever drives a run does with what comes back.

    Parameters
    ----------
    plan, log, retry
        See :func:`evaluate`.
    """

    def __init__(self, plan: Plan, log: Log, retry: bool = False) -> None:
        self._plan, self._log, self._began = plan, log, time.perf_counter()
        self._cases: dict[str, Case] = {}
        self._unpruned: dict[str, str] = {}
        self._done = self._errors = self._new = 0
        for number, case in enumerate(plan.cases):
            ids = plan.ids(number)
            self._cases |= dict.fromkeys(ids, case)
            self._unpruned |= dict.fromkeys(ids, ids[0])
            there = [log.rows[key] for key in ids if key in log.rows]
            failed = sum(bool(row["error"]) for row in there)
            self._done += len(there) - (failed if retry else 0)
            self._errors += 0 if retry else failed

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows with what they are worth."""
        fresh = {row["id"]: row for row in rows}
        self._log.add([{**row, "correct": self._right(row, fresh)} for row in rows])
        self._new += len(rows)
        self._done += len(rows)
        self._errors += sum(bool(row["error"]) for row in rows)

    def _right(self, row: Row, fresh: dict[str, Row]) -> bool | None:
        if row["error"]:
            return None
        key = self._unpruned[row["id"]]
        unpruned = fresh.get(key) or self._log.rows.get(key) or {}
        case = self._cases[row["id"]]
        return is_right(case.rule, row["answer"], case.truth, unpruned.get("answer"))

    def progress(self) -> Progress:
        """How far it is."""
        total, spent = len(self._plan), time.perf_counter() - self._began
        left = spent / self._new * (total - self._done) if self._new else None
        return Progress(self._done, total, self._new, self._errors, left)
