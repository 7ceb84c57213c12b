"""Merged runs as files: CSV with everything, and a table for people in Markdown and HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from pruneviz.evaluation.report import html_page, wide_table
from pruneviz.evaluation.tables import p_value
from pruneviz.evaluation.wording import percent
from pruneviz.lmms.merged import Cell, Line

COLUMNS = (
    "model", "method", "budget", "budget_kind", "settings", "task", "metric", "score", "questions",
    "share", "lost", "won", "p", "tokens", "layer_average", "flops", "flops_share", "mean_share",
    "results",
)  # fmt: skip
COSTS = ("Tokens", "Layer average", "FLOPs", "Mean share")
NOTES = (
    "Scores are lmms-eval's own, fractions in per cent. In brackets the share of the unpruned "
    "score (none where that is 0); mean share is its mean over the tasks, as papers report it.",
    "Lost, won: questions scored lower and higher than without pruning, with the p-value of the "
    "exact sign test (McNemar's where answers are right or wrong). Runs without --log_samples have "
    "none of these.",
    "Tokens: visual tokens left after the last stage; layer average: per decoder layer; FLOPs: "
    "true ones of the prompt, vision encoder and choosing included, as a share of the unpruned "
    "run's.",
)


def write_merged(
    folder: Path, lines: Sequence[Line], problems: Sequence[str], command: str
) -> tuple[list[Path], str]:
    """Write all files; returns them and the Markdown table."""
    folder.mkdir(parents=True, exist_ok=True)
    table = markdown(lines)
    texts = {
        "benchmarks.csv": _csv(lines),
        "benchmarks.md": table,
        "benchmarks.json": json.dumps(
            {"command": command, "problems": list(problems), "rows": _records(lines)},
            indent=2, ensure_ascii=False,
        ) + "\n",
        "benchmarks.html": _html(lines, problems, command),
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts], table


def markdown(lines: Sequence[Line]) -> str:
    """The table in Markdown."""
    head, body = _table(lines)
    rows = [head, ["---", "---", *["---:"] * (len(head) - 2)], *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _table(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    tasks = list(dict.fromkeys(task for line in lines for task in line.cells))
    parts = _in_parts(lines)
    most = max(map(_compared, lines), default=0)
    several = len({line.run.model for line in lines}) > 1
    body = [
        [
            f"{line.run.title}, {line.run.model}" if several else line.run.title,
            _budget(line),
            _number(line.tokens),
            _number(line.layer_average),
            _share(line.flops_share),
            _mean_share(line, most),
            *(_cell(line.cells.get(task), task in parts) for task in tasks),
        ]
        for line in lines
    ]
    # The tasks come last: with some of them the table is wider than a screen.
    return ["Method", "Budget", *COSTS, *(_head(lines, task) for task in tasks)], body


def _in_parts(lines: Sequence[Line]) -> set[str]:
    """Tasks whose score is a fraction of 1, as none of MME's is."""
    best: dict[str, float] = {}
    for line in lines:
        for task, cell in line.cells.items():
            best[task] = max(best.get(task, 0.0), cell.score)
    return {task for task, value in best.items() if value <= 1.0}


def _head(lines: Sequence[Line], task: str) -> str:
    cell = next(line.cells[task] for line in lines if task in line.cells)
    return f"{task}, {cell.metric} ({cell.questions:,})"


def _cell(cell: Cell | None, part: bool) -> str:
    if cell is None:
        return ""
    told = f"{100 * cell.score:.1f}" if part else f"{cell.score:.1f}"
    if cell.share is not None:
        told += f" ({percent(cell.share)})"
    if cell.lost is not None and cell.p is not None:
        told += f", lost {cell.lost}, won {cell.won}, p {p_value(cell.p)}"
    return told


def _budget(line: Line) -> str:
    chosen = line.run.chosen
    if not chosen.pruned:
        return ""
    if chosen.keep_tokens is not None:
        return f"{chosen.keep_tokens} tokens"
    if chosen.budget is None:
        return "its own"
    of = "" if chosen.budget.kind == "final" else " per layer"
    return f"{percent(chosen.budget.share)}{of}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _compared(line: Line) -> int:
    """On how many tasks a line is set against the unpruned one."""
    return sum(cell.share is not None for cell in line.cells.values())


def _mean_share(line: Line, most: int) -> str:
    """With the number of tasks where it is of fewer than others."""
    number = _compared(line)
    fewer = f" ({number} of {most} tasks)" if 0 < number < most else ""
    return f"{_share(line.mean_share)}{fewer}"


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)


def _html(lines: Sequence[Line], problems: Sequence[str], command: str) -> str:
    head, body = _table(lines)
    models = ", ".join(dict.fromkeys(line.run.model for line in lines))
    parts = [
        "<h1>Official benchmarks, pruned and not</h1>",
        f'<p class="soft">{escape(models)}. Scored by lmms-eval.</p>',
        *(f'<p class="answer">{escape(text)}</p>' for text in problems),
        wide_table(head, body),
        f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in NOTES)}</ul>",
        "<h2>Repeat it</h2>",
        f"<pre>{escape(command)}</pre>",
    ]
    return html_page("Official benchmarks, pruned and not", parts)


def _records(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """A record for each method, budget and task."""
    return [
        {
            "model": line.run.model,
            **_described(line),
            "task": task,
            **asdict(cell),
            "tokens": line.run.tasks[task].costs.get("visual_tokens_kept"),
            "layer_average": line.run.tasks[task].costs.get("layer_average"),
            "flops": line.run.tasks[task].costs.get("flops"),
            "flops_share": line.flops_share,
            "mean_share": line.mean_share,
            "results": line.run.tasks[task].path.name,
        }
        for line in lines
        for task, cell in line.cells.items()
    ]


def _described(line: Line) -> dict[str, Any]:
    chosen = line.run.chosen
    own = chosen.described()
    budget = chosen.keep_tokens if chosen.keep_tokens is not None else own["budget"]
    settings = own["settings"]
    return {
        "method": chosen.method,
        "budget": budget,
        "budget_kind": own["budget_kind"],
        "settings": json.dumps(settings) if settings else "",
    }


def _csv(lines: Sequence[Line]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_records(lines))
    return text.getvalue()
