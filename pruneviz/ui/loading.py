"""What a freshly opened page shows: what its link asks for, or the finished first example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import gradio as gr

from pruneviz.engine import Session
from pruneviz.ui import texts
from pruneviz.ui.asking import Question, Screen, ask
from pruneviz.ui.controls import Controls
from pruneviz.ui.examples import Example
from pruneviz.ui.inputs import Inputs
from pruneviz.ui.links import read_query
from pruneviz.ui.opening import Opening
from pruneviz.ui.results import Results
from pruneviz.ui.running import MODEL, steps, wire_stop
from pruneviz.ui.status import status_html
from pruneviz.ui.wiring import settings, updates


def wire(
    page: gr.Blocks,
    session: Session,
    opening: Opening | None,
    inputs: Inputs,
    controls: Controls,
    results: Results,
    examples: Sequence[Example],
) -> None:
    """Fill the page when it is opened."""
    buttons = [controls.ask, controls.stop]
    opened = page.load(
        make_loader(session, opening, list(controls.options), examples),
        None,
        [*settings(inputs, controls), *results.outputs(), *buttons],
        show_progress="hidden",
        api_visibility="private",
        **MODEL,
    )
    wire_stop(controls.stop, [opened], results.status, buttons, texts.STOPPED)


def make_loader(
    session: Session, opening: Opening | None, options: list[str], examples: Sequence[Example]
) -> Callable[[gr.Request], Iterator[list[Any]]]:
    """Handler of the page's opening; ends at once where there is nothing to show."""
    untouched, same_buttons = [gr.skip()] * (5 + len(options)), [gr.skip()] * 2

    def load(request: gr.Request) -> Iterator[list[Any]]:
        linked = read_query(dict(request.query_params), examples)
        if linked is None:
            screen = opening() if opening is not None else Screen()
            yield [*untouched, *updates(screen), *same_buttons]
            return
        fields = restored(linked.question, options)
        if linked.example is None:
            screen = Screen(status=status_html(texts.LINK_NEEDS_PICTURE))
            yield [*fields, *updates(screen), *same_buttons]
            return
        yield [*fields, *updates(Screen()), *same_buttons]
        with closing(steps(ask(session, linked.question), updates, Screen())) as shown:
            for values in shown:
                yield [*untouched, *values]

    return load


def restored(question: Question, options: list[str]) -> list[Any]:
    """Values of the input column; an option that the link leaves out keeps its default."""
    values = (question.image, question.text, question.method, question.keep_percent)
    chosen = [question.options.get(name, gr.skip()) for name in options]
    return [*values, question.max_new_tokens, *chosen]
