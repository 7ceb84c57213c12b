"""How a tab runs the model: its buttons, its stream of screens, and stopping it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

import gradio as gr

from pruneviz.ui.shared import texts
from pruneviz.ui.shared.attending import session_of
from pruneviz.ui.shared.latest import Latest
from pruneviz.ui.shared.status import status_html

T = TypeVar("T")
MODEL = {"concurrency_id": "model", "concurrency_limit": 32}
"""Events that run the model: so many wait for their turns at once, the others in the queue."""
LONG = {"concurrency_id": "long", "concurrency_limit": 16}
"""Those that run it many times: they must not fill the places of the short ones."""


SCROLL_SCRIPT = (
    "() => { const row = [...document.querySelectorAll('.pv-actions')].find((e) => e.offsetParent);"
    " if (row && window.innerWidth <= 1000) row.scrollIntoView({ block: 'start' }); }"
)
"""On a phone, bring Stop, the status line and the answers into view, below the settings."""


def busy() -> list[Any]:
    """Updates of the run and stop buttons while the model runs."""
    return [gr.update(interactive=False), gr.update(interactive=True)]


def waiting() -> list[Any]:
    """Updates of the status line and both buttons before the run's first word.

    Only then the page has something to cancel: pressed earlier, Stop would do nothing.
    """
    return [status_html(texts.WAITING, "busy"), gr.update(interactive=False), gr.skip()]


def idle() -> list[Any]:
    """Updates of the run and stop buttons afterwards."""
    return [gr.update(interactive=True), gr.update(interactive=False)]


def steps(
    screens: Generator[T],
    values: Callable[[T], list[Any]],
    nothing: T,
    wanted: Callable[[], bool] = lambda: True,
) -> Iterator[list[Any]]:
    """Values for the outputs and both buttons, screen by screen, for as long as it is `wanted`.

    Stop and a closed tab end up in `finally`: the run must not go on unseen.
    """
    yield [*values(nothing), *busy()]
    try:
        for screen in screens:
            if not wanted():
                break
            yield [*values(screen), gr.skip(), gr.skip()]
    finally:
        screens.close()
    run, stop = idle()
    # Of a run that took the place of this one, Stop has to stay.
    yield [*values(nothing), run, stop if wanted() else gr.skip()]


def newest(latest: Latest) -> Callable[[], bool]:
    """Begin what this visitor wants; what is returned says whether nothing has begun since."""
    visitor = session_of()
    number = latest.begin(visitor)
    return lambda: visitor is None or latest.holds(visitor, number)


def wire_run(
    events: list[Any],
    run: Callable[..., Iterator[list[Any]]],
    inputs: list[Any],
    outputs: list[Any],
    status: gr.HTML,
    buttons: list[gr.Button],
    js: str | None = None,
    scroll: bool = True,
    where: dict[str, Any] = MODEL,
) -> list[Any]:
    """Let each of the events run the model; returns what Stop has to cancel.

    The model may be busy with somebody else: the page says at once that it waits. `scroll` brings
    the tab's buttons into view on a phone; `where` is `MODEL` or `LONG`.
    """
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    runs = []
    for event in events:
        if scroll:
            event(None, None, None, js=SCROLL_SCRIPT, api_visibility="private")
        begun = event(waiting, None, [status, *buttons], queue=False, trigger_mode="once", **quiet)
        # Not "once": pressed before Gradio has closed the run before, it would be lost.
        runs.append(
            begun.then(run, inputs, outputs, js=js, trigger_mode="always_last", **quiet, **where)
        )
    return runs


def wire_rest(
    event: Any,
    auto: gr.Checkbox,
    run: Callable[..., Generator[list[Any]]],
    inputs: list[Any],
    outputs: list[Any],
    needed: Sequence[Any],
    js: str | None = None,
) -> Any:
    """Let the canvas run the model when its slider rests, if that is ticked.

    Unasked for, a run neither complains of a component among `needed` that is empty, nor takes the
    button away with which one asks: a press that came just then would be lost. The two buttons are
    the last of `outputs`.
    """
    places = [inputs.index(one) for one in needed]

    def rested(wanted: bool, *now: Any) -> Iterator[list[Any]]:
        if wanted and all(str(now[place] or "").strip() for place in places):
            with closing(run(*now)) as rows:
                for *values, _, stop in rows:
                    yield [*values, gr.skip(), stop]
        else:
            # Gradio takes an empty generator for one that cleared everything.
            yield [gr.skip()] * len(outputs)

    return event(
        rested,
        [auto, *inputs],
        outputs,
        trigger_mode="always_last",
        js=js,
        show_progress="hidden",
        api_visibility="private",
        **MODEL,
    )


def filled(*values: Any) -> list[Any]:
    """Values for outputs; what is None is left alone."""
    return [gr.skip() if value is None else value for value in values]


def wire_stop(
    stop: gr.Button, events: list[Any], status: gr.HTML, buttons: list[gr.Button], text: str
) -> None:
    """Let the button cancel the events and say `text` in the status line."""
    # Through the queue and after the cancelling, so that it comes behind what the run still sent.
    stop.click(None, None, None, cancels=events, queue=False, api_visibility="private").then(
        lambda line: [after_stop(line, text), *idle()],
        status,
        [status, *buttons],
        show_progress="hidden",
        api_visibility="private",
    )


def after_stop(line: str | None, text: str) -> Any:
    """The status line after Stop: `text`, but what a run has told of its end by then stays."""
    return gr.skip() if 'data-kind="done"' in (line or "") else status_html(text, "stopped")
