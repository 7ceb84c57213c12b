"""The export panel of a tab that runs several methods: figure, table, values, link, command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from pruneviz.export import model_title
from pruneviz.exports.files import NAMES
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.downloads import (
    Cache,
    Handler,
    Panel,
    copier_of,
    panel,
    wire_panel,
    writer_of,
)
from pruneviz.ui.shared.runs import HeldRun, command_of, example_with, query_of

TITLES = dict(
    zip(NAMES, ("Figure (PDF)", "Figure (PNG)", "Table (CSV)", "All values (JSON)"), strict=True)
)


def create(tab: str) -> Panel:
    """Create the panel of a tab, closed."""
    with gr.Accordion("Export this result", open=False, elem_id=f"pv-{tab}-export"):
        return panel(TITLES, f"pv-{tab}")


def wire(panel: Panel, examples: Sequence[Example], offered: Sequence[str]) -> None:
    """Connect the buttons."""
    wire_panel(panel, make_writer, lambda kind: make_copier(kind, examples, offered))


def make_writer(name: str, cache: Cache) -> Handler:
    """Handler of one file's button: the held run to ``[served path, note]``."""

    def make(held: HeldRun, path: Path) -> None:
        run = held.run
        run.write(path, run.result, model_title(run.model), run.image, run.grid)

    return writer_of(
        texts.NO_RUN_TO_EXPORT, lambda held: f"pruneviz-{held.run.tab}-{name}", make, cache
    )


def make_copier(kind: str, examples: Sequence[Example], offered: Sequence[str]) -> Handler:
    """Handler of a copy button: the held run to ``[kind, text, note, textbox]``."""

    def told(held: HeldRun) -> tuple[str, str]:
        run = held.run
        own = example_with(run.picture, examples) is None
        if kind != "link":
            note = texts.COMMAND_OWN_PICTURE if own else texts.COMMAND_COPIED
            return command_of(run, examples), note
        note = texts.TAB_LINK_WITHOUT_PICTURE if own else texts.TAB_LINK_COPIED
        if run.model not in offered:
            note = f"{note} {texts.LINK_WITHOUT_MODEL}"
        return query_of(run, examples, offered), note

    return copier_of(kind, texts.NO_RUN_TO_EXPORT, told)
