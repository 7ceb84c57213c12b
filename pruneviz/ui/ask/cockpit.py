"""The Ask tab's face: what is looked at on one screen, and what folds below it.

The picture with its slider stands on the left; method, answers, cost in a line and the read-out on
the right. Layers, fidelity, cost in full and exports lie in tabs below.
"""

from __future__ import annotations

import gradio as gr

from pruneviz.ui.ask import canvas, controls, exporting, looks, results
from pruneviz.ui.ask.controls import Controls
from pruneviz.ui.ask.results import Results
from pruneviz.ui.inputs.examples import Tip
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.buttons import run_buttons
from pruneviz.ui.shared.question import KEEP_PERCENT


def create(rerun: bool, tip: Tip | None, opening: bool) -> tuple[Controls, Results]:
    """Create the tab's components.

    Parameters
    ----------
    rerun : bool
        Whether moving the slider asks again by itself: for small models.
    tip : Tip or None
        What the first example suggests to the model that the page opens with.
    opening : bool
        Whether a first result is on its way.
    """
    shown = tip.method if tip else methods.DEFAULT
    with gr.Row(elem_classes="pv-cockpit"):
        with gr.Column(scale=0, min_width=300, elem_classes="pv-stage"):
            view = canvas.create()
            keep, auto = controls.budget(rerun, tip.keep_percent if tip else KEEP_PERCENT)
            canvas.slot("under")
        with gr.Column(scale=1, min_width=300, elem_classes="pv-beside"):
            method, about = controls.choosing(shown)
            with gr.Row(elem_classes="pv-runrow"):
                ask, stop = run_buttons("Ask", "ask", "stop")
                status = results.line(opening)
            baseline, pruned, live = results.answers()
            summary = results.blank("summary")
            chance = results.blank("chance")
            canvas.slot("why")
            options, length = controls.further(shown)
    with gr.Tabs(elem_id="pv-more"):
        with gr.Tab("Layers", render_children=True):
            canvas.slot("layers")
        with gr.Tab("Attention", render_children=True):
            attention = looks.create()
        with gr.Tab("What matters", render_children=True):
            matters = results.mattering()
        with gr.Tab("Fidelity", render_children=True):
            fidelity = results.blank("fidelity")
        with gr.Tab("Cost", render_children=True):
            cost = results.blank("cost")
            timing, measure, halt = results.measuring()
        with gr.Tab("Export", render_children=True):
            panel = exporting.create()
    # The canvas keeps the pins; a script puts them in whenever something is asked.
    pins = gr.Textbox(visible=False)
    return (
        Controls(method, about, keep, ask, stop, options, length, auto, pins),
        Results(
            status=status,
            baseline=baseline,
            pruned=pruned,
            summary=summary,
            fidelity=fidelity,
            view=view,
            cost=cost,
            timing=timing,
            measure=measure,
            stop=halt,
            export=panel,
            live=live,
            chance=chance,
            matters=matters,
            attention=attention,
        ),
    )
