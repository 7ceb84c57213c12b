"""The left column: picture, question, method, keep ratio, buttons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from pruneviz.methods.fopru import STRATEGIES
from pruneviz.methods.transprune import SIGNALS
from pruneviz.ui import gallery, methods, texts
from pruneviz.ui.examples import Example


@dataclass(frozen=True)
class Inputs:
    """Handles of the input column."""

    image: gr.Image
    gallery: gr.HTML | None
    question: gr.Textbox
    method: gr.Radio
    about: gr.HTML
    keep: gr.Slider
    ask: gr.Button
    stop: gr.Button
    options: dict[str, Any]
    length: gr.Slider
    auto: gr.Checkbox
    pins: gr.Textbox

    def settings(self) -> list[Any]:
        """Everything that a link restores, in the order of a :class:`Question`'s fields."""
        fields = [self.image, self.question, self.method, self.keep, self.length]
        return [*fields, *self.options.values()]


def create(examples: list[Example], rerun: bool) -> Inputs:
    """Create the column's components, the first example filled in.

    `rerun` says whether moving the slider asks again by itself: for small models.
    """
    first = examples[0] if examples else None
    tip = first.tip(0) if first else None
    shown = tip.method if tip else methods.DEFAULT
    image = gr.Image(
        value=str(first.image) if first else None,
        label="Picture",
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard", "webcam"],
        buttons=["fullscreen"],
        height=200,
        show_label=False,
        elem_id="pv-image",
    )
    # The library reads the original bytes and explains what is wrong with them; Gradio's own
    # reader would fail first, with a message that helps nobody.
    image.preprocess = original_file  # type: ignore[method-assign]
    examples_row = gallery.create(examples) if examples else None
    question = gr.Textbox(
        value=first.questions[0] if first and first.questions else "",
        label="Question",
        placeholder="What is in the picture?",
        lines=1,
        max_lines=5,
        submit_btn=False,
        elem_id="pv-question",
    )
    with gr.Row(elem_classes="pv-actions"):
        ask = gr.Button("Ask", variant="primary", elem_id="pv-ask", scale=3, min_width=120)
        stop = gr.Button(
            "Stop", variant="stop", elem_id="pv-stop", scale=1, min_width=80, interactive=False
        )
    method = gr.Radio(
        methods.choices(),
        value=shown,
        label="Pruning method",
        info=texts.METHOD_INFO,
        elem_id="pv-method",
    )
    about = gr.HTML(methods.describe(shown), elem_id="pv-about")
    keep = gr.Slider(
        1,
        100,
        tip.keep_percent if tip else 25,
        step=1,
        label=texts.KEEP_LABEL,
        info=texts.KEEP_INFO,
        elem_id="pv-keep",
    )
    auto = gr.Checkbox(
        rerun, label="Run again when the slider rests", show_label=False, elem_id="pv-auto"
    )
    with gr.Accordion("More settings", open=False):
        options = _options(shown)
        length = gr.Slider(1, 256, 48, step=1, label="Longest answer (tokens)")
    # The canvas keeps the pins; a script puts them in whenever something is asked.
    pins = gr.Textbox(visible=False)
    return Inputs(
        image, examples_row, question, method, about, keep, ask, stop, options, length, auto, pins
    )


def original_file(payload: ImageData | None) -> str | None:
    """Path of the uploaded file, untouched."""
    return payload.path if payload else None


def _options(method: str) -> dict[str, Any]:
    shown = methods.OPTIONS.get(method, ())
    return {
        "signal": gr.Radio(
            list(SIGNALS),
            value="both",
            label="TransPrune: signal",
            info="TTV = how much the layers change a patch; IGA = how much the text attends to it.",
            visible="signal" in shown,
        ),
        "alpha": gr.Slider(
            0,
            4,
            0.5,
            step=0.1,
            label="ResPrune: alpha",
            info="Strength of the question; 0 looks at the picture alone.",
            visible="alpha" in shown,
        ),
        "strategy": gr.Radio(
            list(STRATEGIES),
            value="rank",
            label="FoPru: strategy",
            info="The best patches anywhere, or the best whole rows.",
            visible="strategy" in shown,
        ),
        "seed": gr.Number(
            0,
            precision=0,
            label="Random: seed",
            info="The same seed draws the same patches.",
            visible="seed" in shown,
        ),
    }
