"""Turn what can go wrong into messages with a remedy, for people and for programs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from pruneviz.errors import PruneVizError
from pruneviz.ui.status import status_html

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
        yield failed(status_html(str(error), "error"))
    except BROKEN as error:
        logger.exception("The run failed")
        yield failed(status_html(explain(error), "error"))


def explain(error: Exception) -> str:
    """A message for a failure inside the model."""
    if "out of memory" in str(error).lower():
        return (
            "The model ran out of memory. Use a smaller picture or a shorter answer, or restart "
            "with --quantisation 4bit or --device cpu."
        )
    return f"The run failed: {error}"
