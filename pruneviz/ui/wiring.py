"""Events of the Ask tab and the shared column: which handler runs when, on which components."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from pruneviz.engine import Session
from pruneviz.ui import gallery, methods, texts
from pruneviz.ui.asking import Question, Screen, ask
from pruneviz.ui.controls import Controls
from pruneviz.ui.examples import Example
from pruneviz.ui.inputs import Inputs
from pruneviz.ui.opening import Opening
from pruneviz.ui.results import Results
from pruneviz.ui.running import MODEL, scroll_script, steps, wire_stop

KEEP_SCRIPT = (
    "(value) => { window.dispatchEvent(new CustomEvent('pruneviz:keep', { detail: value })); }"
)


ENTER_SCRIPT = (
    "() => { const run = [...document.querySelectorAll('button.pv-run, .pv-run button')]"
    ".find((button) => button.offsetParent); if (run && !run.disabled) run.click(); }"
)
"""Enter in the question runs the tab in view."""


def wire_inputs(inputs: Inputs, examples: list[Example]) -> None:
    """Connect the shared column."""
    inputs.question.submit(None, None, None, js=ENTER_SCRIPT, api_visibility="private")
    if inputs.gallery is not None:
        inputs.gallery.pick(
            _picker(examples),
            None,
            [inputs.image, inputs.question],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )


def wire_asking(session: Session, inputs: Inputs, controls: Controls, results: Results) -> None:
    """Connect the Ask tab."""
    _wire_run(session, inputs, controls, results)
    _wire_method(controls)
    # Painting needs no server: the canvas listens for this event. `input` fires while the
    # slider moves, `change` also when its number is typed or reset.
    gr.on(
        [controls.keep.input, controls.keep.change],
        None,
        controls.keep,
        None,
        js=KEEP_SCRIPT,
        api_visibility="private",
        show_progress="hidden",
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
    return [gr.skip() if value is None else value for value in values]


def wire_opening(page: gr.Blocks, opening: Opening, results: Results) -> None:
    """Show a finished result as soon as the page is there."""
    page.load(
        lambda: updates(opening()),
        None,
        results.outputs(),
        show_progress="hidden",
        api_visibility="private",
        **MODEL,
    )


def _wire_run(session: Session, inputs: Inputs, controls: Controls, results: Results) -> None:
    fields = [inputs.image, inputs.question, controls.method, controls.keep, controls.length]
    buttons = [controls.ask, controls.stop]
    controls.ask.click(None, None, None, js=scroll_script("pv-status"), api_visibility="private")
    ask_again = _asker(session, list(controls.options))
    shared: dict[str, Any] = {
        "outputs": [*results.outputs(), *buttons],
        "show_progress": "hidden",
        "api_visibility": "private",
        **MODEL,
    }
    values = [*fields, *controls.options.values()]
    asked = controls.ask.click(ask_again, values, trigger_mode="once", **shared)

    def rested(auto: bool, *now: Any) -> Iterator[list[Any]]:
        if auto:
            yield from ask_again(*now)
        else:
            # Gradio takes an empty generator for one that cleared everything.
            yield [*updates(Screen()), gr.skip(), gr.skip()]

    moved = results.view.rest(
        rested, [controls.auto, *values], trigger_mode="always_last", **shared
    )
    wire_stop(controls.stop, [asked, moved], results.status, buttons, texts.STOPPED)


def _asker(session: Session, names: list[str]) -> Callable[..., Iterator[list[Any]]]:
    def run(
        image: str | None, text: str, method: str, keep: float, length: float, *options: Any
    ) -> Iterator[list[Any]]:
        question = Question(
            image, text, method, keep, int(length), dict(zip(names, options, strict=True))
        )
        yield from steps(ask(session, question), updates, Screen())

    return run


def _wire_method(controls: Controls) -> None:
    names = list(controls.options)

    def change(name: str) -> list[Any]:
        shown = methods.OPTIONS.get(name, ())
        return [methods.describe(name), *(gr.update(visible=key in shown) for key in names)]

    controls.method.change(
        change,
        controls.method,
        [controls.about, *controls.options.values()],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _picker(examples: list[Example]) -> Callable[[gr.EventData], list[Any]]:
    def pick(event: gr.EventData) -> list[Any]:
        found = gallery.picked(examples, event._data)
        return list(found) if found else [gr.skip(), gr.skip()]

    return pick
