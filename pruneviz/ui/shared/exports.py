"""The export panel of a tab that runs several methods: figure, table, values, link, command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from pruneviz.export import model_title
from pruneviz.exports.files import NAMES
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.downloads import COPY_SCRIPT, DOWNLOAD_SCRIPT, QUIET, kept
from pruneviz.ui.shared.runs import HeldRun, command_of, example_with, query_of
from pruneviz.ui.shared.shown import LIFETIME, release
from pruneviz.ui.shared.status import status_html

TITLES = dict(
    zip(NAMES, ("Figure (PDF)", "Figure (PNG)", "Table (CSV)", "All values (JSON)"), strict=True)
)


@dataclass(frozen=True)
class ExportPanel:
    """Handles of the panel; `held` is this visitor's last run."""

    held: gr.State
    files: dict[str, gr.Button]
    link: gr.Button
    command: gr.Button
    note: gr.HTML
    copied: gr.Textbox
    kind: gr.Textbox
    text: gr.Textbox
    served: gr.DownloadButton


def create(tab: str) -> ExportPanel:
    """Create the panel of a tab, closed."""
    held = gr.State(None, time_to_live=LIFETIME, delete_callback=release)
    with gr.Accordion("Export this result", open=False, elem_id=f"pv-{tab}-export"):
        with gr.Row(elem_classes="pv-exports"):
            files = {
                name: gr.Button(
                    title,
                    size="sm",
                    min_width=130,
                    elem_id=f"pv-{tab}-export-{name.replace('.', '-')}",
                )
                for name, title in TITLES.items()
            }
            link = gr.Button("Copy link", size="sm", min_width=130, elem_id=f"pv-{tab}-link")
            command = gr.Button(
                "Copy command", size="sm", min_width=130, elem_id=f"pv-{tab}-command"
            )
        note = gr.HTML("", elem_id=f"pv-{tab}-exportnote", apply_default_css=False)
        copied = gr.Textbox(
            label="Copied",
            interactive=False,
            visible=False,
            lines=1,
            max_lines=4,
            elem_id=f"pv-{tab}-copied",
            elem_classes="pv-copied",
        )
        kind, text = gr.Textbox(visible=False), gr.Textbox(visible=False)
        served = gr.DownloadButton(visible=False)
    return ExportPanel(held, files, link, command, note, copied, kind, text, served)


def wire(panel: ExportPanel, examples: Sequence[Example], offered: Sequence[str]) -> None:
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
    """Handler of one file's button: the held run to ``[served path, note]``."""

    def write(held: HeldRun | None) -> list[Any]:
        if held is None:
            return [None, status_html(texts.NO_RUN_TO_EXPORT, "error")]
        run = held.run

        def make(path: Path) -> None:
            run.write(path, run.result, model_title(run.model), run.image, run.grid)

        try:
            path = held.write(f"pruneviz-{run.tab}-{name}", make, kept(cache))
        except (ValueError, OSError) as error:
            return [None, status_html(str(error), "error")]
        return [path, status_html(f"Saved as {Path(path).name}.", "done")]

    return write


def make_copier(
    kind: str, examples: Sequence[Example], offered: Sequence[str]
) -> Callable[[Any], list[Any]]:
    """Handler of a copy button: the held run to ``[kind, text, note, textbox]``."""

    def copy(held: HeldRun | None) -> list[Any]:
        if held is None:
            note = status_html(texts.NO_RUN_TO_EXPORT, "error")
            return [kind, "", note, gr.update(visible=False)]
        run = held.run
        own = example_with(run.picture, examples) is None
        if kind == "link":
            text = query_of(run, examples, offered)
            note = texts.TAB_LINK_WITHOUT_PICTURE if own else texts.TAB_LINK_COPIED
            if run.model not in offered:
                note = f"{note} {texts.LINK_WITHOUT_MODEL}"
        else:
            text = command_of(run, examples)
            note = texts.COMMAND_OWN_PICTURE if own else texts.COMMAND_COPIED
        box = gr.update(visible=True, label="Link" if kind == "link" else "Command")
        return [kind, text, status_html(note, "done"), box]

    return copy
