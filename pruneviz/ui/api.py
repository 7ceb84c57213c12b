"""Endpoints for programs: typed, documented, independent of the page's components."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from pruneviz.engine import Comparison, Session
from pruneviz.errors import InputError, PruneVizError
from pruneviz.ui import methods
from pruneviz.ui.asking import explain, logger
from pruneviz.ui.wiring import MODEL


def register(session: Session) -> None:
    """Add ``/ask`` and ``/methods``; to be called inside a ``gr.Blocks``."""
    gr.api(make_ask(session), api_name="ask", **MODEL)
    gr.api(list_methods, api_name="methods", queue=False)


def list_methods() -> list[dict]:
    """List the pruning methods: name, title, summary, paper and parameters with defaults."""
    return methods.catalogue()


def make_ask(session: Session) -> Callable[..., dict]:
    """The function behind ``/ask``."""

    def ask(
        image: FileData, question: str, method: str = "transprune", keep_ratio: float = 0.25
    ) -> dict:
        """Answer a question about an image with and without visual-token pruning.

        Parameters
        ----------
        image : FileData
            The picture; with gradio_client, ``handle_file("picture.png")``.
        question : str
            What to ask.
        method : str
            A name from ``/methods``.
        keep_ratio : float
            Share of the visual tokens that is kept, above 0 and up to 1.

        Returns
        -------
        dict
            Question, method, parameters, both answers with cost and times, fidelity, and the
            pruning stages with the indices of the kept tokens.
        """
        try:
            chosen = methods.make(method, keep_ratio, session.num_layers)
            prepared = session.prepare(uploaded_path(image), question)
            return result(session.compare(prepared, chosen))
        except (PruneVizError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        except (RuntimeError, OSError) as error:
            logger.exception("The run failed")
            raise gr.Error(explain(error), print_exception=False) from error

    return ask


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


def uploaded_path(image: Any) -> str:
    """Path of an uploaded file.

    A bare path is refused: it would let a caller read any picture on this machine. Gradio has
    checked that the path inside a `FileData` lies among its uploads.
    """
    path = image.get("path") if isinstance(image, dict) else None
    marked = isinstance(image, dict) and image.get("meta") == {"_type": "gradio.FileData"}
    if not isinstance(path, str) or not marked:
        raise InputError(
            "The image must be an uploaded file; with gradio_client: handle_file('picture.png')."
        )
    return path
