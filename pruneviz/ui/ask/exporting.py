"""The export panel: figures, layer maps, table, trace, link and command of the shown result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pruneviz import export
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.render import save_figure
from pruneviz.ui.ask import links
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
from pruneviz.ui.shared.runs import example_with
from pruneviz.ui.shared.shown import Held, Shown

FILES = {
    "figure.pdf": "Figure (PDF)",
    "figure.png": "Figure (PNG)",
    "layers.pdf": "Layer maps (PDF)",
    "layers.png": "Layer maps (PNG)",
    "table.csv": "Cost table (CSV)",
    "trace.json": "Trace (JSON)",
}


def create() -> Panel:
    """Create the panel."""
    return panel(FILES)


def wire(panel: Panel, examples: Sequence[Example], offered: Sequence[str]) -> None:
    """Connect the buttons."""
    wire_panel(panel, make_writer, lambda kind: make_copier(kind, examples, offered))


def make_writer(name: str, cache: Cache) -> Handler:
    """Handler of one file's button: the held result to ``[served path, note]``."""

    def make(held: Held, path: Path) -> None:
        make_file(held.shown, path)

    return writer_of(texts.NOTHING_TO_EXPORT, lambda held: file_name(held.shown, name), make, cache)


def make_copier(
    kind: str, examples: Sequence[Example], offered: Sequence[str] = (EMBEDDED,)
) -> Handler:
    """Handler of a copy button: the held result to ``[kind, text, note, textbox]``."""

    def told(held: Held) -> tuple[str, str]:
        own = example_with(held.shown.picture, examples) is None
        if kind != "link":
            note = texts.COMMAND_OWN_PICTURE if own else texts.COMMAND_COPIED
            return links.command_of(held.shown, examples), note
        note = texts.LINK_WITHOUT_PICTURE if own else texts.LINK_COPIED
        if held.shown.model not in offered:
            note = f"{note} {texts.LINK_WITHOUT_MODEL}"
        return links.query_of(held.shown, examples, offered), note

    return copier_of(kind, texts.NOTHING_TO_EXPORT, told)


def make_file(shown: Shown, path: Path) -> None:
    """Write what the path's name asks for: one of `FILES` after the prefix."""
    model, done = export.model_title(shown.model), shown.done
    kind = path.name.rpartition("-")[2]
    if kind == "table.csv":
        path.write_text(export.table(done, model, shown.timing), encoding="utf-8")
    elif kind == "trace.json":
        done.pruned.trace.to_json(path)
    elif kind.startswith("layers"):
        save_figure(export.layers(done, model), path)
    else:
        save_figure(export.figure(shown.image, done, model, shown.grid), path)


def file_name(shown: Shown, name: str) -> str:
    """Such as ``pruneviz-transprune-25-figure.pdf``."""
    pinned = "-pins" if shown.pins else ""
    return f"pruneviz-{shown.question.method}-{shown.question.keep_percent:g}{pinned}-{name}"
