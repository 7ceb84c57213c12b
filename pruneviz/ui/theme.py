"""Looks: a calm theme from Gradio's own pieces, with fonts that ship with it."""

from __future__ import annotations

import gradio as gr

WEIGHTS = (400, 700)
"""Gradio ships the semi-bold cut with too few letters."""


def make_theme() -> gr.themes.Base:
    """Slate with one blue accent, in light and dark."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        secondary_hue=gr.themes.colors.slate,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=(
            gr.themes.LocalFont("IBM Plex Sans", weights=WEIGHTS),
            "ui-sans-serif",
            "system-ui",
            "sans-serif",
        ),
        font_mono=(
            gr.themes.LocalFont("IBM Plex Mono", weights=WEIGHTS),
            "ui-monospace",
            "monospace",
        ),
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="700",
        block_title_text_size="*text_sm",
        block_info_text_size="12px",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
    )
