"""The three tabs beside the shared picture and question."""

from __future__ import annotations

import gradio as gr

from pruneviz.engine import Shelf
from pruneviz.ui.ask import controls, results, wiring
from pruneviz.ui.ask.controls import Controls
from pruneviz.ui.ask.results import Results
from pruneviz.ui.compare import tab as compare
from pruneviz.ui.inputs.column import Inputs
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.models import picker
from pruneviz.ui.shared.encoding import is_small
from pruneviz.ui.shared.question import KEEP_PERCENT
from pruneviz.ui.sweep import tab as sweep


def create(
    shelf: Shelf, box: picker.Picker, inputs: Inputs, examples: list[Example], opening: bool
) -> tuple[Controls, Results]:
    """Create and connect the tabs and what follows the model's box.

    Returns the Ask tab's settings and results. `opening` says that a first result of that tab is
    on its way: of the embedded model, whose runs alone the examples' tips speak of.
    """
    tip = examples[0].tip(0) if opening else None
    with gr.Tabs(elem_id="pv-tabs") as tabs:
        with gr.Tab("Ask", id="ask", elem_id="pv-tab-ask"):
            set_up = controls.create(is_small(shelf.session()), tip)
            shown = results.create(opening)
        with gr.Tab("Compare", id="compare", elem_id="pv-tab-compare"):
            side_by_side = compare.create(tip.keep_percent if tip else KEEP_PERCENT)
        with gr.Tab("Sweep", id="sweep", elem_id="pv-tab-sweep"):
            curves = sweep.create()
    wiring.wire_asking(shelf, box.chosen, inputs, set_up, shown, examples)
    compare.wire(shelf, box.chosen, inputs, side_by_side, tabs, examples)
    sweep.wire(shelf, box.chosen, inputs, curves, tabs, examples)
    lines = (shown.status, side_by_side.status, curves.status)
    picker.wire(shelf, box, picker.Followers(*lines, set_up.auto, shown.export.held))
    return set_up, shown
