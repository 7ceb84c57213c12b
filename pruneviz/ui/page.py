"""The whole page, put together."""

from __future__ import annotations

from html import escape

import gradio as gr

from pruneviz.engine import Session, Shelf
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.ui import tabs
from pruneviz.ui.api import endpoints as api
from pruneviz.ui.ask import wiring
from pruneviz.ui.ask.opening import Opening
from pruneviz.ui.howmuch import api as evaluate
from pruneviz.ui.inputs import column as inputs
from pruneviz.ui.inputs.examples import Example, load_examples
from pruneviz.ui.models import loading, picker
from pruneviz.ui.shared import texts, tour
from pruneviz.ui.shared.calls import LenientBlocks
from pruneviz.ui.shared.question import Question

QUEUE = 512
"""Requests that may wait; each holds no more than its words and the paths of its files."""


def build(models: Shelf | Session, examples: list[Example] | None = None) -> gr.Blocks:
    """Build the page; its visitors share the models, nothing else.

    Parameters
    ----------
    models : Shelf or Session
        The models on offer, or the only one beside the embedded.
    examples : list of Example, optional
        Default: those that ship with the project.

    Returns
    -------
    gr.Blocks
        Ready for ``launch(**launch_settings())``.
    """
    shelf = models if isinstance(models, Shelf) else Shelf.of(models)
    examples = load_examples() if examples is None else examples
    first = first_question(examples)
    # Only the built-in model answers so fast that nobody needs to be asked.
    embedded = shelf.default == EMBEDDED
    opening = Opening(shelf.session(), first) if first and embedded else None
    with LenientBlocks(title=texts.TITLE, analytics_enabled=False, fill_width=True) as page:
        with gr.Row(elem_id="pv-header"):
            gr.HTML(header_html(), apply_default_css=False)
            tour.create()
            box = picker.create(shelf)
        asked = inputs.create(examples)
        controls, shown, runs = tabs.create(shelf, box, asked, examples, opening is not None)
        wiring.wire_inputs(asked, controls, examples)
        loader = loading.Loader(shelf, opening, list(controls.options), examples)
        filled = [*wiring.settings(asked, controls), controls.auto, *box.outputs()]
        buttons = [controls.ask, controls.stop]
        opened = loading.wire(page, loader, [*filled, *shown.outputs()], shown.status, buttons)
        wiring.wire_live(shelf, controls, shown, [*runs, opened])
        api.register(shelf)
        evaluate.register(shelf)
    # Open, endpoints could be called past the queue.
    page.queue(max_size=QUEUE, default_concurrency_limit=4, api_open=False)
    return page


def first_question(examples: list[Example]) -> Question | None:
    """What the first screen shows: the first example and its first question."""
    for example in examples[:1]:
        for question in example.questions[:1]:
            if tip := example.tip(0):
                return Question(str(example.image), question, tip.method, tip.keep_percent)
            return Question(str(example.image), question)
    return None


def header_html() -> str:
    """Name and purpose."""
    return f'<header class="pv-header"><h1>{texts.TITLE}</h1><p>{escape(texts.LEAD)}</p></header>'
