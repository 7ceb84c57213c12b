"""The tabs below the shared picture and question."""

from __future__ import annotations

from typing import Any

import gradio as gr

from pruneviz.engine import Shelf
from pruneviz.ui.ask import cockpit, wiring
from pruneviz.ui.ask.controls import Controls
from pruneviz.ui.ask.results import Results
from pruneviz.ui.compare import tab as compare
from pruneviz.ui.howmuch import tab as howmuch
from pruneviz.ui.howmuch import wiring as evaluating
from pruneviz.ui.inputs.column import Inputs
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.models import picker
from pruneviz.ui.shared.encoding import is_small
from pruneviz.ui.shared.question import KEEP_PERCENT
from pruneviz.ui.sweep import tab as sweep


def create(
    shelf: Shelf, box: picker.Picker, inputs: Inputs, examples: list[Example], opening: bool
) -> tuple[Controls, Results, list[Any]]:
    """Create and connect the tabs and what follows the model's box.

    Returns the Ask tab's settings and results, and the events after which there is one. `opening`
    says that a first result of that tab is on its way: of the embedded model, whose runs alone the
    examples' tips speak of.
    """
    tip = examples[0].tip(0) if opening else None
    with gr.Tabs(elem_id="pv-tabs") as tabs:
        with gr.Tab("Ask", id="ask", elem_id="pv-tab-ask"):
            set_up, shown = cockpit.create(is_small(shelf.session()), tip, opening)
        with gr.Tab("Compare", id="compare", elem_id="pv-tab-compare"):
            side_by_side = compare.create(tip.keep_percent if tip else KEEP_PERCENT)
        with gr.Tab("Sweep", id="sweep", elem_id="pv-tab-sweep"):
            curves = sweep.create()
        with gr.Tab("How much", id="howmuch", elem_id="pv-tab-howmuch"):
            evidence = howmuch.create()
    runs = wiring.wire_asking(shelf, box.chosen, inputs, set_up, shown, examples)
    compare.wire(shelf, box.chosen, inputs, side_by_side, tabs, examples)
    sweep.wire(shelf, box.chosen, inputs, curves, tabs, examples)
    evaluating.wire(shelf, box.chosen, evidence, inputs, set_up, tabs)
    lines = (shown.status, side_by_side.status, curves.status, evidence.status)
    picker.wire(shelf, box, picker.Followers(*lines, set_up.auto, shown.export.held))
    return set_up, shown, runs
