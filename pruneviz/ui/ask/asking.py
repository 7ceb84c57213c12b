"""Run a question and describe, step by step, what the page should show. Knows no Gradio."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pruneviz.engine import Comparison, Prepared, Session, Settings
from pruneviz.errors import InputError
from pruneviz.methods.base import Method
from pruneviz.render import view_payload
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.answers import answer_card, waiting_card
from pruneviz.ui.shared.costs import cost_html, summary_html
from pruneviz.ui.shared.encoding import REFRESH, beginning, encode, is_small
from pruneviz.ui.shared.failures import guarded
from pruneviz.ui.shared.fidelity import fidelity_html
from pruneviz.ui.shared.numbers import percent
from pruneviz.ui.shared.pins import for_canvas, pins_of
from pruneviz.ui.shared.previews import previews
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import Shown
from pruneviz.ui.shared.status import status_html


@dataclass(frozen=True)
class Screen:
    """New content of the page's outputs; None leaves one as it is."""

    status: str | None = None
    baseline: str | None = None
    pruned: str | None = None
    summary: str | None = None
    fidelity: str | None = None
    view: dict[str, Any] | None = None
    cost: str | None = None
    timing: str | None = None
    shown: Shown | None = None


def ask(session: Session, question: Question) -> Generator[Screen]:
    """Answer a question with and without pruning, as a stream of screens.

    Closing the generator stops the run. Errors meant for the person become a screen.
    """
    yield from guarded(_ask(session, question), said)


def said(line: str) -> Screen:
    """A screen that changes nothing but the status line."""
    return Screen(status=line)


def prepare(session: Session, question: Question) -> tuple[Prepared, Method]:
    """Check and encode what was asked.

    Raises
    ------
    InputError, ValueError
        With a message for the person.
    """
    if not isinstance(question.keep_percent, int | float):
        raise InputError("Set the keep ratio: a number above 0 and up to 100.")
    method = methods.make(
        question.method, question.keep_percent / 100, session.num_layers, question.options
    )
    prepared = encode(session, question.image, question.text)
    return prepared, question.pins.on(session.resolved(method), prepared.picture)


def _ask(session: Session, question: Question) -> Iterator[Screen]:
    yield Screen(status=beginning(session))
    prepared, method = prepare(session, question)
    # Only now: what cannot be asked leaves the last result as it is.
    yield Screen(baseline=waiting_card("Baseline"), pruned=waiting_card(method.title))
    shown = 0.0
    settings = Settings(max_new_tokens=int(question.max_new_tokens))
    total = prepared.grid.num_tokens
    heads = {"baseline": ("Baseline", f"all {total} patches"), "pruned": (method.title, "")}
    with closing(session.ask(prepared, method, settings)) as events:
        for event in events:
            if event.comparison is not None:
                yield finished(session, question, prepared, method, event.comparison)
            elif event.kind == "status":
                yield Screen(status=status_html(event.text, "busy"))
            elif event.answer is not None or time.monotonic() - shown > REFRESH:
                shown = time.monotonic()
                card = answer_card(*heads[event.kind], event.text, running=event.answer is None)
                yield Screen(baseline=card) if event.kind == "baseline" else Screen(pruned=card)


def finished(
    session: Session, question: Question, prepared: Prepared, method: Method, done: Comparison
) -> Screen:
    """The whole result."""
    total, left = done.grid.num_tokens, len(done.pruned.trace.kept)
    same = done.fidelity is not None and done.fidelity.exact_match
    share = percent(left, total)
    verdict = "same answer" if same else "different answer"
    if done.fidelity is None:
        verdict = "stopped early"
    return Screen(
        status=status_html(
            f"Done: {done.pruned.label} kept {left} of {total} patches ({share}), {verdict}.",
            "done",
            done.hints,
        ),
        baseline=answer_card("Baseline", f"all {total} patches", done.baseline.text),
        pruned=answer_card(
            done.pruned.label,
            f"{left} of {total} patches",
            done.pruned.text,
            same=None if done.fidelity is None else same,
        ),
        summary=summary_html(done),
        fidelity=fidelity_html(done),
        view=view_payload(
            prepared.image,
            done.grid,
            done.baseline.trace,
            done.pruned.trace,
            terms=method.terms,
            scored_by=method.scored_by,
        )
        | for_canvas(method, prepared.picture, total)
        | {
            "percent": question.keep_percent,
            "previews": previews(method, question.options, total, session.num_layers),
        },
        cost=cost_html(done, small=is_small(session)),
        # What was said of the measuring of another result.
        timing="",
        shown=Shown.of(question, pins_of(method), prepared, done, session.loaded.name),
    )
