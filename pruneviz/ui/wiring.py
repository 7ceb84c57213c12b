"""Events: which handler runs when, on which components."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from pruneviz.engine import Session
from pruneviz.errors import InputError
from pruneviz.ui import exporting, gallery, methods, texts
from pruneviz.ui.asking import Question, Screen, ask
from pruneviz.ui.examples import Example
from pruneviz.ui.inputs import Inputs
from pruneviz.ui.pins import read_pins
from pruneviz.ui.results import Results
from pruneviz.ui.shown import Held
from pruneviz.ui.status import status_html

MODEL = {"concurrency_id": "model", "concurrency_limit": 1}
"""All events that run the model share one place in the queue."""
SCROLL_SCRIPT = (
    "() => { if (window.innerWidth <= 1000) document.getElementById('pv-status')"
    ".scrollIntoView({ block: 'start' }); }"
)
PICTURE_SCRIPT = "() => { window.dispatchEvent(new CustomEvent('pruneviz:picture')); }"
KEEP_SCRIPT = (
    "(value) => { window.dispatchEvent(new CustomEvent('pruneviz:keep', { detail: value })); }"
)


def wire(session: Session, inputs: Inputs, results: Results, examples: list[Example]) -> None:
    """Connect the page's parts."""
    _wire_asking(session, inputs, results)
    _wire_method(inputs)
    # Painting needs no server: the canvas listens for this event. `input` fires while the
    # slider moves, `change` also when its number is typed or reset.
    gr.on(
        [inputs.keep.input, inputs.keep.change],
        None,
        inputs.keep,
        None,
        js=KEEP_SCRIPT,
        api_visibility="private",
        show_progress="hidden",
    )
    inputs.image.change(None, None, None, js=PICTURE_SCRIPT, api_visibility="private")
    exporting.wire(results.export, examples)
    if inputs.gallery is not None:
        inputs.gallery.pick(
            _picker(examples),
            inputs.image,
            [inputs.image, inputs.question, inputs.method, inputs.keep],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )


def updates(screen: Screen) -> list[Any]:
    """Values for the result column; what a screen leaves alone is skipped."""
    values = (
        screen.status,
        screen.baseline,
        screen.pruned,
        screen.fidelity,
        screen.view,
        screen.cost,
    )
    held = None if screen.shown is None else Held(screen.shown)
    return [gr.skip() if value is None else value for value in (*values, held)]


def _wire_asking(session: Session, inputs: Inputs, results: Results) -> None:
    buttons = [inputs.ask, inputs.stop]
    # On a phone the answers are far below the button.
    inputs.ask.click(None, None, None, js=SCROLL_SCRIPT, api_visibility="private")
    ask_again = _asker(session, list(inputs.options))
    shared: dict[str, Any] = {
        "outputs": [*results.outputs(), *buttons],
        "show_progress": "hidden",
        "api_visibility": "private",
        **MODEL,
    }
    values = [inputs.pins, *inputs.settings()]
    asked = gr.on(
        [inputs.ask.click, inputs.question.submit],
        ask_again,
        values,
        trigger_mode="once",
        js=pin_script(0, len(values)),
        **shared,
    )

    again = results.view.again(
        ask_again, values, trigger_mode="once", js=pin_script(0, len(values)), **shared
    )

    def rested(auto: bool, *now: Any) -> Iterator[list[Any]]:
        if auto:
            yield from ask_again(*now)
        else:
            # Gradio takes an empty generator for one that cleared everything.
            yield [*updates(Screen()), gr.skip(), gr.skip()]

    moved = results.view.rest(
        rested,
        [inputs.auto, *values],
        trigger_mode="always_last",
        js=pin_script(1, len(values) + 1),
        **shared,
    )
    # Through the queue and after the cancelling, so that it comes behind what the run still sent.
    inputs.stop.click(
        None, None, None, cancels=[asked, again, moved], queue=False, api_visibility="private"
    ).then(
        _stopped,
        None,
        [results.status, *buttons],
        show_progress="hidden",
        api_visibility="private",
    )


def pin_script(place: int, count: int) -> str:
    """Script that puts the canvas's pins at one place among an event's inputs."""
    return (
        "(...values) => { const root = document.querySelector('#pv-view .pv-view');"
        f" values[{place}] = (root && root.dataset.pins) || ''; return values.slice(0, {count}); }}"
    )


def _asker(session: Session, names: list[str]) -> Callable[..., Iterator[list[Any]]]:
    def run(
        pins: str,
        image: str | None,
        text: str,
        method: str,
        keep: float,
        length: float,
        *options: Any,
    ) -> Iterator[list[Any]]:
        chosen = dict(zip(names, options, strict=True))
        try:
            question = Question(image, text, method, keep, int(length), chosen, read_pins(pins))
        except InputError as error:
            yield [*updates(Screen(status=status_html(str(error), "error"))), *_idle()]
            return
        yield [*updates(Screen()), *_busy()]
        screens = ask(session, question)
        try:
            for screen in screens:
                yield [*updates(screen), gr.skip(), gr.skip()]
        finally:
            # Stop and a closed tab end up here: the run must not go on unseen.
            screens.close()
        yield [*updates(Screen()), *_idle()]

    return run


def _busy() -> list[Any]:
    return [gr.update(interactive=False), gr.update(interactive=True)]


def _idle() -> list[Any]:
    return [gr.update(interactive=True), gr.update(interactive=False)]


def _stopped() -> list[Any]:
    return [status_html(texts.STOPPED, "stopped"), *_idle()]


def _wire_method(inputs: Inputs) -> None:
    names = list(inputs.options)

    def change(name: str) -> list[Any]:
        shown = methods.OPTIONS.get(name, ())
        return [methods.describe(name), *(gr.update(visible=key in shown) for key in names)]

    inputs.method.change(
        change,
        inputs.method,
        [inputs.about, *inputs.options.values()],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _picker(examples: list[Example]) -> Callable[[str | None, gr.EventData], list[Any]]:
    def pick(current: str | None, event: gr.EventData) -> list[Any]:
        found = gallery.picked(examples, event._data)
        if found is None:
            return [gr.skip()] * 4
        path, question, tip = found
        settings = [tip.method, tip.keep_percent] if tip else [gr.skip(), gr.skip()]
        # Set anew, even the same picture would count as another one and take its pins away.
        return [gr.skip() if gallery.same_file(current, path) else path, question, *settings]

    return pick
