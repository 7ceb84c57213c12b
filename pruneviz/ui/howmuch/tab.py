"""The tab's components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from pruneviz.evaluation.builtin import SETS
from pruneviz.evaluation.plan import CONTROL, SEEDED
from pruneviz.evaluation.scoring import AGREEMENT, AUTO, RULES
from pruneviz.methods.registry import METHODS
from pruneviz.ui.howmuch import texts
from pruneviz.ui.howmuch.runs import release
from pruneviz.ui.howmuch.wanted import BUDGETS, Wanted
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.scripts import mounting
from pruneviz.ui.shared.shown import LIFETIME
from pruneviz.ui.shared.static import read_static
from pruneviz.ui.shared.status import status_html

ASKED = (SEEDED, CONTROL)
"""Controls that are asked whatever is chosen."""


@dataclass(frozen=True)
class HowMuchTab:
    """Handles of the tab; `desk` is this visitor's."""

    data: gr.Radio
    count: gr.Number
    seed: gr.Number
    files: gr.File
    note: gr.HTML
    scoring: gr.Dropdown
    methods: gr.CheckboxGroup
    budgets: gr.Textbox
    kind: gr.Radio
    tolerance: gr.Number
    draws: gr.Number
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    answer: gr.HTML
    plot: gr.HTML
    changed: gr.HTML
    tables: gr.HTML
    save: gr.Button
    copy: gr.Button
    served: gr.DownloadButton
    saved: gr.HTML
    copied: gr.Textbox
    desk: gr.State

    def settings(self) -> list[Any]:
        """In the order of a :class:`Wanted`'s fields."""
        first = [self.data, self.count, self.seed, self.files, self.scoring, self.methods]
        return [*first, self.budgets, self.kind, self.tolerance, self.draws]

    def outputs(self) -> list[Any]:
        """In the order of a :class:`MuchScreen`'s fields."""
        return [self.status, self.answer, self.plot, self.tables, self.changed]


def create() -> HowMuchTab:
    """Create the components."""
    start = Wanted()
    gr.HTML(f'<p class="pv-note pv-muchlead">{texts.LEAD}</p>', apply_default_css=False)
    with gr.Row(elem_classes="pv-controls"):
        with gr.Column(scale=6, min_width=300):
            questions = _questions(start)
            chosen = gr.CheckboxGroup(
                [(title, name) for title, name in methods.choices() if name not in ASKED],
                value=[name for name in methods.compared() if not METHODS[name].card.control],
                label="Methods",
                info=texts.METHODS_INFO.format(" and ".join(METHODS[n].title for n in ASKED)),
                elem_id="pv-howmuch-methods",
                elem_classes="pv-chips",
            )
        with gr.Column(scale=4, min_width=300):
            budgets = _budgets(start) | _buttons()
    shown = _results() | _export()
    desk = gr.State(None, time_to_live=LIFETIME, delete_callback=release)
    return HowMuchTab(methods=chosen, desk=desk, **questions, **budgets, **shown)


def _results() -> dict[str, Any]:
    bare: dict[str, Any] = {"apply_default_css": False}
    status = gr.HTML(status_html(texts.READY), elem_id="pv-howmuch-status", **bare)
    answer = gr.HTML("", elem_id="pv-howmuch-answer", **bare)
    plot = gr.HTML(
        value=None,
        html_template=read_static("howmuch/plot.html"),
        js_on_load=mounting("howmuch", "pick"),
        elem_id="pv-howmuch-plot",
        **bare,
    )
    changed = gr.HTML(
        value=None,
        html_template='<section class="pv-changed" hidden></section>',
        js_on_load=mounting("changed", "reask"),
        elem_id="pv-howmuch-changed",
        **bare,
    )
    tables = gr.HTML("", elem_id="pv-howmuch-tables", **bare)
    results = (status, answer, plot, changed, tables)
    return dict(zip(("status", "answer", "plot", "changed", "tables"), results, strict=True))


def _questions(start: Wanted) -> dict[str, Any]:
    sets = [(one.title, name) for name, one in SETS.items()]
    data = gr.Radio(
        [*sets, (texts.OWN_TITLE, texts.OWN)],
        value=start.data,
        label="Questions",
        elem_id="pv-howmuch-data",
        elem_classes="pv-chips",
    )
    with gr.Row(elem_classes="pv-muchrow"):
        count = gr.Number(
            start.count,
            label=texts.COUNT_LABEL,
            info=texts.COUNT_INFO,
            min_width=120,
            elem_id="pv-howmuch-count",
        )
        seed = gr.Number(
            start.seed,
            label=texts.SEED_LABEL,
            info=texts.SEED_INFO,
            min_width=120,
            elem_id="pv-howmuch-seed",
        )
    files = gr.File(
        label=texts.UPLOAD_LABEL,
        file_count="multiple",
        type="filepath",
        height=110,
        visible=False,
        elem_id="pv-howmuch-files",
    )
    note = gr.HTML(
        f'<p class="pv-note">{texts.UPLOAD_NOTE}</p>', visible=False, apply_default_css=False
    )
    scoring = gr.Dropdown(
        [(texts.SCORINGS.get(name, name), name) for name in (AUTO, *RULES, AGREEMENT)],
        value=start.scoring,
        label=texts.SCORING_LABEL,
        visible=False,
        elem_id="pv-howmuch-scoring",
    )
    return {
        "data": data,
        "count": count,
        "seed": seed,
        "files": files,
        "note": note,
        "scoring": scoring,
    }


def _budgets(start: Wanted) -> dict[str, Any]:
    budgets = gr.Textbox(
        BUDGETS,
        label=texts.BUDGETS_LABEL,
        info=texts.BUDGETS_INFO,
        lines=1,
        elem_id="pv-howmuch-budgets",
    )
    kind = gr.Radio(
        texts.KINDS,
        value=start.kind,
        label="Budgets count",
        info=texts.KIND_INFO,
        elem_id="pv-howmuch-kind",
        elem_classes="pv-chips",
    )
    with gr.Row(elem_classes="pv-muchrow"):
        tolerance = gr.Number(
            start.tolerance,
            label=texts.TOLERANCE_LABEL,
            info=texts.TOLERANCE_INFO,
            min_width=120,
            elem_id="pv-howmuch-tolerance",
        )
        draws = gr.Number(
            start.draws,
            label=texts.DRAWS_LABEL,
            info=texts.DRAWS_INFO,
            min_width=120,
            elem_id="pv-howmuch-draws",
        )
    return {"budgets": budgets, "kind": kind, "tolerance": tolerance, "draws": draws}


def _buttons() -> dict[str, Any]:
    """Not those of the other tabs: Enter in the question, which is not asked here, presses them."""
    with gr.Row(elem_classes="pv-actions"):
        run = gr.Button("Measure", variant="primary", elem_id="pv-howmuch", scale=3, min_width=120)
        stop = gr.Button(
            "Stop",
            variant="stop",
            elem_id="pv-howmuch-stop",
            scale=1,
            min_width=80,
            interactive=False,
        )
    return {"run": run, "stop": stop}


def _export() -> dict[str, Any]:
    with gr.Accordion("Save this evaluation", open=False, elem_id="pv-howmuch-export"):
        with gr.Row(elem_classes="pv-exports"):
            save = gr.Button(
                "Everything (ZIP)", size="sm", min_width=130, elem_id="pv-howmuch-save"
            )
            copy = gr.Button("Copy command", size="sm", min_width=130, elem_id="pv-howmuch-copy")
        saved = gr.HTML("", elem_id="pv-howmuch-saved", apply_default_css=False)
        copied = gr.Textbox(
            label="Command", interactive=False, visible=False, lines=1, max_lines=6,
            elem_id="pv-howmuch-command",
        )  # fmt: skip
        served = gr.DownloadButton(visible=False)
    return {"save": save, "copy": copy, "served": served, "saved": saved, "copied": copied}
