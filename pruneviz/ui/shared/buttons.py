"""What a tab is run with: its methods, its buttons, and whether it runs again by itself."""

from __future__ import annotations

import gradio as gr

from pruneviz.ui.shared import methods, texts


def rerun_tick(ticked: bool, name: str) -> gr.Checkbox:
    """Whether a tab runs again by itself when its slider rests."""
    return gr.Checkbox(
        ticked,
        label=texts.RERUN,
        show_label=False,
        elem_id=f"pv-{name}",
        elem_classes="pv-tick",
    )


def methods_box(name: str) -> gr.CheckboxGroup:
    """The methods that a tab runs."""
    return gr.CheckboxGroup(
        methods.choices(),
        value=methods.compared(),
        label="Methods",
        info=texts.METHODS_INFO.format(methods.controls_named()),
        elem_id=f"pv-{name}-methods",
        elem_classes="pv-chips",
    )


def run_buttons(label: str, run_id: str, stop_id: str) -> tuple[gr.Button, gr.Button]:
    """A tab's two buttons; Enter in the question presses the first one of the tab in view."""
    with gr.Row(elem_classes="pv-actions"):
        run = gr.Button(
            label,
            variant="primary",
            elem_id=f"pv-{run_id}",
            elem_classes="pv-run",
            scale=3,
            min_width=120,
        )
        stop = gr.Button(
            "Stop",
            variant="stop",
            elem_id=f"pv-{stop_id}",
            scale=1,
            min_width=80,
            interactive=False,
        )
    return run, stop
