"""The endpoint ``/evaluate``: what the tab does for programs, bounded by rows and by time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import gradio as gr
from gradio.data_classes import FileData

from pruneviz.engine import Shelf
from pruneviz.engine.budgets import Kind
from pruneviz.engine.compare import chosen_methods
from pruneviz.evaluation.builtin import SETS
from pruneviz.evaluation.scoring import AUTO
from pruneviz.ui.api.docstrings import described
from pruneviz.ui.api.endpoints import refusals, uploaded_path
from pruneviz.ui.howmuch.runs import Desk, release
from pruneviz.ui.howmuch.texts import OWN
from pruneviz.ui.howmuch.wanted import DRAWS, Wanted

MOST_ROWS = 2_000
"""Of a call: half a minute with the embedded model."""
SECONDS = 600.0
"""After which a call returns what there is: who has gone cannot press Stop."""
PLACE: dict[str, Any] = {"concurrency_id": "evaluate", "concurrency_limit": 1}


def register(shelf: Shelf) -> None:
    """Add the endpoint; to be called inside a ``gr.Blocks``."""
    gr.api(described(make_evaluate(shelf), "evaluate"), api_name="evaluate", **PLACE)


def make_evaluate(shelf: Shelf) -> Callable[..., dict]:
    """The function behind ``/evaluate``."""

    def evaluate(
        methods: list[str],
        budgets: list[float],
        questions: str = next(iter(SETS)),
        count: int = 20,
        seed: int = 0,
        # Not "or None": Gradio turns an MCP call's data URL into a file only where it sees the bare
        # type.
        file: FileData = cast(FileData, None),  # noqa: B008
        budget_kind: str = "final",
        tolerance: float = 1.0,
        draws: int = DRAWS,
        scoring: str = AUTO,
        model: str = "",
    ) -> dict:
        """Ask many questions without pruning and under methods, and say how much can be pruned.

        At most 2,000 rows (questions times one more than the pairs of method and budget, those of
        the controls and each of Random's draws included), and ten minutes, after which what there
        is is returned. For more: the page, or ``pruneviz evaluate``.

        Parameters
        ----------
        methods : list of str
            Names from ``/methods``; each runs with its published settings. The controls random
            and downsample are asked along.
        budgets : list of float
            Shares of the visual tokens, above 0 and up to 1.
        questions : str
            A built-in set of composed scenes: ``"scenes"`` or ``"small"``.
        count : int
            How many questions of that set, four a picture.
        seed : int
            Another one gives other scenes.
        file : FileData
            In place of the set a .jsonl or .csv file of questions, or a .zip of it with its
            pictures, as for ``pruneviz evaluate``: ``handle_file("questions.zip")`` with
            gradio_client, an http(s) or data URL (of a .csv or a .zip) in an MCP call.
        budget_kind : str
            What budgets count: ``"final"``, the visual tokens left after the last stage, or
            ``"compute"``, the visual tokens averaged over all decoder layers.
        tolerance : float
            Points of accuracy that may be lost.
        draws : int
            Of the random control.
        scoring : str
            What makes an answer to the file's questions right: auto, exact, normalised, contains,
            yes-no, choice or agreement (with the unpruned answer).
        model : str
            Name of a model that the server offers; empty for the one that its page opens with.

        Returns
        -------
        dict
            The recommended budget of each method with its intervals and a sentence, statistics of
            every method at every budget, problems, and the command line that repeats it.
        """
        with refusals():
            files = None if file is None else [uploaded_path(file, "file", "questions.zip")]
            wanted = Wanted(
                data=questions if file is None else OWN,
                count=count,
                seed=seed,
                files=files,
                scoring=scoring,
                methods=chosen_methods(methods),
                budgets=budgets,
                kind=cast(Kind, budget_kind),
                tolerance=tolerance,
                draws=draws,
            )
            return answer(shelf, model, wanted)

    return evaluate


def answer(shelf: Shelf, model: str, wanted: Wanted) -> dict:
    """Run what is wanted to its end or for so long, and say what came of it as plain values."""
    desk = Desk()
    try:
        asked = desk.read(wanted, MOST_ROWS)
        run = desk.begin(shelf.session(model), asked)
        end = time.monotonic() + SECONDS
        with closing(run.follow()) as steps:
            for _ in steps:
                if time.monotonic() > end:
                    run.stop.set()
        return run.outcome().summary(asked.command(run.session))
    finally:
        release(desk)
