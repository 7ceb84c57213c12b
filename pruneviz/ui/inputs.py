"""The left column, shared by all tabs: picture, examples and question."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.data_classes import ImageData

from pruneviz.ui import gallery
from pruneviz.ui.examples import Example


@dataclass(frozen=True)
class Inputs:
    """Handles of the column."""

    image: gr.Image
    gallery: gr.HTML | None
    question: gr.Textbox


def create(examples: list[Example]) -> Inputs:
    """Create the column's components, the first example filled in."""
    first = examples[0] if examples else None
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
    return Inputs(image, examples_row, question)


def original_file(payload: ImageData | None) -> str | None:
    """Path of the uploaded file, untouched."""
    return payload.path if payload else None
