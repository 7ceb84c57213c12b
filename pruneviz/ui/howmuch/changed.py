"""Which questions a method lost or won at a budget, and asking one of them again in the Ask tab."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pruneviz.errors import InputError
from pruneviz.evaluation import Group
from pruneviz.evaluation.log import Row
from pruneviz.evaluation.wording import percent
from pruneviz.ui.howmuch.outcome import Outcome
from pruneviz.ui.howmuch.payload import ALL
from pruneviz.ui.shared.question import Question

SIDE = 96
"""Longer side of a thumbnail, in pixels; drawn at half of that."""
MOST = 48
"""Questions shown of each sort."""


def changed(outcome: Outcome, data: Any) -> dict[str, Any] | None:
    """What the list shows for a point of the plot; None where the browser sent nonsense.

    `data` names a method, a budget and a slice.
    """
    picked = _group(outcome, data)
    if picked is None:
        return None
    group, share = picked
    lost, won = outcome.results.changed(group)
    kind = str(data.get("slice") or ALL)
    if kind.startswith("kind:"):
        named = kind.removeprefix("kind:")
        lost, won = ([n for n in some if outcome.results.kinds[n] == named] for some in (lost, won))
    where = f" ({kind.removeprefix('kind:')})" if kind.startswith("kind:") else ""
    compute = " compute" if group.budget and group.budget.kind == "compute" else ""
    draws = len(group.right)
    # The plot's counts are means over the draws.
    rule = f" in more than half of the {draws} draws" if draws > 1 else ""
    return {
        "title": f"{group.arm.title} at {percent(share)}{compute}{where}",
        "method": group.method,
        "budget": share,
        "lists": [
            _list(outcome, group, "Lost", f"right without pruning, wrong with it{rule}", lost),
            _list(outcome, group, "Won", f"wrong without pruning, right with it{rule}", won),
        ],
    }


def _list(
    outcome: Outcome, group: Group, title: str, note: str, numbers: Sequence[int]
) -> dict[str, Any]:
    more = len(numbers) - MOST
    return {
        "title": f"{title}: {len(numbers):,}",
        "note": note + (f"; the first {MOST} are shown, all are in rows.csv" if more > 0 else ""),
        "items": [_item(outcome, group, number) for number in numbers[:MOST]],
    }


def _item(outcome: Outcome, group: Group, number: int) -> dict[str, Any]:
    case = outcome.plan.cases[number]
    said = [row["answer"] for _, row in _rows(outcome, group, number)]
    accepted = list(dict.fromkeys(case.truth.answers))
    return {
        "number": number,
        "question": case.question,
        "kind": case.kind,
        "thumb": _thumb(outcome, number),
        "unpruned": _answer(outcome.rows[outcome.ids[number][0]]["answer"]),
        "pruned": " / ".join(dict.fromkeys(map(_answer, said))),
        "truth": " or ".join(accepted[:4]) + (" …" if len(accepted) > 4 else ""),
    }


def _answer(text: str | None) -> str:
    return "(no answer)" if text is None else text or "(empty answer)"


def _rows(outcome: Outcome, group: Group, number: int) -> list[tuple[int | None, Row]]:
    """The rows of a question under a method at a budget, with their seeds."""
    keys = outcome.ids[number]
    return [
        (arm.seed, outcome.rows[key])
        for arm, key in zip(outcome.plan.arms, keys, strict=True)
        if arm.method == group.method and arm.budget == group.budget and key in outcome.rows
    ]


def _thumb(outcome: Outcome, number: int) -> str:
    try:
        image = outcome.plan.cases[number].picture.read()
    except InputError:
        return ""  # deleted meanwhile; the words are still worth reading
    image.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")


def _group(outcome: Outcome, data: Any) -> tuple[Group, float] | None:
    try:
        share = float(data["budget"])
        group = outcome.group(str(data["method"]), share)
    except (KeyError, TypeError, ValueError):
        return None
    return None if group is None else (group, share)


def opened(outcome: Outcome, data: Any, num_layers: int, folder: Path) -> Question | None:
    """A question of the list as the Ask tab asks it; None where the browser sent nonsense.

    Parameters
    ----------
    outcome : Outcome
        Of the run.
    data : Any
        Names a method, a budget and a question by its number.
    num_layers : int
        Decoder layers of the model.
    folder : Path
        Where the picture is written.

    Raises
    ------
    InputError
        If the picture cannot be read.
    """
    picked = _group(outcome, data)
    try:
        number = int(data["number"])
        case = outcome.plan.cases[number] if number >= 0 else None
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if picked is None or case is None:
        return None
    group, _ = picked
    rows = _rows(outcome, group, number)
    if not rows or rows[0][1]["error"]:
        return None
    # Of several draws one that went wrong: the others have nothing to show.
    seed = next((seed for seed, row in rows if not row["correct"]), rows[0][0])
    method = group.arm.build(int(rows[0][1]["visual"]), num_layers)
    path = folder / f"question-{number + 1}.png"
    folder.mkdir(parents=True, exist_ok=True)
    case.picture.read().save(path)
    options = {} if seed is None else {"seed": seed}
    kept = 100 * (method.keep_ratio or 1.0)
    return Question(str(path), case.question, group.method, kept, options=options)
