"""What the Ask tab sets: method, keep ratio, further settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.methods import Choice, Option, Range
from pruneviz.methods.registry import METHODS
from pruneviz.ui.shared import methods, texts
from pruneviz.ui.shared.buttons import rerun_tick
from pruneviz.ui.shared.fields import Percent


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


def choosing(shown: str) -> tuple[gr.Radio, gr.HTML]:
    """Which method prunes, and a line on it; `shown` is chosen."""
    method = gr.Radio(
        methods.choices(),
        value=shown,
        label="Pruning method",
        info=texts.METHOD_INFO.format(methods.controls_named()),
        elem_id="pv-method",
        elem_classes="pv-chips",
    )
    return method, gr.HTML(methods.describe(shown), elem_id="pv-about")


def budget(rerun: bool, percent: float) -> tuple[gr.Slider, gr.Checkbox]:
    """How much is kept; `rerun` says whether moving it asks again by itself: for small models."""
    keep = Percent(
        1,
        100,
        percent,
        step=1,
        label=texts.KEEP_LABEL,
        elem_id="pv-keep",
    )
    return keep, rerun_tick(rerun, "auto")


def further(shown: str) -> tuple[dict[str, Any], gr.Slider]:
    """A component for every option of every method, and how long an answer may be."""
    with gr.Accordion("More settings", open=False, elem_id="pv-further"):
        options = _options(shown)
        length = gr.Slider(1, 256, 48, step=1, label="Longest answer (tokens)")
    return options, length


def _options(shown: str) -> dict[str, Any]:
    """Only those of the method shown are visible."""
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
