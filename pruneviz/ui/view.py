"""The canvas component: picture, layer maps, read-outs. Paints in the browser alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("base.js", "patches.js", "readout.js", "layers.js", "pins.js", "main.js")


@cache
def script() -> str:
    """The component's script: the files of the static folder, one after the other."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in SCRIPTS)


def create(value: dict[str, Any] | None = None) -> gr.HTML:
    """Create the component; its value is what :func:`pruneviz.render.view_payload` returns.

    The template never changes, so that Gradio does not wipe what the script drew.
    """
    return gr.HTML(
        value=value,
        html_template=(STATIC / "view.html").read_text(encoding="utf-8"),
        js_on_load=script(),
        apply_default_css=False,
        elem_id="pv-view",
    )
