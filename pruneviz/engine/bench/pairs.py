"""Paired times of one question in a session, as a stream that can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass

from pruneviz.engine.bench.records import Report
from pruneviz.engine.bench.rounds import Plan, measure
from pruneviz.engine.bench.subject import Subject
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.session import Session
from pruneviz.engine.streaming import stream
from pruneviz.methods.base import Method

PAIRS = Plan(rounds=5, warmup=1, tokens=16, reference=False)


@dataclass(frozen=True)
class PairEvent:
    """What is being done, or with `report` the end."""

    text: str = ""
    report: Report | None = None


def paired(
    session: Session, prepared: Prepared, method: Method, plan: Plan = PAIRS
) -> Generator[PairEvent]:
    """Time a question unpruned and pruned in turn; nothing remembered enters the figures.

    Parameters
    ----------
    session : Session
        Whose model runs; its other runs wait.
    prepared : Prepared
        Image and question, from :meth:`Session.prepare`. Both are encoded anew in every run.
    method : Method
        What prunes.
    plan : Plan
        How often, and how long the answers are.

    Yields
    ------
    PairEvent
        The last one has the report. Closing the generator stops the run.
    """
    asked = prepared.image, prepared.question, prepared.newlines, prepared.positions

    def work(emit: Callable[[PairEvent], None], stop: threading.Event) -> None:
        with session.alone():
            if stop.is_set():
                return
            subject = Subject.of_question(session.loaded, *asked)
            found = measure(subject, [method], plan, lambda line: emit(PairEvent(line)), stop)
            emit(PairEvent(report=found))

    return stream(work)
