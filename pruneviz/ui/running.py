"""How a tab runs the model: its buttons, its stream of screens, and stopping it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import gradio as gr

from pruneviz.ui.status import status_html

T = TypeVar("T")
MODEL = {"concurrency_id": "model", "concurrency_limit": 1}
"""All events that run the model share one place in the queue."""


def scroll_script(status_id: str) -> str:
    """On a phone, bring the status line into view: the results are below the settings."""
    return (
        f"() => {{ if (window.innerWidth <= 1000) document.getElementById('{status_id}')"
        ".scrollIntoView({ block: 'start' }); }"
    )


def busy() -> list[Any]:
    """Updates of the run and stop buttons while the model runs."""
    return [gr.update(interactive=False), gr.update(interactive=True)]


def idle() -> list[Any]:
    """Updates of the run and stop buttons afterwards."""
    return [gr.update(interactive=True), gr.update(interactive=False)]


def steps(
    screens: Generator[T], values: Callable[[T], list[Any]], nothing: T
) -> Iterator[list[Any]]:
    """Values for the outputs and both buttons, screen by screen.

    Stop and a closed tab end up in `finally`: the run must not go on unseen.
    """
    yield [*values(nothing), *busy()]
    try:
        for screen in screens:
            yield [*values(screen), gr.skip(), gr.skip()]
    finally:
        screens.close()
    yield [*values(nothing), *idle()]


def wire_stop(
    stop: gr.Button, events: list[Any], status: gr.HTML, buttons: list[gr.Button], text: str
) -> None:
    """Let the button cancel the events and say `text` in the status line."""
    # Through the queue and after the cancelling, so that it comes behind what the run still sent.
    stop.click(None, None, None, cancels=events, queue=False, api_visibility="private").then(
        lambda: [status_html(text, "stopped"), *idle()],
        None,
        [status, *buttons],
        show_progress="hidden",
        api_visibility="private",
    )
