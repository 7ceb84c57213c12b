"""What lmms-eval has written about runs of this backend."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruneviz.errors import InputError
from pruneviz.lmms import NAME
from pruneviz.lmms.asked import LONGEST
from pruneviz.lmms.chosen import Chosen, choose
from pruneviz.lmms.samples import Sample, parsed, samples_of, text_of
from pruneviz.lmms.spent import COSTS
from pruneviz.models.core.loading import EMBEDDED

RESULTS = "results.json"
LOADED = {
    "dtype": "auto", "quantisation": None, "newlines": "visual", "positions": None,
    "max_new_tokens": LONGEST,
}  # fmt: skip
"""Model arguments that make another model of it for a table, and their defaults."""
ASIDE = ("journal", "device")
"""Model arguments that change no score."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What a task came to.

    Attributes
    ----------
    path : Path
        The results it is from.
    date : str
        When these were begun; later ones sort behind.
    asked : dict
        What decides about questions and answers beside the method: limit, generation arguments.
    questions : int
        How many were asked.
    metrics : dict of str to float
        By name, in the task's order, of those where more is better.
    costs : dict of str to float
        Means over the questions, by the names of :data:`~pruneviz.lmms.spent.COSTS`.
    samples : dict of str to Sample
        By document; empty where the run logged none.
    """

    path: Path
    date: str
    asked: dict[str, Any]
    questions: int
    metrics: dict[str, float]
    costs: dict[str, float]
    samples: dict[str, Sample]


@dataclass(frozen=True, eq=False)
class Run:
    """One run of lmms-eval.

    Attributes
    ----------
    model : str
        Whose answers were scored, with how it was loaded.
    arguments : str
        The same as ``--model_args``.
    chosen : Chosen
        Method and budget.
    tasks : dict of str to Scores
        By task.
    """

    model: str
    arguments: str
    chosen: Chosen
    tasks: dict[str, Scores]

    @property
    def title(self) -> str:
        """Method and settings for people."""
        own = ", ".join(f"{name} {value}" for name, value in self.chosen.settings)
        return f"{self.chosen.title} ({own})" if own else self.chosen.title


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """Runs from their results files, or from all below a folder.

    Raises
    ------
    InputError
        If there is none, one is damaged, or not of this backend.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"There is no {str(path)!r}.")
        own = sorted(path.rglob(f"*{RESULTS}")) if path.is_dir() else [path]
        if not own:
            raise InputError(
                f"{str(path)!r} holds no results of lmms-eval (files that end in {RESULTS}). It "
                "writes them with --output_path, and none if a run failed."
            )
        found += own
    return [_read(path) for path in dict.fromkeys(path.resolve() for path in found)]


def _read(path: Path) -> Run:
    whole = parsed(text_of(path), path)
    try:
        config = whole["config"]
        backend, arguments = config["model"], arguments_of(config["model_args"])
        tasks = _tasks(whole, path)
    except InputError:
        raise  # it says more of a file beside this one
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path} is no results file of lmms-eval ({error!r}).") from error
    if backend != NAME:
        raise InputError(f"{path} is of --model {backend}, not of --model {NAME}.")
    model = str(arguments.pop("pretrained", EMBEDDED))
    loaded = {name: arguments.pop(name, usual) for name, usual in LOADED.items()}
    given = {name: value for name, value in loaded.items() if value != LOADED[name]}
    how = ", ".join(f"{name} {value}" for name, value in given.items())
    words = ",".join(f"{name}={value}" for name, value in {"pretrained": model, **given}.items())
    own = {name: value for name, value in arguments.items() if name not in ASIDE}
    try:
        chosen = choose(**own)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return Run(f"{model} ({how})" if how else model, words, chosen, tasks)


def _tasks(whole: Mapping[str, Any], path: Path) -> dict[str, Scores]:
    """What each task came to; groups of tasks are left out."""
    counts, measured = whole["n-samples"], whole.get("throughput") or {}
    asked = _asked(whole["config"])
    beside = path.name.removesuffix(RESULTS)
    return {
        name: Scores(
            path,
            date=str(whole.get("date", "")),
            asked=asked,
            questions=_questions(counts[name], asked["offset"]),
            metrics=_metrics(values, whole["higher_is_better"].get(name, {})),
            costs=_costs(measured, name),
            samples=samples_of(path.with_name(f"{beside}samples_{name}.jsonl")),
        )
        for name, values in whole["results"].items()
        if name in counts
    }


def _asked(config: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, in one form: no limit has two in lmms-eval, and no arguments too."""
    limit = config.get("limit")
    return {
        "limit": None if limit == -1 else limit,
        "offset": config.get("offset") or 0,
        "gen_kwargs": config.get("gen_kwargs") or "",
    }


def _questions(counts: Mapping[str, Any], offset: int) -> int:
    """How many were asked; lmms-eval does not take off those that its ``--offset`` left out."""
    return min(int(counts["effective"]), max(int(counts["original"]) - offset, 0))


def arguments_of(text: Any) -> dict[str, Any]:
    """Model arguments as lmms-eval was given them, by name."""
    if isinstance(text, Mapping):
        return dict(text)
    parts = (part.partition("=") for part in re.split(r",(?=\w+=)", str(text)) if part)
    return {name.strip(): _value(value.strip()) for name, _, value in parts}


def _value(text: str) -> Any:
    """A number or a truth value where it is one, else the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _metrics(values: Mapping[str, Any], better: Mapping[str, bool]) -> dict[str, float]:
    """Numbers of which more is better; lmms-eval writes ``name,filter``."""
    found: dict[str, float] = {}
    for key, value in values.items():
        name = key.partition(",")[0]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if better.get(name) and number and math.isfinite(value):
            found.setdefault(name, float(value))
    return found


def _costs(measured: Mapping[str, Any], task: str) -> dict[str, float]:
    keys = {name: f"avg_{task}/{name}" for name in COSTS.values()}
    return {name: float(measured[key]) for name, key in keys.items() if key in measured}


def order(runs: Sequence[Run]) -> list[Run]:
    """Model by model, the unpruned run first, then method by method from large budgets to small."""

    def place(run: Run) -> tuple[str, bool, str, float]:
        budget = run.chosen.budget.share if run.chosen.budget else run.chosen.keep_tokens or 0
        return run.model, run.chosen.pruned, run.title, -budget

    return sorted(runs, key=place)
