"""The Compare tab: several methods under one budget, side by side."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.engine import Shelf
from pruneviz.ui.compare.against import measure_for_all
from pruneviz.ui.compare.comparing import CompareScreen, Wanted, compare, restored
from pruneviz.ui.compare.swapping import SwapScreen, swap
from pruneviz.ui.inputs.column import Inputs
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared import exports, texts
from pruneviz.ui.shared.buttons import methods_box, rerun_tick, run_buttons
from pruneviz.ui.shared.downloads import Panel
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.fields import Percent
from pruneviz.ui.shared.latest import Latest
from pruneviz.ui.shared.opened import on_link
from pruneviz.ui.shared.previews import kept_at
from pruneviz.ui.shared.running import (
    LONG,
    MODEL,
    filled,
    newest,
    steps,
    wire_rest,
    wire_run,
    wire_stop,
)
from pruneviz.ui.shared.runs import HeldRun
from pruneviz.ui.shared.scripts import mounting
from pruneviz.ui.shared.static import read_static
from pruneviz.ui.shared.status import status_html

BUDGET_SCRIPT = (
    "(kind, percent) => { window.dispatchEvent(new CustomEvent('pruneviz:budget', "
    "{ detail: { kind, percent } })); }"
)


@dataclass(frozen=True)
class CompareTab:
    """Handles of the tab."""

    methods: gr.CheckboxGroup
    kind: gr.Radio
    budget: gr.Slider
    auto: gr.Checkbox
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    view: gr.HTML
    swapped: gr.HTML
    export: Panel


def create(percent: float) -> CompareTab:
    """Create the tab's components; `percent` is the budget that it opens with."""
    with gr.Row(elem_classes="pv-controls"):
        with gr.Column(scale=6, min_width=300):
            chosen = methods_box("compare")
            kind = gr.Radio(
                texts.BUDGET_KINDS,
                value="final",
                label="Equal for all",
                info=texts.BUDGET_INFO,
                elem_id="pv-budget-kind",
                elem_classes="pv-chips",
            )
        with gr.Column(scale=4, min_width=300):
            budget = Percent(
                1,
                100,
                percent,
                step=1,
                label="Budget (%)",
                info=texts.BUDGET_HINT,
                elem_id="pv-budget",
            )
            auto = rerun_tick(False, "compare-auto")
            run, stop = run_buttons("Compare", "compare", "compare-stop")
    status = gr.HTML(
        status_html(texts.COMPARE_READY), elem_id="pv-compare-status", apply_default_css=False
    )
    view = gr.HTML(
        value=None,
        html_template=read_static("compare/compare.html"),
        js_on_load=mounting("compare", "matters", "rest", "swap"),
        apply_default_css=False,
        elem_id="pv-panels",
        server_functions=[kept_at],
    )
    swapped = gr.HTML("", elem_id="pv-swapped", apply_default_css=False)
    export = exports.create("compare")
    return CompareTab(chosen, kind, budget, auto, run, stop, status, view, swapped, export)


def wire(
    shelf: Shelf,
    chosen: gr.Textbox,
    inputs: Inputs,
    tab: CompareTab,
    tabs: gr.Tabs,
    examples: Sequence[Example],
) -> None:
    """Connect the tab; `tabs` shows it where a link asks for it."""
    exports.wire(tab.export, examples, shelf.offered)
    on_link(tabs, "compare", tab.status, [tab.methods, tab.kind, tab.budget], restored)
    # The canvas itself listens to the slider's moves; the rest it hears of here.
    gr.on(
        [tab.budget.change, tab.kind.change],
        None,
        [tab.kind, tab.budget],
        None,
        js=BUDGET_SCRIPT,
        api_visibility="private",
        show_progress="hidden",
    )
    values = [chosen, inputs.image, inputs.question, tab.methods, tab.budget, tab.kind]
    buttons = [tab.run, tab.stop]
    outputs = [tab.status, tab.view, tab.swapped, tab.export.held, *buttons]
    runs = Latest()

    def run(model: str, *now: Any) -> Generator[list[Any]]:
        latest, wanted = newest(runs), Wanted(*now)
        screens = on_model(shelf, model, lambda session: compare(session, wanted), CompareScreen)
        yield from steps(screens, updates, CompareScreen(), latest)

    asked = wire_run([tab.run.click], run, values, outputs, tab.status, buttons, where=LONG)
    asked += [_wire_swap(shelf, chosen, tab), _wire_matters(shelf, chosen, tab)]
    moved = wire_rest(
        tab.view.rest, tab.auto, run, values, outputs, [inputs.image, inputs.question]
    )
    wire_stop(tab.stop, [*asked, moved], tab.status, buttons, texts.COMPARE_STOPPED)


def _wire_swap(shelf: Shelf, chosen: gr.Textbox, tab: CompareTab) -> Any:
    """Let the canvas ask one method with another's patches; returns what Stop has to cancel."""
    buttons = [tab.run, tab.stop]

    def run(model: str, held: HeldRun | None, event: gr.EventData) -> Iterator[list[Any]]:
        last = held.run if held else None
        screens = on_model(
            shelf, model, lambda session: swap(session, last, event._data), SwapScreen
        )
        yield from steps(screens, lambda one: filled(one.status, one.told), SwapScreen())

    return tab.view.swap(
        run,
        [chosen, tab.export.held],
        [tab.status, tab.swapped, *buttons],
        trigger_mode="once",
        show_progress="hidden",
        api_visibility="private",
        **MODEL,
    )


def _wire_matters(shelf: Shelf, chosen: gr.Textbox, tab: CompareTab) -> Any:
    """Let the canvas set all methods against what matters; returns what Stop has to cancel."""
    buttons = [tab.run, tab.stop]

    def run(model: str, held: HeldRun | None) -> Iterator[list[Any]]:
        last = held.run if held else None
        screens = on_model(
            shelf, model, lambda session: measure_for_all(session, last), CompareScreen
        )

        def values(screen: CompareScreen) -> list[Any]:
            files = held.files if held else []
            now = None if screen.run is None else HeldRun(screen.run, files)
            return filled(screen.status, screen.view, now)

        yield from steps(screens, values, CompareScreen())

    return tab.view.matters(
        run,
        [chosen, tab.export.held],
        [tab.status, tab.view, tab.export.held, *buttons],
        trigger_mode="once",
        show_progress="hidden",
        api_visibility="private",
        **LONG,
    )


def updates(screen: CompareScreen) -> list[Any]:
    """Values for the status line, the canvas, what was swapped and what can be exported."""
    held = None if screen.run is None else HeldRun(screen.run)
    return filled(screen.status, screen.view, None if screen.view is None else "", held)
