"""The question of a finished comparison, for what is asked about it afterwards."""

from __future__ import annotations

from pruneviz.engine import Prepared, Session
from pruneviz.errors import InputError
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.encoding import encode
from pruneviz.ui.shared.runs import Run


def check_model(session: Session, run: Run | None) -> Run:
    """The run, if there is one and it is this model's.

    Raises
    ------
    InputError
        If not, with a message for the person.
    """
    if run is None:
        raise InputError(texts.NO_RUN_TO_EXPORT)
    if session.loaded.name != run.model:
        raise InputError(texts.RUN_OTHER_MODEL)
    return run


def prepared_again(session: Session, run: Run) -> Prepared:
    """The run's picture and question, encoded.

    Raises
    ------
    InputError
        If another picture lies in that place now.
    """
    prepared = encode(session, run.asked, run.question)
    if prepared.picture != run.picture:
        raise InputError(texts.RUN_OTHER_PICTURE)
    return prepared
