"""Events of the Ask tab and the shared column: which handler runs when, on which components."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from pruneviz.engine import Shelf
from pruneviz.errors import InputError
from pruneviz.ui.ask import exporting, looks
from pruneviz.ui.ask.asking import Screen, ask, said
from pruneviz.ui.ask.controls import Controls
from pruneviz.ui.ask.drawn import Drawn
from pruneviz.ui.ask.living import live
from pruneviz.ui.ask.mattering import find_restoring, measure_effects
from pruneviz.ui.ask.measuring import Measured, measure
from pruneviz.ui.ask.results import Results
from pruneviz.ui.inputs import gallery
from pruneviz.ui.inputs.column import Inputs
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared import methods, texts
from pruneviz.ui.shared.attending import session_of
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.latest import Latest
from pruneviz.ui.shared.pins import read_pins
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.running import (
    filled,
    idle,
    newest,
    steps,
    wire_rest,
    wire_run,
    wire_stop,
)
from pruneviz.ui.shared.shown import Held
from pruneviz.ui.shared.status import status_html

CHANGED_SCRIPT = "() => { window.dispatchEvent(new CustomEvent('pruneviz:changed')); }"
OWN_SCRIPT = "() => { window.dispatchEvent(new CustomEvent('pruneviz:own')); }"
EXAMPLE_SCRIPT = "() => { window.dispatchEvent(new CustomEvent('pruneviz:example')); }"
EARLIER_SCRIPT = (
    "(line) => (line || '').replace('class=\"pv-chance\"', 'class=\"pv-chance pv-earlier\"')"
)
"""The line on chance is of a run that is no longer the newest."""
KEEP_SCRIPT = (
    "(value) => { window.dispatchEvent(new CustomEvent('pruneviz:keep', { detail: value })); }"
)


ENTER_SCRIPT = (
    "() => { const run = [...document.querySelectorAll('button.pv-run, .pv-run button')]"
    ".find((button) => button.offsetParent); if (run && !run.disabled) run.click(); }"
)
"""Enter in the question runs the tab in view."""
LATEST = Latest()
"""What the visitors of this process began last; they are known by random numbers."""


def settings(inputs: Inputs, controls: Controls) -> list[Any]:
    """Everything that a link restores, in the order of a :class:`Question`'s fields."""
    fields = [inputs.image, inputs.question, controls.method, controls.keep, controls.length]
    return [*fields, *controls.options.values()]


def wire_inputs(inputs: Inputs, controls: Controls, examples: list[Example]) -> None:
    """Connect the strip above the tabs."""
    inputs.question.submit(None, None, None, js=ENTER_SCRIPT, api_visibility="private")
    inputs.image.change(None, None, None, js=CHANGED_SCRIPT, api_visibility="private")
    # Alone what a visitor does: not what an example, a link or the opening of the page sets.
    inputs.image.input(None, None, None, js=OWN_SCRIPT, api_visibility="private")
    if inputs.gallery is not None:
        picked = inputs.gallery.pick(
            _picker(examples),
            inputs.image,
            [inputs.image, inputs.question, controls.method, controls.keep],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        picked.then(None, None, None, js=EXAMPLE_SCRIPT, api_visibility="private")


def wire_asking(
    shelf: Shelf,
    chosen: gr.Textbox,
    inputs: Inputs,
    controls: Controls,
    results: Results,
    examples: list[Example],
) -> list[Any]:
    """Connect the Ask tab; returns the events after which a result is there."""
    runs = _wire_run(shelf, chosen, inputs, controls, results)
    _wire_measure(shelf, results)
    _wire_matters(shelf, results)
    looks.wire(shelf, results.attention, results.view, results.export.held)
    _wire_method(controls)
    exporting.wire(results.export, examples, shelf.offered)
    # Painting needs no server. The canvas itself listens to the slider's moves; of a number that
    # is typed, reset or set by an example it hears here.
    controls.keep.change(
        None,
        controls.keep,
        None,
        js=KEEP_SCRIPT,
        api_visibility="private",
        show_progress="hidden",
    )
    return runs


def updates(screen: Screen) -> list[Any]:
    """Values for the result column; what a screen leaves alone is skipped."""
    return filled(
        screen.status,
        screen.baseline,
        screen.pruned,
        screen.summary,
        screen.fidelity,
        screen.view,
        screen.cost,
        screen.timing,
        None if screen.shown is None else Held(screen.shown),
    )


def _wire_run(
    shelf: Shelf, chosen: gr.Textbox, inputs: Inputs, controls: Controls, results: Results
) -> list[Any]:
    """Let everything that asks do so; returns the events after which a result is there."""
    buttons = [controls.ask, controls.stop]
    ask_again = _asker(shelf, list(controls.options))
    outputs = [*results.outputs(), *buttons]
    values = [controls.pins, chosen, *settings(inputs, controls)]
    pressed = [controls.ask.click, results.view.again]
    moved = [results.view.rest, controls.method.input]
    for start in (*pressed, *moved):
        # First: of one event Gradio does one thing after another. And in the page: what a server
        # answers could come after the next result's line.
        start(
            None,
            results.chance,
            results.chance,
            js=EARLIER_SCRIPT,
            show_progress="hidden",
            api_visibility="private",
        )
    runs = wire_run(
        pressed, ask_again, values, outputs, results.status, buttons, pin_script(0, len(values))
    )
    script, needed = pin_script(1, len(values) + 1), [inputs.image, inputs.question]
    runs += [
        wire_rest(event, controls.auto, ask_again, values, outputs, needed, script)
        for event in moved
    ]
    wire_stop(controls.stop, runs, results.status, buttons, texts.STOPPED)
    return runs


def wire_live(shelf: Shelf, controls: Controls, results: Results, runs: list[Any]) -> None:
    """After every run work out what lies around it, until the visitor begins another one."""

    def values(held: Held | None, wanted: bool) -> Iterator[list[Any]]:
        if held is not None and wanted and not LATEST.is_new(session_of(), held.shown):
            yield [gr.skip(), gr.skip()]
            return
        holds = newest(LATEST)
        with closing(live(shelf, held, wanted)) as found:
            for one in found:
                if not holds():
                    break
                yield filled(one.answers, one.chance)
            else:
                return
        # What was not sent would else count as cleared.
        yield [gr.skip(), gr.skip()]

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    for run in runs:
        run.then(
            values,
            [results.export.held, controls.auto],
            [results.live, results.chance],
            concurrency_id="live",
            concurrency_limit=2,
            **quiet,
        )


def _wire_matters(shelf: Shelf, results: Results) -> None:
    """Let one button measure what matters, another find what restores the answer."""
    part = results.matters
    outputs = [part.status, part.data, part.run, part.stop]

    def values(screen: Drawn) -> list[Any]:
        return filled(screen.line, screen.data)

    def runner(work: Callable[..., Generator[Drawn]]) -> Callable[..., Iterator[list[Any]]]:
        def run(held: Held | None, side: int) -> Iterator[list[Any]]:
            yield from steps(work(shelf, held, side), values, Drawn())

        return run

    asked = []
    for button, work in ((part.run, measure_effects), (part.restore, find_restoring)):
        asked += wire_run(
            [button.click],
            runner(work),
            [results.export.held, part.side],
            outputs,
            part.status,
            [part.run, part.stop],
            scroll=False,
        )
    wire_stop(part.stop, asked, part.status, [part.run, part.stop], texts.MATTERS_STOPPED)


def _wire_measure(shelf: Shelf, results: Results) -> None:
    """Let the button time the shown result, and its neighbour stop that."""
    buttons = [results.measure, results.stop]
    outputs = [results.cost, results.timing, results.export.held, *buttons]

    def values(screen: Measured) -> list[Any]:
        return filled(screen.cost, screen.timing, screen.held)

    def run(held: Held | None) -> Iterator[list[Any]]:
        yield from steps(measure(shelf, held), values, Measured())

    held = results.export.held
    asked = wire_run(
        [results.measure.click], run, [held], outputs, results.timing, buttons, scroll=False
    )
    wire_stop(results.stop, asked, results.timing, buttons, texts.MEASURE_STOPPED)


def pin_script(place: int, count: int) -> str:
    """Script that puts the canvas's pins at one place among an event's inputs."""
    return (
        "(...values) => { const root = document.querySelector('#pv-view .pv-view');"
        f" values[{place}] = (root && root.dataset.pins) || ''; return values.slice(0, {count}); }}"
    )


def _asker(shelf: Shelf, names: list[str]) -> Callable[..., Generator[list[Any]]]:
    # Beside LATEST: what is worked out around a result must not end the next run.
    runs = Latest()

    def run(
        pins: str,
        model: str,
        image: str | None,
        text: str,
        method: str,
        keep: float,
        length: float,
        *options: Any,
    ) -> Generator[list[Any]]:
        # Here, and not when a button is pressed: an event of its own may come later than the run.
        LATEST.begin(session_of())
        wanted = newest(runs)
        chosen = methods.own_options(method, dict(zip(names, options, strict=True)))
        try:
            question = Question(image, text, method, keep, int(length), chosen, read_pins(pins))
        except InputError as error:
            yield [*updates(said(status_html(str(error), "error"))), *idle()]
            return
        screens = on_model(shelf, model, lambda session: ask(session, question), said)
        yield from steps(screens, updates, Screen(), wanted)

    return run


def _wire_method(controls: Controls) -> None:
    def change(name: str) -> list[Any]:
        owners = [owner for owner, _ in methods.options().values()]
        return [methods.describe(name), *(gr.update(visible=owner == name) for owner in owners)]

    controls.method.change(
        change,
        controls.method,
        [controls.about, *controls.options.values()],
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
