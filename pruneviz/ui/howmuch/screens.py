"""Run an evaluation and describe, step by step, what the tab shows. Knows no Gradio."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from html import escape
from typing import Any

from pruneviz.engine import Session, Shelf
from pruneviz.evaluation.wording import duration
from pruneviz.ui.howmuch import texts
from pruneviz.ui.howmuch.outcome import Outcome
from pruneviz.ui.howmuch.payload import plot
from pruneviz.ui.howmuch.runs import Desk, Run
from pruneviz.ui.howmuch.tables import answer_html, tables_html
from pruneviz.ui.howmuch.wanted import Wanted
from pruneviz.ui.shared.failures import guarded
from pruneviz.ui.shared.status import status_html

SHARE = 8
"""Statistics are made anew after so many times as long as they took: the model needs the time."""
LEAST = 1.0
"""Seconds between them at least."""


@dataclass(frozen=True)
class MuchScreen:
    """New content of the tab's outputs; None leaves one as it is."""

    status: str | None = None
    answer: str | None = None
    plot: dict[str, Any] | None = None
    tables: str | None = None
    changed: dict[str, Any] | None = None


NO_LIST: dict[str, Any] = {"lists": []}


def measure(shelf: Shelf, session: Session, wanted: Wanted, desk: Desk) -> Generator[MuchScreen]:
    """Ask what is wanted, as a stream of screens; closing the generator stops the run."""
    yield from guarded(_measure(shelf, session, wanted, desk), MuchScreen)


def _measure(shelf: Shelf, session: Session, wanted: Wanted, desk: Desk) -> Iterator[MuchScreen]:
    yield MuchScreen(status=status_html(texts.QUESTIONS, "busy"))
    run = desk.begin(session, desk.read(wanted))
    name, let_go = session.loaded.name, False
    yield MuchScreen(answer="", plot={}, tables="", changed=NO_LIST)
    counted, due = (0, 0), 0.0
    with closing(run.follow()) as steps:
        for _ in steps:
            # A model that another visitor's pushed out must not stay in memory for this run.
            let_go = let_go or not shelf.holds(name)
            if let_go:
                run.stop.set()
            yield MuchScreen(status=progress_html(run))
            # Until the first questions have every answer the plot shows what there is.
            now = run.answered(), run.rows() if not run.answered() else 0
            if now != counted and time.monotonic() > due:
                counted, began = now, time.monotonic()
                desk.outcome = run.outcome()
                yield _screen(desk.outcome, progress_html(run), running=True)
                due = time.monotonic() + max(LEAST, SHARE * (time.monotonic() - began))
    yield final(desk, texts.LET_GO if let_go else texts.STOPPED)


def final(desk: Desk | None, why: str = texts.STOPPED) -> MuchScreen:
    """What the tab shows after a run, which is ended where it still goes on.

    `why` is said of one that did not come to its end.
    """
    run = desk.run if desk else None
    if run is not None:
        run.end()
    progress = run.progress if run else None
    if desk is None or run is None or run.failure or not progress or not progress.done:
        return MuchScreen(status=status_html(f"{why} {texts.NOTHING_YET}", "stopped"))
    desk.outcome = run.outcome()
    done = f"{progress.done:,} of {progress.total:,} rows"
    if run.finished:
        line = status_html(f"Done: {run.answered():,} questions, {done}.", "done")
    else:
        line = status_html(f"{why} {done} are there. {texts.KEPT}", "stopped")
    return _screen(desk.outcome, line, running=False)


def _screen(outcome: Outcome, line: str, running: bool) -> MuchScreen:
    # Some methods may have been asked at their largest budget alone.
    answer = answer_html(outcome, running) if outcome.complete or not running else ""
    return MuchScreen(line, answer, plot(outcome), tables_html(outcome))


def progress_html(run: Run) -> str:
    """How far a run is: questions and rows done, time left, and a bar."""
    progress = run.progress
    if progress is None:
        return status_html(texts.QUESTIONS, "busy")
    if run.stop.is_set():
        return status_html(texts.STOPPING, "busy")
    share = progress.done / progress.total
    left = progress.seconds_left
    parts = [
        f"{run.answered():,} of {len(run.plan.cases):,} questions",
        f"{progress.done:,} of {progress.total:,} rows ({share:.0%})",
        *([f"{progress.errors:,} with an error"] if progress.errors else []),
        *([f"{duration(left)} left"] if left is not None else []),
    ]
    told = ", ".join(parts)
    return status_html(f"Asking: {told} …", "busy") + (
        f'<div class="pv-progress" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * share:.0f}" aria-label="{escape(told)}">'
        f'<span style="width:{100 * share:.2f}%"></span></div>'
    )
