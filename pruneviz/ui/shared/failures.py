"""Turn what can go wrong into messages with a remedy, for people and for programs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from pruneviz import scratch
from pruneviz.engine import Session, Shelf
from pruneviz.errors import PruneVizError, told
from pruneviz.methods import own_fault
from pruneviz.scratch import no_room
from pruneviz.ui.models.knows import fetching, title
from pruneviz.ui.shared.attending import attended
from pruneviz.ui.shared.status import status_html

T = TypeVar("T")
logger = logging.getLogger(__name__)
MEANT = (PruneVizError, ValueError)
"""Errors whose message is for the person."""
BROKEN = (RuntimeError, OSError)
"""Out of memory, a broken kernel, a deleted upload: say so and stay up."""


def guarded(screens: Iterator[T], failed: Callable[[str], T]) -> Generator[T]:
    """Pass screens on; an error becomes a last one, made by `failed` from a status line."""
    try:
        yield from screens
    except MEANT as error:
        yield failed(status_html(own_fault(error) or told(error), "error"))
    except BROKEN as error:
        note(error)
        yield failed(status_html(own_fault(error) or explain(error), "error"))
    except Exception as error:
        # Anything may go wrong in a method of the visitor's own: its author is told the line.
        line = own_fault(error)
        if line is None:
            raise
        logger.exception("A method of one's own failed")
        yield failed(status_html(line, "error"))


def note(error: Exception) -> None:
    """Put an error into the server's log: where it arose, unless it is the disk's fault."""
    if line := isinstance(error, OSError) and no_room(error):
        logger.error("%s (%s)", line, error)
    else:
        logger.error("The run failed", exc_info=error)


def on_model(
    shelf: Shelf,
    name: str,
    run: Callable[[Session], Generator[T]],
    said: Callable[[str], T],
    in_line: bool = True,
) -> Generator[T]:
    """Screens of a run on a model, which is loaded first where it is not in memory.

    `said` makes a screen of a status line. Closing the generator stops the run, and so does the
    visitor by leaving. `in_line`: it waits for the visitor's other runs, as those do that fill the
    same part of the page.
    """
    yield from attended(guarded(_on_model(shelf, name, run, said), said), in_line)


def _on_model(
    shelf: Shelf, name: str, run: Callable[[Session], Generator[T]], said: Callable[[str], T]
) -> Iterator[T]:
    name = shelf.resolve(name)
    if not shelf.holds(name):
        yield said(status_html(f"Loading {title(name)} …", "busy"))
        for line in fetching(shelf, name):
            yield said(status_html(line, "busy"))
    yield from run(shelf.session(name))


def explain(error: Exception) -> str:
    """A message for a failure inside the model."""
    if "out of memory" in str(error).lower():
        return (
            "The model ran out of memory. Use a smaller picture or a shorter answer, or restart "
            "with --quantisation 4bit or --device cpu."
        )
    if isinstance(error, OSError):
        return no_room(error) or f"The run failed: {scratch.told(error)}."
    return f"The run failed: {told(error)}"
