"""The canvas component: picture, layer maps, read-outs. Paints in the browser alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from pruneviz.ui.previews import kept_at

STATIC = Path(__file__).parent / "static"
SCRIPTS = (
    "base.js",
    "patches.js",
    "previews.js",
    "merged.js",
    "readout.js",
    "layers.js",
    "player.js",
    "pins.js",
    "parts.js",
    "main.js",
)


def read_static(name: str) -> str:
    """Text of a file of the static folder."""
    return (STATIC / name).read_text(encoding="utf-8")


def join_scripts(*names: str) -> str:
    """A component's script: files of the static folder, one after the other."""
    return "\n".join(map(read_static, names))


@cache
def script() -> str:
    """The component's script."""
    return join_scripts(*SCRIPTS)


def create(value: dict[str, Any] | None = None) -> gr.HTML:
    """Create the component; its value is what :func:`pruneviz.render.view_payload` returns.

    The template never changes, so that Gradio does not wipe what the script drew.
    """
    return gr.HTML(
        value=value,
        html_template=read_static("view.html"),
        js_on_load=script(),
        apply_default_css=False,
        elem_id="pv-view",
        server_functions=[kept_at],
    )
