"""What a visitor wants to know, and which rows that takes. Knows neither model nor Gradio."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pruneviz.engine import Budget, Session
from pruneviz.engine.budgets import Kind
from pruneviz.errors import InputError
from pruneviz.evaluation import Arm, Case, DataError, arms_of, file_cases, scene_cases
from pruneviz.evaluation.builtin import SETS
from pruneviz.evaluation.plan import MAX_SEEDS
from pruneviz.evaluation.recommending import check_tolerance
from pruneviz.evaluation.scoring import AUTO
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.ui.howmuch.texts import MOST_ROWS, OWN, OWN_TITLE
from pruneviz.ui.howmuch.unpacking import questions_file
from pruneviz.ui.sweep.sweeping import read_ratios

BUDGETS = "50, 25, 12.5, 6.25"
DRAWS = 3
"""Of Random, unless more are asked for: ten take a third of a run's time."""
MISTAKES = 10
"""Wrong lines of a file that the status line lists."""
TOLERANCE = "number of points that may be lost"


@dataclass(frozen=True)
class Wanted:
    """What was set, unchecked.

    Attributes
    ----------
    data : str
        A name of ``SETS``, or ``OWN``.
    count, seed : float or None
        Of a built-in set.
    files : sequence of str
        What was handed in for ``OWN``.
    scoring : str
        Of those; see :func:`~pruneviz.evaluation.scoring.rule_for`.
    methods : sequence of str
        Registry names, the controls that are always asked left out.
    budgets : str or sequence of float
        Percentages, as typed, or shares.
    kind : {"final", "compute"}
        What they are a share of; see :class:`~pruneviz.engine.Budget`.
    tolerance : float or None
        Points of accuracy that may be lost.
    draws : float or None
        Of the random control.
    """

    data: str = next(iter(SETS))
    count: float | None = 200
    seed: float | None = 0
    files: Sequence[str] | None = None
    scoring: str = AUTO
    methods: Sequence[str] = ()
    budgets: str | Sequence[float] = BUDGETS
    kind: Kind = "final"
    tolerance: float | None = 1.0
    draws: float | None = DRAWS


@dataclass(frozen=True)
class Asked:
    """The same, checked: what makes up a plan, and what repeats it.

    Attributes
    ----------
    cases, arms : list
        Of the plan.
    tolerance : float
        In (0, 1].
    title : str
        What the questions are called.
    source : str
        What a command line calls them.
    options : tuple of str
        Further arguments of that command line.
    """

    cases: list[Case]
    arms: list[Arm]
    tolerance: float
    title: str
    source: str
    options: tuple[str, ...] = field(default=())

    def command(self, session: Session) -> str:
        """The command line that asks the same of the same model, quoted for a shell."""
        model = session.loaded.name
        more = [] if model == EMBEDDED else ["--model", model]
        more += [] if session.newlines == "visual" else ["--newlines", session.newlines]
        more += ["--positions", session.positions] if session.positions else []
        return shlex.join(
            ["pruneviz", "evaluate", self.source, *self.options, *more, "--out", "results"]
        )


def read(wanted: Wanted, folder: Path, most: int = MOST_ROWS) -> Asked:
    """Check what is wanted, and read the questions.

    Parameters
    ----------
    wanted : Wanted
        As set.
    folder : Path
        Where what was handed in is unpacked.
    most : int
        Rows that are allowed.

    Raises
    ------
    InputError
        With a message for the visitor.
    """
    tolerance = check_tolerance(_number(wanted.tolerance, TOLERANCE) / 100)
    draws = _whole(wanted.draws, "number of draws of Random")
    if not 1 <= draws <= MAX_SEEDS:
        raise InputError(
            f"The number of draws of Random must be from 1 to {MAX_SEEDS}, not {draws}."
        )
    budgets = _budgets(wanted)
    arms = arms_of(list(wanted.methods or ()), budgets, seeds=draws)
    options = _options(wanted, budgets, draws)
    if wanted.data == OWN:
        path = questions_file(wanted.files or (), folder)
        # Before pictures are looked at, one by one: a question takes a line at least.
        lines = path.read_bytes().count(b"\n")
        if lines > most:
            raise InputError(
                f"{path.name!r} has {lines:,} lines. At most {most:,} rows are run here."
            )
        try:
            cases = file_cases(path, wanted.scoring, inside=True)
        except DataError as error:
            raise DataError(error.heading, error.problems, MISTAKES) from error
        _check_rows(len(cases), len(arms), most)
        return Asked(cases, arms, tolerance, f"{OWN_TITLE} ({path.name})", path.name, options)
    count = _whole(wanted.count, "number of questions")
    seed = _whole(wanted.seed, "seed")
    if count > 0:
        _check_rows(count, len(arms), most)
    cases = scene_cases(wanted.data, count, seed)
    source = f"{wanted.data}:{count}:{seed}"
    return Asked(cases, arms, tolerance, SETS[wanted.data].title, source, options)


def _budgets(wanted: Wanted) -> list[Budget]:
    given = wanted.budgets
    shares = read_ratios(given, "budget") if isinstance(given, str) else given
    if not isinstance(shares, list | tuple):
        raise InputError("The budgets must be a list of shares.")
    return list(dict.fromkeys(Budget(share, wanted.kind) for share in shares))


def _options(wanted: Wanted, budgets: Sequence[Budget], draws: int) -> tuple[str, ...]:
    budget = "--equal-compute" if wanted.kind == "compute" else "--keep-ratio"
    options = [part for name in wanted.methods for part in ("--method", name)]
    options += [part for one in budgets for part in (budget, repr(one.share))]
    options += ["--tolerance", f"{_number(wanted.tolerance, TOLERANCE):g}", "--seeds", str(draws)]
    own_scoring = wanted.data == OWN and wanted.scoring != AUTO
    return (*options, *(("--scoring", wanted.scoring) if own_scoring else ()))


def _check_rows(questions: int, arms: int, most: int) -> None:
    rows = questions * arms
    if rows > most:
        raise InputError(
            f"That is {rows:,} rows: {questions:,} questions, each without pruning and under "
            f"{arms - 1:,} pairs of method and budget, controls and their draws included. At most "
            f"{most:,} are run here: ask at most {max(1, most // arms):,} questions, or fewer "
            "methods, budgets or draws. The command line (pruneviz evaluate) has no such limit."
        )


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InputError(f"Type the {what}.")
    return float(value)


def _whole(value: Any, what: str) -> int:
    number = _number(value, what)
    if not number.is_integer():
        raise InputError(f"The {what} must be a whole number, not {number:g}.")
    return int(number)
