"""A tab's settings from the link that a page was opened with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.context import Context

from pruneviz.ui.shared import texts
from pruneviz.ui.shared.running import filled
from pruneviz.ui.shared.status import status_html


def on_link(
    tabs: gr.Tabs,
    name: str,
    status: gr.HTML,
    settings: list[Any],
    read: Callable[[Mapping[str, str]], Sequence[Any]],
) -> None:
    """Fill a tab's settings where the page's link names it; to be called inside a ``gr.Blocks``.

    Picture, question and model are what every link sets. Nothing is run but by a press.
    """
    page = Context.root_block
    if page is None:
        raise RuntimeError("A tab lies inside a gr.Blocks.")

    def opened(request: gr.Request) -> list[Any]:
        return found(dict(request.query_params), name, len(settings), read)

    page.load(
        opened,
        None,
        [tabs, status, *settings],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def found(
    values: Mapping[str, str],
    name: str,
    count: int,
    read: Callable[[Mapping[str, str]], Sequence[Any]],
) -> list[Any]:
    """Updates of the tabs, the status line and the `count` settings."""
    if values.get("tab") != name:
        return [gr.skip()] * (2 + count)
    line = status_html(texts.LINK_SETTINGS)
    return [gr.update(selected=name), line, *filled(*read(values))]
