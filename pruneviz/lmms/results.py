"""What lmms-eval has written about runs of this backend."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pruneviz.errors import InputError
from pruneviz.lmms import NAME
from pruneviz.lmms.chosen import Chosen, choose
from pruneviz.lmms.spent import COSTS
from pruneviz.models.core.loading import EMBEDDED

RESULTS = "results.json"
BACKEND = ("dtype", "quantisation", "newlines", "positions", "max_new_tokens", "journal")
"""Model arguments that are no setting of the method."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What a task came to.

    Attributes
    ----------
    questions : int
        How many were asked.
    metrics : dict of str to float
        By name, in the task's order, of those where more is better.
    costs : dict of str to float
        Means over the questions, by the names of :data:`~pruneviz.lmms.spent.COSTS`.
    samples : dict of str to dict
        Score of each document by metric; empty where the run logged none.
    """

    questions: int
    metrics: dict[str, float]
    costs: dict[str, float]
    samples: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Run:
    """One run of lmms-eval.

    Attributes
    ----------
    path : Path
        Its results.
    model : str
        Whose answers were scored, with how it was loaded.
    chosen : Chosen
        Method and budget.
    asked : dict
        What decides about questions and answers beside the method: limit, generation arguments.
    tasks : dict of str to Scores
        By task.
    """

    path: Path
    model: str
    chosen: Chosen
    asked: dict[str, Any]
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
    whole = _json(path)
    try:
        config = whole["config"]
        backend, arguments = config["model"], arguments_of(config["model_args"])
        asked = {name: config.get(name) for name in ("limit", "offset", "gen_kwargs")}
        tasks = _tasks(whole, path)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path.name} is no results file of lmms-eval ({error}).") from error
    if backend != NAME:
        raise InputError(f"{path.name} is of --model {backend}, not of --model {NAME}.")
    model = str(arguments.pop("pretrained", EMBEDDED))
    loaded = {name: arguments.pop(name) for name in BACKEND if name in arguments}
    loaded.pop("journal", None)
    how = ", ".join(f"{name} {value}" for name, value in loaded.items())
    return Run(path, f"{model} ({how})" if how else model, choose(**arguments), asked, tasks)


def _tasks(whole: Mapping[str, Any], path: Path) -> dict[str, Scores]:
    """What each task came to; groups of tasks are left out."""
    counts, measured = whole["n-samples"], whole.get("throughput") or {}
    return {
        name: Scores(
            questions=int(counts[name]["effective"]),
            metrics=_metrics(values, whole["higher_is_better"].get(name, {})),
            costs=_costs(measured, name),
            samples=_samples(path, name),
        )
        for name, values in whole["results"].items()
        if name in counts
    }


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
        if better.get(name) and number:
            found.setdefault(name, float(value))
    return found


def _costs(measured: Mapping[str, Any], task: str) -> dict[str, float]:
    keys = {name: f"avg_{task}/{name}" for name in COSTS.values()}
    return {name: float(measured[key]) for name, key in keys.items() if key in measured}


def _samples(path: Path, task: str) -> dict[str, dict[str, float]]:
    """Scores of single documents, which the run left beside its results if it was asked to."""
    beside = path.with_name(path.name.replace(RESULTS, f"samples_{task}.jsonl"))
    if not beside.exists() or beside == path:
        return {}
    found = {}
    for line in beside.read_text(encoding="utf-8").splitlines():
        sample = _parsed(line, beside)
        found[str(sample.get("doc_id"))] = _numbers(sample)
    return found


def _numbers(sample: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of a document: numbers, or records with a score."""
    scored = {
        name: value.get("score") if isinstance(value, Mapping) else value
        for name, value in sample.items()
    }
    return {
        name: float(value)
        for name, value in scored.items()
        if isinstance(value, int | float) and name != "doc_id"
    }


def _json(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}.") from error
    return _parsed(text, path)


def _parsed(text: str, path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path.name} is damaged: {error}.") from error
    if not isinstance(found, Mapping):
        raise InputError(f"{path.name} is no results file of lmms-eval.")
    return found


def order(runs: Sequence[Run]) -> list[Run]:
    """Model by model, the unpruned run first, then method by method from large budgets to small."""

    def place(run: Run) -> tuple[str, bool, str, float]:
        budget = run.chosen.budget.share if run.chosen.budget else run.chosen.keep_tokens or 0
        return run.model, run.chosen.pruned, run.title, -budget

    return sorted(runs, key=place)
