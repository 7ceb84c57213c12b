"""What the Ask tab shows of a run: status, both answers, canvas, cost, fidelity, measuring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.engine.bench import PAIRS
from pruneviz.ui.ask import canvas
from pruneviz.ui.ask.looks import Attention
from pruneviz.ui.ask.mattering import SIDES
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.answers import empty_card
from pruneviz.ui.shared.downloads import Panel
from pruneviz.ui.shared.status import status_html


@dataclass(frozen=True)
class Matters:
    """Handles of what measures by intervention."""

    side: gr.Radio
    run: gr.Button
    restore: gr.Button
    stop: gr.Button
    status: gr.HTML
    data: gr.HTML


@dataclass(frozen=True)
class Results:
    """Handles of what is shown, in the order of `pruneviz.ui.ask.asking.Screen`.

    `measure` and `stop` are the buttons of paired times, `timing` the line that tells of them.
    `live` and `chance` are worked out behind a result.
    """

    status: gr.HTML
    baseline: gr.HTML
    pruned: gr.HTML
    summary: gr.HTML
    fidelity: gr.HTML
    view: gr.HTML
    cost: gr.HTML
    timing: gr.HTML
    measure: gr.Button
    stop: gr.Button
    export: Panel
    live: gr.HTML
    chance: gr.HTML
    matters: Matters
    attention: Attention

    def outputs(self) -> list[Any]:
        """All of them, in order; last the result that can be exported."""
        answers = [self.status, self.baseline, self.pruned, self.summary]
        return [*answers, self.fidelity, self.view, self.cost, self.timing, self.export.held]


def line(opening: bool) -> gr.HTML:
    """The line that tells what is going on; `opening` says that a result is on its way."""
    text = status_html(texts.OPENING, "busy") if opening else status_html(texts.READY)
    return gr.HTML(text, elem_id="pv-status", apply_default_css=False)


def answers() -> tuple[gr.HTML, gr.HTML, gr.HTML]:
    """Both answers, side by side, and what stands for the second while the slider moves."""
    with gr.Row(elem_classes="pv-answers", equal_height=True):
        with gr.Column(min_width=140):
            baseline = _card("Baseline", "The answer with all patches.", "pv-baseline")
        with gr.Column(min_width=140):
            pruned = _card("Pruned", "The answer with the patches that are kept.", "pv-pruned")
            live = canvas.live()
    return baseline, pruned, live


def _card(title: str, text: str, name: str) -> gr.HTML:
    return gr.HTML(empty_card(title, text), elem_id=name, apply_default_css=False)


def blank(name: str) -> gr.HTML:
    """What stays empty until there is a result."""
    return gr.HTML("", elem_id=f"pv-{name}", apply_default_css=False)


def mattering() -> Matters:
    """The blocks' size, the buttons, the line that tells, and the map."""
    with gr.Row(elem_classes="pv-matterrow"):
        side = gr.Radio(
            SIDES,
            value=2,
            show_label=False,
            label="Taken away together",
            elem_classes="pv-chips",
            elem_id="pv-side",
        )
        run = gr.Button("Measure what matters", size="sm", elem_id="pv-matters-run", min_width=170)
        again = gr.Button(
            "Find what restores the answer", size="sm", elem_id="pv-matters-restore", min_width=210
        )
        stop = gr.Button(
            "Stop",
            size="sm",
            variant="stop",
            interactive=False,
            elem_id="pv-matters-stop",
            min_width=80,
        )
    status = blank("matters-status")
    canvas.slot("matters")
    return Matters(side, run, again, stop, status, canvas.carrier("effects"))


def measuring() -> tuple[gr.HTML, gr.Button, gr.Button]:
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
