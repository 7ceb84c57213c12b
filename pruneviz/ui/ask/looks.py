"""The part that shows where the answers look: its components, and when it is worked out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.engine import Shelf
from pruneviz.ui.ask import canvas
from pruneviz.ui.ask.looking import look
from pruneviz.ui.shared.running import filled
from pruneviz.ui.shared.shown import Held


@dataclass(frozen=True)
class Attention:
    """Handles: the status line, and what brings the values to the canvas."""

    status: gr.HTML
    data: gr.HTML


def create() -> Attention:
    """Create the components."""
    status = gr.HTML("", elem_id="pv-looks-status", apply_default_css=False)
    canvas.slot("looks")
    return Attention(status, canvas.carrier("looks"))


def wire(shelf: Shelf, part: Attention, view: gr.HTML, held: gr.State) -> None:
    """Work it out when the canvas says that the part is looked at for the first time."""

    def run(now: Held | None, event: gr.EventData) -> Iterator[list[Any]]:
        sent = event._data if isinstance(event._data, dict) else {}
        with closing(look(shelf, now, sent.get("turn"))) as screens:
            for screen in screens:
                yield filled(screen.line, screen.data)
        # Gradio takes an empty generator for one that cleared everything.
        yield [gr.skip(), gr.skip()]

    view.look(
        run,
        held,
        [part.status, part.data],
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
        concurrency_id="look",
        concurrency_limit=2,
    )
