"""A tour of a minute: what a visual token is, what the slider does, where methods differ."""

from __future__ import annotations

import gradio as gr

from pruneviz.ui.shared.scripts import mounting


def create() -> gr.HTML:
    """Create the button that starts it and the card that it is told on.

    The browser remembers that it was seen; nothing is sent.
    """
    return gr.HTML(
        value=None,
        html_template=(
            '<button type="button" class="pv-btn pv-tourstart">Tour</button>'
            '<aside class="pv-tour" aria-label="Tour" role="status" hidden></aside>'
        ),
        js_on_load=mounting("tour"),
        apply_default_css=False,
        elem_id="pv-tour",
    )
