"""The model's box in the header: which one answers, what it knows, and choosing another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.engine import Session, Shelf
from pruneviz.ui.models import knows
from pruneviz.ui.models.picking import (
    about_html,
    choices,
    earlier,
    fetch,
    label,
    load,
    preview,
    remembered,
)
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.attending import attended
from pruneviz.ui.shared.encoding import is_small
from pruneviz.ui.shared.running import MODEL, busy, idle, wire_stop
from pruneviz.ui.shared.shown import Held
from pruneviz.ui.shared.status import status_html

CHANGED_SCRIPT = (
    "(name) => { if (name) window.dispatchEvent(new CustomEvent('pruneviz:changed')); }"
)
"""Pins name patches, and another model cuts the picture into others."""
EMPTY_SCRIPT = "() => ''"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Picker:
    """Handles of the box.

    `chosen` is the name of the model that answers this visitor, `named` has a line for each that
    the visitor named by hand. `ahead` says what the model takes that might be used, `status` what
    is being done.
    """

    chosen: gr.Textbox
    named: gr.Textbox
    fetched: gr.Textbox
    box: gr.Accordion
    about: gr.HTML
    choice: gr.Radio
    typed: gr.Textbox
    use: gr.Button
    stop: gr.Button
    ahead: gr.HTML
    status: gr.HTML
    suggested: dict[str, gr.Button]

    OUTPUTS = ("chosen", "named", "box", "about", "choice", "typed")

    def outputs(self) -> list[Any]:
        """What :func:`model_values` fills."""
        return [getattr(self, name) for name in self.OUTPUTS]


@dataclass(frozen=True)
class Followers:
    """What has to follow the model elsewhere: the tabs' status lines, `auto`, the last result."""

    ask: gr.HTML
    compare: gr.HTML
    sweep: gr.HTML
    howmuch: gr.HTML
    auto: gr.Checkbox
    held: gr.State


def create(shelf: Shelf) -> Picker:
    """Create the box's components; what offers no choice stays hidden."""
    session = shelf.session()
    several = len(shelf.offered) > 1 or shelf.any_name
    chosen = gr.Textbox(shelf.default, visible=False)
    named, fetched = gr.Textbox("", visible=False), gr.Textbox("", visible=False)
    with gr.Accordion(label(session), open=False, elem_id="pv-model") as box:
        about = gr.HTML(about_html(shelf, session), apply_default_css=False)
        with gr.Column(visible=several, elem_classes="pv-picker"):
            choice = gr.Radio(
                choices(shelf),
                value=shelf.default,
                label=texts.CHOOSE_MODEL,
                elem_id="pv-choice",
                elem_classes="pv-chips",
            )
            typed = gr.Textbox(
                label=texts.TYPED_LABEL,
                info=texts.TYPED_INFO,
                placeholder="llava-hf/llava-1.5-7b-hf",
                visible=False,
                lines=1,
                max_lines=1,
                elem_id="pv-typed",
            )
            use = gr.Button(texts.USE_MODEL, size="sm", elem_id="pv-use")
            stop = gr.Button("Stop", size="sm", interactive=False, elem_id="pv-stop-model")
            # What may be had and what is being done: apart, so that a slow look at the first never
            # takes the place of the second.
            with gr.Column(elem_id="pv-picked"):
                ahead = gr.HTML("", elem_id="pv-ahead", apply_default_css=False)
                status = gr.HTML("", elem_id="pv-fetching", apply_default_css=False)
            suggested = _suggestions(shelf.any_name)
    return Picker(
        chosen, named, fetched, box, about, choice, typed, use, stop, ahead, status, suggested
    )


def _suggestions(shown: bool) -> dict[str, gr.Button]:
    """A button for each model that knows photographs, by the memory that it takes."""
    with gr.Column(visible=shown, elem_classes="pv-suggested"):
        gr.HTML(f'<p class="pv-note">{texts.PHOTOGRAPHS}</p>', apply_default_css=False)
        with gr.Row():
            return {
                name: gr.Button(f"{title}, {takes}", size="sm", min_width=150)
                for name, title, takes in knows.PHOTOGRAPH_MODELS
            }


def wire(shelf: Shelf, picker: Picker, followers: Followers) -> None:
    """Connect the box."""
    gr.on(
        [picker.choice.input, picker.typed.change],
        None,
        None,
        picker.status,
        js=EMPTY_SCRIPT,
        **QUIET,
    )
    gr.on(
        [picker.choice.input, picker.typed.change],
        make_look(shelf),
        [picker.chosen, picker.choice, picker.typed],
        [picker.typed, picker.ahead],
        queue=False,
        trigger_mode="always_last",
        **QUIET,
    )
    # Two steps: only the second one keeps other models from running.
    outputs = [picker.status, picker.fetched, picker.use, picker.stop]
    how: dict[str, Any] = {"trigger_mode": "once", "concurrency_id": "fetch", **QUIET}
    fetching = gr.on(
        [picker.use.click, picker.typed.submit],
        make_fetch(shelf),
        [picker.chosen, picker.choice, picker.typed],
        outputs,
        concurrency_limit=8,
        **how,
    )
    begun = [fetching]
    for name, button in picker.suggested.items():
        begun.append(button.click(make_fetch(shelf, name), [picker.chosen], outputs, **how))
    for one in begun:
        _wire_load(shelf, picker, followers, one)
    buttons = [picker.use, picker.stop]
    wire_stop(picker.stop, begun, picker.status, buttons, texts.FETCH_STOPPED)


def _wire_load(shelf: Shelf, picker: Picker, followers: Followers, fetching: Any) -> None:
    """Load what was fetched, and let everything follow it."""
    loading = fetching.then(
        make_load(shelf),
        [picker.fetched, picker.named, followers.held],
        [
            *(picker.ahead, picker.status, picker.fetched, picker.use, *picker.outputs()),
            *(followers.auto, followers.ask, followers.compare, followers.sweep),
            followers.howmuch,
        ],
        **QUIET,
        **MODEL,
    )
    loading.then(None, picker.fetched, None, js=CHANGED_SCRIPT, **QUIET)


def make_look(shelf: Shelf) -> Callable[[str, str | None, str | None], list[Any]]:
    """Handler of a change in what is wanted: shows the text field and what the model takes."""

    def look(chosen: str, choice: str | None, typed: str | None) -> list[Any]:
        line = "" if choice == chosen else preview(shelf, choice or typed or "")
        return [gr.update(visible=not choice), line]

    return look


def make_fetch(shelf: Shelf, suggested: str = "") -> Callable[..., Iterator[list[Any]]]:
    """Handler of the button's first step; of one that stands for a model, `suggested`."""

    def run(
        chosen: str, choice: str | None = None, typed: str | None = None
    ) -> Iterator[list[Any]]:
        yield [gr.skip(), "", *busy()]
        wanted, fetched = suggested or choice or typed or "", ""
        with closing(attended(fetch(shelf, chosen, wanted), in_line=False)) as steps:
            for step in steps:
                fetched = step.fetched or fetched
                yield [step.status, step.fetched or gr.skip(), gr.skip(), gr.skip()]
            use, stop = idle()
            yield [gr.skip(), gr.skip(), gr.skip() if fetched else use, stop]

    return run


def make_load(shelf: Shelf) -> Callable[[str, str, Held | None], Iterator[list[Any]]]:
    """Handler of the second step.

    It touches nothing where the first one failed or was stopped: by then the visitor may have
    begun another.
    """

    def run(name: str, named: str, held: Held | None) -> Iterator[list[Any]]:
        rest = [gr.skip()] * (5 + len(Picker.OUTPUTS))
        if not name:
            yield [gr.skip()] * 4 + rest
            return
        failed = True
        for step in attended(load(shelf, name)):
            if step.session is None:
                yield [gr.skip(), step.status, gr.skip(), gr.skip(), *rest]
            else:
                rest, failed = values(shelf, step.session, named, held), False
                yield ["", "", gr.skip(), gr.update(interactive=True), *rest]
        if failed:
            yield [gr.skip(), gr.skip(), "", gr.update(interactive=True), *rest]

    return run


def values(shelf: Shelf, session: Session, named: str, held: Held | None) -> list[Any]:
    """Everything that follows a new model."""
    title = knows.title(session.loaded.name)
    return [
        *model_values(shelf, session, named),
        is_small(session),
        earlier(session, held.shown.model if held else None),
        status_html(texts.NEW_COMPARE.format(title)),
        status_html(texts.NEW_SWEEP.format(title)),
        status_html(texts.NEW_HOWMUCH.format(title)),
    ]


def model_values(shelf: Shelf, session: Session, named: str = "") -> list[Any]:
    """Values of :meth:`Picker.outputs` for the model that answers."""
    name = session.loaded.name
    others = remembered(shelf, named, name)
    return [
        name,
        "\n".join(others),
        gr.update(label=label(session), open=False),
        about_html(shelf, session),
        gr.update(choices=choices(shelf, *others), value=name),
        gr.update(visible=False),
    ]
