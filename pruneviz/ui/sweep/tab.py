"""The Sweep tab: fidelity against keep ratio, and the break points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.engine import Shelf
from pruneviz.ui.inputs.column import Inputs
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared import exports, texts
from pruneviz.ui.shared.buttons import methods_box, run_buttons
from pruneviz.ui.shared.downloads import Panel
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.opened import on_link
from pruneviz.ui.shared.running import LONG, filled, steps, wire_run, wire_stop
from pruneviz.ui.shared.runs import HeldRun
from pruneviz.ui.shared.scripts import mounting
from pruneviz.ui.shared.static import read_static
from pruneviz.ui.shared.status import status_html
from pruneviz.ui.sweep.sweeping import (
    DEFAULT_RATIOS,
    SweepScreen,
    SweepWanted,
    restored,
    run_sweep,
)


@dataclass(frozen=True)
class SweepTab:
    """Handles of the tab."""

    methods: gr.CheckboxGroup
    ratios: gr.Textbox
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    plot: gr.HTML
    tables: gr.HTML
    export: Panel


def create() -> SweepTab:
    """Create the tab's components."""
    with gr.Row(elem_classes="pv-controls"):
        with gr.Column(scale=6, min_width=300):
            chosen = methods_box("sweep")
        with gr.Column(scale=4, min_width=300):
            ratios = gr.Textbox(
                DEFAULT_RATIOS,
                label="Keep ratios (%)",
                info=texts.RATIOS_INFO,
                lines=1,
                elem_id="pv-sweep-ratios",
            )
            run, stop = run_buttons("Sweep", "sweep", "sweep-stop")
    status = gr.HTML(
        status_html(texts.SWEEP_READY), elem_id="pv-sweep-status", apply_default_css=False
    )
    plot = gr.HTML(
        value=None,
        html_template=read_static("sweep/sweep.html"),
        js_on_load=mounting("sweep"),
        apply_default_css=False,
        elem_id="pv-plot",
    )
    tables = gr.HTML("", elem_id="pv-sweep-tables", apply_default_css=False)
    export = exports.create("sweep")
    return SweepTab(chosen, ratios, run, stop, status, plot, tables, export)


def wire(
    shelf: Shelf,
    chosen: gr.Textbox,
    inputs: Inputs,
    tab: SweepTab,
    tabs: gr.Tabs,
    examples: Sequence[Example],
) -> None:
    """Connect the tab; `tabs` shows it where a link asks for it."""
    exports.wire(tab.export, examples, shelf.offered)
    on_link(tabs, "sweep", tab.status, [tab.methods, tab.ratios], restored)

    def run(model: str, *now: Any) -> Iterator[list[Any]]:
        wanted = SweepWanted(*now)
        screens = on_model(shelf, model, lambda session: run_sweep(session, wanted), SweepScreen)
        yield from steps(screens, updates, SweepScreen())

    buttons = [tab.run, tab.stop]
    asked = wire_run(
        [tab.run.click, tab.ratios.submit],
        run,
        [chosen, inputs.image, inputs.question, tab.methods, tab.ratios],
        [tab.status, tab.plot, tab.tables, tab.export.held, *buttons],
        tab.status,
        buttons,
        where=LONG,
    )
    wire_stop(tab.stop, asked, tab.status, buttons, texts.SWEEP_STOPPED)


def updates(screen: SweepScreen) -> list[Any]:
    """Values for the status line, the plot, the tables and what can be exported."""
    held = None if screen.run is None else HeldRun(screen.run)
    return filled(screen.status, screen.plot, screen.tables, held)
