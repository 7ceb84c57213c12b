"""All that an evaluation leaves in its folder beside the log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pruneviz.evaluation.drawing import kind_panels, panels
from pruneviz.evaluation.log import Row
from pruneviz.evaluation.plan import Plan
from pruneviz.evaluation.recommending import Recommendation, doubts, recommend
from pruneviz.evaluation.report import Facts, report
from pruneviz.evaluation.results import Results, collect, table
from pruneviz.evaluation.statistics import Entry, entries
from pruneviz.evaluation.tables import (
    kinds_csv,
    markdown,
    rows_csv,
    statistics_csv,
    write_parquet,
)
from pruneviz.render import evidence_figure, save_figure


def write_outcome(
    folder: Path, plan: Plan, rows: Mapping[str, Row], tolerance: float, title: str, command: str
) -> tuple[list[Path], list[Recommendation], list[str]]:
    """Write tables, figures, summary and report of the rows that are there.

    Parameters
    ----------
    folder : Path
        Of the log.
    plan : Plan
        What was asked; other rows of the log are left out.
    rows : mapping of str to Row
        By id.
    tolerance : float
        Loss of accuracy that is allowed, in (0, 1].
    title : str
        What the questions are called.
    command : str
        What repeats it.

    Returns
    -------
    files : list of Path
        Written.
    recommended : list of Recommendation
        Those that spend least first.
    problems : list of str
        What the reader must know, a sentence each.
    """
    results = collect(plan, rows)
    found, recommended = entries(results), recommend(results, tolerance)
    problems = [*problems_of(plan, rows, results), *doubts(results, recommended)]
    flat = table(plan, rows)
    texts = {
        "rows.csv": rows_csv(flat),
        "table.csv": statistics_csv(found),
        "kinds.csv": kinds_csv(found),
        "table.md": markdown(found),
        "summary.json": _json(summary(plan, found, recommended, problems, title, command)),
        "report.html": report(found, recommended, _facts(plan, title, command, problems)),
    }
    files = []
    for name, text in texts.items():
        files.append(folder / name)
        files[-1].write_text(text, encoding="utf-8")
    if write_parquet(flat, folder / "rows.parquet"):
        files.append(folder / "rows.parquet")
    else:
        problems.append("rows.parquet is not written: pyarrow is not installed.")
    return [*files, *_figures(folder, plan, found, title)], recommended, problems


def problems_of(plan: Plan, rows: Mapping[str, Row], results: Results) -> list[str]:
    """What went wrong with a run, a sentence each: rows that are missing or have an error."""
    there = sum(key in rows for number in range(len(plan.cases)) for key in plan.ids(number))
    problems = []
    if there < len(plan):
        problems.append(f"Only {there:,} of {len(plan):,} rows are there: the run was stopped.")
    failed = sum(group.failed for group in results.groups)
    if failed:
        told = list(dict.fromkeys(text for group in results.groups for text in group.errors))
        more = f" (and {len(told) - 3} others)" if len(told) > 3 else ""
        problems.append(f"{failed:,} rows have an error: {' '.join(told[:3])}{more}")
    return [*problems, *_silent(results)]


def _silent(results: Results) -> list[str]:
    """Methods without an answer at any budget, of which no recommendation can speak."""
    found = []
    for name in dict.fromkeys(group.method for group in results.pruned):
        own = [group for group in results.pruned if group.method == name]
        errors = [text for group in own for text in group.errors]
        if errors and all(np.isnan(group.right).all() for group in own):
            found.append(
                f"{own[0].arm.title} has no answer at any budget asked for, so nothing is said of "
                f"it: {errors[0]}"
            )
    return found


def summary(
    plan: Plan,
    found: Sequence[Entry],
    recommended: Sequence[Recommendation],
    problems: Sequence[str],
    title: str,
    command: str,
) -> dict[str, Any]:
    """All that ``summary.json`` holds, as plain values."""
    return {
        "data": title,
        "command": command,
        "questions": len(plan.cases),
        "rows": len(plan),
        "how": asdict(plan.how),
        "problems": list(problems),
        "recommended": [one.to_dict() for one in recommended],
        "entries": [one.to_dict() for one in found],
    }


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _facts(plan: Plan, title: str, command: str, problems: Sequence[str]) -> Facts:
    how = plan.how
    rules = ", ".join(dict.fromkeys(case.rule for case in plan.cases))
    lines = (
        f"{len(plan.cases):,} questions, {len(plan):,} rows, scored by: {rules}.",
        f"{how.dtype}, answers of at most {how.max_new_tokens} tokens, PruneViz {how.version}.",
    )
    return Facts(title, f"Model {how.model}", lines, command, tuple(problems))


def _figures(folder: Path, plan: Plan, found: Sequence[Entry], title: str) -> list[Path]:
    head = f"{title}: {len(plan.cases):,} questions, {plan.how.model}"
    caption = (
        "Accuracy with Wilson's 95 % interval (band); dashed: unpruned; grey: controls. What is "
        "spent is a share of the unpruned run's."
    )
    drawn = {"accuracy": panels(found), "kinds": kind_panels(found)}
    files = []
    for name, planned in drawn.items():
        # Of a run that was stopped some kinds may have no answer yet.
        several = [panel for panel in planned if panel.curves]
        if several:
            figure = evidence_figure(several, [head], caption)
            for suffix in ("pdf", "png"):
                files.append(folder / f"{name}.{suffix}")
                save_figure(figure, files[-1])
    return files
