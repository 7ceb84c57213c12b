"""The tab's events: which handler runs when, on which components."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from pruneviz.engine import Session, Shelf
from pruneviz.errors import InputError
from pruneviz.ui.ask.controls import Controls
from pruneviz.ui.howmuch import saving, texts
from pruneviz.ui.howmuch.changed import changed, opened
from pruneviz.ui.howmuch.runs import Desk
from pruneviz.ui.howmuch.screens import MuchScreen, final, measure
from pruneviz.ui.howmuch.tab import HowMuchTab
from pruneviz.ui.howmuch.wanted import Wanted
from pruneviz.ui.inputs.column import Inputs
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.downloads import COPY_SCRIPT, DOWNLOAD_SCRIPT
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.running import MODEL, SCROLL_SCRIPT, busy, filled, idle, waiting
from pruneviz.ui.shared.status import status_html

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
PLACE: dict[str, Any] = {"concurrency_id": "evaluation", "concurrency_limit": 2}
"""Not the model's place in the queue: an evaluation takes minutes, and gives way by itself."""
ASK_SCRIPT = """() => {
  window.dispatchEvent(new CustomEvent("pruneviz:picture", { detail: { changed: true } }));
  window.scrollTo({ top: 0 });
  // A moment later: the values must have reached the components whose contents are sent.
  setTimeout(() => {
    const ask = document.querySelector("button#pv-ask, #pv-ask button");
    if (ask) ask.click();
  }, 150);
}"""
"""Ask what was just set; pins of the picture before are taken away first."""


def wire(
    shelf: Shelf,
    model: gr.Textbox,
    tab: HowMuchTab,
    inputs: Inputs,
    controls: Controls,
    tabs: gr.Tabs,
) -> None:
    """Connect the tab; `model` names the one that answers this visitor."""
    _wire_data(tab)
    _wire_run(shelf, model, tab)
    tab.plot.pick(make_pick(), tab.desk, tab.changed, queue=False, **QUIET)
    fields = [inputs.image, inputs.question, controls.method, controls.keep]
    put = tab.changed.reask(
        make_open(list(controls.options)),
        tab.desk,
        [*fields, *controls.options.values(), tabs],
        **QUIET,
    )
    put.success(None, None, None, js=ASK_SCRIPT, **QUIET)
    _wire_export(tab)


def _wire_data(tab: HowMuchTab) -> None:
    def show(name: str) -> list[Any]:
        own = name == texts.OWN
        return [gr.update(visible=not own)] * 2 + [gr.update(visible=own)] * 3

    shown = [tab.count, tab.seed, tab.files, tab.note, tab.scoring]
    tab.data.change(show, tab.data, shown, queue=False, **QUIET)


def _wire_run(shelf: Shelf, model: gr.Textbox, tab: HowMuchTab) -> None:
    buttons = [tab.run, tab.stop]
    outputs = [*tab.outputs(), tab.desk, *buttons]
    started = [tab.run.click, tab.budgets.submit]
    events = []
    for event in started:
        event(None, None, None, js=SCROLL_SCRIPT, api_visibility="private")
        begun = event(
            waiting,
            None,
            [tab.status, *buttons],
            queue=False,
            trigger_mode="once",
            **QUIET,
        )
        # Loading takes a turn among the runs of all others: models come and go there alone.
        loaded = begun.then(make_load(shelf), model, tab.status, **QUIET, **MODEL)
        ran = loaded.then(
            make_run(shelf), [model, tab.desk, *tab.settings()], outputs, **QUIET, **PLACE
        )
        events += [loaded, ran]
    # At once: cancelling waits until the run hears of it.
    tab.stop.click(_stop, tab.desk, None, queue=False, **QUIET)
    cancelled = tab.stop.click(
        None, None, None, cancels=events, queue=False, api_visibility="private"
    )
    cancelled.then(_final, tab.desk, outputs, **QUIET)


def make_load(shelf: Shelf) -> Callable[[str], Iterator[Any]]:
    """Handler that loads the model, should it not be in memory, and says so."""

    def nothing(_: Session) -> Generator[str]:
        yield from ()

    def load(name: str) -> Iterator[Any]:
        yield gr.skip()
        yield from on_model(shelf, name, nothing, lambda line: line, in_line=False)

    return load


def make_run(shelf: Shelf) -> Callable[..., Iterator[list[Any]]]:
    """Handler of a run: the model's name, the desk and the settings to values of the outputs."""

    def run(name: str, desk: Desk | None, *now: Any) -> Iterator[list[Any]]:
        desk = desk or Desk()
        wanted = Wanted(*now)
        yield [*updates(MuchScreen()), desk, *busy()]
        screens = on_model(
            shelf,
            name,
            lambda session: measure(shelf, session, wanted, desk),
            MuchScreen,
            in_line=False,  # the other tabs answer meanwhile
        )
        # Stop and a closed tab end up in the run's `finally`: it must not go on unseen.
        with closing(screens):
            for screen in screens:
                yield [*updates(screen), desk, gr.skip(), gr.skip()]
        yield [*updates(MuchScreen()), desk, *idle()]

    return run


def _stop(desk: Desk | None) -> None:
    if desk is not None:
        desk.stop()


def _final(desk: Desk | None) -> list[Any]:
    return [*updates(final(desk)), gr.skip(), *idle()]


def updates(screen: MuchScreen) -> list[Any]:
    """Values for the tab's outputs; what a screen leaves alone is skipped."""
    return filled(screen.status, screen.answer, screen.plot, screen.tables, screen.changed)


def make_pick() -> Callable[[Desk | None, gr.EventData], Any]:
    """Handler of a point of the plot: the questions that were lost there."""

    def pick(desk: Desk | None, event: gr.EventData) -> Any:
        outcome = desk.outcome if desk else None
        found = changed(outcome, event._data) if outcome else None
        return gr.skip() if found is None else found

    return pick


def make_open(options: list[str]) -> Callable[[Desk | None, gr.EventData], list[Any]]:
    """Handler of a question of the list: puts it, its method and budget into the Ask tab.

    `options` are the keys of the methods' options, in the order of their components.
    """

    def open_one(desk: Desk | None, event: gr.EventData) -> list[Any]:
        run, outcome = (desk.run, desk.outcome) if desk else (None, None)
        if desk is None or run is None or outcome is None:
            raise gr.Error(texts.NOTHING_TO_SAVE, print_exception=False)
        try:
            found = opened(outcome, event._data, run.session.num_layers, desk.folder / "opened")
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        if found is None:
            raise gr.Error(texts.NOT_OPENED, print_exception=False)
        values = [found.image, found.text, found.method, found.keep_percent]
        offered = [methods.options()[key] for key in options]
        chosen = [
            found.options.get(option.field, methods.default_of(owner, option))
            if owner == found.method
            else gr.skip()
            for owner, option in offered
        ]
        return [*values, *chosen, gr.update(selected="ask")]

    return open_one


def _wire_export(tab: HowMuchTab) -> None:
    pressed = tab.save.click(
        make_save(tab.served.move_resource_to_block_cache),
        tab.desk,
        [tab.served, tab.saved],
        concurrency_id="export",
        concurrency_limit=2,
        **QUIET,
    )
    pressed.then(None, tab.served, None, js=DOWNLOAD_SCRIPT, **QUIET)
    asked = tab.copy.click(_command, tab.desk, [tab.copied, tab.saved], queue=False, **QUIET)
    asked.then(None, tab.copied, None, js=COPIED_SCRIPT, **QUIET)


COPIED_SCRIPT = f"(text) => {{ ({COPY_SCRIPT})('command', text); }}"


def make_save(cache: Callable[[str], str | None]) -> Callable[[Desk | None], list[Any]]:
    """Handler of the button: the desk to ``[served path, note]``."""

    def kept(path: str) -> str:
        served = cache(path)
        if served is None:
            raise OSError("The file could not be kept for the download.")
        return served

    def save(desk: Desk | None) -> list[Any]:
        if desk is None or desk.outcome is None:
            return [None, status_html(texts.NOTHING_TO_SAVE, "error")]
        try:
            path = saving.save(desk, kept)
        except (ValueError, OSError) as error:
            return [None, status_html(str(error), "error")]
        return [path, status_html(f"Saved as {saving.NAME}.", "done")]

    return save


def _command(desk: Desk | None) -> list[Any]:
    run, outcome = (desk.run, desk.outcome) if desk else (None, None)
    if run is None or outcome is None:
        return [gr.update(visible=False), status_html(texts.NOTHING_TO_SAVE, "error")]
    own = outcome.asked.title.startswith(texts.OWN_TITLE)
    note = texts.COPIED_OWN if own else texts.COPIED
    text = outcome.asked.command(run.session)
    return [gr.update(value=text, visible=True), status_html(note, "done")]
