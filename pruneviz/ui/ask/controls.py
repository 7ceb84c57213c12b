"""What the Ask tab sets: method, keep ratio, buttons, further settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.methods import Choice, Option, Range
from pruneviz.methods.registry import METHODS
from pruneviz.ui.inputs.examples import Tip
from pruneviz.ui.shared import methods, texts
from pruneviz.ui.shared.buttons import rerun_tick, run_buttons
from pruneviz.ui.shared.fields import Percent
from pruneviz.ui.shared.question import KEEP_PERCENT


@dataclass(frozen=True)
class Controls:
    """Handles of the tab's settings."""

    method: gr.Radio
    about: gr.HTML
    keep: gr.Slider
    ask: gr.Button
    stop: gr.Button
    options: dict[str, Any]
    length: gr.Slider
    auto: gr.Checkbox
    pins: gr.Textbox


def create(rerun: bool, tip: Tip | None = None) -> Controls:
    """Create the components.

    `rerun` says whether moving the slider asks again by itself: for small models. `tip` is what
    the first example suggests to the model that the page opens with.
    """
    shown = tip.method if tip else methods.DEFAULT
    with gr.Row(elem_classes="pv-controls"):
        with gr.Column(scale=6, min_width=300):
            method = gr.Radio(
                methods.choices(),
                value=shown,
                label="Pruning method",
                info=texts.METHOD_INFO.format(methods.controls_named()),
                elem_id="pv-method",
                elem_classes="pv-chips",
            )
            about = gr.HTML(methods.describe(shown), elem_id="pv-about")
        with gr.Column(scale=4, min_width=300):
            keep = Percent(
                1,
                100,
                tip.keep_percent if tip else KEEP_PERCENT,
                step=1,
                label=texts.KEEP_LABEL,
                info=texts.KEEP_INFO,
                elem_id="pv-keep",
            )
            auto = rerun_tick(rerun, "auto")
            ask, stop = run_buttons("Ask", "ask", "stop")
    with gr.Accordion("More settings", open=False):
        options = _options(shown)
        length = gr.Slider(1, 256, 48, step=1, label="Longest answer (tokens)")
    # The canvas keeps the pins; a script puts them in whenever something is asked.
    pins = gr.Textbox(visible=False)
    return Controls(method, about, keep, ask, stop, options, length, auto, pins)


def _options(shown: str) -> dict[str, Any]:
    """A component for every option of every method; only those of the method shown are visible."""
    found = {}
    for key, (name, option) in methods.options().items():
        common = {
            "label": f"{METHODS[name].title}: {option.field.replace('_', ' ')}",
            "info": option.info,
            "value": methods.default_of(name, option),
            "visible": name == shown,
        }
        found[key] = _component(option, common)
    return found


def _component(option: Option, common: dict[str, Any]) -> Any:
    if isinstance(option, Choice):
        return gr.Radio(list(option.choices), **common)
    if isinstance(option, Range) and common["value"] is None:
        return gr.Number(minimum=option.low, maximum=option.high, step=option.step, **common)
    if isinstance(option, Range):
        return gr.Slider(option.low, option.high, step=option.step, **common)
    return gr.Number(precision=0, **common)
