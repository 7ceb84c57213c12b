"""Hold the methods of a finished comparison against what matters. Knows no Gradio."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing

from pruneviz.engine import Session
from pruneviz.engine.against import set_against
from pruneviz.ui.compare.again import check_model, prepared_again
from pruneviz.ui.compare.comparing import CompareScreen, payload, with_result
from pruneviz.ui.compare.mattering import summary
from pruneviz.ui.shared.encoding import REFRESH, beginning
from pruneviz.ui.shared.failures import guarded
from pruneviz.ui.shared.runs import Run
from pruneviz.ui.shared.status import status_html


def measure_for_all(session: Session, run: Run | None) -> Generator[CompareScreen]:
    """Measure it once for all methods, as a stream of screens; closing the generator stops."""
    yield from guarded(_measure(session, run), CompareScreen)


def _measure(session: Session, run: Run | None) -> Iterator[CompareScreen]:
    run = check_model(session, run)
    yield CompareScreen(status=beginning(session))
    prepared, shown = prepared_again(session, run), 0.0
    with closing(set_against(session, prepared, run.result)) as events:
        for event in events:
            if event.result is not None:
                line = status_html(summary(event.result), "done", prepared.hints)
                view = payload(session, prepared, event.result)
                yield CompareScreen(line, view, with_result(run, event.result))
            elif time.monotonic() - shown > REFRESH:
                shown = time.monotonic()
                yield CompareScreen(status=status_html(event.text, "busy"))
