"""Time the shown result unpruned and pruned in turn, as a stream of screens. Knows no Gradio."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from pruneviz.engine import Session, Shelf
from pruneviz.engine.bench import Report, paired
from pruneviz.errors import InputError
from pruneviz.ui.ask.asking import prepare
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.costs import cost_html
from pruneviz.ui.shared.encoding import beginning, is_small
from pruneviz.ui.shared.failures import guarded, on_model
from pruneviz.ui.shared.numbers import percent
from pruneviz.ui.shared.shown import Held
from pruneviz.ui.shared.status import status_html


@dataclass(frozen=True)
class Measured:
    """New content of what tells of times; None leaves one as it is.

    Attributes
    ----------
    cost : str or None
        The cost part with the times filled in.
    timing : str or None
        The line that tells of the measuring.
    held : Held or None
        The result with its times.
    """

    cost: str | None = None
    timing: str | None = None
    held: Held | None = None


def measure(shelf: Shelf, held: Held | None) -> Generator[Measured]:
    """Time what is shown; closing the generator stops the run."""
    if held is None:
        line = status_html(texts.NOTHING_TO_MEASURE, "error")
        yield Measured(timing=line)
        return
    yield from on_model(shelf, held.shown.model, lambda session: times_of(session, held), said)


def said(line: str) -> Measured:
    """A screen that changes nothing but the line."""
    return Measured(timing=line)


def times_of(session: Session, held: Held) -> Generator[Measured]:
    """Time a result on the model that gave it."""
    yield from guarded(_times_of(session, held), said)


def _times_of(session: Session, held: Held) -> Iterator[Measured]:
    yield said(beginning(session))
    prepared, method = prepare(session, held.shown.question)
    with closing(paired(session, prepared, method)) as events:
        for event in events:
            if event.report is None:
                yield said(status_html(event.text, "busy"))
            else:
                yield _finished(session, held, event.report)


def _finished(session: Session, held: Held, report: Report) -> Measured:
    if not report.pairs():
        raise InputError(f"It could not be measured: {report.problem or 'it was stopped'}.")
    shown = replace(held.shown, timing=report)
    prefill = report.pairs()[0].ratio
    share = percent(prefill.middle)
    return Measured(
        cost=cost_html(shown.done, is_small(session), report),
        timing=status_html(
            f"Measured: picture and prefill of {shown.done.pruned.label} take {share} of the "
            "unpruned time.",
            "done",
        ),
        held=Held(shown, held.files),
    )
