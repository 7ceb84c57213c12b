"""Endpoints for programs: typed, documented, independent of the page's components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import gradio as gr
from gradio.data_classes import FileData

from pruneviz.engine import (
    Budget,
    CompareEvent,
    Comparison,
    Prepared,
    Shelf,
    SweepEvent,
    compare_many,
    sweep,
)
from pruneviz.engine.budgets import Kind
from pruneviz.engine.compare import chosen_methods
from pruneviz.engine.sweeps import check_ratios
from pruneviz.engine.turns import until
from pruneviz.errors import AbandonedError, InputError
from pruneviz.ui.api.arguments import number, switch, text
from pruneviz.ui.api.docstrings import described
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.attending import gone
from pruneviz.ui.shared.failures import BROKEN, MEANT, explain, note
from pruneviz.ui.shared.running import LONG, MODEL


def register(shelf: Shelf) -> None:
    """Add the public endpoints; to be called inside a ``gr.Blocks``."""
    for name, make, where in (
        ("ask", make_ask, MODEL),
        ("compare", make_compare, LONG),
        ("sweep", make_sweep, LONG),
    ):
        gr.api(described(make(shelf), name), api_name=name, **where)
    gr.api(described(make_methods(), "methods"), api_name="methods", queue=False)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the library's errors into messages for the caller; what has no caller left, ends."""
    try:
        with until(gone()):
            yield
    except AbandonedError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except MEANT as error:
        raise gr.Error(str(error), print_exception=False) from error
    except BROKEN as error:
        note(error)
        raise gr.Error(explain(error), print_exception=False) from error


def make_methods() -> Callable[[], list[dict]]:
    """The function behind ``/methods``."""

    def list_methods() -> list[dict]:
        """List the pruning methods: name, title, summary, paper and parameters with defaults."""
        return methods.catalogue()

    return list_methods


def make_ask(shelf: Shelf) -> Callable[..., dict]:
    """The function behind ``/ask``."""

    def ask(
        image: FileData,
        question: str,
        method: str = "transprune",
        keep_ratio: float = 0.25,
        model: str = "",
    ) -> dict:
        """Answer a question about an image with and without visual-token pruning.

        Parameters
        ----------
        image : FileData
            The picture: ``handle_file("picture.png")`` with gradio_client, an http(s) or data URL
            in an MCP call.
        question : str
            What to ask.
        method : str
            A name from ``/methods``.
        keep_ratio : float
            Share of the visual tokens that is kept, above 0 and up to 1.
        model : str
            Name of a model that the server offers; empty for the one that its page opens with.

        Returns
        -------
        dict
            Question, method, parameters, both answers with cost, fidelity, the pruning stages
            with the indices of the kept tokens, and ``hints``: why not to trust the answers.
        """
        with refusals():
            share, name = number(keep_ratio, "keep_ratio"), text(method, "method")
            asked, path = text(question, "question"), uploaded_path(image)
            session = shelf.session(model)
            chosen = methods.make(name, share, session.num_layers)
            prepared = session.prepare(path, asked)
            return result(session.compare(prepared, chosen))

    return ask


def make_compare(shelf: Shelf) -> Callable[..., dict]:
    """The function behind ``/compare``."""

    def compare(
        image: FileData,
        question: str,
        methods: list[str],
        budget: float = 0.25,
        budget_kind: str = "final",
        matters: bool = False,
        model: str = "",
    ) -> dict:
        """Run several pruning methods on one question under one budget.

        Parameters
        ----------
        image : FileData
            The picture: ``handle_file("picture.png")`` with gradio_client, an http(s) or data URL
            in an MCP call.
        question : str
            What to ask.
        methods : list of str
            Names from ``/methods``; each runs with its published settings.
        budget : float
            Share of the visual tokens, above 0 and up to 1.
        budget_kind : str
            What the budget counts: ``"final"``, the visual tokens left after the last stage, or
            ``"compute"``, the visual tokens averaged over all decoder layers.
        matters : bool
            Whether to take every block of patches away in turn, at most 256 forwards once for all
            methods, and to hold each method's scores against what that does to the answer.
        model : str
            Name of a model that the server offers; empty for the one that its page opens with.

        Returns
        -------
        dict
            The baseline; per method either a ``problem`` (the budget is out of its reach) or
            settings, answer, fidelity, cost and the indices of the kept tokens; how many methods
            that choose keep each token; the overlaps of their kept sets (intersection over
            union), like beside like; the methods that merged, which have none; with ``matters``
            what was measured, and per method a ``judgement``: rank correlation, and how many of
            the blocks that matter most are its own best; and ``hints``: why not to trust the
            answers.
        """
        with refusals():
            kind = cast(Kind, text(budget_kind, "budget_kind"))  # any other is refused here:
            shared = Budget(number(budget, "budget"), kind)
            names, measured = chosen_methods(methods), switch(matters, "matters")
            asked, path = text(question, "question"), uploaded_path(image)
            session = shelf.session(model)
            prepared = session.prepare(path, asked)
            running = compare_many(session, prepared, names, shared, matters=measured)
            return outcome(running, prepared)

    return compare


def make_sweep(shelf: Shelf) -> Callable[..., dict]:
    """The function behind ``/sweep``."""

    def sweep_ratios(
        image: FileData,
        question: str,
        methods: list[str],
        keep_ratios: list[float],
        model: str = "",
    ) -> dict:
        """Run pruning methods over keep ratios and search their break points.

        Parameters
        ----------
        image : FileData
            The picture: ``handle_file("picture.png")`` with gradio_client, an http(s) or data URL
            in an MCP call.
        question : str
            What to ask.
        methods : list of str
            Names from ``/methods``; each runs with its published settings.
        keep_ratios : list of float
            Shares of the visual tokens left after the last stage, above 0 and up to 1.
        model : str
            Name of a model that the server offers; empty for the one that its page opens with.

        Returns
        -------
        dict
            The baseline; per method its points (kept count, layer average, share of the FLOPs,
            fidelity, answer), its break point (the smallest kept count from which on every run
            gave the baseline's answer, and the largest count that failed), the ratios that
            leave no token, and ``hints``: why not to trust the answers. With ``"random"`` also
            what ten random subsets at each ratio give, and whether each point is above, within
            or below them at an equal layer average.
        """
        with refusals():
            names, ratios = chosen_methods(methods), check_ratios(keep_ratios)
            asked, path = text(question, "question"), uploaded_path(image)
            session = shelf.session(model)
            prepared = session.prepare(path, asked)
            return outcome(sweep(session, prepared, names, ratios), prepared)

    return sweep_ratios


def outcome(events: Iterable[CompareEvent | SweepEvent], prepared: Prepared) -> dict[str, Any]:
    """What a run ends with, as plain values, and why not to trust it."""
    *_, last = events
    if last.result is None:
        raise RuntimeError("The run ended without a result.")
    return {**last.result.to_dict(), "hints": list(prepared.hints)}


def result(done: Comparison) -> dict[str, Any]:
    """A comparison as plain values, with the stages."""
    trace = done.pruned.trace
    return {
        **done.to_dict(),
        "num_visual": trace.num_visual,
        "stages": [
            {
                "layer": stage.layer,
                "alive": len(stage.alive),
                "kept": stage.kept.tolist(),
                "notes": list(stage.notes),
            }
            for stage in trace.stages
        ],
        "grid": {"rows": done.grid.rows, "columns": done.grid.columns},
    }


def uploaded_path(image: Any, what: str = "image", example: str = "picture.png") -> str:
    """Path of an uploaded file; `what` and `example` are for the error.

    A bare path is refused: it would let a caller read any picture on this machine. Gradio has
    checked that the path inside a `FileData` lies among its uploads.
    """
    path = image.get("path") if isinstance(image, dict) else None
    marked = isinstance(image, dict) and image.get("meta") == {"_type": "gradio.FileData"}
    if not isinstance(path, str) or not marked:
        raise InputError(
            f"The {what} must be an uploaded file; with gradio_client: handle_file({example!r})."
        )
    return path
