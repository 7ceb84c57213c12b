"""The three tabs beside the shared picture and question."""

from __future__ import annotations

import gradio as gr

from pruneviz.engine import Session
from pruneviz.ui import compare, controls, results, sweep, wiring
from pruneviz.ui.asking import is_small
from pruneviz.ui.inputs import Inputs
from pruneviz.ui.results import Results


def create(session: Session, inputs: Inputs, opening: bool) -> Results:
    """Create and connect the tabs; returns the Ask tab's results.

    `opening` says that a first result of the Ask tab is on its way.
    """
    with gr.Tabs(elem_id="pv-tabs"):
        with gr.Tab("Ask", id="ask", elem_id="pv-tab-ask"):
            set_up = controls.create(rerun=is_small(session))
            shown = results.create(opening)
        with gr.Tab("Compare", id="compare", elem_id="pv-tab-compare"):
            side_by_side = compare.create()
        with gr.Tab("Sweep", id="sweep", elem_id="pv-tab-sweep"):
            curves = sweep.create()
    wiring.wire_asking(session, inputs, set_up, shown)
    compare.wire(session, inputs, side_by_side)
    sweep.wire(session, inputs, curves)
    return shown
