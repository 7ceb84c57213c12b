"""Input components that leave judging a value to the library, whose errors say what to do.

Gradio's own checks would fail first, with a message that helps nobody. Classes rather than patched
instances: Gradio builds a component anew for every visitor whose page it updates.
"""

from __future__ import annotations

import math
from typing import ClassVar

import gradio as gr
from gradio.data_classes import ImageData


class Picture(gr.Image):
    """Gives handlers the uploaded file untouched."""

    is_template: ClassVar[bool] = True
    """Drawn by the parent's front end."""

    def preprocess(self, payload: ImageData | None) -> str | None:
        """Path of the uploaded file."""
        return payload.path if payload else None


class Percent(gr.Slider):
    """A slider that gives handlers what was typed, be it out of range."""

    is_template: ClassVar[bool] = True

    def preprocess(self, payload: float | None) -> float:
        """The value as typed; NaN where the field is empty."""
        return math.nan if payload is None else float(payload)
