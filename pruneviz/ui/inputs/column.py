"""The left column, shared by all tabs: picture, examples and question."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from pruneviz.ui.inputs import gallery
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared.fields import Picture


@dataclass(frozen=True)
class Inputs:
    """Handles of the column."""

    image: gr.Image
    gallery: gr.HTML | None
    question: gr.Textbox


def create(examples: list[Example]) -> Inputs:
    """Create the column's components, the first example filled in."""
    first = examples[0] if examples else None
    image = Picture(
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
    return Inputs(image, examples_row, question)
