"""The export panel: figures, layer maps, table, trace, link and command of the shown result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from pruneviz import export
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.render import save_figure
from pruneviz.scratch import no_room
from pruneviz.ui.ask import links
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.downloads import COPY_SCRIPT, DOWNLOAD_SCRIPT, QUIET, kept
from pruneviz.ui.shared.shown import LIFETIME, Held, Shown, release
from pruneviz.ui.shared.status import status_html

FILES = {
    "figure.pdf": "Figure (PDF)",
    "figure.png": "Figure (PNG)",
    "layers.pdf": "Layer maps (PDF)",
    "layers.png": "Layer maps (PNG)",
    "table.csv": "Cost table (CSV)",
    "trace.json": "Trace (JSON)",
}


@dataclass(frozen=True)
class Panel:
    """Handles of the panel; `held` is this visitor's last result."""

    held: gr.State
    files: dict[str, gr.Button]
    link: gr.Button
    command: gr.Button
    note: gr.HTML
    copied: gr.Textbox
    kind: gr.Textbox
    text: gr.Textbox
    served: gr.DownloadButton


def create() -> Panel:
    """Create the panel."""
    held = gr.State(None, time_to_live=LIFETIME, delete_callback=release)
    with gr.Row(elem_classes="pv-exports"):
        files = {
            name: gr.Button(title, size="sm", min_width=130, elem_id=f"pv-{_id(name)}")
            for name, title in FILES.items()
        }
        link = gr.Button("Copy link", size="sm", min_width=130, elem_id="pv-link")
        command = gr.Button("Copy command", size="sm", min_width=130, elem_id="pv-command")
    note = gr.HTML("", elem_id="pv-exportnote", apply_default_css=False)
    copied = gr.Textbox(
        label="Copied",
        interactive=False,
        visible=False,
        lines=1,
        max_lines=4,
        elem_id="pv-copied",
    )
    kind, text = gr.Textbox(visible=False), gr.Textbox(visible=False)
    served = gr.DownloadButton(visible=False)
    return Panel(held, files, link, command, note, copied, kind, text, served)


def wire(panel: Panel, examples: Sequence[Example], offered: Sequence[str]) -> None:
    """Connect the buttons: a file is made when its button is pressed."""
    for name, button in panel.files.items():
        pressed = button.click(
            make_writer(name, panel.served.move_resource_to_block_cache),
            panel.held,
            [panel.served, panel.note],
            concurrency_id="export",
            concurrency_limit=2,
            **QUIET,
        )
        pressed.then(None, panel.served, None, js=DOWNLOAD_SCRIPT, **QUIET)
    for kind, button in (("link", panel.link), ("command", panel.command)):
        pressed = button.click(
            make_copier(kind, examples, offered),
            panel.held,
            [panel.kind, panel.text, panel.note, panel.copied],
            **QUIET,
        )
        pressed.then(None, [panel.kind, panel.text], panel.copied, js=COPY_SCRIPT, **QUIET)


def make_writer(name: str, cache: Callable[[str], str | None]) -> Callable[[Any], list[Any]]:
    """Handler of one file's button: the held result to ``[served path, note]``."""

    def write(held: Held | None) -> list[Any]:
        if held is None:
            return [None, status_html(texts.NOTHING_TO_EXPORT, "error")]
        try:
            shown = held.shown
            path = held.write(file_name(shown, name), lambda p: make_file(shown, p), kept(cache))
        except OSError as error:
            return [None, status_html(no_room(error) or str(error), "error")]
        except ValueError as error:
            return [None, status_html(str(error), "error")]
        return [path, status_html(f"Saved as {Path(path).name}.", "done")]

    return write


def make_copier(
    kind: str, examples: Sequence[Example], offered: Sequence[str] = (EMBEDDED,)
) -> Callable[[Any], list[Any]]:
    """Handler of a copy button: the held result to ``[kind, text, note, textbox]``."""

    def copy(held: Held | None) -> list[Any]:
        if held is None:
            note = status_html(texts.NOTHING_TO_EXPORT, "error")
            return [kind, "", note, gr.update(visible=False)]
        own = links.example_of(held.shown, examples) is None
        if kind == "link":
            text = links.query_of(held.shown, examples, offered)
            note = texts.LINK_WITHOUT_PICTURE if own else texts.LINK_COPIED
            if held.shown.model not in offered:
                note = f"{note} {texts.LINK_WITHOUT_MODEL}"
        else:
            text = links.command_of(held.shown, examples)
            note = texts.COMMAND_OWN_PICTURE if own else texts.COMMAND_COPIED
        box = gr.update(visible=True, label="Link" if kind == "link" else "Command")
        return [kind, text, status_html(note, "done"), box]

    return copy


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


def _id(name: str) -> str:
    return "export-" + name.replace(".", "-")
