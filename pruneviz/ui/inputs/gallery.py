"""The example gallery: thumbnails, and the questions of the one chosen."""

from __future__ import annotations

import base64
import filecmp
import io
from typing import Any

import gradio as gr
from PIL import Image

from pruneviz.ui.inputs.examples import Example, Tip
from pruneviz.ui.shared.scripts import mounting

SIDE = 112


def create(examples: list[Example]) -> gr.HTML:
    """Create the gallery; it fires ``pick`` with ``{"image": i, "question": j}``."""
    return gr.HTML(
        value=gallery_value(examples),
        html_template='<div class="pv-gallery"></div>',
        js_on_load=mounting("gallery", "pick"),
        apply_default_css=False,
        elem_id="pv-gallery",
    )


def gallery_value(examples: list[Example]) -> list[dict[str, Any]]:
    """Name, thumbnail and questions of each example."""
    return [
        {
            "name": e.name,
            "stem": e.image.stem,
            "thumb": _thumb(e),
            "questions": list(e.questions),
            "notes": [tip.note if (tip := e.tip(i)) else "" for i in range(len(e.questions))],
        }
        for e in examples
    ]


def picked(examples: list[Example], data: Any) -> tuple[str, str, Tip | None] | None:
    """Path, question and tip of a choice; None where the browser sent nonsense."""
    try:
        example, index = examples[_index(data["image"])], _index(data["question"])
        return str(example.image), example.questions[index], example.tip(index)
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def same_file(current: str | None, path: str) -> bool:
    """Whether the picture that is set, a copy made by Gradio, is this one."""
    try:
        return current is not None and filecmp.cmp(current, path, shallow=False)
    except OSError:
        return False


def _index(value: Any) -> int:
    number = int(value)
    if number < 0:
        raise IndexError(number)
    return number


def _thumb(example: Example) -> str:
    with Image.open(example.image) as image:
        small = image.convert("RGB")
    small.thumbnail((2 * SIDE, 2 * SIDE))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")
