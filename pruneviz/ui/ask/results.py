"""The right column: status, both answers, fidelity, the canvas, the cost and its measuring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.engine.bench import PAIRS
from pruneviz.ui.ask import canvas as view
from pruneviz.ui.ask import exporting
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.answers import empty_card
from pruneviz.ui.shared.status import status_html


@dataclass(frozen=True)
class Results:
    """Handles of the result column; what is shown in the order of `pruneviz.ui.asking.Screen`.

    `measure` and `stop` are the buttons of paired times, `timing` the line that tells of them.
    """

    status: gr.HTML
    baseline: gr.HTML
    pruned: gr.HTML
    fidelity: gr.HTML
    view: gr.HTML
    cost: gr.HTML
    timing: gr.HTML
    measure: gr.Button
    stop: gr.Button
    export: exporting.Panel

    def outputs(self) -> list[Any]:
        """All of them, in order; last the result that can be exported."""
        answers = [self.status, self.baseline, self.pruned, self.fidelity]
        return [*answers, self.view, self.cost, self.timing, self.export.held]


def create(opening: bool = False) -> Results:
    """Create the column's components, empty; `opening` says that a result is on its way."""
    line = status_html(texts.OPENING, "busy") if opening else status_html(texts.READY)
    status = gr.HTML(line, elem_id="pv-status", apply_default_css=False)
    with gr.Row(elem_classes="pv-answers", equal_height=True):
        with gr.Column(min_width=280):
            baseline = gr.HTML(
                empty_card("Baseline", "The answer with all patches."),
                elem_id="pv-baseline",
                apply_default_css=False,
            )
        with gr.Column(min_width=280):
            pruned = gr.HTML(
                empty_card("Pruned", "The answer with the patches that are kept."),
                elem_id="pv-pruned",
                apply_default_css=False,
            )
    fidelity = gr.HTML("", elem_id="pv-fidelity", apply_default_css=False)
    panel = exporting.create()
    canvas = view.create()
    cost = gr.HTML("", elem_id="pv-cost", apply_default_css=False)
    measured = _measuring()
    return Results(status, baseline, pruned, fidelity, canvas, cost, *measured, panel)


def _measuring() -> tuple[gr.HTML, gr.Button, gr.Button]:
    """The line that tells of the measuring, and the buttons that start and stop it."""
    with gr.Row(elem_id="pv-measuring", elem_classes="pv-measuring"):
        measure = gr.Button(texts.MEASURE, size="sm", elem_id="pv-measure", scale=0, min_width=130)
        stop = gr.Button(
            "Stop",
            size="sm",
            variant="stop",
            elem_id="pv-measure-stop",
            scale=0,
            min_width=80,
            interactive=False,
        )
        note = texts.MEASURE_NOTE.format(PAIRS.rounds)
        gr.HTML(f'<p class="pv-note">{note}</p>', apply_default_css=False)
    return gr.HTML("", elem_id="pv-timing", apply_default_css=False), measure, stop
