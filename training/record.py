"""Keep what was measured beside the weights, and write it into the model card."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pruneviz.models.core.knowledge import FILE, is_claimed
from training.evaluate import Score
from training.tokenizer import taught_words

TITLES = {
    "what": "what is this",
    "place": "what is at a place",
    "category": "which animal, food, …",
    "where": "where is X",
    "exists": "is there X",
    "count": "how many X",
    "total": "how many objects",
    "read": "digit or word on a card",
    "colour": "colour of a card",
    "relation": "what is next to X, left of X, …",
    "all": "all kinds together",
}
SET_TITLES = {
    "scenes": "new scenes",
    "small": "crowds of small things",
    "novel": "wordings never trained",
    "typos": "one letter wrong",
    "openmoji": "OpenMoji, a style never seen",
}


PRUNED = {"scenes": "pruning", "small": "small"}
"""Which table of the card the accuracy under pruning on a set goes to."""


def start_record(folder: Path) -> None:
    """Write the record of new weights: the words taught, nothing measured yet."""
    _write(folder, {"words": sorted(taught_words())})


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a model folder."""
    return dict(json.loads((folder / FILE).read_text(encoding="utf-8")))


def add_measurement(folder: Path, name: str, value: dict[str, Any]) -> None:
    """Put one measurement into the record and its table into the model card.

    Parameters
    ----------
    folder : Path
        The model's folder, with ``knowledge.json`` and ``README.md``.
    name : str
        ``accuracy`` or ``pruning``.
    value : dict
        What was measured, as :func:`accuracy_table` or :func:`pruning_table` reads it.
    """
    _write(folder, {**read_record(folder), name: value})
    card = folder / "README.md"
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = card.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{card} lacks the marks {begin.strip()} and {end}.")
    card.write_text(before + begin + TABLES[name](value) + end + after, encoding="utf-8")


def _percent(right: float, total: int) -> str:
    if not total:
        return "none asked"
    score = Score(right, total)
    low, high = score.interval
    return f"{100 * right / total:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def accuracy_table(value: dict[str, Any]) -> str:
    """Return the table of accuracies by kind in every set measured, claimed kinds in bold."""
    scenes, novel = value["scenes"], value["novel"]
    sets = [name for name in SET_TITLES if name in value]
    heads = " | ".join(SET_TITLES[name] for name in sets)
    lines = [f"| kind | {heads} |", f"| --- |{' --- |' * len(sets)}"]
    for kind in sorted(scenes, key=lambda k: (k == "all", -scenes[k][0] / scenes[k][1])):
        title = f"{TITLES[kind]} (`{kind}`)"
        right, asked = scenes[kind]
        others = novel.get(kind, (1, 1))
        claimed = kind != "all" and is_claimed(right / asked, others[0] / max(others[1], 1))
        first = f"**{title}**" if claimed else title
        cells = [_percent(*value[name].get(kind, (0, 0))) for name in sets]
        lines.append(f"| {first} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def pruning_table(value: dict[str, Any]) -> str:
    """Return the table of accuracy by method and keep ratio, a row for each way of positions."""
    rows = [row for row in value["rows"] if row["method"] != "unpruned"]
    whole = next(row for row in value["rows"] if row["method"] == "unpruned")
    ratios = sorted({row["keep_ratio"] for row in rows}, reverse=True)
    kinds = ", ".join(f"`{kind}`" for kind in value["kinds"])
    lines = [
        f"{whole['total']} questions of the kinds {kinds}, seed {value['seed']}: unpruned "
        f"{_percent(whole['right'], whole['total'])}. A star: not told from `random` by McNemar's "
        "exact test (p at least 0.05).",
        "",
        f"| method | positions | {' | '.join(f'{100 * r:g} %' for r in ratios)} |",
        f"| --- | --- |{' --- |' * len(ratios)}",
    ]
    keys = dict.fromkeys((row["method"], row["positions"]) for row in rows)
    for method, positions in keys:
        own = {
            r["keep_ratio"]: r for r in rows if (r["method"], r["positions"]) == (method, positions)
        }
        cells = [
            _percent(own[r]["right"], own[r]["total"]) + "*" * (own[r].get("p", 0) >= 0.05)
            for r in ratios
        ]
        lines.append(f"| {method} | {positions or 'as published'} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def depth_table(value: dict[str, Any]) -> str:
    """Return the table of accuracy by kind without visual tokens after a layer."""
    kinds = value["kinds"]
    last = len(next(iter(kinds.values())))
    lines = [
        f"| kind, of questions | {' | '.join(map(str, range(last)))} |",
        f"| --- |{' --- |' * last}",
    ]
    for kind, counts in kinds.items():
        cells = " | ".join(f"{100 * right / asked:.0f}" for right, asked in counts)
        lines.append(f"| `{kind}`, {counts[0][1]} | {cells} |")
    return "\n".join(lines) + "\n"


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "accuracy": accuracy_table,
    "pruning": pruning_table,
    "small": pruning_table,
    "depth": depth_table,
}


def _write(folder: Path, record: dict[str, Any]) -> None:
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")
