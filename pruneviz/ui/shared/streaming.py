"""How the screens of a run reach the page: one says all of it where the next says nothing."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction

UPDATE = "__type__"
"""The key by which Gradio tells an update of a component's settings from its value."""


class StreamingBlocks(gr.Blocks):
    """Blocks whose every screen arrives, however fast the next one follows.

    Gradio sends what differs from the screen before, and its page changes that screen in place. A
    button that one screen disables and the next one leaves alone would be told nothing, where the
    next one comes before the page has looked at the first. So an update is sent whole.
    """

    def handle_streaming_diffs(
        self,
        block_fn: BlockFunction,
        data: list[Any],
        session_hash: str | None,
        run: str | None,
        final: bool,
        simple_format: bool = False,
    ) -> list[Any]:
        """Differences to the screen before, as Gradio makes them, but updates as a whole."""
        whole = list(data)
        sent: list[Any] = super().handle_streaming_diffs(
            block_fn, data, session_hash, run, final, simple_format
        )
        if final:
            return sent
        return [
            one if one is value else _edits(one, value)
            for one, value in zip(sent, whole, strict=True)
        ]


def _edits(edits: list[Any], value: Any) -> list[Any]:
    """Edits that lead to a value, without changing an update or making one."""
    is_update = isinstance(value, dict) and UPDATE in value
    was_update = any(path == [UPDATE] for _, path, _ in edits)
    return [["replace", [], value]] if edits and (is_update or was_update) else edits
