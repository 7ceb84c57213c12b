"""The first screen: an example with its finished result, run once for all visitors."""

from __future__ import annotations

import threading
from dataclasses import fields

from pruneviz.engine import Session
from pruneviz.ui.ask.asking import Screen, ask
from pruneviz.ui.shared.question import Question


class Opening:
    """Remembers the result of one question.

    Parameters
    ----------
    session : Session
        What answers it.
    question : Question
        About a picture that everybody may see.
    """

    def __init__(self, session: Session, question: Question) -> None:
        self._session, self._question = session, question
        self._lock = threading.Lock()
        self._screen: Screen | None = None

    @property
    def ready(self) -> Screen | None:
        """The screen, if the model has run."""
        return self._screen

    def __call__(self) -> Screen:
        """The finished screen; runs the model the first time."""
        with self._lock:
            if self._screen is None:
                self._screen = merge(list(ask(self._session, self._question)))
            return self._screen


def merge(screens: list[Screen]) -> Screen:
    """What the page shows after all of them."""
    last = {}
    for screen in screens:
        for item in fields(Screen):
            value = getattr(screen, item.name)
            if value is not None:
                last[item.name] = value
    return Screen(**last)
