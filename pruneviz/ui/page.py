"""The whole page, put together."""

from __future__ import annotations

from html import escape

import gradio as gr

from pruneviz.engine import Session
from pruneviz.models.loading import EMBEDDED
from pruneviz.ui import api, inputs, loading, tabs, texts, wiring
from pruneviz.ui.asking import Question
from pruneviz.ui.examples import Example, load_examples
from pruneviz.ui.knows import about_model
from pruneviz.ui.opening import Opening

QUEUE = 32
CACHE = (3600, 3600)
"""Uploads are looked for every hour and deleted when an hour old."""


def build(session: Session, examples: list[Example] | None = None) -> gr.Blocks:
    """Build the page on one session; every visitor shares its model, nothing else.

    Parameters
    ----------
    session : Session
        Whose model answers.
    examples : list of Example, optional
        Default: those that ship with the project.

    Returns
    -------
    gr.Blocks
        Ready for ``launch(**launch_settings())``.
    """
    examples = load_examples() if examples is None else examples
    first = first_question(examples)
    # Only the built-in model answers so fast that nobody needs to be asked.
    embedded = session.loaded.name == EMBEDDED
    opening = Opening(session, first) if first and embedded else None
    with gr.Blocks(
        title=texts.TITLE, analytics_enabled=False, delete_cache=CACHE, fill_width=True
    ) as page:
        gr.HTML(header_html(session), apply_default_css=False, elem_id="pv-header")
        with gr.Row(elem_classes="pv-main"):
            with gr.Column(scale=0, min_width=340, elem_classes="pv-left"):
                asked = inputs.create(examples)
            with gr.Column(scale=1, min_width=340, elem_classes="pv-right"):
                controls, shown = tabs.create(session, asked, examples, opening is not None)
        wiring.wire_inputs(asked, controls, examples)
        loading.wire(page, session, opening, asked, controls, shown, examples)
        api.register(session)
    page.queue(max_size=QUEUE, default_concurrency_limit=4)
    return page


def first_question(examples: list[Example]) -> Question | None:
    """What the first screen shows: the first example and its first question."""
    for example in examples[:1]:
        for question in example.questions[:1]:
            if tip := example.tip(0):
                return Question(str(example.image), question, tip.method, tip.keep_percent)
            return Question(str(example.image), question)
    return None


def header_html(session: Session) -> str:
    """Name, purpose, and which model answers."""
    loaded = session.loaded
    embedded = loaded.name == EMBEDDED
    name = "Built-in model" if embedded else loaded.name
    size = loaded.model.num_parameters() / 1e6
    shown = f"{size:.1f} million" if size < 1000 else f"{size / 1000:.1f} billion"
    kind = str(loaded.model.dtype).removeprefix("torch.")
    facts = (
        f"{shown} parameters, {session.num_layers} decoder layers, {kind} on {loaded.model.device}"
    )
    return (
        f'<header class="pv-header"><div><h1>{texts.TITLE}</h1><p>{escape(texts.LEAD)}</p></div>'
        f'<details class="pv-model"><summary><b>{escape(name)}</b><span>{escape(facts)}</span>'
        f"</summary><p>{escape(about_model(loaded))}</p></details></header>"
    )
