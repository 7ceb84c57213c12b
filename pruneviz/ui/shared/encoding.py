"""What every run begins with: the picture and the question, encoded."""

from __future__ import annotations

from pruneviz.engine import Prepared, Session
from pruneviz.errors import InputError
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.status import status_html

REFRESH = 0.05
"""Least seconds between two updates of a growing answer: the eye needs no more."""
SMALL = 500_000_000


def beginning(session: Session) -> str:
    """The status line of a run that begins: whether it has to wait for its turn, or reads."""
    return status_html(texts.WAITING if session.turns.busy else texts.READING, "busy")


def encode(session: Session, image: str | None, text: str) -> Prepared:
    """Encode picture and question; raises InputError with a message for the person."""
    if not image:
        raise InputError("Choose a picture first: upload or paste one, or pick an example.")
    return session.prepare(image, text)


def is_small(session: Session) -> bool:
    """Whether the model has so few parameters that times are mostly overhead."""
    return bool(session.loaded.model.num_parameters() < SMALL)
