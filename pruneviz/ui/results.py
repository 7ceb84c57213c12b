"""The right column: status, both answers, fidelity, the canvas and the cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.ui import exporting, texts, view
from pruneviz.ui.answers import empty_card
from pruneviz.ui.status import status_html


@dataclass(frozen=True)
class Results:
    """Handles of the result column, in the order of :class:`pruneviz.ui.asking.Screen`."""

    status: gr.HTML
    baseline: gr.HTML
    pruned: gr.HTML
    fidelity: gr.HTML
    view: gr.HTML
    cost: gr.HTML
    export: exporting.Panel

    def outputs(self) -> list[Any]:
        """All of them, in order; last the result that can be exported."""
        shown = [self.status, self.baseline, self.pruned, self.fidelity, self.view, self.cost]
        return [*shown, self.export.held]


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
    return Results(status, baseline, pruned, fidelity, canvas, cost, panel)
