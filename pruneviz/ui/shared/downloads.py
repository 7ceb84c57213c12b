"""What every export panel is made of: its buttons, files made when asked for, texts to copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from pruneviz.scratch import told
from pruneviz.ui.shared.shown import LIFETIME, Written, release
from pruneviz.ui.shared.status import status_html

W = TypeVar("W", bound=Written)
Handler = Callable[[Any], list[Any]]
Cache = Callable[[str], str | None]

DOWNLOAD_SCRIPT = """(file) => {
  if (!file || !file.url) return;
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name || "";
  link.click();
}"""
# The page's own address is known in the browser alone; without a clipboard the text can be marked.
COPY_SCRIPT = """(kind, text) => {
  if (!text) return "";
  const copied = kind === "link" ? location.origin + location.pathname + "?" + text : text;
  if (navigator.clipboard) navigator.clipboard.writeText(copied).catch(() => {});
  return copied;
}"""
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def kept(cache: Callable[[str], str | None]) -> Callable[[str], str]:
    """`cache`, which must not fail to keep a file."""

    def keep(path: str) -> str:
        served = cache(path)
        if served and Path(served).stat().st_size < Path(path).stat().st_size:
            # What a full disk left of it; Gradio takes whatever has the name for the file.
            Path(served).unlink()
            served = cache(path)
        if served is None:
            raise OSError("The file could not be kept for the download.")
        return served

    return keep


@dataclass(frozen=True)
class Panel:
    """Handles of a panel; `held` is this visitor's last result."""

    held: gr.State
    files: dict[str, gr.Button]
    link: gr.Button
    command: gr.Button
    note: gr.HTML
    copied: gr.Textbox
    kind: gr.Textbox
    text: gr.Textbox
    served: gr.DownloadButton


def panel(titles: Mapping[str, str], prefix: str = "pv") -> Panel:
    """Create a panel: a button for each file by its name, and two that copy a text."""

    def button(title: str, name: str) -> gr.Button:
        return gr.Button(title, size="sm", min_width=130, elem_id=f"{prefix}-{name}")

    held = gr.State(None, time_to_live=LIFETIME, delete_callback=release)
    with gr.Row(elem_classes="pv-exports"):
        files = {n: button(title, f"export-{n.replace('.', '-')}") for n, title in titles.items()}
        link, command = button("Copy link", "link"), button("Copy command", "command")
    note = gr.HTML("", elem_id=f"{prefix}-exportnote", apply_default_css=False)
    copied = gr.Textbox(
        label="Copied",
        interactive=False,
        visible=False,
        lines=1,
        max_lines=4,
        elem_id=f"{prefix}-copied",
        elem_classes="pv-copied",
    )
    kind, text = gr.Textbox(visible=False), gr.Textbox(visible=False)
    served = gr.DownloadButton(visible=False)
    return Panel(held, files, link, command, note, copied, kind, text, served)


def wire_panel(
    panel: Panel, writer: Callable[[str, Cache], Handler], copier: Callable[[str], Handler]
) -> None:
    """Connect the buttons: a file is made when its button is pressed.

    `writer` makes the handler of a file by its name, `copier` that of ``"link"`` or ``"command"``.
    """
    for name, button in panel.files.items():
        pressed = button.click(
            writer(name, panel.served.move_resource_to_block_cache),
            panel.held,
            [panel.served, panel.note],
            concurrency_id="export",
            concurrency_limit=2,
            **QUIET,
        )
        pressed.then(None, panel.served, None, js=DOWNLOAD_SCRIPT, **QUIET)
    for kind, button in (("link", panel.link), ("command", panel.command)):
        pressed = button.click(
            copier(kind),
            panel.held,
            [panel.kind, panel.text, panel.note, panel.copied],
            **QUIET,
        )
        pressed.then(None, [panel.kind, panel.text], panel.copied, js=COPY_SCRIPT, **QUIET)


def writer_of(
    nothing: str, named: Callable[[W], str], make: Callable[[W, Path], None], cache: Cache
) -> Handler:
    """Handler of a file's button: what is held to ``[served path, note]``.

    Parameters
    ----------
    nothing : str
        Said where nothing is held.
    named, make : callable
        The file's name, and what writes it.
    cache : callable
        Copies what is served.
    """

    def write(held: W | None) -> list[Any]:
        if held is None:
            return [None, status_html(nothing, "error")]
        try:
            path = held.write(named(held), lambda file: make(held, file), kept(cache))
        except OSError as error:
            return [None, status_html(told(error), "error")]
        except ValueError as error:
            return [None, status_html(str(error), "error")]
        return [path, status_html(f"Saved as {Path(path).name}.", "done")]

    return write


def copier_of(kind: str, nothing: str, say: Callable[[W], tuple[str, str]]) -> Handler:
    """Handler of a copy button: what is held to ``[kind, text, note, textbox]``.

    `say` gives the text and what is said of it.
    """

    def copy(held: W | None) -> list[Any]:
        if held is None:
            return [kind, "", status_html(nothing, "error"), gr.update(visible=False)]
        text, note = say(held)
        box = gr.update(visible=True, label="Link" if kind == "link" else "Command")
        return [kind, text, status_html(note, "done"), box]

    return copy
