"""Run several methods and describe, step by step, what the Compare tab shows. Knows no Gradio."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from pruneviz.engine import Budget, Prepared, Session, SideBySide, compare_many
from pruneviz.engine.against import with_known_map
from pruneviz.engine.budgets import KINDS, Kind
from pruneviz.errors import InputError
from pruneviz.exports import compared
from pruneviz.render import panels_payload
from pruneviz.ui.compare.mattering import bar
from pruneviz.ui.compare.measures import columns
from pruneviz.ui.compare.panels import card
from pruneviz.ui.shared.encoding import REFRESH, beginning, encode
from pruneviz.ui.shared.failures import guarded
from pruneviz.ui.shared.runs import Run, read_methods
from pruneviz.ui.shared.status import status_html

MATTERS = "--matters"
"""The command's option that measures what matters as well."""


@dataclass(frozen=True)
class Wanted:
    """What a person has set.

    Attributes
    ----------
    image, text : str or None, str
        Path of the picture, and the question.
    methods : sequence of str
        Registry names.
    percent : float
        The budget.
    kind : {"final", "compute"}
        What it counts.
    """

    image: str | None
    text: str
    methods: Sequence[str]
    percent: float
    kind: Kind = "final"


@dataclass(frozen=True)
class CompareScreen:
    """New content of the tab's outputs; None leaves one as it is."""

    status: str | None = None
    view: dict[str, Any] | None = None
    run: Run | None = None


def compare(session: Session, wanted: Wanted) -> Generator[CompareScreen]:
    """Run the methods, as a stream of screens; closing the generator stops the run."""
    yield from guarded(_compare(session, wanted), CompareScreen)


def _compare(session: Session, wanted: Wanted) -> Iterator[CompareScreen]:
    yield CompareScreen(status=beginning(session))
    if not isinstance(wanted.percent, int | float):
        raise InputError("Set the budget: a number above 0 and up to 100.")
    budget = Budget(wanted.percent / 100, wanted.kind)
    prepared = encode(session, wanted.image, wanted.text)
    shown = 0.0
    with closing(compare_many(session, prepared, wanted.methods or [], budget)) as events:
        for event in events:
            if event.kind == "done" and event.result is not None:
                result = with_known_map(session, prepared, event.result)
                view, line = payload(session, prepared, result), verdict(result)
                run = remembered(session, prepared, wanted, result)
                yield CompareScreen(status_html(line, "done", prepared.hints), view, run)
            elif event.result is not None:
                yield CompareScreen(view=payload(session, prepared, event.result))
            elif time.monotonic() - shown > REFRESH:
                shown = time.monotonic()
                yield CompareScreen(status=status_html(event.text, "busy"))


def remembered(session: Session, prepared: Prepared, wanted: Wanted, result: SideBySide) -> Run:
    """The result with what a link and a command need to have it again."""
    names = [outcome.name for outcome in result.outcomes]
    option = "--keep-ratio" if wanted.kind == "final" else "--equal-compute"
    methods = [word for name in names for word in ("--method", name)]
    run = Run.of(
        prepared,
        tab="compare",
        asked=wanted.image,
        link={"methods": ",".join(names), "budget": f"{wanted.percent:g}", "kind": wanted.kind},
        arguments=(*methods, option, f"{result.budget.share:g}"),
        result=result,
        model=session.loaded.name,
        write=compared.write,
    )
    return with_result(run, result)


def with_result(run: Run, result: SideBySide) -> Run:
    """A run with another result of the same methods; the command measures what it did."""
    arguments = tuple(word for word in run.arguments if word != MATTERS)
    measured = () if result.effects is None else (MATTERS,)
    return replace(run, result=result, arguments=(*arguments, *measured))


def restored(values: Mapping[str, str]) -> tuple[list[str] | None, Kind | None, float | None]:
    """Methods, kind of budget and percent that a link sets; None is left as it is."""
    kind = next((known for known in KINDS if known == values.get("kind")), None)
    try:
        percent = float(values.get("budget", ""))
    except ValueError:
        percent = math.nan
    return read_methods(values.get("methods")), kind, percent if 1 <= percent <= 100 else None


def verdict(result: SideBySide) -> str:
    """The outcome in one sentence."""
    ran = [(o.title, o.comparison) for o in result.outcomes if o.comparison is not None]
    if not ran:
        return "No method can meet this budget; each card says why."
    same = [title for title, done in ran if done.fidelity and done.fidelity.exact_match]
    others = [title for title, _ in ran if title not in same]
    names = f": {', '.join(same)}" if same else ""
    if 0 < len(others) < len(same):
        names = f"; not {', '.join(others)}"
    left = len(result.outcomes) - len(ran)
    rest = f" {left} cannot meet this budget." if left else ""
    return f"Done: {len(same)} of {len(ran)} methods give the baseline's answer{names}.{rest}"


def payload(session: Session, prepared: Prepared, result: SideBySide) -> dict[str, Any]:
    """What the tab's canvas draws, the cards' text included."""
    titles = {outcome.name: outcome.title for outcome in result.outcomes}
    return {
        **panels_payload(
            prepared.image,
            prepared.grid,
            [card(outcome, result, session.num_layers) for outcome in result.outcomes],
            result.agreement,
            [titles[name] for name in result.overlap_names],
            result.overlaps,
            [titles[name] for name in result.merged_names],
        ),
        "measures": columns(result),
        "against": bar(result, prepared.grid),
        "kind": result.budget.kind,
        "percent": 100 * result.budget.share,
        "baseline": None if result.baseline is None else result.baseline.text,
    }
