"""What an evaluation asks: every question of every method at every budget, a row each."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pruneviz.engine.budgets import CHECK_DEPTH, Budget, fit
from pruneviz.errors import InputError
from pruneviz.evaluation.cases import Case
from pruneviz.methods import Method, OutOfReachError
from pruneviz.methods.registry import METHODS

UNPRUNED = "none"
"""What the run without pruning is called where methods are."""
SEEDED = "random"
CONTROL = "downsample"
SEEDS = 10
"""Of the random control: one draw would be an anecdote."""
MAX_SEEDS = 100
MANY_VISUAL = 100_000
"""Enough that no budget is too small."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arm:
    """One method at one budget, as a row names it.

    Attributes
    ----------
    method : str
        Registry name, or ``UNPRUNED``.
    budget : Budget or None
        None of the unpruned run.
    seed : int or None
        Of the random control.
    settings : tuple of tuple
        Further fields of the method, by name.
    """

    method: str = UNPRUNED
    budget: Budget | None = None
    seed: int | None = None
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def pruned(self) -> bool:
        """Whether anything is removed."""
        return self.budget is not None

    @property
    def title(self) -> str:
        """The method's name for people."""
        return METHODS[self.method].title if self.pruned else "Unpruned"

    def build(self, num_visual: int, num_layers: int) -> Method:
        """The method for a prompt of so many visual tokens.

        Raises OutOfReachError where it cannot meet the budget, ValueError on wrong settings.
        """
        if self.budget is None:
            raise ValueError("The unpruned run has no method.")
        settings = dict(self.settings) | ({} if self.seed is None else {"seed": self.seed})
        return fit(self.method, self.budget, num_visual, num_layers, **settings)

    def check(self) -> None:
        """Raise ValueError on settings that are wrong whatever the model and the image."""
        if not self.pruned:
            return
        try:
            self.build(MANY_VISUAL, CHECK_DEPTH)
        except OutOfReachError:
            # On a model of another depth it may be within reach; if not, its rows will say so.
            logger.debug("%s cannot meet its budget at this depth.", self.title)

    def described(self) -> dict[str, Any]:
        """The fields of a row that say which method at which budget it is."""
        return {
            "method": self.method,
            "budget": 1.0 if self.budget is None else self.budget.share,
            "budget_kind": "final" if self.budget is None else self.budget.kind,
            "seed": self.seed,
            "settings": {name: value for name, value in self.settings},  # noqa: C416 - JSON
        }


def arms_of(
    methods: Sequence[str],
    budgets: Sequence[Budget],
    settings: Mapping[str, Any] | None = None,
    controls: bool = True,
    seeds: int = SEEDS,
) -> list[Arm]:
    """The unpruned run first, then methods and controls at every budget.

    Parameters
    ----------
    methods : sequence of str
        Registry names.
    budgets : sequence of Budget
        The same for all.
    settings : mapping, optional
        Further fields, of a single method.
    controls : bool
        Whether the random and the downsampled picture are asked as well.
    seeds : int
        Draws of the random control, from 1 to ``MAX_SEEDS``.

    Raises
    ------
    InputError
        On an empty or unknown choice, a budget given twice, or settings for several methods.
    """
    unknown = [name for name in methods if name not in METHODS]
    if not methods or unknown:
        wrong = f"Unknown method {unknown[0]!r}." if unknown else "Choose at least one method."
        raise InputError(f"{wrong} Methods: {', '.join(METHODS)}.")
    if not budgets or len(set(budgets)) < len(budgets):
        raise InputError("Give at least one budget, and none of them twice.")
    if settings and len(set(methods)) > 1:
        raise InputError("Settings go with a single method.")
    if not 1 <= seeds <= MAX_SEEDS:
        raise InputError(f"The number of seeds must be from 1 to {MAX_SEEDS}, not {seeds}.")
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in (settings or {}).items()}
    own = tuple(sorted(plain.items()))
    if own and SEEDED in methods and "seed" in dict(own):
        raise InputError("The seeds of the random control are its own; say how many.")
    names = dict.fromkeys([*methods, *((SEEDED, CONTROL) if controls else ())])
    found = [Arm()]
    for name in names:
        for budget in sorted(budgets, key=lambda one: -one.share):
            for seed in range(seeds) if name == SEEDED else (None,):
                found.append(Arm(name, budget, seed, own if name in methods else ()))
    return found


@dataclass(frozen=True)
class How:
    """What else decides about an answer, beside question and method.

    Attributes
    ----------
    model : str
        The model with its revision; see :func:`~pruneviz.evaluation.identity.identity_of`.
    dtype, newlines, positions : str
        As the model is run; positions may be empty, for each method's own.
    max_new_tokens : int
        Longest answer.
    version : str
        Of this package.
    """

    model: str
    dtype: str
    newlines: str
    positions: str
    max_new_tokens: int
    version: str


@dataclass(frozen=True)
class Task:
    """A question and what is still to be asked of it; small and picklable.

    Attributes
    ----------
    case : Case
        The question.
    arms : tuple of Arm
        Methods that have no row yet.
    ids : tuple of str
        The row of each.
    """

    case: Case
    arms: tuple[Arm, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Rows by their contents: the same again are the same rows, wherever they were asked.

    Attributes
    ----------
    cases : sequence of Case
        The questions.
    arms : sequence of Arm
        From :func:`arms_of`.
    how : How
        The rest.
    """

    cases: Sequence[Case]
    arms: Sequence[Arm]
    how: How
    _arm_keys: list[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Write what tells methods apart once."""
        object.__setattr__(self, "_arm_keys", [_plain(arm.described()) for arm in self.arms])

    def __len__(self) -> int:
        """Rows."""
        return len(self.cases) * len(self.arms)

    @cached_property
    def picture_keys(self) -> list[str]:
        """What tells the pictures of the questions apart: their content."""
        return [case.picture.digest() for case in self.cases]

    @cached_property
    def case_keys(self) -> list[str]:
        """What tells the questions apart: picture, words, and which of several such it is."""
        seen: Counter[str] = Counter()
        keys = []
        for case, picture in zip(self.cases, self.picture_keys, strict=True):
            key = _plain([picture, case.question])
            keys.append(f"{key} {seen[key]}")
            seen[key] += 1
        return keys

    def ids(self, number: int) -> list[str]:
        """The rows of a question, in the order of the arms."""
        how = _plain(vars(self.how))
        key = self.case_keys[number]
        texts = (f"{key}\n{arm}\n{how}" for arm in self._arm_keys)
        return [hashlib.sha256(text.encode()).hexdigest()[:24] for text in texts]

    def tasks(self, done: Collection[str]) -> Iterator[Task]:
        """What is left to be asked, question by question; `done` are ids of rows."""
        for number, case in enumerate(self.cases):
            ids = self.ids(number)
            left = [place for place, one in enumerate(ids) if one not in done]
            if left:
                arms = tuple(self.arms[place] for place in left)
                yield Task(case, arms, tuple(ids[place] for place in left))


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=list)
