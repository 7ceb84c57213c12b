"""Screens that arrive together: the later ones take nothing from the earlier ones."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gradio as gr
import pytest

from pruneviz.ui.shared.running import after_stop
from pruneviz.ui.shared.status import status_html
from pruneviz.ui.shared.streaming import StreamingBlocks

OFF, ON, SAME = gr.update(interactive=False), gr.update(interactive=True), gr.skip()
ROWS = {"rows": [{"percent": 25, "text": "a book"}]}
MORE = {"rows": [*ROWS["rows"], {"percent": 50, "text": "a book"}]}


def edited(value: Any, edits: list[Any]) -> Any:
    """A value after edits, which Gradio's page makes in place."""
    for action, path, new in edits:
        if not path:
            assert action in ("replace", "append")
            value = new if action == "replace" else value + new
            continue
        inner = value
        for key in path[:-1]:
            inner = inner[key]
        if action == "delete":
            del inner[path[-1]]
        elif action == "add" and isinstance(inner, list):
            inner.insert(path[-1], new)
        else:
            inner[path[-1]] = inner[path[-1]] + new if action == "append" else new
    return value


def arrived(blocks: gr.Blocks, screens: list[list[Any]]) -> list[list[Any]]:
    """The screens as the page holds them when all have come before it looks at any."""
    (block_fn,) = blocks.fns.values()
    seen, last = [], None
    for screen in screens:
        told = deepcopy(
            blocks.handle_streaming_diffs(block_fn, deepcopy(screen), "session", "run", final=False)
        )
        last = told if last is None else list(map(edited, last, told))
        seen.append(list(last))
    end = blocks.handle_streaming_diffs(block_fn, list(screens[-1]), "session", "run", final=True)
    assert end == screens[-1]
    return seen


def blocks(kind: type[gr.Blocks], outputs: int) -> gr.Blocks:
    with kind() as page:
        button = gr.Button()
        button.click(lambda: None, None, [gr.HTML() for _ in range(outputs)])
    return page


SCREENS = [
    ["Looking", OFF, SAME, "a", SAME],
    [SAME, SAME, ROWS, "ab", SAME],
    ["Looking …", SAME, MORE, "b", OFF],
    ["Done", ON, SAME, SAME, ON],
]


@pytest.mark.parametrize("last", range(1, 5))
def test_no_screen_is_taken_back_by_the_next(last) -> None:
    seen = arrived(blocks(StreamingBlocks, 5), SCREENS[:last])
    for found, screen in zip(seen, SCREENS, strict=False):
        # What grows is the newer one already, and that is what the page will show.
        assert [MORE if one == ROWS and last > 2 else one for one in screen] == found


def test_a_value_that_grows_is_sent_as_what_differs() -> None:
    page = blocks(StreamingBlocks, 1)
    (block_fn,) = page.fns.values()
    page.handle_streaming_diffs(block_fn, [deepcopy(ROWS)], "session", "run", final=False)
    told = page.handle_streaming_diffs(block_fn, [deepcopy(MORE)], "session", "run", final=False)
    assert told == [[["add", ["rows", 1], MORE["rows"][1]]]]


def test_gradio_itself_still_loses_one() -> None:
    """Once this fails, :class:`StreamingBlocks` is needed no more."""
    assert arrived(blocks(gr.Blocks, 1), [[OFF], [SAME]])[0] != [OFF]


def test_a_run_that_has_ended_is_not_called_stopped() -> None:
    for line in (None, "", status_html("2 of 9", "busy"), status_html("No.", "error")):
        assert after_stop(line, "Stopped here.") == status_html("Stopped here.", "stopped")
    assert after_stop(status_html("Done: 9 of 9.", "done"), "Stopped here.") == gr.skip()
