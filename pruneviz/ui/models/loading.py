"""What a freshly opened page shows: what its link asks for, or the finished first example."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import gradio as gr

from pruneviz.engine import Session, Shelf
from pruneviz.ui.ask.asking import Screen, ask, said
from pruneviz.ui.ask.links import Linked, read_query
from pruneviz.ui.ask.opening import Opening
from pruneviz.ui.ask.wiring import updates
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.models import picker
from pruneviz.ui.shared import texts
from pruneviz.ui.shared.encoding import is_small
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.running import MODEL, busy, idle, wire_stop
from pruneviz.ui.shared.status import status_html


def wire(
    page: gr.Blocks,
    loader: Loader,
    outputs: list[Any],
    status: gr.HTML,
    buttons: list[gr.Button],
) -> Any:
    """Fill the page when it is opened; `buttons` are those that run the model and stop it.

    In two steps: what is known is shown at once, even while a model is being loaded for somebody
    else; only what is still to be asked waits for its turn.
    """
    due = gr.State(False)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    greeted = page.load(loader.greet, None, [*outputs, due], **quiet)
    answered = greeted.then(loader.answer, due, [*outputs, *buttons], **quiet, **MODEL)
    wire_stop(buttons[1], [answered], status, buttons, texts.STOPPED)
    return answered


SAME = [gr.skip(), gr.skip()]
"""The buttons stay as they are."""


class Loader:
    """Handlers of the page's opening.

    Both fill the settings, the tick for running again, the model's box and the results.

    Parameters
    ----------
    shelf : Shelf
        The models on offer.
    opening : Opening or None
        The first screen without a link.
    options : list of str
        Names of the methods' options, in the order of their components.
    examples : sequence of Example
        Pictures that a link may name.
    """

    def __init__(
        self,
        shelf: Shelf,
        opening: Opening | None,
        options: list[str],
        examples: Sequence[Example],
    ) -> None:
        self._shelf, self._opening = shelf, opening
        self._options, self._examples = options, examples
        self._settings = [gr.skip()] * (5 + len(options))
        self._model = [gr.skip()] * (1 + len(picker.Picker.OUTPUTS))

    def greet(self, request: gr.Request) -> list[Any]:
        """What can be shown without a model; last whether there is more to come."""
        linked = self._linked(request)
        if linked is None:
            ready = self._opening.ready if self._opening else None
            return [*self._show(ready or Screen()), self._opening is not None and ready is None]
        fields = restored(linked.question, self._options)
        if linked.model and linked.model not in self._shelf.offered:
            line = status_html(texts.LINK_OTHER_MODEL.format(linked.model))
            return [*fields, *self._model, *updates(said(line)), False]
        return [*fields, *self._model, *updates(Screen()), True]

    def answer(self, due: bool, request: gr.Request) -> Iterator[list[Any]]:
        """What takes a model; ends at once where there is nothing to do."""
        linked = self._linked(request)
        if not due or (linked is None and self._opening is None):
            yield [*self._show(Screen()), *SAME]
        elif linked is None:
            yield [*self._show(self._opening() if self._opening else Screen()), *SAME]
        else:
            yield [*self._show(Screen()), *busy()]
            with closing(self._ask(linked)) as rows:
                for row in rows:
                    yield [*row, *SAME]
            yield [*self._show(Screen()), *idle()]

    def _ask(self, linked: Linked) -> Generator[list[Any]]:
        def run(session: Session) -> Generator[list[Any]]:
            model = [is_small(session), *picker.model_values(self._shelf, session)]
            yield [*self._settings, *model, *updates(Screen())]
            if linked.example is None:
                yield self._show(said(status_html(texts.LINK_NEEDS_PICTURE)))
                return
            with closing(ask(session, linked.question)) as screens:
                for screen in screens:
                    yield self._show(screen)

        rows = on_model(self._shelf, linked.model, run, lambda line: self._show(said(line)))
        with closing(rows):
            yield from rows

    def _show(self, screen: Screen) -> list[Any]:
        return [*self._settings, *self._model, *updates(screen)]

    def _linked(self, request: gr.Request) -> Linked | None:
        return read_query(dict(request.query_params), self._examples)


def restored(question: Question, options: list[str]) -> list[Any]:
    """Values of the input column; an option that the link leaves out keeps its default."""
    values = (question.image, question.text, question.method, question.keep_percent)
    own = {f"{question.method}.{field}": value for field, value in question.options.items()}
    chosen = [own.get(key, gr.skip()) for key in options]
    return [*values, question.max_new_tokens, *chosen]
