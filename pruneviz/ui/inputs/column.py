"""The strip above the tabs, shared by all of them: picture, examples and question."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from pruneviz.ui.inputs import gallery
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared.fields import Picture


@dataclass(frozen=True)
class Inputs:
    """Handles of the strip."""

    image: gr.Image
    gallery: gr.HTML | None
    question: gr.Textbox


def create(examples: list[Example]) -> Inputs:
    """Create the strip's components, the first example filled in."""
    first = examples[0] if examples else None
    with gr.Row(elem_classes="pv-inputs"):
        image = _picture(first)
        with gr.Column(scale=1, min_width=280, elem_classes="pv-asked"):
            question = _question(first)
            examples_row = gallery.create(examples) if examples else None
    return Inputs(image, examples_row, question)


def _picture(first: Example | None) -> gr.Image:
    return Picture(
        value=str(first.image) if first else None,
        label="Picture",
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard", "webcam"],
        buttons=[],
        height=118,
        show_label=False,
        elem_id="pv-image",
    )


def _question(first: Example | None) -> gr.Textbox:
    return gr.Textbox(
        value=first.questions[0] if first and first.questions else "",
        label="Question",
        placeholder="How many things are there?",
        lines=1,
        max_lines=5,
        submit_btn=False,
        elem_id="pv-question",
    )
