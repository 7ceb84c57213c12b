"""The canvas component: picture, layer maps, read-outs. Paints in the browser alone."""

from __future__ import annotations

from typing import Any

import gradio as gr

from pruneviz.ui.shared.previews import kept_at
from pruneviz.ui.shared.scripts import mounting
from pruneviz.ui.shared.static import read_static


def create(value: dict[str, Any] | None = None) -> gr.HTML:
    """Create the component; its value is what :func:`pruneviz.render.view_payload` returns.

    The template never changes, so that Gradio does not wipe what the script drew.
    """
    return gr.HTML(
        value=value,
        html_template=read_static("ask/view.html"),
        js_on_load=mounting("ask", "again", "look", "rest"),
        apply_default_css=False,
        elem_id="pv-view",
        server_functions=[kept_at],
    )


def live() -> gr.HTML:
    """Create what shows the answer at the slider's budget, in place of the run's own."""
    return gr.HTML(
        value=None,
        html_template=read_static("ask/live.html"),
        js_on_load=mounting("live"),
        apply_default_css=False,
        elem_id="pv-live",
    )


def carrier(name: str) -> gr.HTML:
    """Create what brings ``"effects"`` or ``"looks"`` to the canvas; it shows nothing itself."""
    return gr.HTML(
        value=None,
        html_template="<span></span>",
        js_on_load=(
            f"const send = () => window.dispatchEvent(new CustomEvent('pruneviz:{name}', "
            "{ detail: props.value })); watch('value', send);"
        ),
        apply_default_css=False,
        elem_id=f"pv-{name}data",
    )


def slot(name: str) -> gr.HTML:
    """Where a part of the canvas component stands that belongs elsewhere on the page."""
    return gr.HTML(
        f'<div id="pv-{name}-slot" class="pv-slot"></div>',
        apply_default_css=False,
        elem_id=f"pv-{name}",
    )
