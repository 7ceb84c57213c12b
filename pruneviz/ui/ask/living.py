"""The answers at other budgets and beside chance, worked out behind a result. Knows no Gradio."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from pruneviz.engine import (
    Comparison,
    LiveAnswer,
    Prepared,
    Session,
    Settings,
    Shelf,
    final_count,
    ladder,
    live_answers,
    random_band,
    ticks,
    without_image,
)
from pruneviz.methods import Method, Pinned, stage_counts
from pruneviz.methods.registry import METHODS
from pruneviz.render.payload import pack
from pruneviz.ui.ask.asking import prepare
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.costs import summary
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import Held


@dataclass(frozen=True)
class Alive:
    """What was worked out so far; None leaves something as it is.

    Attributes
    ----------
    answers : dict or None
        For the browser: the answer at every budget tried, and where on the slider it breaks.
    chance : str or None
        Lines on the controls.
    """

    answers: dict[str, Any] | None = None
    chance: str | None = None


def live(shelf: Shelf, held: Held | None, wanted: bool) -> Generator[Alive]:
    """Work out what belongs to the result that is shown; closing the generator stops.

    Nothing is said where nothing is `wanted`, or there is no result.
    """
    if held is None or not wanted:
        yield Alive(None, None if wanted else "")
        return
    shown = held.shown
    yield from on_model(
        shelf,
        shown.model,
        lambda session: behind(session, shown.question, shown.done),
        _said,
        in_line=False,  # a new question need not wait for what stands around the old one
    )


def _said(line: str) -> Alive:
    return Alive(chance=line)


def behind(session: Session, question: Question, done: Comparison) -> Generator[Alive]:
    """Answers around a finished run on a session's model, then its controls."""
    prepared, method = prepare(session, question)
    settings = Settings(max_new_tokens=int(question.max_new_tokens), signals=False)

    def build(ratio: float) -> Method:
        made = methods.make(question.method, ratio, session.num_layers, question.options)
        return question.pins.on(session.resolved(made), prepared.picture)

    rungs = ladder(build, prepared.grid.num_tokens)
    found: list[LiveAnswer] = []
    around = question.keep_percent / 100
    with closing(live_answers(session, prepared, rungs, around, settings)) as answers:
        for answer in answers:
            found.append(answer)
            yield Alive(payload(question, done, found, rungs))
    yield from _beside(session, prepared, method, settings, done)


def payload(
    question: Question,
    done: Comparison,
    found: Sequence[LiveAnswer],
    rungs: Sequence[tuple[float, Method]],
) -> dict[str, Any]:
    """What the browser looks up while the slider moves, of those of the rungs that have run."""
    total = done.grid.num_tokens
    where = ticks(found, total) if len(found) == len(rungs) else None
    # What the slider stands for: the method's own number, whatever the pins make of it.
    own = {ratio: stage_counts(Pinned.of(method).method, total)[-1] for ratio, method in rungs}
    return {
        "method": METHODS[question.method].title,
        "total": total,
        "single": len(done.pruned.trace.stages) == 1,
        "baseline": done.baseline.text,
        "rows": [_row(one, own[one.ratio]) for one in sorted(found, key=lambda one: one.ratio)],
        "same": None if where is None else 100 * where.same_from,
        "breaks": None if where is None or where.breaks_at is None else 100 * where.breaks_at,
    }


def _row(answer: LiveAnswer, budget: int) -> dict[str, Any]:
    trace = answer.comparison.pruned.trace
    mask = np.zeros(trace.num_visual, dtype=bool)
    mask[list(trace.kept)] = True
    merged = any(stage.into is not None or stage.extra for stage in trace.stages)
    return {
        "percent": 100 * answer.ratio,
        "kept": answer.kept,
        "budget": budget,
        "text": answer.text,
        "same": answer.same,
        "cost": summary(answer.comparison),
        "mask": None if merged else pack(np.packbits(mask), "u1"),
    }


def _beside(
    session: Session, prepared: Prepared, method: Method, settings: Settings, done: Comparison
) -> Iterator[Alive]:
    blind = without_image(session, prepared, settings)
    same = "the same answer: the picture is not needed" if blind.same else "another answer"
    lines = [("No image at all", f"“{blind.text}”, {same}.")]
    yield Alive(chance=chance_html(lines))
    kept = min(final_count(done), prepared.grid.num_tokens)
    if done.fidelity is None or kept < 1:
        return
    with closing(random_band(session, prepared, kept, settings=settings)) as bands:
        for band in bands:
            said = band.sentence(done.fidelity, method.title)
            yield Alive(chance=chance_html([*lines, (f"Random, {len(band.draws)} draws", said)]))


def chance_html(lines: Sequence[tuple[str, str]]) -> str:
    """The controls' results, a line each."""
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in lines
    )
    return f'<dl class="pv-chance" aria-label="Controls">{rows}</dl>'
