"""Change the model that answers one visitor, step by step and in words. Knows no Gradio."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from html import escape
from typing import TypeVar

from pruneviz.engine import Session, Shelf
from pruneviz.errors import InputError
from pruneviz.ui.models.knows import (
    LARGER,
    LARGER_HERE,
    LARGER_TYPED,
    about_model,
    facts,
    fetching,
    title,
)
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.costs import size
from pruneviz.ui.shared.failures import BROKEN, MEANT, guarded
from pruneviz.ui.shared.status import status_html

T = TypeVar("T")
REMEMBERED = 5
TICK = 1.0
"""Seconds between two updates while a model is fetched or loaded."""


@dataclass(frozen=True)
class Step:
    """What the picker shows next; None leaves something as it is.

    Attributes
    ----------
    status : str or None
        Line of HTML.
    fetched : str or None
        Name of the model whose files are here.
    session : Session or None
        The model that answers from now on.
    """

    status: str | None = None
    fetched: str | None = None
    session: Session | None = None


def preview(shelf: Shelf, name: str) -> str:
    """A line on a model that might be chosen: what it takes, or why it cannot be had."""
    try:
        return status_html(_preview(shelf, name))
    except (*MEANT, *BROKEN) as error:
        # A name that is still being typed is no fault yet: said, but not as an alarm.
        return status_html(str(error))


def fetch(shelf: Shelf, chosen: str, wanted: str) -> Generator[Step]:
    """Check a model and bring its files here; other models can run meanwhile."""
    yield from guarded(_fetch(shelf, chosen, wanted), Step)


def load(shelf: Shelf, name: str) -> Generator[Step]:
    """Load a model whose files are here; no other one may run meanwhile."""
    yield from guarded(_load(shelf, name), Step)


def takes(shelf: Shelf, name: str) -> str:
    """Memory that a model's weights take, in words; empty where that is not known."""
    found = shelf.look(name)
    if found.weights is None:
        return ""
    dtype = "" if found.dtype == "stored" else f" in {found.dtype}"
    text = f"{size(found.weights)} of memory for the weights{dtype}"
    return f"less than {text}, as they are quantised" if shelf.quantises(name) else text


def _preview(shelf: Shelf, name: str) -> str:
    if not name.strip():
        return texts.NOT_TYPED
    found = shelf.look(name)
    if found.loaded:
        return texts.IN_MEMORY
    if found.weights is not None:
        return f"It takes {takes(shelf, name)}."
    return texts.SIZE_UNKNOWN if found.here else texts.NOT_HERE


def _fetch(shelf: Shelf, chosen: str, wanted: str) -> Iterator[Step]:
    if not wanted.strip():
        raise InputError(texts.NOT_TYPED)
    name = shelf.resolve(wanted)
    if name == shelf.resolve(chosen):
        yield Step(status_html(texts.IN_USE, "done"))
        return
    yield Step(status_html(f"Looking for {title(name)} …", "busy"))
    for line in fetching(shelf, name):
        yield Step(status_html(line, "busy"))
    yield Step(status_html(texts.MODEL_WAITS, "busy"), name)


def _load(shelf: Shelf, name: str) -> Iterator[Step]:
    memory = "" if shelf.holds(name) else takes(shelf, name)
    line = f"Loading {title(name)}{f', {memory}' if memory else ''} …"
    session = yield from _watched(lambda: shelf.session(name), line)
    yield Step(session=session)


def _watched(work: Callable[[], T], line: str) -> Generator[Step, None, T]:
    """Do something that cannot be stopped, and say every second how long it has taken."""
    begin = time.monotonic()
    yield Step(status_html(line, "busy"))
    here = copy_context()
    with ThreadPoolExecutor(1, "pruneviz-model") as pool:
        future = pool.submit(here.run, work)
        while wait([future], TICK).not_done:
            yield Step(status_html(f"{line} {time.monotonic() - begin:.0f} s", "busy"))
        return future.result()


def earlier(session: Session, before: str | None) -> str:
    """The Ask tab's line after a change; `before` is the model that gave the result on the page."""
    name = session.loaded.name
    line = f"{title(name)} answers from now on. Press Ask."
    if before in (None, name):
        return status_html(line)
    return status_html(f"{line} Below is the result of “{title(str(before))}”.", "earlier")


def remembered(shelf: Shelf, named: str, name: str) -> list[str]:
    """Models that a visitor named by hand: those in the lines of `named`, and `name`."""
    names = dict.fromkeys((*(named or "").splitlines(), name))
    return [one for one in names if one not in shelf.offered][-REMEMBERED:]


def choices(shelf: Shelf, *named: str) -> list[tuple[str, str]]:
    """Titles and names of the models on offer to a visitor who named some by hand."""
    names = dict.fromkeys((*shelf.offered, *named))
    titles = [title(one) for one in names]
    found = [
        (shown if titles.count(shown) == 1 else one, one)
        for one, shown in zip(names, titles, strict=True)
    ]
    return [*found, (texts.ANOTHER, "")] if shelf.any_name else found


def label(session: Session) -> str:
    """Two lines: name and size."""
    return f"{title(session.loaded.name)}\n{facts(session.loaded)}"


def about_html(shelf: Shelf, session: Session) -> str:
    """What the model knows."""
    larger = LARGER_TYPED if shelf.any_name else LARGER
    if len(shelf.offered) > 1 and not shelf.any_name:
        larger = LARGER_HERE
    return f'<p class="pv-knows">{escape(about_model(session.loaded, larger))}</p>'
