"""Results as tables: rows, statistics and kinds, in CSV, Markdown and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pruneviz.evaluation.log import Row
from pruneviz.evaluation.recommending import Recommendation
from pruneviz.evaluation.statistics import Entry
from pruneviz.evaluation.wording import percent

COLUMNS = (
    "method", "title", "budget", "budget_kind", "questions", "accuracy", "low", "high", "lost",
    "won", "p_unpruned", "p_random", "agreement", "share", "mean_share", "hard_questions",
    "hard_accuracy", "hard_unpruned", "tokens", "tokens_share", "layer_average", "layer_share",
    "flops", "flops_share", "pareto", "seeds", "errors",
)  # fmt: skip
KIND_COLUMNS = ("method", "budget", "kind", "questions", "accuracy", "low", "high")
HEAD = (
    "Method", "Budget", "Accuracy [95 %]", "Lost / won", "p unpruned", "p random", "Agreement",
    "Mean share", "Hard", "Tokens", "Layer average", "FLOPs",
)  # fmt: skip


def rows_csv(rows: Sequence[Row]) -> str:
    """All rows; lists and settings as JSON."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def write_parquet(rows: Sequence[Row], path: Path) -> bool:
    """All rows as Parquet; False where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        return False
    import pyarrow
    from pyarrow import parquet

    # An empty object has no type there.
    plain = [{**row, "settings": json.dumps(row["settings"])} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(plain), path)
    return True


def statistics_csv(entries: Sequence[Entry]) -> str:
    """A line for every method at every budget."""
    return _csv(COLUMNS, [_line(one) for one in entries])


def kinds_csv(entries: Sequence[Entry]) -> str:
    """A line for every method, budget and kind."""
    lines = [
        (one.method, one.budget, kind, share.questions, share.value, share.low, share.high)
        for one in entries
        for kind, share in one.by_kind.items()
    ]
    return _csv(KIND_COLUMNS, lines)


def markdown(entries: Sequence[Entry]) -> str:
    """The statistics for people, as a table in Markdown."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * 2}{'---:|' * (len(HEAD) - 2)}"]
    lines += [f"| {' | '.join(cells(one))} |" for one in entries]
    return "\n".join(lines) + "\n"


def cells(one: Entry) -> list[str]:
    """An entry in words, a cell for each of ``HEAD``."""
    budget = "" if one.method == "none" else percent(one.budget)
    budget += " compute" if one.budget_kind == "compute" else ""
    accuracy, pair, random = one.accuracy, one.against_unpruned, one.against_random
    seeds = f" (mean of {one.seeds} seeds)" if one.seeds > 1 else ""
    hard = f"{100 * one.hard.value:.1f} of {one.hard.questions}" if one.hard.questions else ""
    return [
        f"{one.title}{seeds}{' *' if one.pareto else ''}",
        budget,
        f"{100 * accuracy.value:.1f} [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}]"
        if accuracy.questions
        else "no answer",
        f"{pair.lost:.3g} / {pair.won:.3g}" if pair else "",
        p_value(pair.p) if pair else "",
        p_value(random.p) if random else "",
        _known(one.agreement.value, lambda share: f"{100 * share:.1f}"),
        _known(one.mean_share, lambda share: f"{100 * share:.1f}"),
        hard,
        _known(one.tokens, "{:.4g}".format),
        _known(one.layer_average, "{:.4g}".format),
        _known(one.flops_share, percent),
    ]


def _known(value: float, written: Callable[[float], str]) -> str:
    """Empty where there was no answer to take it of."""
    return "" if value != value else written(value)


def independence(recommended: Sequence[Recommendation]) -> str:
    """What the questions of one picture have in common, for below the statistics."""
    told = "Wilson's intervals and McNemar's tests take the questions as independent"
    if not recommended:
        return f"{told}."
    first, effects = recommended[0], [one.design_effect for one in recommended]
    if first.pictures == first.questions:
        return f"{told}; each of them has a picture of its own."
    least, most = f"{min(effects):.2g}", f"{max(effects):.2g}"
    found = least if least == most else f"{least} to {most}"
    return (
        f"{told}, but these {first.questions:,} are about {first.pictures:,} "
        f"picture{'s'[: first.pictures > 1]}: the design effect of the loss is {found} (1 were "
        "independent). The recommendations take it into account: intervals of the loss, resamples "
        "and numbers of questions needed go by the picture."
    )


def p_value(p: float) -> str:
    """To two digits."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _line(one: Entry) -> tuple[Any, ...]:
    pair, random = one.against_unpruned, one.against_random
    return (
        one.method, one.title, one.budget, one.budget_kind, one.accuracy.questions,
        one.accuracy.value, one.accuracy.low, one.accuracy.high,
        *((pair.lost, pair.won, pair.p) if pair else ("", "", "")),
        random.p if random else "",
        one.agreement.value, one.share, one.mean_share, one.hard.questions, one.hard.value,
        one.hard_unpruned.value, one.tokens, one.tokens_share, one.layer_average, one.layer_share,
        one.flops, one.flops_share, str(one.pareto).lower(), one.seeds, one.errors,
    )  # fmt: skip


def _csv(columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    # NaN, where there is nothing to take a share of, is an empty cell.
    writer.writerows(["" if cell != cell else cell for cell in line] for line in lines)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
